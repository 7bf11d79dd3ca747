use std::time::Duration;

use super::*;
use crate::lag::{PartitionReading, Precision, TimeLag, Unknown};
use crate::rate::Rate;
use crate::trend::Trend;
use proptest::prelude::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_000_000_000 + seconds * 1_000)
}

fn reading(start: i64, committed: Option<i64>, end: i64) -> PartitionReading {
    PartitionReading { start: Some(start), end: Some(end), committed, refused: None }
}

fn lag(lag: u64) -> LagSum {
    let end = i64::try_from(lag).unwrap();
    sum([&reading(0, Some(0), end)])
}

fn time(seconds: u64, precision: Precision) -> Option<TimeLag> {
    Some(TimeLag { millis: seconds * 1_000, precision })
}

fn with(sum: LagSum) -> Evidence {
    Evidence { members: Some(1), sum, free: sum, partitions: 6, ..Evidence::new(GroupType::Classic, at(100)) }
}

fn without_members(sum: LagSum) -> Evidence {
    Evidence { members: Some(0), ..with(sum) }
}

/// Records wait for so many seconds, as an estimate.
fn late(seconds: u64) -> Evidence {
    Evidence { time_lag: time(seconds, Precision::Estimate), ..with(lag(5_000)) }
}

fn held(evidence: Evidence, whole: bool) -> Evidence {
    let free = if whole { LagSum::default() } else { evidence.free };
    Evidence { paused_by: vec!["ana".into()], wholly_held: whole, free, ..evidence }
}

fn rebalance(seconds: u64) -> Option<Rebalance> {
    Some(Rebalance { lasted: Duration::from_secs(seconds), who: "Kafka does not tell which member".into() })
}

fn stall(proof: Proof, partitions: u32) -> Option<Stall> {
    Some(Stall {
        topic: "orders".parse().unwrap(),
        partition: crate::Partition::new(3).unwrap(),
        committed: 612,
        owner: Some("web-7".into()),
        since: at(80),
        proof,
        partitions,
    })
}

fn rewind(second: i64) -> Option<Rewind> {
    Some(Rewind {
        topic: "orders".parse().unwrap(),
        partition: crate::Partition::new(3).unwrap(),
        from: 900,
        to: 100,
        at: at(second),
        partitions: 2,
    })
}

fn hot(of_lag: u8, of_records: u8, partitions: u32) -> Option<Hot> {
    Some(Hot {
        topic: "orders".parse().unwrap(),
        partition: crate::Partition::new(3).unwrap(),
        time_lag: time(30, Precision::Estimate),
        lag: 4_000,
        of_lag,
        of_records,
        partitions,
    })
}

fn slow(of_lag: u8, of_records: u8, instances: u32) -> Option<Slow> {
    Some(Slow {
        instance: "web-7".into(),
        time_lag: time(30, Precision::Estimate),
        lag: 4_000,
        of_lag,
        of_records,
        instances,
    })
}

fn judged(evidence: &Evidence) -> Vec<Finding> {
    judge(evidence, &Rules::default(), &[])
}

fn keys(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(|one| one.verdict.key()).collect()
}

fn evidence_of(evidence: &Evidence) -> String {
    judged(evidence)[0].evidence.clone().unwrap_or_default()
}

