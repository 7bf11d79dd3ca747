//! The lanes: one for each assigned partition, with its gate, its buffer and what was handled of it.
//! A pure state machine under one lock: it decides which record a worker may take, and when.
//!
//! Invariant: a record is handed out only by `take`, and only where the lane's gate is open at that
//! moment. Shutting a gate therefore means that nothing is taken behind it any more, retries included;
//! what was taken before is told by `starting` until its handler has begun.

mod lane;
mod strays;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::record::{Record, Tp};

use lane::Lane;
pub(crate) use lane::{Gate, Job, Outcome, Pushed, Seen, Sight};
use strays::Strays;

#[derive(Debug)]
pub(crate) struct Lanes {
    lanes: BTreeMap<Tp, Lane>,
    ready: VecDeque<Tp>,
    strays: Strays,
    /// Counts assignments; the newest lane's ticket.
    ticket: u64,
    /// Records that may wait in all.
    room: usize,
    closed: bool,
}

impl Lanes {
    pub(crate) fn new(workers: usize, buffer: usize) -> Self {
        Self {
            lanes: BTreeMap::new(),
            ready: VecDeque::new(),
            strays: Strays::default(),
            ticket: 0,
            room: workers.saturating_mul(buffer).max(1),
            closed: false,
        }
    }

    /// New partitions; those that are already here start afresh (an eager assignment).
    pub(crate) fn assign(&mut self, partitions: &[Tp], gate: impl Fn(&Tp) -> Gate) {
        self.ticket += 1;
        for at in partitions {
            self.forget(at);
            let lane = Lane::new(self.ticket, gate(at));
            self.lanes.insert(at.clone(), lane);
        }
    }

    /// Nothing starts in these lanes any more, and what waits there is dropped uncommitted.
    pub(crate) fn leave(&mut self, partitions: &[Tp]) {
        for at in partitions {
            if let Some(lane) = self.lanes.get_mut(at) {
                lane.leaving = true;
                lane.buffer.clear();
            }
        }
    }

    /// The lanes are gone. A handler that still runs becomes a stray.
    pub(crate) fn remove(&mut self, partitions: &[Tp]) {
        for at in partitions {
            self.forget(at);
        }
    }

    fn forget(&mut self, at: &Tp) {
        if let Some(lane) = self.lanes.remove(at) {
            self.strays.left(at, &lane);
        }
    }

    pub(crate) fn any_in_flight(&self, partitions: &[Tp]) -> bool {
        partitions.iter().any(|at| self.in_flight(at))
    }

    fn in_flight(&self, at: &Tp) -> bool {
        self.strays.contains(at) || self.lanes.get(at).is_some_and(|lane| lane.in_flight)
    }

    /// How many records of one partition may wait.
    fn share(&self) -> usize {
        (self.room / self.lanes.len().max(1)).max(1)
    }

    pub(crate) fn push(&mut self, record: Record) -> Pushed {
        let share = self.share();
        let at = record.at().clone();
        let Some(lane) = self.lanes.get_mut(&at).filter(|lane| !lane.leaving) else { return Pushed::NotOurs };
        lane.buffer.push_back((Arc::new(record), 0));
        let full = lane.buffer.len() >= share;
        self.offer(&at);
        if full { Pushed::Full } else { Pushed::Room }
    }

    pub(crate) fn has_room(&self, at: &Tp) -> bool {
        self.lanes.get(at).is_none_or(|lane| lane.buffer.len() < self.share())
    }

    /// The buffer did not empty in time: the client shall stop fetching this partition for a while.
    pub(crate) fn mark_full(&mut self, at: &Tp) {
        let share = self.share();
        if let Some(lane) = self.lanes.get_mut(at).filter(|lane| lane.buffer.len() >= share) {
            lane.full = true;
        }
    }

    /// Puts a lane in the queue if a worker may take from it now.
    fn offer(&mut self, at: &Tp) {
        let (closed, stray) = (self.closed, self.strays.contains(at));
        let Some(lane) = self.lanes.get_mut(at) else { return };
        if !closed && !stray && !lane.queued && lane.may_start() {
            lane.queued = true;
            self.ready.push_back(at.clone());
        }
    }

    /// The next record that may be handled, fair among the partitions.
    pub(crate) fn take(&mut self) -> Option<Job> {
        while let Some(at) = self.ready.pop_front() {
            let (closed, stray) = (self.closed, self.strays.contains(&at));
            let Some(lane) = self.lanes.get_mut(&at) else { continue };
            lane.queued = false;
            if closed || stray || !lane.may_start() {
                continue;
            }
            if let Some(job) = lane.take() {
                return Some(job);
            }
        }
        None
    }

