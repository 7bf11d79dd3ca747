//! What a worker holds of a lane while it handles its records: one after the other, without the lock of the
//! lanes.
//!
//! The gate is asked before each record all the same. Worker: `starting` is raised, then `open` is read. Who
//! shuts the gate: `open` is cleared, then `starting` is read. Both in one order for all threads (`SeqCst`), so
//! either the worker sees the shut gate, or its start is seen.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::record::{Record, TopicPartition};
use crate::source::Source;

use super::call::CallSlot;
use super::keyed::Batch;

/// A lane is returned after this time if others wait for a worker; a record that was begun is ended first.
const TURN: Duration = Duration::from_millis(1);

/// The part of a lane that its worker uses without a lock. Of one assignment: it never opens again once the
/// partition was taken away. Its worker writes it for each record: it shares no cache line with another lane's.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct LaneControl {
    at: Arc<TopicPartition>,
    source: Option<Source>,
    /// Handlers may begin.
    open: AtomicBool,
    /// The gate was shut.
    shut: Notify,
    /// So many records were taken whose handlers are not known to have begun.
    starting: AtomicUsize,
    /// The partition is taken away, or the agent ends.
    cancellation: CancellationToken,
    /// The next offset to handle; -1 before the first.
    position: AtomicI64,
    /// Records that the lane's only worker has and has not begun.
    waiting: AtomicUsize,
}

impl LaneControl {
    pub(super) fn new(at: Arc<TopicPartition>, source: Option<Source>) -> Self {
        Self {
            at,
            source,
            open: AtomicBool::new(false),
            shut: Notify::new(),
            starting: AtomicUsize::new(0),
            cancellation: CancellationToken::new(),
            position: AtomicI64::new(-1),
            waiting: AtomicUsize::new(0),
        }
    }

    pub(super) fn at(&self) -> &Arc<TopicPartition> {
        &self.at
    }

    pub(super) fn set_open(&self, open: bool) {
        self.open.store(open, Ordering::SeqCst);
        if !open {
            self.shut.notify_waiters();
        }
    }

    /// Waits until the gate is shut.
    pub(super) async fn shut(&self) {
        let mut shut = std::pin::pin!(self.shut.notified());
        loop {
            // Before the gate is asked: it may be shut in between.
            shut.as_mut().enable();
            if !self.is_open() {
                return;
            }
            shut.as_mut().await;
            shut.set(self.shut.notified());
        }
    }

    pub(super) fn cancel(&self) {
        self.cancellation.cancel();
    }

    pub(super) fn is_starting(&self) -> bool {
        self.starting.load(Ordering::SeqCst) > 0
    }

    pub(super) fn close_source(&self) {
        if let Some(source) = &self.source {
            source.close();
        }
    }

