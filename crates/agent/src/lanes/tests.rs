use std::time::Duration;

use super::*;
use crate::record::Record;

fn at(partition: i32) -> TopicPartition {
    TopicPartition::parse("t", partition).unwrap()
}

fn assign(lanes: &mut Lanes, partitions: &[i32], gate: Gate) {
    let partitions = partitions.iter().map(|partition| (Arc::new(at(*partition)), None));
    lanes.assign(partitions.collect(), |_| gate);
}

/// Lanes for partitions 0 and 1 with the given gate, and records 0..count in each.
fn lanes(gate: Gate, count: i64) -> Lanes {
    let mut lanes = Lanes::new(Distribution::ByPartition, 2, 10, Arc::default());
    assign(&mut lanes, &[0, 1], gate);
    for offset in 0..count {
        lanes.push(Record::test("t", 0, offset));
        lanes.push(Record::test("t", 1, offset));
    }
    lanes
}

/// The record that is handled.
fn taken(run: &Run) -> (i32, i64) {
    (run.record().partition().get(), run.record().offset())
}

/// Takes the next lane and its first record.
fn start(lanes: &mut Lanes) -> Option<Run> {
    let mut run = lanes.take()?;
    run.next().then_some(run)
}

/// As a worker that handled one record and gives the lane back.
fn finish(lanes: &mut Lanes, run: Run) -> RunOutcome {
    run.begun();
    run.done();
    lanes.finish_run(run)
}

#[test]
fn one_record_of_a_partition_at_a_time_and_in_order() {
    let mut lanes = lanes(Gate::Open, 2);
    let a = start(&mut lanes).unwrap();
    let b = start(&mut lanes).unwrap();
    assert_eq!((taken(&a), taken(&b)), ((0, 0), (1, 0)));
    assert!(lanes.take().is_none());
    finish(&mut lanes, b);
    let b = start(&mut lanes).unwrap();
    assert_eq!(taken(&b), (1, 1));
    assert!(lanes.take().is_none());
    finish(&mut lanes, a);
    assert_eq!(taken(&start(&mut lanes).unwrap()), (0, 1));
}

#[test]
fn a_run_goes_on_with_its_partition_and_others_are_known_to_wait() {
    let mut lanes = lanes(Gate::Open, 3);
    let length = lanes.ready_length();
    let mut run = lanes.take().unwrap();
    assert_eq!(length.load(Ordering::Relaxed), 1);
    let mut offsets = vec![];
    while run.next() {
        run.begun();
        offsets.push(taken(&run));
        run.done();
    }
    assert_eq!(offsets, vec![(0, 0), (0, 1), (0, 2)]);
    lanes.finish_run(run);
    assert_eq!(lanes.due(), vec![(at(0), 3)]);
    assert_eq!(taken(&start(&mut lanes).unwrap()), (1, 0));
    assert_eq!(length.load(Ordering::Relaxed), 0);
}

#[test]
fn a_shut_gate_lets_nothing_start_and_loses_nothing() {
    let mut lanes = lanes(Gate::Open, 3);
    let mut run = start(&mut lanes).unwrap();
    run.begun();
    assert!(lanes.regate(u64::MAX, |_| true));
    assert!(lanes.take().is_none());
    run.done();
    assert!(!run.next(), "the gate is asked before each record");
    assert!(lanes.finish_run(run).news, "nothing is in flight any more");
    assert!(lanes.take().is_none());
    lanes.push(Record::test("t", 0, 3));
    assert!(lanes.take().is_none());
    // What was in flight may be committed; what waits may not.
    assert_eq!(lanes.due(), vec![(at(0), 1)]);
    assert!(lanes.regate(u64::MAX, |_| false));
    let mut order = vec![];
    while let Some(run) = start(&mut lanes) {
        order.push(taken(&run));
        finish(&mut lanes, run);
    }
    order.sort_unstable();
    assert_eq!(order, vec![(0, 1), (0, 2), (0, 3), (1, 0), (1, 1), (1, 2)]);
}

