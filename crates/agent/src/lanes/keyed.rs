//! One lane whose records are handled by several workers at once: in order per key, or in no order. Records that were
//! read ahead lie in slots; those of one key are chained, and only the first of a chain is ready. The window has
//! each record from the first unfinished one on, so that never more than what lies before that is committed.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher as _, BuildHasherDefault, Hasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use crate::record::{Record, TopicPartition};

use super::records::{KEPT_BYTES, Records};

/// Records that a worker takes at once: more while they take no time, one while they do.
const BATCH_MAX: usize = 64;
const FAST: Duration = Duration::from_micros(500);
const SLOW: Duration = Duration::from_millis(1);
const NONE: u32 = u32::MAX;

#[derive(Debug)]
pub(super) struct Keyed {
    at: Arc<TopicPartition>,
    /// `None`: in no order.
    hashes: Option<RandomState>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// The last record of each key that has one.
    tails: HashMap<u64, u32, BuildHasherDefault<AsItIs>>,
    /// First of their keys, in the order in which they became so.
    ready: VecDeque<u32>,
    /// Wait for their next try.
    retrying: Vec<u32>,
    window: VecDeque<Entry>,
    /// The number of the window's first record; numbers are never used again.
    first: u64,
    /// Records that no worker has.
    waiting: usize,
    /// A worker reads from the client.
    reading: bool,
    batch: usize,
    spare: Vec<Batch>,
    /// The one that reads, which has more records: each would else get new memory.
    reader: Batch,
}

#[derive(Debug)]
struct Slot {
    record: Record,
    failures: u32,
    number: u64,
    hash: u64,
    /// The next one of the same key.
    next: u32,
}

#[derive(Debug)]
struct Entry {
    offset: i64,
    done: bool,
}

/// What a worker takes: records, and the slots where they lay.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(super) records: Records,
    slots: Vec<u32>,
}

/// What became of the first record of a batch that was not handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unhandled {
    Waits,
    Retries,
}

/// Keys are hashed once.
#[derive(Debug, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

impl Keyed {
    pub(super) fn new(at: Arc<TopicPartition>, in_order: bool) -> Self {
        Self {
            at,
            hashes: in_order.then(RandomState::new),
            slots: vec![],
            free: vec![],
            tails: HashMap::default(),
            ready: VecDeque::new(),
            retrying: vec![],
            window: VecDeque::new(),
            first: 0,
            waiting: 0,
            reading: false,
            batch: 1,
            spare: vec![],
            reader: Batch::default(),
        }
    }

    pub(super) fn is_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// How many records may be read now, where at most so many are unfinished or behind an unfinished one.
    pub(super) fn space(&self, most: usize) -> usize {
        if self.reading { 0 } else { most.saturating_sub(self.window.len()) }
    }

    /// Whether to read before more is handled: seldom, and then much.
    pub(super) fn reads_first(&self, most: usize) -> bool {
        self.space(most) > 0 && (self.ready.is_empty() || self.window.len() <= most / 2)
    }

