//! What a worker holds of a lane while it handles its records: one after the other, without the lock of the
//! lanes.
//!
//! The gate is asked before each record all the same. Worker: `starting` is set, then `open` is read. Who
//! shuts the gate: `open` is cleared, then `starting` is read. Both in one order for all threads (`SeqCst`), so
//! either the worker sees the shut gate, or its start is seen.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use crate::record::{Record, TopicPartition};
use crate::source::Source;

use super::records::Records;

/// A lane is returned after this time if others wait for a worker; a record that was begun is ended first.
const TURN: Duration = Duration::from_millis(1);

/// The part of a lane that its worker uses without a lock. Of one assignment: it never opens again once the
/// partition was taken away.
#[derive(Debug)]
pub(super) struct LaneControl {
    at: Arc<TopicPartition>,
    source: Option<Source>,
    /// Handlers may begin.
    open: AtomicBool,
    /// A record was taken, and its handler is not known to have begun.
    starting: AtomicBool,
    /// The next offset to handle; -1 before the first.
    position: AtomicI64,
}

impl LaneControl {
    pub(super) fn new(at: Arc<TopicPartition>, source: Option<Source>) -> Self {
        Self {
            at,
            source,
            open: AtomicBool::new(false),
            starting: AtomicBool::new(false),
            position: AtomicI64::new(-1),
        }
    }

    pub(super) fn at(&self) -> &Arc<TopicPartition> {
        &self.at
    }

    pub(super) fn set_open(&self, open: bool) {
        self.open.store(open, Ordering::SeqCst);
    }

    pub(super) fn is_starting(&self) -> bool {
        self.starting.load(Ordering::SeqCst)
    }

    pub(super) fn close_source(&self) {
        if let Some(source) = &self.source {
            source.close();
        }
    }

    pub(super) fn position(&self) -> Option<i64> {
        Some(self.position.load(Ordering::Acquire)).filter(|next| *next >= 0)
    }

    /// Also back: where the partition's offset is set, and no worker has it.
    pub(super) fn set_position(&self, next: i64) {
        self.position.store(next, Ordering::Release);
    }

    fn is_open(&self) -> bool {
        self.open.load(Ordering::SeqCst)
    }

    /// Whether a handler may begin; it counts as starting then.
    fn start(&self) -> bool {
        self.starting.store(true, Ordering::SeqCst);
        let open = self.is_open();
        if !open {
            self.starting.store(false, Ordering::SeqCst);
        }
        open
    }

    /// The record at `offset` is done with. Never moves back: an old record that comes again after a rewind
    /// of the client must not take a later commit with it.
    fn handled(&self, offset: i64) {
        // Only the lane's worker writes.
        let was = self.position.load(Ordering::Relaxed);
        self.position.store(was.max(offset.saturating_add(1)), Ordering::Release);
    }
}

/// How a run ended, beside that its records ended or its gate shut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The next record may be taken.
    Open,
    /// The first record that waits is to be tried again after this time, once `backed_off` is called.
    Retry(Duration),
    /// The partition is stopped at the first record that waits.
    Stopped,
}

/// A lane in the hands of a worker; it must come back through `Lanes::finish_run`.
#[derive(Debug)]
pub(crate) struct Run {
    pub(super) control: Arc<LaneControl>,
    pub(super) ticket: u64,
    pub(super) records: Records,
    /// How many records are taken from the client at once.
    most: usize,
    began: Instant,
    pub(super) end: End,
    /// The client's queue may have more.
    pub(super) more: bool,
}

impl Run {
    pub(super) fn new(
        control: Arc<LaneControl>,
        ticket: u64,
        records: Records,
        most: usize,
        more: bool,
    ) -> Self {
        Self { control, ticket, records, most, began: Instant::now(), end: End::Open, more }
    }

    /// Goes on to the next record. False: its handler may not begin now, or there is none, and the run is over.
    pub(crate) fn next(&mut self) -> bool {
        self.end == End::Open
            && (!self.records.is_empty() || self.read())
            && self.control.start()
            && self.records.next()
    }

    fn read(&mut self) -> bool {
        if !self.more || !self.control.is_open() {
            return false;
        }
        self.records.reset(self.most);
        let LaneControl { source, at, .. } = &*self.control;
        self.more = source.as_ref().is_some_and(|source| source.read(at, self.most, &mut self.records));
        !self.records.is_empty()
    }

    /// The record to handle, after `next`.
    pub(crate) fn record(&self) -> &Record {
        self.records.record()
    }

    /// How often it failed before.
    pub(crate) fn failures(&self) -> u32 {
        self.records.failures()
    }

    /// Its handler was polled: whatever that does first, it has done.
    pub(crate) fn begun(&self) {
        self.control.starting.store(false, Ordering::Release);
    }

    /// Handled, or given up by the policy.
    pub(crate) fn done(&self) {
        self.control.handled(self.record().offset());
    }

    /// To be tried again later.
    pub(crate) fn retry(&mut self, wait: Duration) {
        self.end = End::Retry(wait);
        self.records.put_back(self.failures().saturating_add(1));
    }

    /// The partition is stopped at this record.
    pub(crate) fn stop_partition(&mut self) {
        self.end = End::Stopped;
        self.records.put_back(0);
    }

    /// The wait before the next try, where the run ended with one.
    pub(crate) fn retry_in(&self) -> Option<Duration> {
        match self.end {
            End::Retry(wait) => Some(wait),
            End::Open | End::Stopped => None,
        }
    }

    /// What `Lanes::backed_off` needs.
    pub(crate) fn as_retry(&self) -> Retry {
        Retry { at: Arc::clone(&self.control.at), ticket: self.ticket }
    }

    /// Whether it is another lane's turn, where one waits.
    pub(crate) fn turn_is_over(&self) -> bool {
        self.began.elapsed() >= TURN
    }
}

/// A lane whose first record waits for its next try.
#[derive(Debug)]
pub(crate) struct Retry {
    pub(super) at: Arc<TopicPartition>,
    pub(super) ticket: u64,
}
