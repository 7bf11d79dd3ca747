//! The lanes: one for each assigned partition, with its gate, its buffer and what was handled of it.
//! A pure state machine under one lock: it decides which record a worker may take, and when.
//!
//! Invariant: a record is handed out only by `take`, and only where the lane's gate is open at that
//! moment. Shutting a gate therefore means that no handler starts behind it, retries included.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

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

/// What a worker takes away; it must come back through `done`.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) record: Arc<Record>,
    /// How often this record failed before.
    pub(crate) failures: u32,
    ticket: u64,
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
struct Lane {
    /// Which assignment made the lane. A job that comes back with another one is a stray.
    ticket: u64,
    gate: Gate,
    buffer: VecDeque<(Arc<Record>, u32)>,
    in_flight: bool,
    backing_off: bool,
    /// The policy stopped the lane at its first record.
    stands: bool,
    /// Revoked: nothing starts any more.
    leaving: bool,
    /// In `ready`.
    queued: bool,
    full: bool,
    /// Whether Kafka's client was told to fetch; `None`: not told since the assignment.
    told: Option<bool>,
    tracker: Tracker,
    /// The log's end, as the client last said.
    end: Option<i64>,
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

impl Seen {
    /// Whether handlers may run.
    pub(crate) fn runs(&self) -> bool {
        self.gate == Gate::Open && !self.stands
    }
}

#[derive(Debug)]
pub(crate) struct Lanes {
    lanes: BTreeMap<Tp, Lane>,
    ready: VecDeque<Tp>,
    /// Handlers that still run for a partition that was taken away under them.
    strays: HashMap<Tp, usize>,
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
            strays: HashMap::new(),
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
            let lane = Lane {
                ticket: self.ticket,
                gate: gate(at),
                buffer: VecDeque::new(),
                in_flight: false,
                backing_off: false,
                stands: false,
                leaving: false,
                queued: false,
                full: false,
                told: None,
                tracker: Tracker::default(),
                end: None,
            };
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
        if self.lanes.remove(at).is_some_and(|lane| lane.in_flight) {
            *self.strays.entry(at.clone()).or_default() += 1;
        }
    }

    pub(crate) fn any_in_flight(&self, partitions: &[Tp]) -> bool {
        partitions.iter().any(|at| self.in_flight(at))
    }

    fn in_flight(&self, at: &Tp) -> bool {
        self.strays.contains_key(at) || self.lanes.get(at).is_some_and(|lane| lane.in_flight)
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
        let (closed, stray) = (self.closed, self.strays.contains_key(at));
        let Some(lane) = self.lanes.get_mut(at) else { return };
        if !closed && !stray && !lane.queued && lane.may_start() {
            lane.queued = true;
            self.ready.push_back(at.clone());
        }
    }

    /// The next record that may be handled, fair among the partitions.
    pub(crate) fn take(&mut self) -> Option<Job> {
        while let Some(at) = self.ready.pop_front() {
            let (closed, stray) = (self.closed, self.strays.contains_key(&at));
            let Some(lane) = self.lanes.get_mut(&at) else { continue };
            lane.queued = false;
            if closed || stray || !lane.may_start() {
                continue;
            }
            let Some((record, failures)) = lane.buffer.pop_front() else { continue };
            lane.in_flight = true;
            return Some(Job { record, failures, ticket: lane.ticket });
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
            None => self.stray_back(at),
        }
        self.offer(at);
    }

