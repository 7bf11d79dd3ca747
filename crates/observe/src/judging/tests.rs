use super::*;
use crate::sampling::verify::Found;
use crate::telemetry::InstanceTelemetry;
use flowdeck_kafka::ClusterConfig;
use std::sync::{Arc, LazyLock};

fn beside() -> Beside<'static> {
    static NONE: LazyLock<Proofs> = LazyLock::new(Proofs::default);
    Beside {
        holds: &[],
        telemetry: None,
        not_obeying: None,
        locked_up: &[],
        resumed: None,
        proofs: &NONE,
        before: &[],
    }
}

fn settings() -> Arc<ClusterSettings> {
    Arc::new(ClusterSettings::new("demo".parse().unwrap(), ClusterConfig::new("localhost:1")))
}

fn group() -> GroupData {
    GroupData {
        sum: flowdeck_model::verdict::LagSum { lag: Some(5), ..Default::default() },
        as_of: Some(Timestamp::from_millis(0)),
        ..GroupData::test("g")
    }
}

#[test]
fn what_is_too_old_is_unknown() {
    let after = |seconds| Timestamp::from_millis(0).plus(Duration::from_secs(seconds));
    let fresh = judge_group(&group(), beside(), &settings(), after(30));
    assert_eq!((fresh.verdict, fresh.lag), (Verdict::Ok, Some(5)));
    let old = judge_group(&group(), beside(), &settings(), after(31));
    assert_eq!((old.verdict, old.lag), (Verdict::Unknown, None));
    assert_eq!(old.why.as_deref(), Some("the last reading is 31 s old"));
}

#[test]
fn what_was_said_before_a_resume_is_no_pause_by_the_application() {
    let stream = crate::telemetry::TopicStream {
        topic: "t".parse().unwrap(),
        running: vec![],
        paused: vec![flowdeck_model::Partition::new(0).unwrap()],
        cut: 0,
        heard: Timestamp::from_millis(5_000),
        offset: 0,
    };
    let instance = InstanceTelemetry::test("i", vec![stream], Timestamp::from_millis(5_000));
    let consumers = vec![crate::telemetry::ConsumerTelemetry { name: "c".into(), instances: vec![instance] }];
    let telemetry = GroupTelemetry { consumers, unkept: 0 };
    for (resumed, want) in [
        (None, Verdict::PausedByApplication),
        (Some(4_000), Verdict::PausedByApplication),
        (Some(6_000), Verdict::Ok),
    ] {
        let resumed = resumed.map(Timestamp::from_millis);
        let beside = Beside { telemetry: Some(&telemetry), resumed, ..beside() };
        let judged = judge_group(&group(), beside, &settings(), Timestamp::from_millis(7_000));
        assert_eq!(judged.verdict, want, "{resumed:?}");
    }
}

/// Topic `t`: partitions with their commits and ends, read every 2 s, each reading of its own.
struct Watched {
    group: GroupData,
    second: i64,
    /// What reads at its commits found.
    proofs: Proofs,
}

impl Watched {
    fn new(owners: &[&[usize]]) -> Self {
        let member = |(n, owned): (usize, &&[usize])| flowdeck_kafka::Member {
            member_id: format!("m{n}"),
            client_id: format!("web-{n}"),
            host: String::new(),
            group_instance_id: None,
            assignment: owned.iter().map(|one| (topic(), partition(*one))).collect(),
            target_assignment: None,
        };
        let members = owners.iter().enumerate().map(member).collect::<Vec<_>>();
        let group = GroupData { members: Some(members.into()), ..GroupData::test("g") };
        Self { group, second: 0, proofs: Proofs::default() }
    }

    /// After two seconds more.
    fn read(&mut self, partitions: &[(i64, i64)]) {
        use crate::sampling::merge::{Commit, compact, settle};
        use crate::sampling::sample::{Ends, LogRow, Mark, Together, together};
        self.second += 2;
        let now = Timestamp::from_millis(self.second * 1_000);
        let commits = partitions.iter().enumerate().map(|(n, (committed, _))| Commit {
            topic: topic(),
            partition: partition(n),
            offset: Some(*committed),
            mark: Mark::Fine,
        });
        let ends = partitions
            .iter()
            .enumerate()
            .map(|(n, (_, end))| (topic(), LogRow::new(partition(n), None, Some(0), Some(*end))));
        let former = &self.group;
        let watched_since = former.watched_since.or(Some(now));
        let old = former.watched_since.map(|_| &former.rows);
        let rows = settle(compact(commits.collect()), old, &std::collections::HashSet::new(), now);
        let ends = Arc::new(Ends::new(ends, &former.ends, now));
        let Together { sum, time_lag, waits, hottest } = together(&rows, &ends, watched_since, &self.proofs);
        self.group = GroupData {
            members: former.members.clone(),
            rows,
            ends,
            sum,
            time_lag,
            waits: waits.into(),
            hottest,
            watched_since,
            as_of: Some(now),
            ..GroupData::test("g")
        };
    }

    fn stall(&self, proofs: &Proofs) -> Option<(i32, u32, bool)> {
        let beside = Beside { proofs, ..beside() };
        let stall = stall::of(&self.group, beside, &flowdeck_model::verdict::Rules::default())?;
        let proven = matches!(stall.proof, flowdeck_model::verdict::Proof::Record(_));
        Some((stall.partition.get(), stall.partitions, proven))
    }
}

fn topic() -> flowdeck_kafka::Topic {
    Arc::new("t".parse().unwrap())
}

fn partition(n: usize) -> flowdeck_model::Partition {
    flowdeck_model::Partition::new(n as i32).unwrap()
}

