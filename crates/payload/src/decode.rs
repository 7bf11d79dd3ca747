//! One key, value or header, decoded as it was asked for.

use std::borrow::Cow;

use prost_reflect::MessageDescriptor;

use crate::choice::{Choice, Decoder};
use crate::input::{Fault, Result, Stop};
use crate::registry::{self, Schemas};
use crate::schema::{NamedSchema, Schema};
use crate::unwrap::{self, Compression};
use crate::writer::Writer;
use crate::{avro, cbor, detect, json, message_pack, numbers, protobuf, text};

/// A compressed payload is unpacked up to so many times of what is shown of it, and so many bytes at least.
const UNPACKED_TIMES: usize = 4;
const UNPACKED_LEAST: usize = 256 * 1024;

/// Where bytes come from: what is around them tells what they are.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    pub topic: &'a str,
    pub part: Part,
    /// The record's key.
    pub key: Option<&'a [u8]>,
    pub headers: &'a [(&'a str, Option<&'a [u8]>)],
    /// Of the cluster's schema registry, if it has one.
    pub schemas: Option<&'a dyn Schemas>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Key,
    Value,
    Header,
}

impl<'a> Source<'a> {
    /// The last header of that name, whatever its case, if it is text.
    pub(crate) fn header(&self, name: &str) -> Option<&'a str> {
        let last = self.headers.iter().rev().find(|(known, _)| known.eq_ignore_ascii_case(name));
        last.and_then(|(_, value)| std::str::from_utf8((*value)?).ok())
    }

    /// Of the value.
    pub(crate) fn content_type(&self) -> Option<String> {
        let said = self.header("content-type").filter(|_| self.part == Part::Value)?;
        Some(text::cut(said, 200).trim().to_ascii_lowercase())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Null,
    Json,
    Text,
    /// Hexadecimal.
    Binary,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    pub kind: Kind,
    /// JSON that was sent as JSON is not laid out anew.
    pub text: String,
    /// `text` is only the beginning.
    pub cut: bool,
    /// Bytes of a text that are not UTF-8, in `text` as `\xNN`.
    pub not_utf8: usize,
    /// What it was decoded as, for a person.
    pub decoder: String,
    /// Why it is not shown as it was asked for, or not all of it.
    pub problem: Option<Problem>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The decoder that says so.
    pub decoder: String,
    /// The byte, of what was unpacked where it was compressed.
    pub at: Option<usize>,
    pub why: String,
}

/// What is to be decoded, and how much of it is shown.
#[derive(Clone, Copy)]
pub(crate) struct Bytes<'a> {
    pub(crate) bytes: &'a [u8],
    /// False: these are only the first.
    pub(crate) whole: bool,
    pub(crate) shown: usize,
}

/// `bytes` may be only the beginning of `size` bytes. At most `shown` bytes of text are made of them.
pub fn decode(
    source: &Source<'_>,
    bytes: Option<&[u8]>,
    size: usize,
    decoder: &Decoder,
    shown: usize,
) -> Decoded {
    let Some(bytes) = bytes else {
        let (text, decoder) = (String::new(), String::new());
        return Decoded { kind: Kind::Null, text, cut: false, not_utf8: 0, decoder, problem: None };
    };
    let given = Bytes { bytes, whole: bytes.len() >= size, shown };
    if decoder.0 == Choice::Hex {
        return hex(given, None);
    }
    let mut layers = Vec::new();
    let mut unpacked = (Cow::Borrowed(bytes), given.whole);
    let most = shown.saturating_mul(UNPACKED_TIMES).max(UNPACKED_LEAST);
    while let Some(kind) = compression(&decoder.0, &layers, &unpacked.0) {
        match unwrap::unwrap(kind, &unpacked.0, unpacked.1, most) {
            Ok(inner) => unpacked = (Cow::Owned(inner.bytes), inner.whole),
            Err(stop) => return hex(given, Some(problem(kind.label(), stop, bytes.len()))),
        }
        layers.push(kind);
    }
    let inner = Bytes { bytes: &unpacked.0, whole: unpacked.1, shown };
    let mut decoded = choose(source, inner, &decoder.0);
    decoded.cut |= !inner.whole;
    for layer in layers.iter().rev() {
        decoded.decoder = [layer.label(), " → ", &decoded.decoder].concat();
    }
    decoded
}