    /// Records that no worker has.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    pub(super) fn begin_read(&mut self) -> Batch {
        self.reading = true;
        std::mem::take(&mut self.reader)
    }

    pub(super) fn end_read(&mut self, mut batch: Batch) {
        self.reading = false;
        while batch.records.next() {
            self.add(batch.records.record_mut());
        }
        self.reader = batch;
    }

    /// As `add`, for a record of the caller's.
    #[cfg(test)]
    pub(super) fn push(&mut self, mut record: Record) {
        self.add(&mut record);
    }

    /// Takes the record, and leaves memory for another one.
    fn add(&mut self, record: &mut Record) {
        let number = self.first + self.window.len() as u64;
        self.window.push_back(Entry { offset: record.offset(), done: false });
        self.waiting += 1;
        let hash = self.hash(record);
        let index = self.free_slot();
        let slot = &mut self.slots[index as usize];
        std::mem::swap(&mut slot.record, record);
        (slot.failures, slot.number, slot.hash, slot.next) = (0, number, hash, NONE);
        if self.hashes.is_none() {
            self.ready.push_back(index);
            return;
        }
        match self.tails.insert(hash, index) {
            Some(before) => self.slots[before as usize].next = index,
            None => self.ready.push_back(index),
        }
    }

    /// Records without a key keep the order that they have in the partition.
    fn hash(&self, record: &Record) -> u64 {
        self.hashes.as_ref().map_or(0, |hashes| hashes.hash_one(record.key()))
    }

    fn free_slot(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            let record = Record::empty(&self.at);
            self.slots.push(Slot { record, failures: 0, number: 0, hash: 0, next: NONE });
            // A window has far fewer than 2³² records.
            u32::try_from(self.slots.len() - 1).unwrap_or(NONE)
        })
    }

    /// What a worker handles next; the others are left something.
    pub(super) fn take(&mut self, workers: usize) -> Batch {
        let mut batch = self.spare.pop().unwrap_or_default();
        let most = self.batch.min(self.ready.len() / workers.max(1)).max(1);
        batch.records.reset(BATCH_MAX);
        batch.slots.clear();
        for index in self.ready.drain(..most.min(self.ready.len())) {
            let slot = &mut self.slots[index as usize];
            batch.records.swap_in(&mut slot.record, slot.failures, &self.at);
            batch.slots.push(index);
        }
        self.waiting -= batch.slots.len();
        batch
    }

    /// A worker is done with a batch, in `took`. The number of the record that is to be tried again, if one is.
    pub(super) fn return_batch(
        &mut self,
        mut batch: Batch,
        took: Duration,
        unhandled: Unhandled,
    ) -> Option<u64> {
        let handled = batch.records.handled();
        self.batch = match took {
            took if took < FAST => (self.batch * 2).min(BATCH_MAX),
            took if took > SLOW => 1,
            _ => self.batch,
        };
        for (place, index) in batch.slots.iter().enumerate() {
            let slot = &mut self.slots[*index as usize];
            slot.failures = batch.records.swap_out(place, &mut slot.record);
        }
        for index in &batch.slots[..handled] {
            self.finish(*index);
        }
        let mut back = &batch.slots[handled..];
        self.waiting += back.len();
        let mut retry = None;
        if let (Unhandled::Retries, [first, rest @ ..]) = (unhandled, back) {
            self.retrying.push(*first);
            retry = Some(self.slots[*first as usize].number);
            back = rest;
        }
        for index in back.iter().rev() {
            self.ready.push_front(*index);
        }
        self.spare.push(batch);
        retry
    }

    fn finish(&mut self, index: u32) {
        let slot = &mut self.slots[index as usize];
        let (number, hash, next) = (slot.number, slot.hash, slot.next);
        if slot.record.capacity() > KEPT_BYTES {
            slot.record = Record::empty(&self.at);
        }
        if let Some(entry) = number.checked_sub(self.first).and_then(|n| self.window.get_mut(n as usize)) {
            entry.done = true;
        }
        self.free.push(index);
        if self.hashes.is_none() {
            return;
        }
        if next == NONE {
            self.tails.remove(&hash);
        } else {
            self.ready.push_back(next);
        }
    }

    /// The last offset of those that are done without a gap since the last call.
    pub(super) fn advance(&mut self) -> Option<i64> {
        let mut last = None;
        while let Some(entry) = self.window.front().filter(|entry| entry.done) {
            last = Some(entry.offset);
            self.window.pop_front();
            self.first += 1;
        }
        last
    }

    /// The offset of the first record that is not done, after `advance`.
    pub(super) fn first_unfinished(&self) -> Option<i64> {
        self.window.front().map(|entry| entry.offset)
    }

    /// The wait before a retry is over.
    pub(super) fn backed_off(&mut self, number: u64) {
        let slots = &self.slots;
        let found = self.retrying.iter().position(|index| slots[*index as usize].number == number);
        if let Some(place) = found {
            self.ready.push_front(self.retrying.swap_remove(place));
        }
    }

    /// All that waits is dropped, and what is in flight comes back to nothing.
    pub(super) fn clear(&mut self) {
        *self = Self {
            first: self.first + self.window.len() as u64,
            ..Self::new(Arc::clone(&self.at), self.hashes.is_some())
        };
    }

    /// What waits is dropped; what is in flight still counts for the commit.
    pub(super) fn drop_waiting(&mut self) -> usize {
        self.ready.clear();
        self.retrying.clear();
        std::mem::take(&mut self.waiting)
    }
}

#[cfg(test)]
mod tests;
