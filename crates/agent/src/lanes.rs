//! The lanes: one for each assigned partition, with its gate, its records that wait and what was handled of it.
//! A pure state machine under one lock: it decides which partition a worker may take, and when.
//!
//! Invariant: a handler begins only where the lane's gate is open at that moment. A worker takes a whole lane
//! for a while and asks the gate before each record (`run`). Shutting a gate therefore means that nothing
//! begins behind it any more, retries included; what was taken before is told by `starting` until its handler
//! has begun. A function that waits behind the layers of a router asks the gate again (`call`).

mod call;
mod keyed;
mod lane;
mod offsets;
mod orphaned;
mod records;
mod run;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::arrivals::Arrivals;
use crate::config::Distribution;
use crate::record::TopicPartition;
use crate::source::Source;

pub use call::NotBegun;
pub(crate) use call::{Call, CallSlot};
use lane::Lane;
pub(crate) use lane::{Gate, LaneSnapshot, Seen};
pub(crate) use offsets::AssignedPartition;
use orphaned::OrphanedTasks;
pub(crate) use records::Records;
use run::LaneControl;
pub(crate) use run::{Retry, Run};

#[derive(Debug)]
pub(crate) struct Lanes {
    lanes: BTreeMap<Arc<TopicPartition>, Lane>,
    ready: Ready,
    arrivals: Arc<Arrivals>,
    orphaned: OrphanedTasks,
    /// Counts assignments; the newest lane's ticket.
    ticket: u64,
    distribution: Distribution,
    workers: usize,
    /// Records that may wait in all.
    capacity: usize,
    closed: bool,
}

/// What one lane may take.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Records of it that may be read ahead.
    share: usize,
    workers: usize,
}

/// Lanes from which a worker may take now, in their order.
#[derive(Debug, Default)]
struct Ready {
    queue: VecDeque<Arc<TopicPartition>>,
    /// Its length, for workers that do not have the lock.
    length: Arc<AtomicUsize>,
}

impl Ready {
    fn push(&mut self, at: Arc<TopicPartition>) {
        self.queue.push_back(at);
        self.length.store(self.queue.len(), Ordering::Relaxed);
    }

    fn pop(&mut self) -> Option<Arc<TopicPartition>> {
        let at = self.queue.pop_front();
        self.length.store(self.queue.len(), Ordering::Relaxed);
        at
    }
}

/// Lanes whose queues in the client are closed when this is dropped. That must not be under the lock of the
/// lanes: the last queue may end the consumer.
#[must_use = "to be dropped without the lock"]
pub(crate) struct ToClose(Vec<Arc<LaneControl>>);

impl Drop for ToClose {
    fn drop(&mut self) {
        self.0.iter().for_each(|control| control.close_source());
    }
}

impl Lanes {
    pub(crate) fn new(
        distribution: Distribution,
        workers: usize,
        buffer: usize,
        arrivals: Arc<Arrivals>,
    ) -> Self {
        Self {
            lanes: BTreeMap::new(),
            ready: Ready::default(),
            arrivals,
            orphaned: OrphanedTasks::default(),
            ticket: 0,
            distribution,
            workers,
            capacity: workers.saturating_mul(buffer).max(1),
            closed: false,
        }
    }

    pub(crate) fn set_workers(&mut self, workers: usize, buffer: usize) {
        self.workers = workers;
        self.capacity = workers.saturating_mul(buffer).max(1);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }

