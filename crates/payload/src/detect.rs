//! What bytes are where nobody chose a decoder: by their topic, by headers, and by what they look like. A guess is
//! taken only where all of the bytes bear it out.

use encoding_rs::{Encoding, UTF_16BE, UTF_16LE};

use crate::decode::{
    Bytes, Decoded, Kind, Part, Problem, Source, framed, hex, in_encoding, json_text, made, or_hex,
    plain_text, whole_characters,
};
use crate::input::Result;
use crate::writer::Writer;
use crate::{cbor, cloud_events, consumer_offsets, json, kafkaflow, message_pack, protobuf, registry, text};

pub(crate) fn detect(source: &Source<'_>, given: Bytes<'_>) -> Decoded {
    if source.topic == consumer_offsets::TOPIC && source.part != Part::Header {
        return of_consumer_offsets(source, given);
    }
    match registry::detected(source, given) {
        None => without_registry(source, given),
        // Around a record with a schema are the same headers.
        Some(Ok(decoded)) => with_headers(source, decoded),
        Some(Err(problem)) => {
            let decoded = without_registry(source, given);
            let is_text = matches!(decoded.kind, Kind::Binary | Kind::Text);
            if is_text { Decoded { problem: Some(problem), ..decoded } } else { decoded }
        }
    }
}

fn without_registry(source: &Source<'_>, given: Bytes<'_>) -> Decoded {
    if source.part != Part::Value {
        return by_looks(source, given);
    }
    let message_type = source.header(kafkaflow::MESSAGE_TYPE).map(kafkaflow::type_name);
    let decoded = match message_type.map(kafkaflow::fields) {
        Some(names) if !names.is_empty() => or_hex("Protobuf of KafkaFlow", given, |out| {
            protobuf::raw(given.bytes, 0, names, given.whole, out)
        }),
        _ => by_content_type(source, given).unwrap_or_else(|| by_looks(source, given)),
    };
    with_headers(source, decoded)
}

/// What the headers of a value say it is.
fn with_headers(source: &Source<'_>, mut decoded: Decoded) -> Decoded {
    if source.part != Part::Value {
        return decoded;
    }
    if let Some(event) = cloud_events::binary(source) {
        decoded.decoder = [&event.label, " · ", &decoded.decoder].concat();
        decoded.problem = decoded.problem.or_else(|| missing(&event));
    }
    let message_type = source.header(kafkaflow::MESSAGE_TYPE).map(kafkaflow::type_name);
    if let Some(name) = message_type.filter(|name| !name.is_empty()) {
        decoded.decoder = [&decoded.decoder, " · ", text::cut(name, 200)].concat();
    }
    decoded
}

fn of_consumer_offsets(source: &Source<'_>, given: Bytes<'_>) -> Decoded {
    match source.part {
        Part::Key => or_hex("Kafka's consumer offsets", given, |out| consumer_offsets::key(given.bytes, out)),
        _ => or_hex("Kafka's consumer offsets", given, |out| {
            consumer_offsets::value(source.key, given.bytes, out)
        }),
    }
}

fn by_content_type(source: &Source<'_>, given: Bytes<'_>) -> Option<Decoded> {
    let said = source.content_type()?;
    let (kind, parameters) = said.split_once(';').unwrap_or((&said, ""));
    match kind.trim() {
        "application/msgpack" | "application/x-msgpack" | "application/vnd.msgpack" => {
            Some(or_hex("MessagePack", given, |out| message_pack::write(given.bytes, out)))
        }
        "application/cbor" => Some(or_hex("CBOR", given, |out| cbor::write(given.bytes, out))),
        "application/protobuf" | "application/x-protobuf" | "application/vnd.google.protobuf" => {
            Some(or_hex("Protobuf (fields by number)", given, |out| {
                protobuf::raw(given.bytes, 0, &[], given.whole, out)
            }))
        }
        kind if kind.starts_with("text/") => {
            let charset = parameters.split(';').find_map(|one| one.trim().strip_prefix("charset="))?;
            let encoding = Encoding::for_label(charset.trim_matches('"').as_bytes())?;
            Some(in_encoding(given, encoding))
        }
        kind if kind.ends_with("/json") || kind.ends_with("+json") => {
            let decoded = json_text(given);
            Some(as_event(source, given, decoded))
        }
        _ => None,
    }
}

