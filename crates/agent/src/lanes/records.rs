//! Records of one lane that were taken from the client: the one that is handled, and those that wait for it. They
//! are read into the memory of the ones before, of which a record that takes no time would else need most of its
//! time.

use std::sync::Arc;

use rdkafka::message::BorrowedMessage;

use crate::record::{Record, TopicPartition};

/// Memory of larger records is given back.
pub(super) const KEPT_BYTES: usize = 4_096;

#[derive(Debug, Default)]
pub(crate) struct Records {
    slots: Vec<Slot>,
    /// The next one to handle.
    first: usize,
    /// Behind the last one that waits; what is from here on is memory to be used.
    end: usize,
}

#[derive(Debug)]
struct Slot {
    record: Record,
    /// How often it failed before.
    failures: u32,
}

impl Records {
    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.end - self.first
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Before a read of up to `most`, where none waits.
    pub(super) fn reset(&mut self, most: usize) {
        self.slots.truncate(most);
        for slot in self.slots.iter_mut().filter(|slot| slot.record.capacity() > KEPT_BYTES) {
            slot.record = Record::empty(slot.record.at());
        }
        (self.first, self.end) = (0, 0);
    }

    pub(crate) fn read(&mut self, at: &Arc<TopicPartition>, message: &BorrowedMessage<'_>) {
        if self.end == self.slots.len() {
            self.slots.push(Slot { record: Record::empty(at), failures: 0 });
        }
        let slot = &mut self.slots[self.end];
        slot.record.fill(message);
        slot.failures = 0;
        self.end += 1;
    }

    #[cfg(test)]
    pub(super) fn push(&mut self, record: Record) {
        self.slots.truncate(self.end);
        self.slots.push(Slot { record, failures: 0 });
        self.end += 1;
    }

    /// The next one is the current one; whether there is one.
    pub(super) fn next(&mut self) -> bool {
        let any = !self.is_empty();
        self.first += usize::from(any);
        any
    }

    /// After `next`.
    fn current(&self) -> usize {
        self.first.saturating_sub(1)
    }

    pub(super) fn record(&self) -> &Record {
        &self.slots[self.current()].record
    }

    pub(super) fn failures(&self) -> u32 {
        self.slots[self.current()].failures
    }

    /// After `next`.
    pub(super) fn record_mut(&mut self) -> &mut Record {
        let current = self.current();
        &mut self.slots[current].record
    }

    /// How many are not to be handled any more.
    pub(super) fn handled(&self) -> usize {
        self.first
    }

    /// Takes a record, and leaves memory for another one.
    pub(super) fn swap_in(&mut self, record: &mut Record, failures: u32, at: &Arc<TopicPartition>) {
        if self.end == self.slots.len() {
            self.slots.push(Slot { record: Record::empty(at), failures: 0 });
        }
        let slot = &mut self.slots[self.end];
        std::mem::swap(&mut slot.record, record);
        slot.failures = failures;
        self.end += 1;
    }

    /// Gives one back, for the memory that it left; how often it failed.
    pub(super) fn swap_out(&mut self, place: usize, record: &mut Record) -> u32 {
        let slot = &mut self.slots[place];
        std::mem::swap(&mut slot.record, record);
        slot.failures
    }

    /// The current one waits again, as the first.
    pub(super) fn put_back(&mut self, failures: u32) {
        self.first = self.current();
        self.slots[self.first].failures = failures;
    }
}