#[test]
fn the_rules_and_their_order() {
    use Level::{Critical, Info, Ok, Warning};
    let never = sum([&reading(0, None, 5)]);
    let ahead = sum([&reading(0, Some(150), 100), &reading(0, Some(5), 5)]);
    let deleted = sum([&reading(70, Some(40), 100)]);
    let not_obeyed = |proven| Some(NotObeyed { proven, words: "vm-2 runs 3 partitions".into() });
    let stopped = |came| Some(Stopped { since: at(60), came });
    let cases: Vec<(&str, Evidence, &[&str], Level)> = vec![
        ("nothing waits", with(lag(0)), &["ok"], Ok),
        ("time is not known, few records", with(lag(100)), &["ok"], Ok),
        ("time is not known, many records", with(lag(101)), &["behind"], Warning),
        ("many records, and none is old", late(60), &["ok"], Ok),
        ("old records", late(61), &["behind"], Warning),
        (
            "a bound that is above",
            Evidence { time_lag: time(61, Precision::AtLeast), ..late(0) },
            &["behind"],
            Warning,
        ),
        (
            "a bound below: records count",
            Evidence { time_lag: time(30, Precision::AtLeast), ..late(0) },
            &["behind"],
            Warning,
        ),
        (
            "a bound that says nothing yet",
            Evidence { time_lag: time(3, Precision::AtLeast), ..late(0) },
            &["ok"],
            Ok,
        ),
        ("falls", Evidence { trend: Trend::Draining, ..late(90) }, &["catchingUp"], Info),
        ("falls, and is not old", Evidence { trend: Trend::Draining, ..late(9) }, &["ok"], Ok),
        ("grows", Evidence { trend: Trend::Growing, ..late(20) }, &["fallingBehind"], Warning),
        ("grows, and is not old", Evidence { trend: Trend::Growing, ..late(9) }, &["ok"], Ok),
        (
            "grows and is old",
            Evidence { trend: Trend::Growing, ..late(90) },
            &["fallingBehind", "behind"],
            Warning,
        ),
        ("one partition", Evidence { hot: hot(94, 91, 6), ..late(30) }, &["hotPartition"], Warning),
        ("one of two", Evidence { hot: hot(94, 91, 2), ..late(30) }, &["ok"], Ok),
        ("one, with its share of records", Evidence { hot: hot(94, 20, 6), ..late(30) }, &["ok"], Ok),
        ("one instance", Evidence { slow: slow(94, 33, 3), ..late(30) }, &["slowInstance"], Warning),
        ("one that gets more", Evidence { slow: slow(94, 60, 3), ..late(30) }, &["ok"], Ok),
        ("one alone", Evidence { slow: slow(100, 100, 1), ..late(30) }, &["ok"], Ok),
        (
            "the partition says more than its instance",
            Evidence { slow: slow(94, 50, 3), hot: hot(94, 91, 6), ..late(30) },
            &["hotPartition"],
            Warning,
        ),
        (
            "an instance that stalls is not slow",
            Evidence { slow: slow(94, 33, 3), stall: stall(Proof::Record(None), 2), ..late(30) },
            &["stalled"],
            Critical,
        ),
        ("rebalances", Evidence { rebalances: 8, ..with(lag(0)) }, &["ok"], Ok),
        ("many rebalances", Evidence { rebalances: 9, ..with(lag(0)) }, &["rebalancingTooOften"], Warning),
        (
            "more members than partitions",
            Evidence { surplus: Some(Surplus { idle: 1, members: 4, partitions: 3 }), ..with(lag(0)) },
            &["surplusInstances"],
            Info,
        ),
        ("stalled", Evidence { stall: stall(Proof::Record(None), 6), ..late(20) }, &["stalled"], Critical),
        ("stalled?", Evidence { stall: stall(Proof::NotVerified, 6), ..late(20) }, &["stalled"], Warning),
        ("a marker waits", Evidence { stall: stall(Proof::NoRecord, 6), ..late(20) }, &["ok"], Ok),
        (
            "in a rebalance",
            Evidence { stall: stall(Proof::Record(None), 6), rebalance: rebalance(5), ..late(20) },
            &["ok"],
            Ok,
        ),
        ("went back", Evidence { rewind: rewind(90), ..late(90) }, &["rewound", "behind"], Warning),
        ("went back long ago", Evidence { rewind: rewind(-900), ..late(90) }, &["behind"], Warning),
        (
            "by the application",
            Evidence { paused_by_application: true, ..late(90) },
            &["pausedByApplication", "behind"],
            Warning,
        ),
        ("never", with(never), &["neverCommitted"], Info),
        ("beyond the end", with(ahead), &["unknown"], Warning),
        ("nothing known", with(sum([])), &["unknown"], Info),
        (
            "its topic is gone",
            Evidence { deleted_topics: vec!["orders".into()], ..with(sum([])) },
            &["unknown"],
            Warning,
        ),
        (
            "behind, and one never",
            with(sum([&reading(0, Some(0), 101), &reading(0, None, 5)])),
            &["behind", "neverCommitted"],
            Warning,
        ),
        // Deleted unread: whoever reads now, and whatever is paused.
        ("deleted", with(deleted), &["losingData"], Critical),
        ("deleted, no members", without_members(deleted), &["losingData", "noActiveMembers"], Critical),
        ("deleted, held", held(with(deleted), true), &["losingData", "paused"], Critical),
        // Nobody reads: that asks for a person where something waits or may wait.
        ("no members, caught up", without_members(lag(0)), &["inactive"], Ok),
        ("no members, lag", without_members(lag(1)), &["noActiveMembers"], Critical),
        ("no members, never", without_members(never), &["noActiveMembers", "neverCommitted"], Critical),
        ("no members, beyond", without_members(ahead), &["noActiveMembers", "unknown"], Critical),
        (
            "its members left",
            Evidence { stopped: stopped(7), ..without_members(lag(7)) },
            &["stopped", "noActiveMembers"],
            Critical,
        ),
        (
            "its members left, nothing came",
            Evidence { stopped: stopped(0), ..without_members(lag(7)) },
            &["stopped", "noActiveMembers"],
            Critical,
        ),
        (
            "its members left, caught up",
            Evidence { stopped: stopped(0), ..without_members(lag(0)) },
            &["inactive"],
            Ok,
        ),
        (
            "by hand",
            Evidence { by_hand: true, stopped: stopped(7), ..without_members(lag(7)) },
            &["assignedByHand"],
            Info,
        ),
        (
            "by hand, late",
            Evidence { by_hand: true, members: Some(0), ..late(90) },
            &["behind", "assignedByHand"],
            Warning,
        ),
        ("not described yet", Evidence { members: None, ..with(lag(0)) }, &["ok"], Ok),
        // A hold covers it.
        ("held", held(late(90), true), &["paused"], Info),
        ("held, no members", held(without_members(lag(9)), true), &["paused"], Info),
        (
            "held, its members left",
            held(Evidence { stopped: stopped(7), ..without_members(lag(7)) }, true),
            &["paused"],
            Info,
        ),
        (
            "held, stalled",
            held(Evidence { stall: stall(Proof::Record(None), 6), ..late(90) }, true),
            &["paused"],
            Info,
        ),
        ("held in part, the rest is late", held(late(90), false), &["behind", "paused"], Warning),
        (
            "not obeyed",
            Evidence { not_obeyed: not_obeyed(true), ..held(late(90), true) },
            &["pauseNotObeyed", "paused"],
            Critical,
        ),
        (
            "not obeyed?",
            Evidence { not_obeyed: not_obeyed(false), ..held(late(90), true) },
            &["pauseUnconfirmed", "paused"],
            Warning,
        ),
        // A rebalance is said from 15 s on, and critical from 60 s on.
        ("rebalances", Evidence { rebalance: rebalance(14), ..with(lag(0)) }, &["ok"], Ok),
        (
            "rebalances long",
            Evidence { rebalance: rebalance(15), ..late(90) },
            &["rebalanceStuck", "behind"],
            Warning,
        ),
        (
            "rebalances very long",
            Evidence { rebalance: rebalance(60), ..held(late(90), true) },
            &["rebalanceStuck", "paused"],
            Critical,
        ),
        // What is no reading of now, or no consumer group.
        (
            "stale",
            Evidence { stale: Some("no answer".into()), ..held(without_members(deleted), true) },
            &["unknown"],
            Info,
        ),
        ("other", Evidence { kind: GroupType::Other, ..without_members(lag(0)) }, &["unknown"], Info),
        ("own", Evidence { kind: GroupType::Flowdeck, ..without_members(lag(9)) }, &["ok"], Ok),
    ];
    for (what, case, want, level) in cases {
        let found = judged(&case);
        assert_eq!((keys(&found), found[0].level), (want.to_vec(), level), "{what}");
    }
}

