//! Protobuf by the descriptor of a message, in Protobuf's own JSON.

use prost_reflect::{DynamicMessage, MessageDescriptor, SerializeOptions, Value};

use super::raw;
use crate::input::{Result, Stop};
use crate::writer::Writer;

/// Nested messages in which fields are looked for that the descriptor does not have.
const LOOKED_AT: usize = 10_000;

/// Returns how many fields the descriptor does not know; they are not in the JSON.
pub(crate) fn write(
    message: &MessageDescriptor,
    bytes: &[u8],
    at: usize,
    whole: bool,
    out: &mut Writer,
) -> Result<usize> {
    let body = bytes.get(at..).unwrap_or_default();
    if !whole {
        // Half a message is shown by its numbers, as far as it goes.
        return raw::write(bytes, at, &[], false, out).map(|()| 0);
    }
    let decoded = DynamicMessage::decode(message.clone(), body).map_err(|error| fault(bytes, at, error))?;
    let options = SerializeOptions::new().stringify_64_bit_integers(false).skip_default_fields(false);
    let mut json = Vec::new();
    decoded
        .serialize_with_options(&mut serde_json::Serializer::new(&mut json), &options)
        .map_err(|error| Stop::fault(at, format!("Protobuf's JSON cannot show it: {error}")))?;
    let mut left = LOOKED_AT;
    let unknown = unknown_fields(&decoded, &mut left);
    // serde_json writes UTF-8.
    out.raw(std::str::from_utf8(&json).unwrap_or_default())?;
    Ok(unknown)
}

/// What is wrong, at the byte where the wire format ends, if it is that.
fn fault(bytes: &[u8], at: usize, error: impl std::fmt::Display) -> Stop {
    match raw::write(bytes, at, &[], true, &mut Writer::new(0)) {
        Err(stop @ (Stop::Fault(_) | Stop::End(_))) => stop,
        _ => Stop::fault(at, error.to_string()),
    }
}

fn unknown_fields(message: &DynamicMessage, left: &mut usize) -> usize {
    let Some(fewer) = left.checked_sub(1) else { return 0 };
    *left = fewer;
    let inner: usize = message.fields().map(|(_, value)| unknown_in(value, left)).sum();
    message.unknown_fields().count() + inner
}

fn unknown_in(value: &Value, left: &mut usize) -> usize {
    match value {
        Value::Message(message) => unknown_fields(message, left),
        Value::List(list) => list.iter().map(|one| unknown_in(one, left)).sum(),
        Value::Map(map) => map.values().map(|one| unknown_in(one, left)).sum(),
        _ => 0,
    }
}