/// The next layer, if there is one.
fn compression(choice: &Choice, layers: &[Compression], bytes: &[u8]) -> Option<Compression> {
    match choice {
        Choice::Snappy if layers.is_empty() => Compression::of(bytes).or(Some(Compression::Snappy)),
        _ if layers.len() >= unwrap::LAYERS_MAX => None,
        _ => Compression::of(bytes),
    }
}

fn choose(source: &Source<'_>, given: Bytes<'_>, choice: &Choice) -> Decoded {
    match choice {
        Choice::Auto | Choice::Snappy => detect::detect(source, given),
        Choice::Hex => hex(given, None),
        Choice::Json => json_text(given),
        Choice::Text(encoding) => in_encoding(given, encoding),
        Choice::MessagePack => or_hex("MessagePack", given, |out| message_pack::write(given.bytes, out)),
        Choice::Cbor => or_hex("CBOR", given, |out| cbor::write(given.bytes, out)),
        Choice::Protobuf => or_hex("Protobuf (fields by number)", given, |out| {
            protobuf::raw(given.bytes, 0, &[], given.whole, out)
        }),
        Choice::Number(number) => match numbers::read(*number, given.bytes) {
            Ok(text) => made(Kind::Text, (text, false), number.key()),
            Err(stop) => hex(given, Some(problem(number.key(), stop, given.bytes.len()))),
        },
        Choice::Schema(schema) => by_schema(given, schema),
        Choice::Registry => registry::chosen(source, given),
    }
}

pub(crate) fn json_text(given: Bytes<'_>) -> Decoded {
    let read = whole_characters(given);
    let checked = match std::str::from_utf8(read) {
        Ok(text) if given.whole => json::check(text),
        Ok(_) => Ok(()),
        Err(error) => Err(Stop::fault(error.valid_up_to(), "bytes that are not UTF-8")),
    };
    let shown = plain_text(given);
    match checked {
        Ok(()) => Decoded { kind: Kind::Json, decoder: "JSON".to_owned(), ..shown },
        Err(stop) => Decoded { problem: Some(problem("JSON", stop, given.bytes.len())), ..shown },
    }
}

/// UTF-8, and other bytes as `\xNN`.
pub(crate) fn plain_text(given: Bytes<'_>) -> Decoded {
    let read = whole_characters(given);
    let shown = text::escaped(read, given.shown);
    let not_utf8 = text::bad_bytes(read);
    Decoded { not_utf8, ..made(Kind::Text, (shown.text, shown.cut), "Text") }
}

/// What was read of a text ends within a character where there is more of it.
pub(crate) fn whole_characters<'a>(given: Bytes<'a>) -> &'a [u8] {
    let torn = if given.whole { 0 } else { text::torn_end(given.bytes) };
    &given.bytes[..given.bytes.len() - torn]
}

pub(crate) fn in_encoding(given: Bytes<'_>, encoding: &'static encoding_rs::Encoding) -> Decoded {
    if encoding == encoding_rs::UTF_8 {
        return plain_text(given);
    }
    let label = ["Text in ", encoding.name()].concat();
    match text::in_encoding(given.bytes, encoding, given.shown) {
        Ok(shown) => made(Kind::Text, (shown.text, shown.cut), &label),
        Err(at) => {
            let why = ["bytes that are not ", encoding.name()].concat();
            hex(given, Some(Problem { decoder: label, at: Some(at), why }))
        }
    }
}

/// A schema registry's frame: a zero, and the schema's id in four bytes.
pub(crate) fn framed(bytes: &[u8]) -> Option<u32> {
    match bytes {
        [0, a, b, c, d, ..] => Some(u32::from_be_bytes([*a, *b, *c, *d])),
        _ => None,
    }
}

/// In the frame of a schema registry or without it, whichever fits.
fn by_schema(given: Bytes<'_>, schema: &NamedSchema) -> Decoded {
    let label = [schema.schema.kind(), " by ", &schema.name].concat();
    let in_frame = framed(given.bytes).map(|id| (with_schema(given, &schema.schema, 5), id));
    let (result, label) = match in_frame {
        Some((Ok(decoded), id)) => (Ok(decoded), format!("{label}, in the frame of schema id {id}")),
        Some((Err(stop), id)) => match with_schema(given, &schema.schema, 0) {
            Ok(decoded) => (Ok(decoded), label),
            Err(_) => (Err(stop), format!("{label}, in the frame of schema id {id}")),
        },
        None => (with_schema(given, &schema.schema, 0), label),
    };
    match result {
        Ok(decoded) => Decoded { decoder: label, ..decoded },
        Err(stop) => hex(given, Some(problem(&label, stop, given.bytes.len()))),
    }
}