    pub(super) fn position(&self) -> Option<i64> {
        Some(self.position.load(Ordering::Acquire)).filter(|next| *next >= 0)
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Also back.
    pub(super) fn set_position(&self, next: i64) {
        self.position.store(next, Ordering::Release);
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.load(Ordering::SeqCst)
    }

    /// Whether a handler may begin; it counts as starting then.
    pub(super) fn start(&self) -> bool {
        self.starting.fetch_add(1, Ordering::SeqCst);
        let open = self.is_open();
        if !open {
            self.starting.fetch_sub(1, Ordering::SeqCst);
        }
        open
    }

    /// What `start` allowed has taken its first step.
    pub(super) fn started(&self) {
        self.starting.fetch_sub(1, Ordering::Release);
    }

    /// The record at `offset` is done with, and all that the client gave before it.
    pub(super) fn handled(&self, offset: i64) {
        // Only one writes: the lane's worker, or who has the lock where there are several.
        self.position.store(offset.saturating_add(1), Ordering::Release);
    }

    /// `offset`: of the first record that is not done with, in the order in which the client gave them. Where it lies
    /// before the position, the client was set back, as the log was truncated or created anew: the position goes back
    /// too, or nothing would be committed until the log is longer than it was. A record that is tried again never
    /// lies there: it is not done with.
    pub(super) fn goes_back_to(&self, offset: i64) -> bool {
        let back = offset < self.position.load(Ordering::Relaxed);
        if back {
            self.set_position(offset);
        }
        back
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RunKind {
    /// Of the lane's only worker, which reads too.
    Whole,
    /// Records of a lane that has several workers.
    Share,
    /// To read for the others.
    Reading,
}

/// A lane in the hands of a worker; it must come back through `Lanes::finish_run`.
#[derive(Debug)]
pub(crate) struct Run {
    pub(super) control: Arc<LaneControl>,
    pub(super) ticket: u64,
    pub(super) batch: Batch,
    /// Of the record to handle.
    call: CallSlot,
    pub(super) kind: RunKind,
    /// How many records are taken from the client at once.
    most: usize,
    began: Instant,
    /// The clock as it was read last: a record that takes no time would else need a tenth of its time for that.
    now: Instant,
    pub(super) end: End,
    /// The client's queue may have more.
    pub(super) more: bool,
    /// The client was set back.
    pub(super) set_back: bool,
}

impl Run {
    pub(super) fn new(
        control: Arc<LaneControl>,
        ticket: u64,
        batch: Batch,
        kind: RunKind,
        most: usize,
        more: bool,
    ) -> Self {
        let now = Instant::now();
        let (began, end, call) = (now, End::Open, CallSlot::new(Arc::clone(&control)));
        Self { control, ticket, batch, call, kind, most, began, now, end, more, set_back: false }
    }

    /// Goes on to the next record. False: its handler may not begin now, or there is none, and the run is over.
    pub(crate) fn next(&mut self) -> bool {
        self.kind != RunKind::Reading
            && self.end == End::Open
            && (!self.batch.records.is_empty() || (self.kind == RunKind::Whole && self.read()))
            && self.control.start()
            && self.batch.records.next()
            && self.noted()
    }

    /// How much waits, for who asks; and whether the client was set back, where no other worker has records.
    fn noted(&mut self) -> bool {
        self.call.next();
        self.control.waiting.store(self.batch.records.len(), Ordering::Relaxed);
        if self.kind == RunKind::Whole {
            self.set_back |= self.control.goes_back_to(self.batch.records.record().offset());
        }
        true
    }

    /// Reads ahead for others, where that is what the run is for.
    pub(crate) fn read_ahead(&mut self) {
        if self.kind == RunKind::Reading {
            self.read();
        }
    }

    /// Records that come back without having been handled.
    pub(super) fn waiting(&self) -> usize {
        self.batch.records.len()
    }

    /// The wait before the next try, where the run ended with one.
    pub(super) fn retry_in(&self) -> Option<Duration> {
        match self.end {
            End::Retry(wait) => Some(wait),
            End::Open | End::Stopped => None,
        }
    }

    pub(crate) fn ends_with_a_retry(&self) -> bool {
        self.retry_in().is_some()
    }

    pub(crate) fn at(&self) -> &Arc<TopicPartition> {
        self.control.at()
    }

    pub(super) fn took(&self) -> Duration {
        self.began.elapsed()
    }

    fn read(&mut self) -> bool {
        if !self.more || !self.control.is_open() {
            return false;
        }
        let records = &mut self.batch.records;
        records.reset(self.most);
        let LaneControl { source, at, .. } = &*self.control;
        self.more = source.as_ref().is_some_and(|source| source.read(at, self.most, records));
        self.now = Instant::now();
        !self.batch.records.is_empty()
    }

    pub(crate) fn cancellation(&self) -> &CancellationToken {
        &self.control.cancellation
    }

    /// The record to handle, after `next`.
    pub(crate) fn record(&self) -> &Record {
        self.batch.records.record()
    }

    /// How often it failed before.
    pub(crate) fn failures(&self) -> u32 {
        self.batch.records.failures()
    }

    /// Its handler was polled: whatever that does first, it has done.
    pub(crate) fn begun(&self) {
        self.control.started();
    }

    /// Of the record to handle, after `next`.
    pub(crate) fn call(&self) -> &CallSlot {
        &self.call
    }

    /// Its handler did not begin, as the gate is shut: it waits as before.
    pub(crate) fn put_back(&mut self) {
        let failures = self.failures();
        self.batch.records.put_back(failures);
    }

    /// Handled, or given up by the policy.
    pub(crate) fn done(&self) {
        if self.kind == RunKind::Whole {
            self.control.handled(self.record().offset());
        }
    }

    /// To be tried again later.
    pub(crate) fn retry(&mut self, wait: Duration) {
        self.end = End::Retry(wait);
        let failures = self.failures().saturating_add(1);
        self.batch.records.put_back(failures);
    }

    /// To be tried later; this was no try.
    pub(crate) fn put_off(&mut self, wait: Duration) {
        self.end = End::Retry(wait);
        let failures = self.failures();
        self.batch.records.put_back(failures);
    }

    /// The partition is stopped at this record.
    pub(crate) fn stop_partition(&mut self) {
        self.end = End::Stopped;
        self.batch.records.put_back(0);
    }

    /// When the clock was read last: before the record to handle, nothing has happened since.
    pub(crate) fn now(&self) -> Instant {
        self.now
    }

    /// To be called after whatever takes time.
    pub(crate) fn read_clock(&mut self) -> Instant {
        self.now = Instant::now();
        self.now
    }

    /// Whether it is another lane's turn, where one waits.
    pub(crate) fn turn_is_over(&self) -> bool {
        self.now.saturating_duration_since(self.began) >= TURN
    }
}

/// A record that waits for its next try, and with it its lane or its key.
#[derive(Debug)]
pub(crate) struct Retry {
    pub(super) at: Arc<TopicPartition>,
    pub(super) ticket: u64,
    /// Which record, where others of its lane go on.
    pub(super) number: Option<u64>,
    pub(crate) wait: Duration,
}