#[test]
fn each_has_one_sentence_of_evidence() {
    let rates = Some((Rate::from(12.5), Rate::from(8.0)));
    for (case, want) in [
        (with(sum([&reading(70, Some(40), 100)])), "30 unread records were deleted"),
        (
            Evidence { rebalance: rebalance(20), ..with(lag(0)) },
            "for at least 20 s: Kafka does not tell which member",
        ),
        (
            Evidence { stopped: Some(Stopped { since: at(0), came: 1_204 }), ..without_members(lag(9)) },
            "its last member left; 1,204 records came since",
        ),
        (
            Evidence { stopped: Some(Stopped { since: at(0), came: 0 }), ..without_members(lag(9)) },
            "its last member left; lag 9 records",
        ),
        (
            Evidence { stall: stall(Proof::Record(None), 2), ..late(20) },
            "2 partitions do not move: orders partition 3 at offset 612 with web-7, a record waits there",
        ),
        (
            Evidence { stall: stall(Proof::NotVerified, 6), ..late(20) },
            "no commit of any partition moves: orders partition 3 at offset 612 with web-7, not verified by a read",
        ),
        (
            Evidence { rewind: rewind(90), ..late(1) },
            "orders partition 3 went back from offset 900 to 100, and 1 other partition too",
        ),
        (Evidence { trend: Trend::Growing, rates, ..late(20) }, "12.5 records/s come, 8.0 are committed"),
        (Evidence { trend: Trend::Growing, ..late(20) }, "its lag grows"),
        (
            Evidence { slow: slow(94, 33, 3), ..late(30) },
            "web-7 has 94 % of the lag and gets 33 % of the records, as one of 3 instances",
        ),
        (Evidence { rebalances: 12, ..with(lag(0)) }, "at least 12 rebalances in the last 15 min"),
        (
            Evidence { surplus: Some(Surplus { idle: 1, members: 4, partitions: 3 }), ..with(lag(0)) },
            "1 of 4 members has no partition: there are 3 partitions to be given",
        ),
        (
            Evidence { hot: hot(94, 91, 6), ..late(30) },
            "orders partition 3 has 94 % of the lag and gets 91 % of the records",
        ),
        (without_members(lag(1)), "lag 1 record"),
        (late(150), "the oldest record that waits is 2 min 30 s old (1 min are allowed)"),
        (
            Evidence { time_lag: time(150, Precision::AtLeast), ..late(0) },
            "the oldest record that waits is at least 2 min 30 s old (1 min are allowed)",
        ),
        (with(lag(5_000)), "lag 5,000 records (100 are allowed where its time is not known)"),
        (held(late(1), true), "by ana"),
        (
            Evidence { paused_by_application: true, ..late(1) },
            "by the application, without a hold of Flowdeck",
        ),
        (with(sum([&reading(0, None, 5)])), "1 partition: never committed"),
        (Evidence { by_hand: true, ..without_members(lag(9)) }, "commits move though Kafka lists no member"),
    ] {
        assert_eq!(evidence_of(&case), want);
    }
}

