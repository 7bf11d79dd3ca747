//! JSON: whether a text is it, and if not, where it ceases to be.

use serde::de::IgnoredAny;

use crate::input::{Result, Stop};

/// An object or an array: a bare number or word is text to a person.
pub(crate) fn begins(text: &str) -> bool {
    text.trim_start().starts_with(['{', '['])
}

/// What is ignored is read without recursion, so any depth will do.
pub(crate) fn check(text: &str) -> Result<()> {
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => Ok(()),
        Err(error) if error.is_eof() => Err(Stop::End(text.len())),
        Err(error) => {
            let whole = error.to_string();
            // The place is told as a byte.
            let why = whole.split(" at line ").next().unwrap_or(&whole).to_owned();
            Err(Stop::fault(offset(text, error.line(), error.column()), why))
        }
    }
}

/// The byte of a line and column, both from 1, as serde_json counts: in bytes, at the byte last read.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    (start + column.saturating_sub(1)).min(text.len())
}
