//! Protobuf's wire format, field by field, without copying: what is listed a million times costs
//! no memory until somebody keeps it. The messages themselves are in `read` and `write`.

use prost::encoding::{
    DecodeContext, WireType, decode_key, decode_varint, encode_key, encode_varint, skip_field,
};

use crate::Malformed;

#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// A wire type that no message of KafkaFlow's uses; skipped.
    Other,
}

impl<'a> Value<'a> {
    pub(super) fn number(self, tag: u32) -> Result<u64, Malformed> {
        match self {
            Self::Number(number) => Ok(number),
            _ => Err(Malformed::WireType(tag)),
        }
    }

    /// As protobuf does: an int32 is the low half of the varint.
    pub(super) fn int32(self, tag: u32) -> Result<i32, Malformed> {
        self.number(tag).map(|number| number as i32)
    }

    pub(super) fn bytes(self, tag: u32) -> Result<&'a [u8], Malformed> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(Malformed::WireType(tag)),
        }
    }

    pub(super) fn text(self, tag: u32) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.bytes(tag)?).map_err(|_| Malformed::Utf8)
    }

    /// The numbers of a repeated int32, packed or not.
    pub(super) fn int32s(
        self,
        tag: u32,
        mut each: impl FnMut(i32) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        match self {
            Self::Number(number) => each(number as i32),
            Self::Bytes(mut packed) => {
                while !packed.is_empty() {
                    each(varint(&mut packed)? as i32)?;
                }
                Ok(())
            }
            Self::Other => Err(Malformed::WireType(tag)),
        }
    }
}

/// Gives every field of the message to `field`, in the order of the wire.
pub(super) fn each<'a>(
    mut rest: &'a [u8],
    mut field: impl FnMut(u32, Value<'a>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    while !rest.is_empty() {
        let (tag, wire_type) = decode_key(&mut rest).map_err(|_| Malformed::Protobuf)?;
        let value = match wire_type {
            WireType::Varint => Value::Number(varint(&mut rest)?),
            WireType::LengthDelimited => Value::Bytes(take(&mut rest)?),
            other => {
                // Bounded in depth by the context's recursion limit.
                skip_field(other, tag, &mut rest, DecodeContext::default())
                    .map_err(|_| Malformed::Protobuf)?;
                Value::Other
            }
        };
        field(tag, value)?;
    }
    Ok(())
}

fn varint(rest: &mut &[u8]) -> Result<u64, Malformed> {
    decode_varint(rest).map_err(|_| Malformed::Protobuf)
}

fn take<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Malformed> {
    let length = usize::try_from(varint(rest)?).map_err(|_| Malformed::Protobuf)?;
    let (bytes, after) = rest.split_at_checked(length).ok_or(Malformed::Protobuf)?;
    *rest = after;
    Ok(bytes)
}

/// Left out where it is zero.
pub(super) fn put_number(buffer: &mut Vec<u8>, tag: u32, number: u64) {
    if number != 0 {
        put_listed_number(buffer, tag, number);
    }
}

/// One of a list that is not packed: zero counts.
pub(super) fn put_listed_number(buffer: &mut Vec<u8>, tag: u32, number: u64) {
    encode_key(tag, WireType::Varint, buffer);
    encode_varint(number, buffer);
}

/// Negative ones take ten bytes, as everywhere in protobuf.
pub(super) fn put_int32(buffer: &mut Vec<u8>, tag: u32, number: i32) {
    put_number(buffer, tag, i64::from(number) as u64);
}

/// The empty one is written: it is not null.
pub(super) fn put_bytes(buffer: &mut Vec<u8>, tag: u32, bytes: &[u8]) {
    encode_key(tag, WireType::LengthDelimited, buffer);
    encode_varint(bytes.len() as u64, buffer);
    buffer.extend_from_slice(bytes);
}
