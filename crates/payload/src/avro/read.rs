//! Avro's binary encoding to JSON.

use super::{Avro, Type};
use crate::DEPTH_MAX;
use crate::input::{Input, Result, Stop};
use crate::writer::Writer;

/// One value, from `at` to the end of the bytes.
pub(crate) fn write(schema: &Avro, bytes: &[u8], at: usize, out: &mut Writer) -> Result<()> {
    let mut reader = Reader { schema, input: Input::starting_at(bytes, at) };
    reader.value(&schema.root, out, 0)?;
    reader.input.finish()
}

struct Reader<'a> {
    schema: &'a Avro,
    input: Input<'a>,
}

impl<'a> Reader<'a> {
    fn value(&mut self, kind: &Type, out: &mut Writer, depth: usize) -> Result<()> {
        let at = self.input.at();
        if depth > DEPTH_MAX {
            return Err(Stop::fault(at, "nested too deeply"));
        }
        match kind {
            Type::Null => out.raw("null"),
            Type::Boolean => match self.input.byte()? {
                0 => out.raw("false"),
                1 => out.raw("true"),
                other => Err(Stop::fault(at, format!("{other} is no boolean"))),
            },
            Type::Int => match i32::try_from(self.long()?) {
                Ok(number) => out.display(number),
                Err(_) => Err(Stop::fault(at, "an int of more than 32 bits")),
            },
            Type::Long => out.display(self.long()?),
            Type::Float => out.float(f32::from_le_bytes(self.input.array()?)),
            Type::Double => out.double(f64::from_le_bytes(self.input.array()?)),
            Type::Bytes => out.bytes(self.bytes()?),
            Type::String => {
                let length = self.length()?;
                out.string(self.input.text(length)?)
            }
            Type::Fixed(size) => out.bytes(self.input.take(*size)?),
            Type::Uuid => out.string(&uuid::Uuid::from_bytes(self.input.array()?).to_string()),
            Type::Decimal { size, scale } => {
                let bytes = match size {
                    Some(size) => self.input.take(*size)?,
                    None => self.bytes()?,
                };
                decimal(bytes, *scale, out)
            }
            Type::Enum(symbols) => {
                let symbol = self.choice(symbols.len(), "symbols of the enum")?;
                out.string(&symbols[symbol])
            }
            Type::Union(branches) => {
                let branch = self.choice(branches.len(), "types of the union")?;
                self.value(&branches[branch], out, depth + 1)
            }
            Type::Record(place) => self.record(*place, out, depth),
            Type::Array(item) => {
                self.blocks(out, ("[", "]"), |reader, out| reader.value(item, out, depth + 1))
            }
            Type::Map(item) => self.blocks(out, ("{", "}"), |reader, out| {
                let length = reader.length()?;
                out.key(reader.input.text(length)?)?;
                reader.value(item, out, depth + 1)
            }),
        }
    }

    fn record(&mut self, place: usize, out: &mut Writer, depth: usize) -> Result<()> {
        let schema = self.schema;
        let Some(record) = schema.records.get(place) else {
            return Err(Stop::fault(self.input.at(), "a record that the schema does not have"));
        };
        out.raw("{")?;
        for (place, (name, kind)) in record.fields.iter().enumerate() {
            out.comma(place)?;
            out.key(name)?;
            self.value(kind, out, depth + 1)?;
        }
        out.raw("}")
    }

    /// Blocks of a count each, until one of none. Each member writes something, so the writer's bound ends a count
    /// that no bytes back.
    fn blocks(
        &mut self,
        out: &mut Writer,
        around: (&str, &str),
        mut member: impl FnMut(&mut Self, &mut Writer) -> Result<()>,
    ) -> Result<()> {
        out.raw(around.0)?;
        let mut place = 0;
        loop {
            let count = self.long()?;
            if count == 0 {
                return out.raw(around.1);
            }
            if count < 0 {
                // The block's size in bytes, for readers that skip it.
                self.long()?;
            }
            for _ in 0..count.unsigned_abs() {
                out.comma(place)?;
                member(self, out)?;
                place += 1;
            }
        }
    }

    fn long(&mut self) -> Result<i64> {
        let zigzag = self.input.varint()?;
        Ok((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64))
    }

    fn length(&mut self) -> Result<usize> {
        let at = self.input.at();
        let length = self.long()?;
        usize::try_from(length).map_err(|_| Stop::fault(at, format!("a length of {length}")))
    }

    fn bytes(&mut self) -> Result<&'a [u8]> {
        let length = self.length()?;
        self.input.take(length)
    }

    fn choice(&mut self, count: usize, of: &str) -> Result<usize> {
        let at = self.input.at();
        let number = self.long()?;
        match usize::try_from(number) {
            Ok(place) if place < count => Ok(place),
            _ => Err(Stop::fault(at, format!("number {number} of {count} {of}"))),
        }
    }
}

/// A big-endian integer in two's complement, with `scale` digits after the point.
fn decimal(bytes: &[u8], scale: usize, out: &mut Writer) -> Result<()> {
    if bytes.len() > 16 {
        out.raw("{\"$scale\":")?;
        out.display(scale)?;
        out.raw(",\"$unscaled\":")?;
        out.bytes(bytes)?;
        return out.raw("}");
    }
    let sign = if bytes.first().is_some_and(|first| first & 0x80 != 0) { -1i128 } else { 0 };
    let number = bytes.iter().fold(sign, |number, byte| (number << 8) | i128::from(*byte));
    let digits = format!("{:0width$}", number.unsigned_abs(), width = scale + 1);
    let (whole, part) = digits.split_at(digits.len() - scale);
    let minus = if number < 0 { "-" } else { "" };
    let point = if scale == 0 { "" } else { "." };
    out.string(&[minus, whole, point, part].concat())
}