/// Burrow's cases (`core/internal/evaluator/caching_test.go`) as evidence, and its known faults.
#[test]
fn burrows_cases_without_its_faults() {
    let lags = |all: &[u64]| -> Vec<(Timestamp, u64)> {
        all.iter().zip(0..).map(|(lag, n)| (at(n * 2), *lag)).collect()
    };
    let case = |all: &[u64], evidence: Evidence| Evidence { trend: crate::trend::of(&lags(all)), ..evidence };
    let stalled = || stall(Proof::Record(None), 6);
    for (what, case, want) in [
        ("too few readings", case(&[5_000], late(5)), "ok"),
        ("the lag is 0", case(&[0; 9], with(lag(0))), "ok"),
        ("the lag was 0 within the window", case(&[5, 9, 0, 9, 5, 9, 0, 9, 5], late(5)), "ok"),
        (
            "commits stopped, records come",
            case(&[1, 2, 3, 4, 5, 6, 7, 8, 9], Evidence { stall: stalled(), ..late(40) }),
            "stalled",
        ),
        (
            "commits stopped, no record comes",
            case(&[9; 9], Evidence { stall: stalled(), ..late(40) }),
            "stalled",
        ),
        (
            "an offset went back",
            case(&[1, 900, 800, 700, 600, 500, 400, 300, 200], Evidence { rewind: rewind(90), ..late(5) }),
            "rewound",
        ),
        ("commits move, the lag never falls", case(&[1, 2, 3, 4, 5, 6, 7, 8, 9], late(40)), "fallingBehind"),
        ("commits move, the lag falls now and then", case(&[9, 20, 5, 22, 9, 20, 5, 22, 9], late(40)), "ok"),
        // Faults: STOP at once where one commit is in the window, WARN on tiny lags, WARN missed between commits.
        ("one commit in the window", case(&[3, 3, 3], late(5)), "ok"),
        ("tiny lags that never fall", case(&[1, 2, 3, 4, 5, 6, 7, 8, 9], late(2)), "ok"),
        (
            "grows between frequent commits",
            case(&[10, 30, 20, 30, 50, 40, 50, 70, 60], late(40)),
            "fallingBehind",
        ),
    ] {
        assert_eq!(judged(&case)[0].verdict.key(), want, "{what}");
    }
}

