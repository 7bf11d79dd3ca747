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

#[test]
fn what_was_taken_is_starting_until_its_handler_has_begun_wherever_its_partition_went() {
    let mut lanes = lanes(Gate::Open, 1);
    let (a, b) = (lanes.take().unwrap(), lanes.take().unwrap());
    lanes.regate(u64::MAX, |_| true);
    assert_eq!(lanes.starting(), vec![at(0), at(1)]);
    a.begun();
    assert_eq!(lanes.starting(), vec![at(1)]);
    lanes.leave(&[at(1)]);
    assert_eq!(lanes.starting(), vec![at(1)]);
    lanes.remove(&[at(1)]);
    lanes.assign(&[at(1)], |_| Gate::Pending);
    assert_eq!(lanes.starting(), vec![at(1)]);
    b.begun();
    assert_eq!(lanes.starting(), vec![]);
    assert!(lanes.any_in_flight(&[at(1)]));
    // Both handlers run: one of a partition that is owned, one that outlasts.
    assert_eq!(lanes.sight().outlasting, vec![at(1)]);
    lanes.done(&b, &Outcome::Done);
    assert_eq!(lanes.sight().outlasting, vec![]);
    lanes.leave(&[at(0)]);
    assert_eq!(lanes.sight().outlasting, vec![at(0)]);
}
