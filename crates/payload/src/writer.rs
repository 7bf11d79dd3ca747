//! JSON that is written piece by piece up to a number of bytes, so that a small record cannot become a large text.

use std::fmt::Write as _;

use crate::input::{Result, Stop};

pub(crate) struct Writer {
    text: String,
    most: usize,
    /// What does not fit is left out, and the rest is read all the same: only to know whether it can be.
    checks: bool,
    full: bool,
}

impl Writer {
    pub(crate) fn new(most: usize) -> Self {
        Self { text: String::new(), most, checks: false, full: false }
    }

    pub(crate) fn checking(most: usize) -> Self {
        Self { checks: true, ..Self::new(most) }
    }

    /// The text, and whether it ends early.
    pub(crate) fn into_text(self) -> (String, bool) {
        (self.text, self.full)
    }

    fn fill(&mut self) -> Result<()> {
        self.full = true;
        if self.checks { Ok(()) } else { Err(Stop::Full) }
    }

    /// A piece of JSON.
    pub(crate) fn raw(&mut self, piece: &str) -> Result<()> {
        let space = if self.full { 0 } else { self.most - self.text.len() };
        let part = crate::text::cut(piece, space);
        self.text.push_str(part);
        if part.len() < piece.len() { self.fill() } else { Ok(()) }
    }

    pub(crate) fn display(&mut self, value: impl std::fmt::Display) -> Result<()> {
        self.raw(&value.to_string())
    }

    pub(crate) fn string(&mut self, text: &str) -> Result<()> {
        self.raw("\"")?;
        let mut from = 0;
        for (at, byte) in text.bytes().enumerate() {
            let escaped = match byte {
                b'"' => "\\\"",
                b'\\' => "\\\\",
                b'\n' => "\\n",
                b'\r' => "\\r",
                b'\t' => "\\t",
                0..=0x1f => "",
                _ => continue,
            };
            self.raw(&text[from..at])?;
            if escaped.is_empty() {
                self.raw(&format!("\\u{byte:04x}"))?
            } else {
                self.raw(escaped)?
            }
            from = at + 1;
        }
        self.raw(&text[from..])?;
        self.raw("\"")
    }

    /// Bytes, which JSON has no form for: `"0x0a1b"`.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<()> {
        let space = (self.most - self.text.len()) / 2 + 1;
        let part = &bytes[..bytes.len().min(space)];
        let mut hex = String::with_capacity(part.len() * 2 + 4);
        hex.push_str("\"0x");
        for byte in part {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
        }
        hex.push('"');
        self.raw(&hex)?;
        if part.len() < bytes.len() { self.fill() } else { Ok(()) }
    }

    /// What is no number in JSON is a text.
    pub(crate) fn double(&mut self, number: f64) -> Result<()> {
        if let Some(word) = not_finite(number) {
            return self.string(word);
        }
        self.raw(&format!("{number:?}"))
    }

    pub(crate) fn float(&mut self, number: f32) -> Result<()> {
        if let Some(word) = not_finite(number.into()) {
            return self.string(word);
        }
        self.raw(&format!("{number:?}"))
    }

    /// What goes before the member at `place` of an array or object.
    pub(crate) fn comma(&mut self, place: usize) -> Result<()> {
        if place == 0 { Ok(()) } else { self.raw(",") }
    }

    pub(crate) fn key(&mut self, name: &str) -> Result<()> {
        self.string(name)?;
        self.raw(":")
    }

    /// The key of an object that was no text: its JSON as a text.
    pub(crate) fn key_of(&mut self, write: impl FnOnce(&mut Writer) -> Result<()>) -> Result<()> {
        let mut key = Writer { checks: self.checks, ..Writer::new(self.most - self.text.len()) };
        let written = write(&mut key);
        // What the key has no space for, the whole has none for.
        self.full |= key.full;
        written?;
        if key.text.starts_with('"') {
            self.raw(&key.text)?
        } else {
            self.string(&key.text)?
        }
        self.raw(":")
    }
}

fn not_finite(number: f64) -> Option<&'static str> {
    match number {
        _ if number.is_nan() => Some("NaN"),
        f64::INFINITY => Some("Infinity"),
        f64::NEG_INFINITY => Some("-Infinity"),
        _ => None,
    }
}
