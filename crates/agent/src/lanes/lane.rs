//! One lane: an assigned partition with its gate, its buffer and what was handled of it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::record::{Record, Tp};
use crate::tracker::Tracker;

/// Stands before every handler call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate {
    /// Assigned, and the holds were not yet read to where they stood then: shut.
    Pending,
    Open,
    Held,
}

/// What a worker takes away; it must come back through `Lanes::done`.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) record: Arc<Record>,
    /// How often this record failed before.
    pub(crate) failures: u32,
    pub(super) ticket: u64,
    starting: Starting,
}

impl Job {
    /// The handler was polled: whatever it does first, it has done. Costs no lock.
    pub(crate) fn begun(&self) {
        self.starting.set(false);
    }
}

/// A record was taken, and its handler is not known to have begun. Set under the lock of the lanes,
/// so that who sees a shut gate and no start there knows that none will come.
#[derive(Debug, Clone, Default)]
pub(super) struct Starting(Arc<AtomicBool>);

impl Starting {
    fn set(&self, starting: bool) {
        self.0.store(starting, Ordering::Release);
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Handled, or given up by the policy: the next record may come.
    Done,
    /// To be tried again once `backed_off` is called.
    Retry,
    /// The partition stands here.
    Stand,
}

/// After a push.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    Room,
    Full,
    /// No such lane: the partition was taken away; its next owner reads the record.
    NotOurs,
}

#[derive(Debug)]
pub(super) struct Lane {
    /// Which assignment made the lane. A job that comes back with another one is a stray.
    pub(super) ticket: u64,
    pub(super) gate: Gate,
    pub(super) buffer: VecDeque<(Arc<Record>, u32)>,
    pub(super) in_flight: bool,
    pub(super) starting: Starting,
    pub(super) backing_off: bool,
    /// The policy stopped the lane at its first record.
    pub(super) stands: bool,
    /// Revoked: nothing starts any more.
    pub(super) leaving: bool,
    /// In `ready`.
    pub(super) queued: bool,
    pub(super) full: bool,
    /// Whether Kafka's client was told to fetch; `None`: not told since the assignment.
    pub(super) told: Option<bool>,
    pub(super) tracker: Tracker,
    /// The log's end, as the client last said.
    pub(super) end: Option<i64>,
}

/// One lane as telemetry and answers see it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) at: Tp,
    pub(crate) gate: Gate,
    pub(crate) stands: bool,
    pub(crate) in_flight: bool,
    /// What is left to handle; 0 where nothing was handled yet, as with KafkaFlow.
    pub(crate) lag: i64,
}

/// All lanes, under one lock: gates that were set, and a client that was told.
#[derive(Debug, Default)]
pub(crate) struct Sight {
    pub(crate) seen: Vec<Seen>,
    /// Partitions of which a record was taken whose handler is not known to have begun.
    pub(crate) starting: Vec<Tp>,
    /// Partitions that were revoked while a handler of them runs.
    pub(crate) outlasting: Vec<Tp>,
}

impl Seen {
    /// Whether handlers may run.
    pub(crate) fn runs(&self) -> bool {
        self.gate == Gate::Open && !self.stands
    }
}

impl Lane {
    pub(super) fn new(ticket: u64, gate: Gate) -> Self {
        Self {
            ticket,
            gate,
            buffer: VecDeque::new(),
            in_flight: false,
            starting: Starting::default(),
            backing_off: false,
            stands: false,
            leaving: false,
            queued: false,
            full: false,
            told: None,
            tracker: Tracker::default(),
            end: None,
        }
    }

    pub(super) fn may_start(&self) -> bool {
        self.gate == Gate::Open
            && !self.in_flight
            && !self.backing_off
            && !self.stands
            && !self.leaving
            && !self.buffer.is_empty()
    }

    /// The first record that waits, as a job.
    pub(super) fn take(&mut self) -> Option<Job> {
        let (record, failures) = self.buffer.pop_front()?;
        self.in_flight = true;
        self.starting.set(true);
        Some(Job { record, failures, ticket: self.ticket, starting: self.starting.clone() })
    }

    pub(super) fn back(&mut self, job: &Job, outcome: &Outcome) {
        self.in_flight = false;
        self.starting.set(false);
        if *outcome == Outcome::Done {
            self.tracker.handled(job.record.offset());
            return;
        }
        if self.leaving {
            return;
        }
        let failures = if *outcome == Outcome::Retry { job.failures + 1 } else { 0 };
        self.buffer.push_front((Arc::clone(&job.record), failures));
        self.backing_off = *outcome == Outcome::Retry;
        self.stands = *outcome == Outcome::Stand;
    }

    pub(super) fn seen(&self, at: &Tp, in_flight: bool) -> Seen {
        let lag = match (self.end, self.tracker.position()) {
            (Some(end), Some(position)) => end.saturating_sub(position).max(0),
            _ => 0,
        };
        Seen { at: at.clone(), gate: self.gate, stands: self.stands, in_flight, lag }
    }
}