#[test]
fn partitions_that_do_not_move_are_stalled_after_their_time() {
    let none = Proofs::default();
    let mut watched = Watched::new(&[&[0], &[1]]);
    // Both move, then partition 1 stays at offset 5 while records come.
    watched.read(&[(1, 1), (5, 5)]);
    for n in 1..=5 {
        watched.read(&[(n, n), (5, 5 + n)]);
        assert_eq!(watched.stall(&none), None, "{n}: it waits for {} s", 2 * (n - 1));
    }
    watched.read(&[(6, 6), (5, 11)]);
    assert_eq!(watched.stall(&none), Some((1, 1, false)));
    // A read tells whether there is a record.
    let found = |found| Proofs::of([((topic(), partition(1), 5), found)]);
    assert_eq!(watched.stall(&found(Found::Record { offset: 5, written: None })), Some((1, 1, true)));
    assert_eq!(watched.stall(&found(Found::NoneBefore(11))), None);
    assert_eq!(watched.stall(&found(Found::NoneBefore(10))), Some((1, 1, false)), "one came since");
    // It moves: nothing is stalled any more.
    watched.read(&[(7, 7), (6, 12)]);
    assert_eq!(watched.stall(&none), None);
}

#[test]
fn what_comes_after_a_marker_waits_since_it_came() {
    let marker = |found| Proofs::of([((topic(), partition(0), 5), found)]);
    let record = Found::Record { offset: 6, written: None };
    // Not read again since, or read while the records were there.
    for (later, proven) in [(Found::NoneBefore(6), false), (record, true)] {
        let mut watched = Watched::new(&[&[0]]);
        watched.proofs = marker(Found::NoneBefore(6));
        watched.read(&[(5, 5)]);
        for _ in 0..20 {
            watched.read(&[(5, 6)]);
            assert_eq!(watched.stall(&watched.proofs), None);
            assert_eq!(watched.group.time_lag, Some(TimeLag::NONE));
        }
        watched.proofs = marker(later);
        watched.read(&[(5, 50)]);
        assert_eq!(watched.stall(&watched.proofs), None, "they came just now");
        assert!(watched.group.time_lag.is_some_and(|lag| lag.millis <= 2_000));
        for _ in 0..10 {
            watched.read(&[(5, 50)]);
        }
        assert_eq!(watched.stall(&watched.proofs), Some((0, 1, proven)));
        let millis = watched.group.time_lag.map_or(0, |lag| lag.millis);
        assert!((20_000..=22_000).contains(&millis), "{millis}");
    }
}

#[test]
fn a_partition_whose_owner_commits_others_may_have_its_turn_to_come() {
    let none = Proofs::default();
    let mut watched = Watched::new(&[&[0, 1]]);
    watched.read(&[(1, 1), (5, 5)]);
    let mut stalled_after = None;
    for n in 1..=40 {
        watched.read(&[(n, n), (5, 5 + n)]);
        stalled_after = stalled_after.or(watched.stall(&none).map(|_| 2 * (n - 1)));
    }
    assert_eq!(stalled_after, Some(60));
}

#[test]
fn a_partition_without_owner_is_not_stalled_where_others_are_owned() {
    let mut watched = Watched::new(&[&[0]]);
    for n in 0..20 {
        watched.read(&[(n, n), (5, 9 + n)]);
    }
    assert_eq!(watched.stall(&Proofs::default()), None);
    watched.group.members = Some(Watched::new(&[&[]]).group.members.unwrap());
    assert_eq!(watched.stall(&Proofs::default()), Some((1, 1, false)), "Kafka lists no assignment at all");
}

#[test]
fn an_instance_is_slow_by_its_lag_and_its_share_of_the_records() {
    let slow = |ends: &[i64; 3]| {
        let mut watched = Watched::new(&[&[0], &[1, 2]]);
        for n in 0..12 {
            let [zero, one, two] = ends.map(|each| each * n);
            // The first commits all, the other one nothing.
            watched.read(&[(zero, zero), (0, one), (0, two)]);
        }
        instances::slow(&watched.group, beside(), &flowdeck_model::verdict::Rules::default())
    };
    let found = slow(&[10, 10, 10]).unwrap();
    assert_eq!((&*found.instance, found.lag, found.instances), ("web-1", 220, 2));
    assert_eq!((found.of_lag, found.of_records), (100, 66));
    assert_eq!(slow(&[90, 5, 5]).unwrap().of_records, 10);
    // Nothing waits for long.
    let mut watched = Watched::new(&[&[0], &[1]]);
    for n in 0..12 {
        watched.read(&[(n * 10, n * 10), (n * 10, n * 10 + 1)]);
    }
    assert_eq!(instances::slow(&watched.group, beside(), &flowdeck_model::verdict::Rules::default()), None);
}

#[test]
fn members_are_surplus_where_there_are_fewer_partitions() {
    let surplus = |owners: &[&[usize]], after: u64| {
        let mut group = Watched::new(owners).group;
        group.members_since = Some(Timestamp::from_millis(0));
        let now = Timestamp::from_millis(0).plus(Duration::from_secs(after));
        instances::surplus(&group, now).map(|one| (one.idle, one.members, one.partitions))
    };
    for (owners, after, want) in [
        (&[&[0][..], &[1], &[]][..], 30, Some((1, 3, 2))),
        (&[&[0], &[1], &[]], 29, None),
        // One that owns two could give it one: it subscribed to something else, or gets it yet.
        (&[&[0, 1, 2], &[3], &[]], 30, None),
        (&[&[], &[]], 30, None),
        (&[&[0], &[1]], 30, None),
    ] {
        assert_eq!(surplus(owners, after), want, "{owners:?} after {after} s");
    }
}