#[test]
fn thresholds_can_be_set() {
    let seconds = Duration::from_secs;
    let rules = Rules {
        behind: seconds(600),
        allowed_lag: 10_000,
        rebalancing: RebalanceLimits { warning: seconds(300), critical: seconds(600) },
        ..Rules::default()
    };
    let headline = |case: &Evidence| judge(case, &rules, &[])[0].verdict;
    assert_eq!(headline(&late(600)), Verdict::Ok);
    assert_eq!(headline(&late(601)), Verdict::Behind);
    assert_eq!(headline(&with(lag(10_000))), Verdict::Ok);
    assert_eq!(headline(&Evidence { rebalance: rebalance(299), ..with(lag(0)) }), Verdict::Ok);
    assert_eq!(headline(&Evidence { rebalance: rebalance(300), ..with(lag(0)) }), Verdict::RebalanceStuck);
}

/// What is said along a story, each step some seconds after the one before.
fn story(steps: Vec<(i64, Evidence)>) -> Vec<(Vec<&'static str>, Timestamp)> {
    let mut before = Vec::new();
    let mut told = Vec::new();
    for (second, evidence) in steps {
        before = judge(&Evidence { now: at(second), ..evidence }, &Rules::default(), &before);
        told.push((keys(&before), before[0].since));
    }
    told
}

#[test]
fn a_lag_around_its_limit_does_not_flicker() {
    let told = story(vec![
        (0, late(59)),
        (2, late(61)),
        (4, late(59)),
        (6, late(62)),
        (8, late(49)),
        (10, late(47)),
    ]);
    let want = [("ok", 0), ("behind", 2), ("behind", 2), ("behind", 2), ("behind", 2), ("ok", 10)];
    assert_eq!(told, want.map(|(key, since)| (vec![key], at(since))));
}

#[test]
fn a_trend_is_kept_until_it_turned() {
    let grows = |seconds| Evidence { trend: Trend::Growing, ..late(seconds) };
    let told = story(vec![
        (0, grows(20)),
        (2, late(20)),
        (4, grows(20)),
        (18, late(20)),
        (20, late(20)),
        (22, grows(20)),
        (24, with(lag(0))),
    ]);
    let want = [
        ("fallingBehind", 0),
        ("fallingBehind", 0),
        ("fallingBehind", 0),
        ("fallingBehind", 0),
        ("ok", 20),
        ("fallingBehind", 22),
        ("ok", 24),
    ];
    assert_eq!(told, want.map(|(key, since)| (vec![key], at(since))));
}

#[test]
fn since_is_told_by_the_evidence_where_it_knows() {
    let stalled = || Evidence { stall: stall(Proof::Record(None), 6), ..late(20) };
    assert_eq!(story(vec![(100, stalled()), (102, stalled())])[1], (vec!["stalled"], at(80)));
    assert_eq!(story(vec![(100, held(late(1), true)), (102, held(late(1), true))])[1].1, at(100));
}

/// Partition 0 lost 60, of partition 1 30 are lost and 30 wait, partition 2 is caught up.
#[test]
fn what_waits_at_least_and_what_was_deleted_is_summed() {
    let group = sum([&reading(100, Some(40), 100), &reading(70, Some(40), 100), &reading(0, Some(100), 100)]);
    assert_eq!((group.lag, group.unknown), (Some(0), 2));
    assert_eq!((group.at_least, group.deleted_unread), (Some(30), 90));
    assert!(!group.is_caught_up());
}