    /// How many lanes wait for a worker, without a lock.
    pub(crate) fn ready_length(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.ready.length)
    }

    /// New partitions. None of them is here: where one comes again, its lane was removed before.
    pub(crate) fn assign(
        &mut self,
        partitions: Vec<(Arc<TopicPartition>, Option<Source>)>,
        gate: impl Fn(&TopicPartition) -> Gate,
    ) {
        self.ticket += 1;
        for (at, source) in partitions {
            let lane = Lane::new(Arc::clone(&at), source, self.ticket, gate(&at), self.distribution);
            lane.set_open(self.closed);
            self.lanes.insert(Arc::clone(&at), lane);
            self.offer(&at);
        }
    }

    /// Nothing starts in these lanes any more, and what waits there is dropped uncommitted: how many records.
    pub(crate) fn leave(&mut self, partitions: &[TopicPartition]) -> usize {
        let mut dropped = 0;
        for at in partitions {
            if let Some(lane) = self.lanes.get_mut(at) {
                dropped += lane.leave();
                lane.set_open(self.closed);
            }
        }
        dropped
    }

    /// The lanes are gone. A handler that still runs becomes a orphan.
    pub(crate) fn remove(&mut self, partitions: &[TopicPartition]) -> ToClose {
        ToClose(partitions.iter().filter_map(|at| self.forget(at)).collect())
    }

    /// No record comes any more; what was handled can still be committed.
    pub(crate) fn close_queues(&self) -> ToClose {
        ToClose(self.lanes.values().map(|lane| Arc::clone(&lane.control)).collect())
    }

    fn forget(&mut self, at: &TopicPartition) -> Option<Arc<LaneControl>> {
        let lane = self.lanes.remove(at)?;
        lane.control.set_open(false);
        lane.control.cancel();
        self.orphaned.left(at, &lane);
        Some(lane.control)
    }

    pub(crate) fn any_in_flight(&self, partitions: &[TopicPartition]) -> bool {
        partitions.iter().any(|at| self.in_flight(at))
    }

    fn in_flight(&self, at: &TopicPartition) -> bool {
        self.orphaned.contains(at) || self.lanes.get(at).is_some_and(Lane::in_flight)
    }

    fn limits(&self) -> Limits {
        let share = (self.capacity / self.lanes.len().max(1)).max(1);
        Limits { share, workers: self.workers }
    }

    /// A record of a partition, as a worker would have taken it from the client.
    #[cfg(test)]
    pub(crate) fn push(&mut self, record: crate::record::Record) {
        let at = Arc::clone(record.at());
        if let Some(lane) = self.lanes.get_mut(&at).filter(|lane| !lane.leaving) {
            lane.push(record);
            self.offer(&at);
        }
    }

    /// Puts a lane in the queue if a worker may take it now.
    fn offer(&mut self, at: &TopicPartition) {
        let (closed, orphan, limits) = (self.closed, self.orphaned.contains(at), self.limits());
        let Some(lane) = self.lanes.get_mut(at) else { return };
        if !closed && !orphan && !lane.queued && lane.may_start(limits) {
            lane.queued = true;
            self.ready.push(Arc::clone(lane.control.at()));
        }
    }

    /// The next lane for a worker, fair among the partitions.
    pub(crate) fn take(&mut self) -> Option<Run> {
        for arrival in self.arrivals.take() {
            if let Some(lane) = self.lanes.get_mut(&arrival.at) {
                lane.more = true;
                self.offer(&arrival.at);
            }
        }
        let limits = self.limits();
        while let Some(at) = self.ready.pop() {
            let (closed, orphan) = (self.closed, self.orphaned.contains(&at));
            let Some(lane) = self.lanes.get_mut(&at) else { continue };
            lane.queued = false;
            if !closed && !orphan && lane.may_start(limits) {
                // Each lane that waits keeps one of the others busy.
                let workers = limits.workers.saturating_sub(self.ready.queue.len()).max(1);
                let run = lane.take(Limits { workers, ..limits });
                // Others may have a share of it.
                self.offer(&at);
                return Some(run);
            }
        }
        None
    }

    pub(crate) fn any_ready(&self) -> bool {
        !self.ready.queue.is_empty()
    }

    /// A worker is done with a lane.
    pub(crate) fn finish_run(&mut self, run: Run) -> RunOutcome {
        let at = Arc::clone(run.control.at());
        let given = match self.lanes.get_mut(&at).filter(|lane| lane.ticket == run.ticket) {
            Some(lane) => {
                let (dropped, retry) = lane.finish_run(run);
                RunOutcome { dropped, retry, news: !lane.may_go_on() || self.closed }
            }
            None => {
                self.orphaned.back(&at, run.ticket);
                RunOutcome { dropped: run.waiting(), retry: None, news: true }
            }
        };
        self.offer(&at);
        given
    }

    /// The wait before a retry is over.
    pub(crate) fn backed_off(&mut self, retry: &Retry) {
        if let Some(lane) = self.lanes.get_mut(&retry.at).filter(|lane| lane.ticket == retry.ticket) {
            lane.backed_off(retry.number);
        }
        self.offer(&retry.at);
    }

    /// Sets the gates by `held`. Pending lanes wait for holds that are as new as their assignment:
    /// only those up to `ticket` are decided. Says whether a gate moved.
    pub(crate) fn regate(&mut self, ticket: u64, held: impl Fn(&TopicPartition) -> bool) -> bool {
        let mut moved = Vec::new();
        for (at, lane) in &mut self.lanes {
            if lane.gate == Gate::Pending && lane.ticket > ticket {
                continue;
            }
            let gate = if held(at) { Gate::Held } else { Gate::Open };
            if gate != lane.gate {
                if lane.gate == Gate::Held {
                    // A resume gives a lane that was stopped by failures another try.
                    lane.stopped = false;
                }
                lane.gate = gate;
                lane.set_open(self.closed);
                moved.push(Arc::clone(at));
            }
        }
        for at in &moved {
            self.offer(at);
        }
        !moved.is_empty()
    }

    /// The newest assignment that still waits for the holds.
    pub(crate) fn pending(&self) -> Option<u64> {
        self.lanes.values().filter(|lane| lane.gate == Gate::Pending).map(|lane| lane.ticket).max()
    }

    /// What was handled and not yet committed, as the next offsets to read.
    pub(crate) fn due(&self) -> Vec<(TopicPartition, i64)> {
        self.lanes.iter().filter_map(|(at, lane)| Some((at.as_ref().clone(), lane.due()?))).collect()
    }

    pub(crate) fn due_of(&self, partitions: &[TopicPartition]) -> Vec<(TopicPartition, i64)> {
        partitions.iter().filter_map(|at| Some((at.clone(), self.lanes.get(at)?.due()?))).collect()
    }

    pub(crate) fn committed(&mut self, offsets: &[(TopicPartition, i64)]) {
        for (at, next) in offsets {
            if let Some(lane) = self.lanes.get_mut(at) {
                lane.tracker.committed(*next);
            }
        }
    }

    pub(crate) fn not_committed(&mut self, partitions: &[TopicPartition]) {
        for at in partitions {
            if let Some(lane) = self.lanes.get_mut(at) {
                lane.tracker.not_committed();
            }
        }
    }

    pub(crate) fn set_end(&mut self, at: &TopicPartition, end: i64) {
        if let Some(lane) = self.lanes.get_mut(at) {
            lane.end = Some(end);
        }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        let lanes = self.lanes.iter().filter(|(_, lane)| !lane.leaving);
        lanes.map(|(at, lane)| lane.seen(at, self.in_flight(at))).collect()
    }

    pub(crate) fn snapshot(&self) -> LaneSnapshot {
        LaneSnapshot { seen: self.seen(), starting: self.starting(), outlasting: self.outlasting() }
    }

    /// Also those that are leaving, and those that are gone while the handler runs.
    fn starting(&self) -> Vec<TopicPartition> {
        let lanes = self.lanes.iter().filter(|(_, lane)| lane.control.is_starting()).map(|(at, _)| &**at);
        lanes.chain(self.orphaned.starting()).cloned().collect()
    }

    fn outlasting(&self) -> Vec<TopicPartition> {
        let leaving =
            self.lanes.iter().filter(|(_, lane)| lane.leaving && lane.in_flight()).map(|(at, _)| &**at);
        leaving.chain(self.orphaned.all()).cloned().collect()
    }

    /// No handler starts any more, anywhere.
    pub(crate) fn close(&mut self) {
        self.closed = true;
        for lane in self.lanes.values() {
            lane.set_open(true);
            lane.control.cancel();
        }
        while self.ready.pop().is_some() {}
    }
}

/// What giving a lane back means for others.
pub(crate) struct RunOutcome {
    /// Records that are dropped uncommitted.
    pub(crate) dropped: usize,
    /// A record is to be tried again after a while.
    pub(crate) retry: Option<Retry>,
    /// Telemetry or an answer may have to tell it.
    pub(crate) news: bool,
}