#[test]
fn a_retry_asks_the_gate_again() {
    let mut lanes = lanes(Gate::Open, 2);
    let mut run = start(&mut lanes).unwrap();
    run.begun();
    run.retry(Duration::from_millis(5));
    assert!(!run.next());
    let retry = lanes.finish_run(run).retry.unwrap();
    assert_eq!(retry.wait, Duration::from_millis(5));
    lanes.regate(u64::MAX, |tp| *tp == at(0));
    lanes.backed_off(&retry);
    let other = start(&mut lanes).unwrap();
    assert_eq!(taken(&other), (1, 0));
    assert!(lanes.take().is_none());
    lanes.regate(u64::MAX, |_| false);
    let again = start(&mut lanes).unwrap();
    assert_eq!((taken(&again), again.failures()), ((0, 0), 1));
}

#[test]
fn a_lane_that_waits_for_a_retry_is_not_handed_out() {
    let mut lanes = lanes(Gate::Open, 1);
    let mut run = start(&mut lanes).unwrap();
    run.retry(Duration::ZERO);
    let retry = lanes.finish_run(run).retry.unwrap();
    assert_eq!(taken(&start(&mut lanes).unwrap()), (1, 0));
    assert!(lanes.take().is_none());
    lanes.backed_off(&retry);
    assert_eq!(taken(&start(&mut lanes).unwrap()), (0, 0));
}

#[test]
fn a_stopped_lane_waits_for_a_resume_and_commits_nothing() {
    let mut lanes = lanes(Gate::Open, 2);
    let mut run = start(&mut lanes).unwrap();
    run.stop_partition();
    assert!(!run.next());
    assert!(lanes.finish_run(run).news);
    assert_eq!(taken(&start(&mut lanes).unwrap()), (1, 0));
    assert!(lanes.take().is_none());
    assert_eq!(lanes.due(), vec![]);
    assert!(!lanes.seen()[0].runs());
    lanes.regate(u64::MAX, |_| true);
    lanes.regate(u64::MAX, |_| false);
    assert_eq!(taken(&start(&mut lanes).unwrap()), (0, 0));
}

#[test]
fn pending_lanes_wait_for_holds_as_new_as_their_assignment() {
    let mut lanes = lanes(Gate::Pending, 1);
    assert_eq!(lanes.pending(), Some(1));
    assert!(!lanes.regate(0, |_| false));
    assert!(lanes.take().is_none());
    // Joined later, while the holds of the first assignment were read.
    assign(&mut lanes, &[2], Gate::Pending);
    assert!(lanes.regate(1, |_| false));
    assert_eq!(lanes.pending(), Some(2));
    assert!(lanes.take().is_some());
}

#[test]
fn a_revoked_lane_drops_what_waits_and_commits_what_was_in_flight() {
    let mut lanes = lanes(Gate::Open, 3);
    let mut run = start(&mut lanes).unwrap();
    run.begun();
    // What waits went with the worker.
    assert_eq!(lanes.leave(&[at(0)]), 0);
    assert!(lanes.any_in_flight(&[at(0)]));
    run.done();
    assert!(!run.next());
    let given = lanes.finish_run(run);
    assert_eq!((given.dropped, given.news), (2, true));
    assert!(!lanes.any_in_flight(&[at(0)]));
    lanes.push(Record::test("t", 0, 3));
    assert_eq!(lanes.due_of(&[at(0)]), vec![(at(0), 1)]);
    drop(lanes.remove(&[at(0)]));
    assert_eq!(lanes.seen().len(), 1);
    assert_eq!(lanes.leave(&[at(1)]), 3);
}

#[test]
fn an_orphaned_task_blocks_its_partition_and_cannot_commit() {
    let mut lanes = lanes(Gate::Open, 2);
    let mut orphan = start(&mut lanes).unwrap();
    lanes.leave(&[at(0)]);
    drop(lanes.remove(&[at(0)]));
    assign(&mut lanes, &[0], Gate::Open);
    lanes.push(Record::test("t", 0, 0));
    assert_eq!(taken(&start(&mut lanes).unwrap()), (1, 0));
    assert!(lanes.take().is_none());
    assert!(lanes.seen()[0].in_flight);
    orphan.begun();
    orphan.done();
    assert!(!orphan.next(), "its gate never opens again");
    assert_eq!(lanes.finish_run(orphan).dropped, 1);
    assert_eq!(lanes.due(), vec![]);
    assert_eq!(taken(&start(&mut lanes).unwrap()), (0, 0));
}