/// From byte `at` on.
fn with_schema(given: Bytes<'_>, schema: &Schema, at: usize) -> Result<Decoded> {
    let bytes = given.bytes;
    match schema {
        Schema::Avro(schema) => {
            let text = written(given, |out| avro::write(schema, bytes, at, out))?;
            Ok(made(Kind::Json, text, ""))
        }
        Schema::Protobuf(message) => {
            let begin = if at == 0 { 0 } else { message_indexes(bytes, at)?.1 };
            protobuf_text(given, message, begin)
        }
    }
}

/// The message that begins at byte `at`.
pub(crate) fn protobuf_text(given: Bytes<'_>, message: &MessageDescriptor, at: usize) -> Result<Decoded> {
    let mut unknown = 0;
    let text = written(given, |out| {
        unknown = protobuf::described(message, given.bytes, at, given.whole, out)?;
        Ok(())
    })?;
    let problem = (unknown > 0).then(|| Problem {
        decoder: "Protobuf".to_owned(),
        at: None,
        why: format!("{unknown} fields are not in the schema and are not shown"),
    });
    Ok(Decoded { problem, ..made(Kind::Json, text, "") })
}

/// The list that names one of a schema's messages (a count and as many numbers; a zero is the first message), and where
/// it ends.
pub(crate) fn message_indexes(bytes: &[u8], at: usize) -> Result<(Vec<usize>, usize)> {
    let mut input = crate::input::Input::starting_at(bytes, at);
    let count = input.varint()? >> 1;
    if count > 64 {
        return Err(Stop::fault(at, "the list of message indexes is too long"));
    }
    let mut indexes = vec![];
    for _ in 0..count {
        indexes.push(usize::try_from(input.varint()? >> 1).unwrap_or(usize::MAX));
    }
    Ok((indexes, input.at()))
}

pub(crate) fn made(kind: Kind, (text, cut): (String, bool), decoder: &str) -> Decoded {
    Decoded { kind, text, cut, not_utf8: 0, decoder: decoder.to_owned(), problem: None }
}

/// The JSON that is written, and whether it ends early. `Err`: the bytes are not what the decoder reads.
pub(crate) fn written(
    given: Bytes<'_>,
    write: impl FnOnce(&mut Writer) -> Result<()>,
) -> Result<(String, bool)> {
    let mut out = Writer::new(given.shown);
    match write(&mut out) {
        Ok(()) | Err(Stop::Full) => Ok(out.into_text()),
        Err(Stop::End(_)) if !given.whole => Ok((out.into_text().0, true)),
        Err(stop) => Err(stop),
    }
}

/// What a decoder makes of it, or the bytes and why it made nothing.
pub(crate) fn or_hex(
    label: &str,
    given: Bytes<'_>,
    write: impl FnOnce(&mut Writer) -> Result<()>,
) -> Decoded {
    match written(given, write) {
        Ok(text) => made(Kind::Json, text, label),
        Err(stop) => hex(given, Some(problem(label, stop, given.bytes.len()))),
    }
}

pub(crate) fn hex(given: Bytes<'_>, problem: Option<Problem>) -> Decoded {
    let part = &given.bytes[..given.bytes.len().min(given.shown / 2)];
    let cut = !given.whole || part.len() < given.bytes.len();
    Decoded { problem, ..made(Kind::Binary, (text::hex(part), cut), "Hexadecimal") }
}

pub(crate) fn problem(decoder: &str, stop: Stop, length: usize) -> Problem {
    let fault = match stop {
        Stop::Fault(fault) => fault,
        Stop::End(at) => Fault { at, why: "the bytes end in the middle of a value".into() },
        Stop::Full => Fault { at: length, why: "there is more than can be shown".into() },
    };
    Problem { decoder: decoder.to_owned(), at: Some(fault.at), why: fault.why.into_owned() }
}
