//! Bytes that are read from front to back, each fault with its place.

use std::borrow::Cow;

/// Why bytes could not be decoded, and at which byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) at: usize,
    pub(crate) why: Cow<'static, str>,
}

/// Why decoding ended before the value did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stop {
    Fault(Fault),
    /// The bytes end within something that begins or goes on here.
    End(usize),
    /// As much as is shown was written.
    Full,
}

impl Stop {
    pub(crate) fn fault(at: usize, why: impl Into<Cow<'static, str>>) -> Self {
        Self::Fault(Fault { at, why: why.into() })
    }
}

pub(crate) type Result<T> = std::result::Result<T, Stop>;

#[derive(Clone)]
pub(crate) struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Input<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The same bytes from here on; places are still those of the whole.
    pub(crate) fn starting_at(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at: at.min(bytes.len()) }
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.left() == 0
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.bytes.len());
        let Some(end) = end else { return Err(Stop::End(self.at)) };
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    pub(crate) fn byte(&mut self) -> Result<u8> {
        self.take(1).map(|taken| taken[0])
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let taken = self.take(N)?;
        let mut array = [0; N];
        array.copy_from_slice(taken);
        Ok(array)
    }

    /// `count` bytes of a big-endian number, at most eight.
    pub(crate) fn unsigned(&mut self, count: usize) -> Result<u64> {
        let taken = self.take(count)?;
        Ok(taken.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte)))
    }

    pub(crate) fn text(&mut self, count: usize) -> Result<&'a str> {
        let at = self.at;
        let taken = self.take(count)?;
        std::str::from_utf8(taken)
            .map_err(|error| Stop::fault(at + error.valid_up_to(), "a text that is not UTF-8"))
    }

    /// Seven bits a byte, the lowest first: protobuf's and, with zigzag, Avro's numbers.
    pub(crate) fn varint(&mut self) -> Result<u64> {
        let begin = self.at;
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte().map_err(|_| Stop::End(begin))?;
            if shift == 63 && byte > 1 {
                break;
            }
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Stop::fault(begin, "a variable-length number of more than 64 bits"))
    }

    /// All of it must have been read.
    pub(crate) fn finish(&self) -> Result<()> {
        match self.left() {
            0 => Ok(()),
            left => Err(Stop::fault(self.at, format!("the value ends here, and {left} bytes follow"))),
        }
    }
}