    pub(crate) fn any_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    pub(crate) fn done(&mut self, job: &Job, outcome: &Outcome) {
        let at = job.record.at();
        match self.lanes.get_mut(at).filter(|lane| lane.ticket == job.ticket && lane.in_flight) {
            Some(lane) => lane.back(job, outcome),
            None => self.strays.back(at, job.ticket),
        }
        self.offer(at);
    }

    /// The wait before a retry is over.
    pub(crate) fn backed_off(&mut self, job: &Job) {
        let at = job.record.at();
        if let Some(lane) = self.lanes.get_mut(at).filter(|lane| lane.ticket == job.ticket) {
            lane.backing_off = false;
        }
        self.offer(at);
    }

    /// Sets the gates by `held`. Pending lanes wait for holds that are as new as their assignment:
    /// only those up to `ticket` are decided. Says whether a gate moved.
    pub(crate) fn regate(&mut self, ticket: u64, held: impl Fn(&Tp) -> bool) -> bool {
        let mut moved = Vec::new();
        for (at, lane) in &mut self.lanes {
            if lane.gate == Gate::Pending && lane.ticket > ticket {
                continue;
            }
            let gate = if held(at) { Gate::Held } else { Gate::Open };
            if gate != lane.gate {
                if lane.gate == Gate::Held {
                    // A resume gives a lane that stands after failures another try.
                    lane.stands = false;
                }
                lane.gate = gate;
                moved.push(at.clone());
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

    /// What the client must be told to keep it in step: (pause, resume). Both ways for a lane that it
    /// was not told of since the assignment, since it keeps an application's pause over a rebalance.
    pub(crate) fn flow_changes(&mut self) -> (Vec<Tp>, Vec<Tp>) {
        let low = self.share() / 2;
        let (mut pause, mut resume) = (vec![], vec![]);
        for (at, lane) in self.lanes.iter_mut().filter(|(_, lane)| !lane.leaving) {
            lane.full = lane.full && lane.buffer.len() > low;
            let fetch = lane.gate != Gate::Held && !lane.stands && !lane.full;
            if lane.told == Some(fetch) {
                continue;
            }
            lane.told = Some(fetch);
            if fetch { resume.push(at.clone()) } else { pause.push(at.clone()) }
        }
        (pause, resume)
    }

    /// The client could not be told: try again.
    pub(crate) fn untold(&mut self, partitions: &[Tp]) {
        for at in partitions {
            if let Some(lane) = self.lanes.get_mut(at) {
                lane.told = None;
            }
        }
    }

    /// What was handled and not yet committed, as the next offsets to read.
    pub(crate) fn due(&self) -> Vec<(Tp, i64)> {
        self.lanes.iter().filter_map(|(at, lane)| Some((at.clone(), lane.tracker.due()?))).collect()
    }

    pub(crate) fn due_of(&self, partitions: &[Tp]) -> Vec<(Tp, i64)> {
        partitions.iter().filter_map(|at| Some((at.clone(), self.lanes.get(at)?.tracker.due()?))).collect()
    }

    pub(crate) fn committed(&mut self, offsets: &[(Tp, i64)]) {
        for (at, next) in offsets {
            if let Some(lane) = self.lanes.get_mut(at) {
                lane.tracker.committed(*next);
            }
        }
    }

    pub(crate) fn not_committed(&mut self, partitions: &[Tp]) {
        for at in partitions {
            if let Some(lane) = self.lanes.get_mut(at) {
                lane.tracker.not_committed();
            }
        }
    }

    pub(crate) fn set_end(&mut self, at: &Tp, end: i64) {
        if let Some(lane) = self.lanes.get_mut(at) {
            lane.end = Some(end);
        }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        let lanes = self.lanes.iter().filter(|(_, lane)| !lane.leaving);
        lanes.map(|(at, lane)| lane.seen(at, self.in_flight(at))).collect()
    }

    pub(crate) fn sight(&self) -> Sight {
        Sight { seen: self.seen(), starting: self.starting(), outlasting: self.outlasting() }
    }

    /// Also those that are leaving, and those that are gone while the handler runs.
    fn starting(&self) -> Vec<Tp> {
        let lanes = self.lanes.iter().filter(|(_, lane)| lane.starting.is_set()).map(|(at, _)| at);
        lanes.chain(self.strays.starting()).cloned().collect()
    }

    fn outlasting(&self) -> Vec<Tp> {
        let leaving = self.lanes.iter().filter(|(_, lane)| lane.leaving && lane.in_flight).map(|(at, _)| at);
        leaving.chain(self.strays.all()).cloned().collect()
    }

    /// No handler starts any more, anywhere.
    pub(crate) fn close(&mut self) {
        self.closed = true;
        self.ready.clear();
    }

    /// Records that wait, in all lanes.
    pub(crate) fn buffered(&self) -> usize {
        self.lanes.values().map(|lane| lane.buffer.len()).sum()
    }
}
