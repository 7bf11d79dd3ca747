//! What this process wrote and its tail has not brought back yet. The topic has one partition, so one offset
//! tells how far the tail has come. Pure.

use std::collections::{BTreeMap, HashMap};

use super::store::HoldKey;

#[derive(Debug, Default)]
pub(crate) struct PendingEchoes {
    /// The next offset to be read.
    next: i64,
    by_key: HashMap<HoldKey, i64>,
    by_offset: BTreeMap<i64, HoldKey>,
}

impl PendingEchoes {
    /// The tail has come to this record.
    pub(crate) fn read(&mut self, offset: i64) {
        if offset < self.next {
            // The log was cut or made anew: what was written into the former one says nothing any more.
            *self = Self::default();
        }
        self.next = offset + 1;
        while let Some(first) = self.by_offset.first_entry().filter(|first| *first.key() < self.next) {
            let (offset, key) = first.remove_entry();
            if self.by_key.get(&key) == Some(&offset) {
                self.by_key.remove(&key);
            }
        }
    }

    /// `false`: the tail was there before, and may have brought something newer since.
    pub(crate) fn wrote(&mut self, key: &HoldKey, offset: i64) -> bool {
        if offset < self.next {
            return false;
        }
        self.by_key.insert(key.clone(), offset);
        self.by_offset.insert(offset, key.clone());
        true
    }

    /// Whether this process wrote something newer under the key than the record that was just read.
    pub(crate) fn has_newer(&self, key: &HoldKey) -> bool {
        self.by_key.contains_key(key)
    }

    pub(crate) fn next(&self) -> i64 {
        self.next
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.by_key.is_empty() && self.by_offset.is_empty()
    }
}