fn by_looks(source: &Source<'_>, given: Bytes<'_>) -> Decoded {
    let read = whole_characters(given);
    let not_utf8 = text::bad_bytes_of_text(read);
    // Formats with texts in them are readable to a person, too: none of them is UTF-8.
    if not_utf8 != Some(0)
        && let Some(decoded) = structured(given)
    {
        return decoded;
    }
    if not_utf8.is_none() {
        return binary(source, given);
    }
    // An object or an array as a whole.
    let is_json = given.whole && std::str::from_utf8(read).is_ok_and(json::begins);
    if !is_json {
        return plain_text(given);
    }
    let decoded = json_text(given);
    // A line of a log begins with a bracket, too.
    let is_meant = decoded.kind == Kind::Json || read.trim_ascii_start().starts_with(b"{");
    if !is_meant {
        return plain_text(given);
    }
    as_event(source, given, decoded)
}

fn as_event(source: &Source<'_>, given: Bytes<'_>, decoded: Decoded) -> Decoded {
    if decoded.kind != Kind::Json || source.part != Part::Value {
        return decoded;
    }
    let event = std::str::from_utf8(given.bytes).ok().and_then(|text| cloud_events::structured(source, text));
    match event {
        Some(event) => {
            let problem = decoded.problem.clone().or_else(|| missing(&event));
            Decoded { decoder: event.label, problem, ..decoded }
        }
        None => decoded,
    }
}

fn missing(event: &cloud_events::Event) -> Option<Problem> {
    (!event.missing.is_empty()).then(|| Problem {
        decoder: "CloudEvents".to_owned(),
        at: None,
        why: format!("required attributes are missing: {}", event.missing.join(", ")),
    })
}

/// MessagePack or CBOR, if all of it is.
fn structured(given: Bytes<'_>) -> Option<Decoded> {
    let bytes = given.bytes;
    let is_message_pack = matches!(bytes.first(), Some(0x81..=0x8f | 0x91..=0x9f | 0xdc..=0xdf));
    let is_cbor = bytes.starts_with(&[0xd9, 0xd9, 0xf7])
        || matches!(bytes.first(), Some(0x81..=0x9b | 0x9f | 0xa1..=0xbb | 0xbf));
    guess("MessagePack", given, is_message_pack, |out| message_pack::write(bytes, out))
        .or_else(|| guess("CBOR", given, is_cbor, |out| cbor::write(bytes, out)))
}

fn binary(source: &Source<'_>, given: Bytes<'_>) -> Decoded {
    let bytes = given.bytes;
    let utf_16 = match bytes {
        [0xff, 0xfe, _, _, ..] => Some(UTF_16LE),
        [0xfe, 0xff, _, _, ..] => Some(UTF_16BE),
        _ => None,
    };
    if let Some(encoding) = utf_16.filter(|_| !given.whole || bytes.len().is_multiple_of(2)) {
        let decoded = in_encoding(given, encoding);
        if decoded.problem.is_none() {
            return decoded;
        }
    }
    if source.header(kafkaflow::MESSAGE_TYPE).is_some() && given.whole && protobuf::looks_like_message(bytes)
    {
        return or_hex("Protobuf (fields by number)", given, |out| protobuf::raw(bytes, 0, &[], true, out));
    }
    hex(given, registry_hint(source, given))
}

/// All of the bytes must be one array or object.
fn guess(
    label: &str,
    given: Bytes<'_>,
    begins: bool,
    write: impl FnOnce(&mut Writer) -> Result<()>,
) -> Option<Decoded> {
    if !begins || !given.whole || given.bytes.len() < 3 {
        return None;
    }
    let mut out = Writer::checking(given.shown);
    write(&mut out).ok()?;
    Some(made(Kind::Json, out.into_text(), label))
}

/// Eight bytes are a number more often than a record with a schema.
fn registry_hint(source: &Source<'_>, given: Bytes<'_>) -> Option<Problem> {
    let is_asked = source.schemas.is_some();
    let id = framed(given.bytes).filter(|id| *id > 0 && source.part == Part::Value && !is_asked)?;
    (given.bytes.len() > 5 && given.bytes.len() != 8).then(|| Problem {
        decoder: "Schema registry".to_owned(),
        at: Some(5),
        why: format!("it begins as a record with schema id {id} does: choose a decoder with that schema, or name the cluster's \
             schema_registry in the configuration"),
    })
}
