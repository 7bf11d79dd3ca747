//! One lane: an assigned partition with its gate, its records that wait and what was handled of it.

use std::sync::Arc;

use crate::record::TopicPartition;
use crate::source::Source;
use crate::tracker::Tracker;

use super::keyed::{Batch, Keyed, Unhandled};
use super::run::{End, LaneControl, Retry, Run, RunKind};
use super::{Distribution, Limits};

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
    /// Where one worker handles all of them, it takes them with it.
    batch: Batch,
    /// Where several do.
    keyed: Option<Keyed>,
    /// The client's queue may have records.
    pub(super) more: bool,
    /// So many workers have it, or something of it.
    runs: usize,
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
    /// Records that were taken from the client and wait for a worker.
    pub(crate) waiting: usize,
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
    pub(super) fn new(
        at: Arc<TopicPartition>,
        source: Option<Source>,
        ticket: u64,
        gate: Gate,
        distribution: Distribution,
    ) -> Self {
        let keyed = |in_order| Some(Keyed::new(Arc::clone(&at), in_order));
        Self {
            keyed: match distribution {
                Distribution::ByPartition => None,
                Distribution::ByKey => keyed(true),
                Distribution::Free => keyed(false),
            },
            ticket,
            gate,
            more: source.is_some(),
            control: Arc::new(LaneControl::new(at, source)),
            batch: Batch::default(),
            runs: 0,
            backing_off: false,
            stopped: false,
            leaving: false,
            setting_offset: false,
            queued: false,
            tracker: Tracker::default(),
            end: None,
        }
    }

    pub(super) fn may_start(&self, limits: Limits) -> bool {
        self.gate == Gate::Open
            && !self.stopped
            && !self.leaving
            && !self.setting_offset
            && match &self.keyed {
                None => self.runs == 0 && !self.backing_off && (self.more || !self.batch.records.is_empty()),
                Some(keyed) => keyed.is_ready() || (self.more && keyed.space(limits.share) > 0),
            }
    }

    pub(super) fn in_flight(&self) -> bool {
        self.runs > 0
    }

    pub(super) fn runs(&self) -> usize {
        self.runs
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

    /// After `may_start`.
    pub(super) fn take(&mut self, limits: Limits) -> Run {
        self.runs += 1;
        let Some(keyed) = &mut self.keyed else {
            // What arrives while the worker reads is noted anew.
            let more = std::mem::take(&mut self.more);
            let batch = std::mem::take(&mut self.batch);
            return self.run(batch, RunKind::Whole, limits.share, more);
        };
        if self.more && keyed.reads_first(limits.share) {
            let (most, batch) = (keyed.space(limits.share), keyed.begin_read());
            self.more = false;
            return self.run(batch, RunKind::Reading, most, true);
        }
        let batch = keyed.take(limits.workers);
        self.run(batch, RunKind::Share, 0, false)
    }

    fn run(&self, batch: Batch, kind: RunKind, most: usize, more: bool) -> Run {
        Run::new(Arc::clone(&self.control), self.ticket, batch, kind, most, more)
    }

    /// What is left of the run for others: records that are dropped, since another owner reads them, and what is to be
    /// tried again.
    pub(super) fn finish_run(&mut self, run: Run) -> (usize, Option<Retry>) {
        self.runs -= 1;
        self.more |= run.more;
        // It stays so when a worker comes back that began before.
        self.stopped |= run.end == End::Stopped;
        let (waiting, wait) = (run.waiting(), run.retry_in());
        let (mut number, mut set_back) = (None, run.set_back);
        match (&mut self.keyed, run.kind) {
            (Some(keyed), RunKind::Reading) if self.leaving => keyed.end_read(Batch::default()),
            (Some(keyed), RunKind::Reading) => keyed.end_read(run.batch),
            (Some(keyed), _) => {
                let unhandled = if wait.is_some() { Unhandled::Retries } else { Unhandled::Waits };
                let took = run.took();
                number = keyed.return_batch(run.batch, took, unhandled);
                if let Some(offset) = keyed.advance() {
                    self.control.handled(offset);
                }
            }
            (None, _) if self.leaving => {}
            (None, _) => {
                self.batch = run.batch;
                self.backing_off = wait.is_some();
            }
        }
        if let Some(offset) = self.keyed.as_ref().and_then(Keyed::first_unfinished) {
            set_back |= self.control.goes_back_to(offset);
        }
        if set_back {
            // It was committed of another log; the same number may be due for this one.
            self.tracker.not_committed();
        }
        if self.leaving {
            return (waiting, None);
        }
        let (at, ticket) = (Arc::clone(self.control.at()), self.ticket);
        (0, wait.map(|wait| Retry { at, ticket, number, wait }))
    }

    /// The wait before a retry is over.
    pub(super) fn backed_off(&mut self, number: Option<u64>) {
        match (&mut self.keyed, number) {
            (Some(keyed), Some(number)) => keyed.backed_off(number),
            _ => self.backing_off = false,
        }
    }

    /// Nothing starts any more, and what waits is dropped uncommitted: how many records.
    pub(super) fn leave(&mut self) -> usize {
        self.leaving = true;
        self.control.cancel();
        match &mut self.keyed {
            Some(keyed) => keyed.drop_waiting(),
            None => std::mem::take(&mut self.batch).records.len(),
        }
    }

    /// What was read ahead is dropped; nothing is in flight.
    pub(super) fn forget_records(&mut self) {
        self.batch = Batch::default();
        self.backing_off = false;
        if let Some(keyed) = &mut self.keyed {
            keyed.clear();
        }
    }

    #[cfg(test)]
    pub(super) fn push(&mut self, record: crate::record::Record) {
        match &mut self.keyed {
            Some(keyed) => keyed.push(record),
            None => self.batch.records.push(record),
        }
    }

    pub(super) fn due(&self) -> Option<i64> {
        self.tracker.due(self.control.position())
    }

    pub(super) fn seen(&self, at: &TopicPartition, in_flight: bool) -> Seen {
        let lag = match (self.end, self.control.position()) {
            (Some(end), Some(position)) => end.saturating_sub(position).max(0),
            _ => 0,
        };
        let waiting = match &self.keyed {
            Some(keyed) => keyed.waiting(),
            None if self.runs > 0 => self.control.waiting(),
            None => self.batch.records.len(),
        };
        Seen { at: at.clone(), gate: self.gate, stopped: self.stopped, in_flight, lag, waiting }
    }
}
