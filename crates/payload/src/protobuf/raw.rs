//! Protobuf without a descriptor: fields by their numbers, as far as the wire format tells what they are.

use std::collections::BTreeMap;

use crate::input::{Input, Result, Stop};
use crate::writer::Writer;

/// Deeper messages are shown as bytes.
const MESSAGES_DEEP: usize = 32;
/// Fields of one message that are kept in memory.
const FIELDS_MAX: usize = 100_000;

/// Names of the outermost message's fields, where they are known.
pub(crate) type Names = &'static [(u32, &'static str)];

#[derive(Clone, Copy)]
enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(&'a [u8]),
    Group(&'a [u8]),
}

/// `at`: where the message begins.
pub(crate) fn write(bytes: &[u8], at: usize, names: Names, whole: bool, out: &mut Writer) -> Result<()> {
    let (fields, stop) = fields(bytes, at);
    match stop {
        Some(Stop::End(_)) if !whole => {
            message(fields, names, out, 0)?;
            Err(Stop::Full)
        }
        Some(stop) => Err(stop),
        None => message(fields, names, out, 0),
    }
}

/// Whether these are fields of a message, to their end: other bytes seldom are.
pub(crate) fn looks_like_message(bytes: &[u8]) -> bool {
    !bytes.is_empty() && matches!(fields(bytes, 0), (_, None))
}

type Fields<'a> = BTreeMap<u32, Vec<Value<'a>>>;

/// The fields up to the end, or up to what cannot be read.
fn fields(bytes: &[u8], at: usize) -> (Fields<'_>, Option<Stop>) {
    let mut input = Input::starting_at(bytes, at);
    let (mut all, mut count) = (Fields::new(), 0);
    while !input.is_empty() {
        count += 1;
        if count > FIELDS_MAX {
            let why = format!("more than {FIELDS_MAX} fields in one message");
            return (all, Some(Stop::fault(input.at(), why)));
        }
        match field(&mut input, bytes) {
            Ok((number, value)) => all.entry(number).or_default().push(value),
            Err(stop) => return (all, Some(stop)),
        }
    }
    (all, None)
}

fn field<'a>(input: &mut Input<'a>, bytes: &'a [u8]) -> Result<(u32, Value<'a>)> {
    let at = input.at();
    let (number, wire) = tag(input)?;
    let value = match wire {
        0 => Value::Varint(input.varint()?),
        1 => Value::Fixed64(u64::from_le_bytes(input.array()?)),
        2 => {
            let length = input.varint()?;
            Value::Bytes(input.take(usize::try_from(length).unwrap_or(usize::MAX))?)
        }
        3 => {
            let begin = input.at();
            let end = skip_group(input, number)?;
            Value::Group(&bytes[begin..end])
        }
        4 => return Err(Stop::fault(at, format!("the end of group {number}, which was not begun"))),
        5 => Value::Fixed32(u32::from_le_bytes(input.array()?)),
        other => return Err(Stop::fault(at, format!("wire type {other} of field {number}"))),
    };
    Ok((number, value))
}

fn tag(input: &mut Input<'_>) -> Result<(u32, u64)> {
    let at = input.at();
    let tag = input.varint()?;
    match u32::try_from(tag >> 3) {
        Ok(number) if (1..1 << 29).contains(&number) => Ok((number, tag & 7)),
        _ => Err(Stop::fault(at, "a field number that Protobuf does not allow")),
    }
}

/// Past the group's end, which begins where it says. Without recursion: groups nest as deep as they like.
fn skip_group(input: &mut Input<'_>, number: u32) -> Result<usize> {
    let mut open = vec![number];
    loop {
        let at = input.at();
        let (number, wire) = tag(input)?;
        match wire {
            0 => drop(input.varint()?),
            1 => drop(input.take(8)?),
            2 => {
                let length = input.varint()?;
                input.take(usize::try_from(length).unwrap_or(usize::MAX))?;
            }
            3 => open.push(number),
            4 if open.pop() == Some(number) => {}
            5 => drop(input.take(4)?),
            _ => return Err(Stop::fault(at, format!("wire type {wire} within a group"))),
        }
        if open.is_empty() {
            return Ok(at);
        }
    }
}

/// Repeated fields are a list.
fn message(fields: Fields<'_>, names: Names, out: &mut Writer, depth: usize) -> Result<()> {
    out.raw("{")?;
    for (place, (number, values)) in fields.into_iter().enumerate() {
        out.comma(place)?;
        match names.iter().find(|(known, _)| *known == number) {
            Some((_, name)) => out.key(name)?,
            None => out.key(&number.to_string())?,
        }
        match values[..] {
            [one] => value(one, out, depth)?,
            _ => {
                out.raw("[")?;
                for (place, one) in values.into_iter().enumerate() {
                    out.comma(place)?;
                    value(one, out, depth)?;
                }
                out.raw("]")?;
            }
        }
    }
    out.raw("}")
}

fn value(value: Value<'_>, out: &mut Writer, depth: usize) -> Result<()> {
    match value {
        // Of int32 and int64 that are negative.
        Value::Varint(number) if number > i64::MAX as u64 => out.display(number as i64),
        Value::Varint(number) => out.display(number),
        Value::Fixed64(bits) => {
            out.raw("{\"$fixed64\":")?;
            out.display(bits as i64)?;
            out.raw(",\"$double\":")?;
            out.double(f64::from_bits(bits))?;
            out.raw("}")
        }
        Value::Fixed32(bits) => {
            out.raw("{\"$fixed32\":")?;
            out.display(bits as i32)?;
            out.raw(",\"$float\":")?;
            out.float(f32::from_bits(bits))?;
            out.raw("}")
        }
        Value::Group(bytes) => inner(bytes, out, depth),
        Value::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) if is_text(text) => out.string(text),
            _ => inner(bytes, out, depth),
        },
    }
}

fn inner(bytes: &[u8], out: &mut Writer, depth: usize) -> Result<()> {
    if depth < MESSAGES_DEEP
        && !bytes.is_empty()
        && let (fields, None) = fields(bytes, 0)
    {
        return message(fields, &[], out, depth + 1);
    }
    out.bytes(bytes)
}

/// A line break at the start is a field's tag as well.
fn is_text(text: &str) -> bool {
    !text.starts_with('\n') && !text.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
}
