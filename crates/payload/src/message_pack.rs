//! MessagePack to JSON.

use crate::DEPTH_MAX;
use crate::input::{Input, Result, Stop};
use crate::writer::Writer;

pub(crate) fn write(bytes: &[u8], out: &mut Writer) -> Result<()> {
    let mut input = Input::new(bytes);
    value(&mut input, out, 0)?;
    input.finish()
}

fn value(input: &mut Input<'_>, out: &mut Writer, depth: usize) -> Result<()> {
    let at = input.at();
    if depth > DEPTH_MAX {
        return Err(Stop::fault(at, "nested too deeply"));
    }
    let byte = input.byte()?;
    match byte {
        0x00..=0x7f => out.display(byte),
        0xe0..=0xff => out.display(byte as i8),
        0x80..=0x8f => map(input, out, usize::from(byte & 0x0f), depth),
        0x90..=0x9f => array(input, out, usize::from(byte & 0x0f), depth),
        0xa0..=0xbf => out.string(input.text(usize::from(byte & 0x1f))?),
        0xc0 => out.raw("null"),
        0xc1 => Err(Stop::fault(at, "0xc1 begins nothing in MessagePack")),
        0xc2 => out.raw("false"),
        0xc3 => out.raw("true"),
        0xc4..=0xc6 => {
            let count = length(input, 1 << (byte - 0xc4))?;
            out.bytes(input.take(count)?)
        }
        0xc7..=0xc9 => {
            let count = length(input, 1 << (byte - 0xc7))?;
            extension(input, out, count)
        }
        0xca => out.float(f32::from_be_bytes(input.array()?)),
        0xcb => out.double(f64::from_be_bytes(input.array()?)),
        0xcc..=0xcf => out.display(input.unsigned(1 << (byte - 0xcc))?),
        0xd0 => out.display(i8::from_be_bytes(input.array()?)),
        0xd1 => out.display(i16::from_be_bytes(input.array()?)),
        0xd2 => out.display(i32::from_be_bytes(input.array()?)),
        0xd3 => out.display(i64::from_be_bytes(input.array()?)),
        0xd4..=0xd8 => extension(input, out, 1 << (byte - 0xd4)),
        0xd9..=0xdb => {
            let count = length(input, 1 << (byte - 0xd9))?;
            out.string(input.text(count)?)
        }
        0xdc | 0xdd => {
            let count = length(input, 2 << (byte - 0xdc))?;
            array(input, out, count, depth)
        }
        0xde | 0xdf => {
            let count = length(input, 2 << (byte - 0xde))?;
            map(input, out, count, depth)
        }
    }
}

fn length(input: &mut Input<'_>, bytes: usize) -> Result<usize> {
    input.unsigned(bytes).map(|length| usize::try_from(length).unwrap_or(usize::MAX))
}

fn array(input: &mut Input<'_>, out: &mut Writer, count: usize, depth: usize) -> Result<()> {
    out.raw("[")?;
    for place in 0..count {
        out.comma(place)?;
        value(input, out, depth + 1)?;
    }
    out.raw("]")
}

fn map(input: &mut Input<'_>, out: &mut Writer, count: usize, depth: usize) -> Result<()> {
    out.raw("{")?;
    for place in 0..count {
        out.comma(place)?;
        out.key_of(|key| value(input, key, depth + 1))?;
        value(input, out, depth + 1)?;
    }
    out.raw("}")
}

/// Type -1 is a time: seconds since 1970 as a number.
fn extension(input: &mut Input<'_>, out: &mut Writer, count: usize) -> Result<()> {
    let kind = input.byte()? as i8;
    let data = input.take(count)?;
    let mut fields = Input::new(data);
    let (seconds, nanoseconds) = match (kind, count) {
        (-1, 4) => (fields.unsigned(4)? as i64, 0),
        (-1, 8) => {
            let both = fields.unsigned(8)?;
            ((both & 0x3_ffff_ffff) as i64, both >> 34)
        }
        (-1, 12) => {
            let nanoseconds = fields.unsigned(4)?;
            (fields.unsigned(8)? as i64, nanoseconds)
        }
        _ => {
            out.raw("{\"$extension\":")?;
            out.display(kind)?;
            out.raw(",\"$data\":")?;
            out.bytes(data)?;
            return out.raw("}");
        }
    };
    out.raw("{\"$timestamp\":\"")?;
    out.display(seconds)?;
    if nanoseconds > 0 {
        out.raw(&format!(".{nanoseconds:09}"))?;
    }
    out.raw("\"}")
}