#[test]
fn a_closed_agent_starts_nothing() {
    let mut lanes = lanes(Gate::Open, 2);
    let mut run = start(&mut lanes).unwrap();
    lanes.close();
    run.done();
    assert!(!run.next());
    lanes.finish_run(run);
    assert!(lanes.take().is_none());
    assert_eq!(lanes.due(), vec![(at(0), 1)]);
}

#[test]
fn a_log_that_was_truncated_or_created_anew_takes_the_commit_back() {
    for distribution in [Distribution::ByPartition, Distribution::ByKey, Distribution::Free] {
        let mut lanes = Lanes::new(distribution, 1, 10, Arc::default());
        assign(&mut lanes, &[0], Gate::Open);
        // A gap in the log (compaction, an aborted transaction) is no gap in what was handled.
        for offset in [4, 999] {
            lanes.push(Record::test("t", 0, offset));
            let run = start(&mut lanes).unwrap();
            finish(&mut lanes, run);
            assert_eq!(lanes.due(), vec![(at(0), offset + 1)], "{distribution:?}");
        }
        lanes.committed(&[(at(0), 1_000)]);
        assert_eq!(lanes.due(), vec![]);
        lanes.push(Record::test("t", 0, 990));
        let run = start(&mut lanes).unwrap();
        finish(&mut lanes, run);
        assert_eq!(lanes.due(), vec![(at(0), 991)], "{distribution:?}");
    }
}

#[test]
fn a_commit_goes_back_before_the_first_record_of_the_new_log_is_handled() {
    let mut lanes = Lanes::new(Distribution::ByPartition, 1, 10, Arc::default());
    assign(&mut lanes, &[0], Gate::Open);
    for offset in [999, 990, 991] {
        lanes.push(Record::test("t", 0, offset));
    }
    let mut run = start(&mut lanes).unwrap();
    run.begun();
    run.done();
    lanes.committed(&[(at(0), 1_000)]);
    assert!(run.next());
    run.begun();
    run.stop_partition();
    lanes.finish_run(run);
    assert_eq!(lanes.due(), vec![(at(0), 990)], "it may never succeed, and others follow it");
}

#[test]
fn a_commit_of_a_shared_partition_goes_back_once_what_was_read_before_is_done() {
    let mut lanes = Lanes::new(Distribution::ByKey, 3, 10, Arc::default());
    assign(&mut lanes, &[0], Gate::Open);
    for (offset, key) in [(998, b"a"), (999, b"b"), (990, b"c"), (991, b"d")] {
        lanes.push(Record::test_keyed("t", 0, offset, Some(key)));
    }
    let [a, b, c] = [(); 3].map(|()| start(&mut lanes).unwrap());
    assert_eq!([taken(&a), taken(&b), taken(&c)], [(0, 998), (0, 999), (0, 990)]);
    finish(&mut lanes, b);
    finish(&mut lanes, c);
    assert_eq!(lanes.due(), vec![], "998 runs");
    finish(&mut lanes, a);
    assert_eq!(lanes.due(), vec![(at(0), 991)]);
}

#[test]
fn a_record_that_is_tried_again_takes_no_commit_back() {
    let mut lanes = by_key("abc");
    let [a, mut b, c] = [(); 3].map(|()| start(&mut lanes).unwrap());
    finish(&mut lanes, a);
    lanes.committed(&[(at(0), 1)]);
    b.begun();
    b.retry(Duration::ZERO);
    let retry = lanes.finish_run(b).retry.unwrap();
    finish(&mut lanes, c);
    assert_eq!(lanes.due(), vec![]);
    lanes.backed_off(&retry);
    let b = start(&mut lanes).unwrap();
    assert_eq!((taken(&b), lanes.due()), ((0, 1), vec![]));
    finish(&mut lanes, b);
    assert_eq!(lanes.due(), vec![(at(0), 3)]);

    let mut lanes = self::lanes(Gate::Open, 2);
    let mut run = start(&mut lanes).unwrap();
    run.begun();
    run.done();
    lanes.committed(&[(at(0), 1)]);
    assert!(run.next());
    run.begun();
    run.retry(Duration::ZERO);
    let retry = lanes.finish_run(run).retry.unwrap();
    lanes.backed_off(&retry);
    assert_eq!(taken(&start(&mut lanes).unwrap()), (1, 0));
    let run = start(&mut lanes).unwrap();
    assert_eq!((taken(&run), lanes.due()), ((0, 1), vec![]));
    finish(&mut lanes, run);
    assert_eq!(lanes.due(), vec![(at(0), 2)]);
}