#[test]
fn sums_keep_the_unknown_apart() {
    let known = reading(0, Some(4), 10);
    let never = reading(0, None, 10);
    let untouched = reading(3, None, 3);
    let partly = sum([&known, &never, &untouched]);
    assert_eq!((partly.lag, partly.at_least, partly.unknown), (Some(6), Some(6), 1));
    assert_eq!(sum([&never]).lag, None);
    assert!(sum([&untouched]).is_caught_up());
    // Each reason has its own count.
    let refused = PartitionReading { refused: Some(Unknown::NotPermitted), ..known };
    assert_eq!(
        sum([&never, &refused, &never]).reasons(|_| true).as_deref(),
        Some("1 partition: not permitted to read; 2 partitions: never committed")
    );
}

#[test]
fn severity_follows_the_level_and_then_the_verdict() {
    let order = [
        (Verdict::Ok, Level::Ok),
        (Verdict::Inactive, Level::Ok),
        (Verdict::Unknown, Level::Info),
        (Verdict::Paused, Level::Info),
        (Verdict::Unknown, Level::Warning),
        (Verdict::Behind, Level::Warning),
        (Verdict::PauseUnconfirmed, Level::Warning),
        (Verdict::RebalanceStuck, Level::Warning),
        (Verdict::NoActiveMembers, Level::Critical),
        (Verdict::PauseNotObeyed, Level::Critical),
        (Verdict::RebalanceStuck, Level::Critical),
        (Verdict::LosingData, Level::Critical),
    ];
    assert!(order.is_sorted_by_key(|(verdict, level)| verdict.severity(*level)));
}

#[test]
fn keys_come_back() {
    for verdict in Verdict::WORST_FIRST {
        assert_eq!(Verdict::parse(verdict.key()), Some(verdict));
        assert_eq!(serde_json::to_value(verdict).unwrap(), verdict.key());
    }
    assert!(Verdict::WORST_FIRST.is_sorted_by_key(|verdict| std::cmp::Reverse(*verdict)));
}

proptest! {
    /// Whatever is told: something is said, the headline is the worst, none twice, and the same evidence again says
    /// the same. No rule reads a clock, so time may stop.
    #[test]
    fn something_is_always_said_and_said_again(
        waits in 0_u64..10_000,
        seconds in 0_u64..200,
        members in proptest::option::of(0_u32..3),
        flags in proptest::collection::vec(any::<bool>(), 8),
        precision in 0_usize..3,
        trend in 0_usize..3,
    ) {
        let some = |n: usize| flags[n];
        let case = Evidence {
            members,
            time_lag: time(seconds, [Precision::Exact, Precision::Estimate, Precision::AtLeast][precision]),
            trend: [Trend::Draining, Trend::Steady, Trend::Growing][trend],
            paused_by: if some(0) { vec!["ana".into()] } else { vec![] },
            wholly_held: some(0) && some(1),
            stopped: some(2).then_some(Stopped { since: at(0), came: waits }),
            stall: if some(3) { stall(Proof::NotVerified, 1) } else { None },
            rewind: if some(4) { rewind(90) } else { None },
            hot: if some(5) { hot(80, 80, 6) } else { None },
            by_hand: some(6),
            paused_by_application: some(7),
            ..with(lag(waits))
        };
        let said = judged(&case);
        prop_assert!(!said.is_empty());
        prop_assert!(said.windows(2).all(|two| two[0].verdict > two[1].verdict));
        prop_assert!(said.iter().all(|one| one.verdict == Verdict::Ok || one.verdict == Verdict::Inactive || one.evidence.is_some()));
        let again = judge(&case, &Rules::default(), &said);
        prop_assert_eq!(keys(&again), keys(&said));
        prop_assert!(again.iter().zip(&said).all(|(now, before)| now.since == before.since));
    }
}

#[test]
fn a_pause_of_four_hours_is_a_warning() {
    let since = |hours: i64| {
        let paused = held(with(lag(0)), true);
        let since = crate::time::Timestamp::from_millis(paused.now.millis() - hours * 3_600_000);
        let said = judge(&Evidence { paused_since: Some(since), ..paused }, &Rules::default(), &[]).remove(0);
        (said.verdict, said.level, said.evidence.unwrap())
    };
    assert_eq!(since(3), (Verdict::Paused, Level::Info, "by ana".to_owned()));
    assert_eq!(since(5), (Verdict::Paused, Level::Warning, "by ana, for 5 h".to_owned()));
}
