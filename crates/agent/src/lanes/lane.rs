//! One lane: an assigned partition with its gate, its records that wait and what was handled of it.

use std::sync::Arc;

use crate::record::TopicPartition;
use crate::source::Source;
use crate::tracker::Tracker;

use super::records::Records;
use super::run::{End, LaneControl, Run};

/// Checked before every handler call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate {
    /// Assigned, and the holds were not yet read up to the end at that time: shut.
    Pending,
    Open,
    Held,
}

#[derive(Debug)]
pub(super) struct Lane {
    /// Which assignment made the lane. A run that comes back with another one is a orphan.
    pub(super) ticket: u64,
    pub(super) gate: Gate,
    pub(super) control: Arc<LaneControl>,
    /// A worker takes them with it.
    pub(super) records: Records,
    /// The client's queue may have records.
    pub(super) more: bool,
    /// A worker has it.
    pub(super) in_flight: bool,
    pub(super) backing_off: bool,
    /// The policy stopped the lane at its first record.
    pub(super) stopped: bool,
    /// Revoked: nothing starts any more.
    pub(super) leaving: bool,
    /// Its offset is being set: shut meanwhile.
    pub(super) setting_offset: bool,
    /// In `ready`.
    pub(super) queued: bool,
    pub(super) tracker: Tracker,
    /// The log's end, as the client last said.
    pub(super) end: Option<i64>,
}

/// One lane as telemetry and answers see it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) at: TopicPartition,
    pub(crate) gate: Gate,
    pub(crate) stopped: bool,
    pub(crate) in_flight: bool,
    /// What is left to handle; 0 where nothing was handled yet, as with KafkaFlow.
    pub(crate) lag: i64,
}

/// All lanes, under one lock: gates that were set.
#[derive(Debug, Default)]
pub(crate) struct LaneSnapshot {
    pub(crate) seen: Vec<Seen>,
    /// Partitions of which a record was taken whose handler is not known to have begun.
    pub(crate) starting: Vec<TopicPartition>,
    /// Partitions that were revoked while a handler of them runs.
    pub(crate) outlasting: Vec<TopicPartition>,
}

impl Seen {
    /// Whether handlers may run.
    pub(crate) fn runs(&self) -> bool {
        self.gate == Gate::Open && !self.stopped
    }
}

impl Lane {
    pub(super) fn new(at: Arc<TopicPartition>, source: Option<Source>, ticket: u64, gate: Gate) -> Self {
        Self {
            ticket,
            gate,
            more: source.is_some(),
            control: Arc::new(LaneControl::new(at, source)),
            records: Records::default(),
            in_flight: false,
            backing_off: false,
            stopped: false,
            leaving: false,
            setting_offset: false,
            queued: false,
            tracker: Tracker::default(),
            end: None,
        }
    }

    pub(super) fn may_start(&self) -> bool {
        self.gate == Gate::Open
            && !self.in_flight
            && !self.backing_off
            && !self.stopped
            && !self.leaving
            && !self.setting_offset
            && (self.more || !self.records.is_empty())
    }

    /// Whether a worker that gave it back leaves it running.
    pub(super) fn may_go_on(&self) -> bool {
        self.gate == Gate::Open && !self.stopped && !self.leaving && !self.setting_offset
    }

    /// Lets the lane's worker know. `closed`: nothing starts any more, anywhere.
    pub(super) fn set_open(&self, closed: bool) {
        let open = self.gate == Gate::Open && !self.leaving && !self.setting_offset;
        self.control.set_open(open && !closed);
    }

    pub(super) fn take(&mut self, most: usize) -> Run {
        self.in_flight = true;
        // What arrives while the worker reads is noted anew.
        let more = std::mem::take(&mut self.more);
        Run::new(Arc::clone(&self.control), self.ticket, std::mem::take(&mut self.records), most, more)
    }

    /// How many records of the run are dropped, since they are another owner's to read.
    pub(super) fn finish_run(&mut self, run: Run) -> usize {
        self.in_flight = false;
        if self.leaving {
            return run.records.len();
        }
        self.records = run.records;
        self.more |= run.more;
        self.backing_off = matches!(run.end, End::Retry(_));
        self.stopped = run.end == End::Stopped;
        0
    }

    pub(super) fn due(&self) -> Option<i64> {
        self.tracker.due(self.control.position())
    }

    pub(super) fn seen(&self, at: &TopicPartition, in_flight: bool) -> Seen {
        let lag = match (self.end, self.control.position()) {
            (Some(end), Some(position)) => end.saturating_sub(position).max(0),
            _ => 0,
        };
        Seen { at: at.clone(), gate: self.gate, stopped: self.stopped, in_flight, lag }
    }
}
