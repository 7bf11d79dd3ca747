//! A record's headers by name: of several the last counts.

use std::borrow::Cow;
use std::str::FromStr;

use super::HeaderList;

/// As `crates/protocol` writes them.
pub(super) mod agent {
    pub(crate) const TOPIC: &str = "Flowdeck-Original-Topic";
    pub(crate) const PARTITION: &str = "Flowdeck-Original-Partition";
    pub(crate) const OFFSET: &str = "Flowdeck-Original-Offset";
    pub(crate) const TIMESTAMP: &str = "Flowdeck-Original-Timestamp";
    pub(crate) const GROUP: &str = "Flowdeck-Original-Group";
    pub(crate) const ERROR: &str = "Flowdeck-Error";
    pub(crate) const ATTEMPTS: &str = "Flowdeck-Attempts";
    pub(crate) const FAILED_AT: &str = "Flowdeck-Failed-At";

    pub(crate) const ALL: [&str; 8] =
        [TOPIC, PARTITION, OFFSET, TIMESTAMP, GROUP, ERROR, ATTEMPTS, FAILED_AT];
}

pub(super) struct Headers<'h, 'a>(pub(super) &'h HeaderList<'a>);

impl<'a> Headers<'_, 'a> {
    pub(super) fn last(&self, name: &str) -> Option<&'a [u8]> {
        self.0.iter().rev().find(|(known, _)| *known == name).and_then(|(_, value)| *value)
    }

    pub(super) fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        self.last(name).map(String::from_utf8_lossy)
    }

    pub(super) fn parsed<T: FromStr>(&self, name: &str) -> Option<T> {
        std::str::from_utf8(self.last(name)?).ok()?.trim().parse().ok()
    }

    /// A signed big-endian number of one to eight bytes.
    pub(super) fn binary(&self, name: &str) -> Option<i64> {
        let bytes = self.last(name)?;
        if bytes.is_empty() || bytes.len() > 8 {
            return None;
        }
        let sign = if bytes[0] & 0x80 == 0 { 0 } else { -1 };
        Some(bytes.iter().fold(sign, |number, byte| (number << 8) | i64::from(*byte)))
    }
}
