//! CBOR (RFC 8949) to JSON.

use crate::DEPTH_MAX;
use crate::input::{Input, Result, Stop};
use crate::writer::Writer;

/// "This is CBOR": says nothing about the value.
const SELF_DESCRIBED: u64 = 55_799;
const BREAK: u8 = 0xff;

pub(crate) fn write(bytes: &[u8], out: &mut Writer) -> Result<()> {
    let mut input = Input::new(bytes);
    value(&mut input, out, 0)?;
    input.finish()
}

/// What follows the first byte of an item.
enum Count {
    Of(u64),
    /// Until a break.
    Open,
}

fn value(input: &mut Input<'_>, out: &mut Writer, depth: usize) -> Result<()> {
    let at = input.at();
    if depth > DEPTH_MAX {
        return Err(Stop::fault(at, "nested too deeply"));
    }
    let byte = input.byte()?;
    let (major, low) = (byte >> 5, byte & 0x1f);
    if major == 7 {
        return simple(input, out, low, at);
    }
    match (major, count(input, low, at)?) {
        (0, Count::Of(number)) => out.display(number),
        (1, Count::Of(number)) => out.display(-1 - i128::from(number)),
        (2, count) => {
            let bytes = chunks(input, count, 2)?;
            out.bytes(&bytes)
        }
        (3, Count::Of(length)) => out.string(input.text(size(length))?),
        (3, Count::Open) => {
            let bytes = chunks(input, Count::Open, 3)?;
            match String::from_utf8(bytes) {
                Ok(text) => out.string(&text),
                Err(_) => Err(Stop::fault(at, "a text that is not UTF-8")),
            }
        }
        (4, count) => array(input, out, count, depth),
        (5, count) => map(input, out, count, depth),
        (6, Count::Of(tag)) => tagged(input, out, tag, depth),
        _ => Err(Stop::fault(at, "an item that cannot have an open length")),
    }
}

fn count(input: &mut Input<'_>, low: u8, at: usize) -> Result<Count> {
    match low {
        0..=23 => Ok(Count::Of(low.into())),
        24..=27 => input.unsigned(1 << (low - 24)).map(Count::Of),
        31 => Ok(Count::Open),
        _ => Err(Stop::fault(at, "a length of a kind that CBOR does not have")),
    }
}

fn size(length: u64) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

/// A text or bytes, in one or in several pieces.
fn chunks(input: &mut Input<'_>, length: Count, major: u8) -> Result<Vec<u8>> {
    let Count::Open = length else {
        let Count::Of(length) = length else { return Ok(vec![]) };
        return input.take(size(length)).map(<[u8]>::to_vec);
    };
    let mut all = vec![];
    loop {
        let at = input.at();
        let byte = input.byte()?;
        if byte == BREAK {
            return Ok(all);
        }
        match (byte >> 5, count(input, byte & 0x1f, at)?) {
            (kind, Count::Of(length)) if kind == major => all.extend_from_slice(input.take(size(length))?),
            _ => return Err(Stop::fault(at, "a piece of another kind within a text or bytes")),
        }
    }
}

/// Whether there is a member at `place`.
fn goes_on(input: &mut Input<'_>, count: &Count, place: usize) -> Result<bool> {
    match count {
        Count::Of(count) => Ok((place as u64) < *count),
        Count::Open if input.peek() == Some(BREAK) => input.byte().map(|_| false),
        Count::Open => Ok(true),
    }
}

fn array(input: &mut Input<'_>, out: &mut Writer, count: Count, depth: usize) -> Result<()> {
    out.raw("[")?;
    let mut place = 0;
    while goes_on(input, &count, place)? {
        out.comma(place)?;
        value(input, out, depth + 1)?;
        place += 1;
    }
    out.raw("]")
}

fn map(input: &mut Input<'_>, out: &mut Writer, count: Count, depth: usize) -> Result<()> {
    out.raw("{")?;
    let mut place = 0;
    while goes_on(input, &count, place)? {
        out.comma(place)?;
        out.key_of(|key| value(input, key, depth + 1))?;
        value(input, out, depth + 1)?;
        place += 1;
    }
    out.raw("}")
}

/// Times, addresses and the like are what they tag; other tags are shown.
fn tagged(input: &mut Input<'_>, out: &mut Writer, tag: u64, depth: usize) -> Result<()> {
    match tag {
        0 | 1 | 32..=34 | 36 | SELF_DESCRIBED => value(input, out, depth + 1),
        2 | 3 => big(input, out, tag == 3, depth),
        37 => uuid(input, out, depth),
        _ => {
            out.raw("{\"$tag\":")?;
            out.display(tag)?;
            out.raw(",\"$value\":")?;
            value(input, out, depth + 1)?;
            out.raw("}")
        }
    }
}

fn big(input: &mut Input<'_>, out: &mut Writer, negative: bool, depth: usize) -> Result<()> {
    let Some(bytes) = byte_string(input)? else { return value(input, out, depth + 1) };
    if bytes.len() > 15 {
        out.raw(if negative { "{\"$minusOneMinus\":" } else { "{\"$integer\":" })?;
        out.bytes(&bytes)?;
        return out.raw("}");
    }
    let number = bytes.iter().fold(0i128, |number, byte| (number << 8) | i128::from(*byte));
    out.display(if negative { -1 - number } else { number })
}

fn uuid(input: &mut Input<'_>, out: &mut Writer, depth: usize) -> Result<()> {
    let Some(bytes) = byte_string(input)? else { return value(input, out, depth + 1) };
    match uuid::Uuid::from_slice(&bytes) {
        Ok(id) => out.string(&id.to_string()),
        Err(_) => out.bytes(&bytes),
    }
}

/// The bytes, if they are what comes next.
fn byte_string(input: &mut Input<'_>) -> Result<Option<Vec<u8>>> {
    let at = input.at();
    let Some(byte) = input.peek().filter(|byte| byte >> 5 == 2) else { return Ok(None) };
    input.byte()?;
    let length = count(input, byte & 0x1f, at)?;
    chunks(input, length, 2).map(Some)
}

fn simple(input: &mut Input<'_>, out: &mut Writer, low: u8, at: usize) -> Result<()> {
    match low {
        20 => out.raw("false"),
        21 => out.raw("true"),
        22 => out.raw("null"),
        23 => out.raw("{\"$simple\":\"undefined\"}"),
        25 => out.double(half(input.unsigned(2)? as u16)),
        26 => out.float(f32::from_be_bytes(input.array()?)),
        27 => out.double(f64::from_be_bytes(input.array()?)),
        31 => Err(Stop::fault(at, "a break where no open item ends")),
        28..=30 => Err(Stop::fault(at, "a value of a kind that CBOR does not have")),
        _ => {
            let number = if low == 24 { input.byte()? } else { low };
            out.raw("{\"$simple\":")?;
            out.display(number)?;
            out.raw("}")
        }
    }
}

/// A number of 16 bits: RFC 8949, appendix D.
fn half(bits: u16) -> f64 {
    let exponent = i32::from(bits >> 10 & 0x1f);
    let mantissa = f64::from(bits & 0x3ff);
    let size = match exponent {
        0 => mantissa * 2f64.powi(-24),
        31 if mantissa == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (mantissa + 1024.0) * 2f64.powi(exponent - 25),
    };
    if bits >> 15 == 1 { -size } else { size }
}