#[test]
fn what_was_taken_is_starting_until_its_handler_has_begun_wherever_its_partition_went() {
    let mut lanes = lanes(Gate::Open, 1);
    let (a, b) = (start(&mut lanes).unwrap(), start(&mut lanes).unwrap());
    lanes.regate(u64::MAX, |_| true);
    assert_eq!(lanes.starting(), vec![at(0), at(1)]);
    a.begun();
    assert_eq!(lanes.starting(), vec![at(1)]);
    lanes.leave(&[at(1)]);
    assert_eq!(lanes.starting(), vec![at(1)]);
    drop(lanes.remove(&[at(1)]));
    assign(&mut lanes, &[1], Gate::Pending);
    assert_eq!(lanes.starting(), vec![at(1)]);
    b.begun();
    assert_eq!(lanes.starting(), vec![]);
    assert!(lanes.any_in_flight(&[at(1)]));
    // Both handlers run: one of a partition that is owned, one that outlasts.
    assert_eq!(lanes.snapshot().outlasting, vec![at(1)]);
    finish(&mut lanes, b);
    assert_eq!(lanes.snapshot().outlasting, vec![]);
    lanes.leave(&[at(0)]);
    assert_eq!(lanes.snapshot().outlasting, vec![at(0)]);
}

#[test]
fn a_partition_whose_records_arrive_is_taken_after_the_others() {
    let mut lanes = lanes(Gate::Open, 1);
    let arrival = crate::arrivals::Arrival::new(Arc::new(at(0)));
    let (a, b) = (start(&mut lanes).unwrap(), start(&mut lanes).unwrap());
    // While its worker reads the queue to its end.
    lanes.arrivals.add(&arrival);
    assert!(lanes.take().is_none());
    finish(&mut lanes, a);
    finish(&mut lanes, b);
    let mut again = lanes.take().unwrap();
    assert!(!again.next(), "there is no queue in this test");
    lanes.finish_run(again);
    assert!(lanes.take().is_none());
}

#[test]
fn nothing_begins_while_an_offset_is_set_and_what_was_read_before_is_dropped() {
    let mut lanes = lanes(Gate::Open, 3);
    let mut run = start(&mut lanes).unwrap();
    assert_eq!(taken(&run), (0, 0));
    let setting = lanes.begin_offsets(|at| at.partition.get() == 0);
    run.begun();
    run.done();
    assert!(!run.next(), "its gate is shut");
    assert!(lanes.any_in_flight(&[at(0)]));
    lanes.finish_run(run);
    assert!(!lanes.any_in_flight(&[at(0)]));
    assert_eq!(start(&mut lanes).map(|run| taken(&run)), Some((1, 0)), "another partition goes on");
    lanes.offset_set(&at(0), 0);
    assert!(lanes.due().is_empty(), "the target was committed: {:?}", lanes.due());
    assert!(lanes.take().is_none());
    lanes.end_offsets(&setting);
    lanes.push(Record::test("t", 0, 0));
    let run = start(&mut lanes).unwrap();
    assert_eq!(taken(&run), (0, 0), "1 and 2 were read before");
    finish(&mut lanes, run);
    assert_eq!(lanes.due(), vec![(at(0), 1)]);
}