    fn stray_back(&mut self, at: &Tp) {
        if let Some(count) = self.strays.get_mut(at) {
            *count -= 1;
            if *count == 0 {
                self.strays.remove(at);
            }
        }
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

impl Lane {
    fn may_start(&self) -> bool {
        self.gate == Gate::Open
            && !self.in_flight
            && !self.backing_off
            && !self.stands
            && !self.leaving
            && !self.buffer.is_empty()
    }

    fn back(&mut self, job: &Job, outcome: &Outcome) {
        self.in_flight = false;
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

    fn seen(&self, at: &Tp, in_flight: bool) -> Seen {
        let lag = match (self.end, self.tracker.position()) {
            (Some(end), Some(position)) => end.saturating_sub(position).max(0),
            _ => 0,
        };
        Seen { at: at.clone(), gate: self.gate, stands: self.stands, in_flight, lag }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(partition: i32) -> Tp {
        Tp::parse("t", partition).unwrap()
    }

    /// Lanes for partitions 0 and 1 with the given gate, and records 0..count in each.
    fn lanes(gate: Gate, count: i64) -> Lanes {
        let mut lanes = Lanes::new(2, 10);
        lanes.assign(&[at(0), at(1)], |_| gate);
        for offset in 0..count {
            lanes.push(Record::test("t", 0, offset));
            lanes.push(Record::test("t", 1, offset));
        }
        lanes
    }

    fn taken(job: &Job) -> (i32, i64) {
        (job.record.partition().get(), job.record.offset())
    }

    #[test]
    fn one_record_of_a_partition_at_a_time_and_in_order() {
        let mut lanes = lanes(Gate::Open, 2);
        let a = lanes.take().unwrap();
        let b = lanes.take().unwrap();
        assert_eq!((taken(&a), taken(&b)), ((0, 0), (1, 0)));
        assert!(lanes.take().is_none());
        lanes.done(&b, &Outcome::Done);
        assert_eq!(taken(&lanes.take().unwrap()), (1, 1));
        assert!(lanes.take().is_none());
        lanes.done(&a, &Outcome::Done);
        assert_eq!(taken(&lanes.take().unwrap()), (0, 1));
    }

    #[test]
    fn a_shut_gate_lets_nothing_start_and_loses_nothing() {
        let mut lanes = lanes(Gate::Open, 3);
        let running = lanes.take().unwrap();
        assert!(lanes.regate(u64::MAX, |_| true));
        assert!(lanes.take().is_none());
        lanes.done(&running, &Outcome::Done);
        assert!(lanes.take().is_none());
        assert_eq!(lanes.push(Record::test("t", 0, 3)), Pushed::Room);
        assert!(lanes.take().is_none());
        // What was in flight may be committed; what waits may not.
        assert_eq!(lanes.due(), vec![(at(0), 1)]);
        assert!(lanes.regate(u64::MAX, |_| false));
        let mut order = vec![];
        while let Some(job) = lanes.take() {
            order.push(taken(&job));
            lanes.done(&job, &Outcome::Done);
        }
        order.sort_unstable();
        assert_eq!(order, vec![(0, 1), (0, 2), (0, 3), (1, 0), (1, 1), (1, 2)]);
    }

    #[test]
    fn a_retry_asks_the_gate_again() {
        let mut lanes = lanes(Gate::Open, 2);
        let job = lanes.take().unwrap();
        lanes.done(&job, &Outcome::Retry);
        lanes.regate(u64::MAX, |tp| *tp == at(0));
        lanes.backed_off(&job);
        let other = lanes.take().unwrap();
        assert_eq!(taken(&other), (1, 0));
        assert!(lanes.take().is_none());
        lanes.regate(u64::MAX, |_| false);
        let again = lanes.take().unwrap();
        assert_eq!((taken(&again), again.failures), ((0, 0), 1));
    }

    #[test]
    fn a_lane_that_stands_waits_for_a_resume_and_commits_nothing() {
        let mut lanes = lanes(Gate::Open, 2);
        let job = lanes.take().unwrap();
        lanes.done(&job, &Outcome::Stand);
        assert_eq!(taken(&lanes.take().unwrap()), (1, 0));
        assert!(lanes.take().is_none());
        assert_eq!(lanes.due(), vec![]);
        assert_eq!(lanes.flow_changes().0, vec![at(0)]);
        lanes.regate(u64::MAX, |_| true);
        lanes.regate(u64::MAX, |_| false);
        assert_eq!(taken(&lanes.take().unwrap()), (0, 0));
    }

    #[test]
    fn pending_lanes_wait_for_holds_as_new_as_their_assignment() {
        let mut lanes = lanes(Gate::Pending, 1);
        assert_eq!(lanes.pending(), Some(1));
        assert!(!lanes.regate(0, |_| false));
        assert!(lanes.take().is_none());
        // Joined later, while the holds of the first assignment were read.
        lanes.assign(&[at(2)], |_| Gate::Pending);
        assert!(lanes.regate(1, |_| false));
        assert_eq!(lanes.pending(), Some(2));
        assert!(lanes.take().is_some());
    }

    #[test]
    fn a_revoked_lane_drops_what_waits_and_commits_what_was_in_flight() {
        let mut lanes = lanes(Gate::Open, 3);
        let job = lanes.take().unwrap();
        lanes.leave(&[at(0)]);
        assert!(lanes.any_in_flight(&[at(0)]));
        assert_eq!(lanes.push(Record::test("t", 0, 3)), Pushed::NotOurs);
        lanes.done(&job, &Outcome::Done);
        assert!(!lanes.any_in_flight(&[at(0)]));
        assert_eq!(lanes.due_of(&[at(0)]), vec![(at(0), 1)]);
        lanes.remove(&[at(0)]);
        assert_eq!(lanes.seen().len(), 1);
        assert_eq!(lanes.buffered(), 3);
    }

    #[test]
    fn a_stray_keeps_its_partition_from_a_second_worker_and_cannot_commit() {
        let mut lanes = lanes(Gate::Open, 1);
        let stray = lanes.take().unwrap();
        lanes.leave(&[at(0)]);
        lanes.remove(&[at(0)]);
        lanes.assign(&[at(0)], |_| Gate::Open);
        lanes.push(Record::test("t", 0, 0));
        assert_eq!(taken(&lanes.take().unwrap()), (1, 0));
        assert!(lanes.take().is_none());
        assert!(lanes.seen()[0].in_flight);
        lanes.done(&stray, &Outcome::Done);
        assert_eq!(lanes.due(), vec![]);
        assert_eq!(taken(&lanes.take().unwrap()), (0, 0));
    }

    #[test]
    fn the_client_is_told_both_ways_after_each_assignment() {
        let mut lanes = lanes(Gate::Open, 0);
        assert_eq!(lanes.flow_changes(), (vec![], vec![at(0), at(1)]));
        assert_eq!(lanes.flow_changes(), (vec![], vec![]));
        lanes.regate(u64::MAX, |tp| *tp == at(1));
        assert_eq!(lanes.flow_changes(), (vec![at(1)], vec![]));
        lanes.untold(&[at(1)]);
        assert_eq!(lanes.flow_changes(), (vec![at(1)], vec![]));
        lanes.assign(&[at(0), at(1)], |tp| if *tp == at(1) { Gate::Held } else { Gate::Open });
        assert_eq!(lanes.flow_changes(), (vec![at(1)], vec![at(0)]));
    }

    #[test]
    fn a_full_buffer_stops_the_fetch_and_half_of_it_starts_it_again() {
        let mut lanes = Lanes::new(1, 4);
        lanes.assign(&[at(0)], |_| Gate::Open);
        lanes.flow_changes();
        for offset in 0..3 {
            assert_eq!(lanes.push(Record::test("t", 0, offset)), Pushed::Room);
        }
        assert_eq!(lanes.push(Record::test("t", 0, 3)), Pushed::Full);
        lanes.mark_full(&at(0));
        assert_eq!(lanes.flow_changes(), (vec![at(0)], vec![]));
        for _ in 0..2 {
            assert_eq!(lanes.flow_changes(), (vec![], vec![]));
            let job = lanes.take().unwrap();
            lanes.done(&job, &Outcome::Done);
        }
        assert_eq!(lanes.flow_changes(), (vec![], vec![at(0)]));
    }

    #[test]
    fn a_closed_agent_starts_nothing() {
        let mut lanes = lanes(Gate::Open, 2);
        let job = lanes.take().unwrap();
        lanes.close();
        lanes.done(&job, &Outcome::Done);
        assert!(lanes.take().is_none());
        assert_eq!(lanes.due(), vec![(at(0), 1)]);
    }
}