#[test]
fn a_hold_and_a_new_assignment_outlast_the_setting_of_an_offset() {
    let mut lanes = lanes(Gate::Open, 1);
    let setting = lanes.begin_offsets(|_| true);
    lanes.regate(u64::MAX, |at| at.partition.get() == 0);
    drop(lanes.remove(&[at(1)]));
    assign(&mut lanes, &[1], Gate::Open);
    assert_eq!(setting.iter().map(|one| lanes.is_assigned(one)).collect::<Vec<_>>(), vec![true, false]);
    lanes.push(Record::test("t", 1, 7));
    let run = start(&mut lanes).unwrap();
    assert_eq!(taken(&run), (1, 7), "the new assignment is not part of it");
    lanes.finish_run(run);
    lanes.end_offsets(&setting);
    assert!(lanes.take().is_none(), "partition 0 is held");
}

/// One partition with a record for each of the keys.
fn by_key(keys: &str) -> Lanes {
    let mut lanes = Lanes::new(Distribution::ByKey, 3, 10, Arc::default());
    assign(&mut lanes, &[0], Gate::Open);
    for (offset, key) in (0..).zip(keys.bytes()) {
        lanes.push(Record::test_keyed("t", 0, offset, Some(&[key])));
    }
    lanes
}

#[test]
fn workers_share_a_partition_by_key_and_its_gate_stops_all_of_them() {
    let mut lanes = by_key("abac");
    let runs = [start(&mut lanes).unwrap(), start(&mut lanes).unwrap(), start(&mut lanes).unwrap()];
    assert_eq!(runs.iter().map(taken).collect::<Vec<_>>(), vec![(0, 0), (0, 1), (0, 3)]);
    assert!(lanes.take().is_none());
    assert_eq!(lanes.snapshot().starting, vec![at(0)]);
    runs.iter().for_each(Run::begun);
    lanes.regate(u64::MAX, |_| true);
    assert!(lanes.snapshot().starting.is_empty());
    for (n, run) in runs.into_iter().enumerate() {
        assert!(lanes.any_in_flight(&[at(0)]), "{n} of 3 came back");
        run.done();
        assert!(lanes.finish_run(run).news);
    }
    assert!(!lanes.any_in_flight(&[at(0)]));
    assert!(lanes.take().is_none(), "held");
    assert_eq!(lanes.due(), vec![(at(0), 2)], "2 has not begun");
    lanes.regate(u64::MAX, |_| false);
    let run = start(&mut lanes).unwrap();
    assert_eq!(taken(&run), (0, 2));
    finish(&mut lanes, run);
    assert_eq!(lanes.due(), vec![(at(0), 4)]);
}

#[test]
fn a_revoked_partition_waits_for_all_its_workers_and_comes_back_after_them() {
    let mut lanes = by_key("abc");
    let (a, b) = (start(&mut lanes).unwrap(), start(&mut lanes).unwrap());
    assert_eq!(lanes.leave(&[at(0)]), 1);
    a.begun();
    a.done();
    assert_eq!(lanes.finish_run(a).dropped, 0);
    assert_eq!(lanes.due(), vec![(at(0), 1)]);
    assert_eq!(lanes.snapshot().outlasting, vec![at(0)]);
    drop(lanes.remove(&[at(0)]));
    assign(&mut lanes, &[0], Gate::Open);
    lanes.push(Record::test_keyed("t", 0, 1, Some(b"b")));
    assert!(lanes.take().is_none(), "a handler of before still runs");
    b.begun();
    b.done();
    lanes.finish_run(b);
    assert_eq!(lanes.due(), vec![], "it cannot commit");
    assert_eq!(taken(&start(&mut lanes).unwrap()), (0, 1));
}

#[test]
fn a_partition_that_is_stopped_at_a_record_is_tried_again_after_a_resume() {
    let mut lanes = by_key("ab");
    let (mut a, b) = (start(&mut lanes).unwrap(), start(&mut lanes).unwrap());
    a.begun();
    a.stop_partition();
    lanes.finish_run(a);
    finish(&mut lanes, b);
    assert!(lanes.take().is_none());
    assert_eq!(lanes.due(), vec![], "the first is not done");
    lanes.regate(u64::MAX, |_| true);
    lanes.regate(u64::MAX, |_| false);
    let a = start(&mut lanes).unwrap();
    assert_eq!(taken(&a), (0, 0));
    finish(&mut lanes, a);
    assert_eq!(lanes.due(), vec![(at(0), 2)]);
}
