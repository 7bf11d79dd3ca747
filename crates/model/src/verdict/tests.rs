use super::*;

fn reading(start: i64, committed: Option<i64>, end: i64) -> PartitionReading {
    PartitionReading { start: Some(start), end: Some(end), committed, refused: None }
}

fn lag(lag: u64) -> LagSum {
    let end = i64::try_from(lag).unwrap();
    sum([&reading(0, Some(0), end)])
}

fn evidence() -> Evidence {
    Evidence {
        kind: GroupType::Classic,
        members: Some(1),
        sum: lag(0),
        draining: false,
        paused_by: vec![],
        not_obeyed: None,
        rebalance: None,
        deleted_topics: vec![],
        stale: None,
    }
}

fn rules() -> Rules {
    Rules { allowed_lag: 100, rebalancing: RebalanceLimits::default() }
}

fn rebalance(seconds: u64) -> Option<Rebalance> {
    Some(Rebalance { lasted: Duration::from_secs(seconds), who: "Kafka does not tell which member".into() })
}

#[test]
fn the_rules_in_order() {
    let never = sum([&reading(0, None, 5)]);
    let behind_and_never = sum([&reading(0, Some(0), 101), &reading(0, None, 5)]);
    let ahead = sum([&reading(0, Some(150), 100), &reading(0, Some(5), 5)]);
    let deleted = sum([&reading(70, Some(40), 100)]);
    let not_obeyed = |proven| Some(NotObeyed { proven, words: "vm-2 runs 3 partitions".into() });
    let paused = || Evidence { paused_by: vec!["ana".into()], ..evidence() };
    let cases = [
        (Evidence { not_obeyed: not_obeyed(false), ..paused() }, Verdict::PauseUnconfirmed, Level::Warning),
        (Evidence { not_obeyed: not_obeyed(true), ..paused() }, Verdict::PauseNotObeyed, Level::Critical),
        (
            Evidence { not_obeyed: not_obeyed(true), sum: deleted, ..paused() },
            Verdict::PauseNotObeyed,
            Level::Critical,
        ),
        (evidence(), Verdict::Ok, Level::Ok),
        (Evidence { sum: lag(100), ..evidence() }, Verdict::Ok, Level::Ok),
        (Evidence { sum: lag(101), ..evidence() }, Verdict::Behind, Level::Warning),
        (Evidence { sum: lag(101), draining: true, ..evidence() }, Verdict::Ok, Level::Ok),
        (Evidence { sum: behind_and_never, ..evidence() }, Verdict::Behind, Level::Warning),
        (Evidence { sum: never, ..evidence() }, Verdict::Unknown, Level::Info),
        (Evidence { sum: ahead, ..evidence() }, Verdict::Unknown, Level::Warning),
        (Evidence { sum: sum([]), ..evidence() }, Verdict::Unknown, Level::Info),
        (
            Evidence { sum: sum([]), deleted_topics: vec!["orders".into()], ..evidence() },
            Verdict::Unknown,
            Level::Warning,
        ),
        // Deleted unread: whoever reads now, and whatever is paused.
        (Evidence { sum: deleted, ..evidence() }, Verdict::DataLost, Level::Critical),
        (Evidence { sum: deleted, members: Some(0), ..evidence() }, Verdict::DataLost, Level::Critical),
        (
            Evidence { sum: deleted, paused_by: vec!["ana".into()], ..evidence() },
            Verdict::DataLost,
            Level::Critical,
        ),
        // Nobody reads: that asks for a person where something waits or may wait.
        (Evidence { members: Some(0), ..evidence() }, Verdict::Inactive, Level::Ok),
        (Evidence { members: Some(0), sum: lag(1), ..evidence() }, Verdict::NoMembers, Level::Critical),
        (Evidence { members: Some(0), sum: never, ..evidence() }, Verdict::NoMembers, Level::Critical),
        (Evidence { members: Some(0), sum: ahead, ..evidence() }, Verdict::NoMembers, Level::Critical),
        (
            Evidence { members: Some(0), sum: lag(500), draining: true, ..evidence() },
            Verdict::NoMembers,
            Level::Critical,
        ),
        (Evidence { members: None, ..evidence() }, Verdict::Ok, Level::Ok),
        (
            Evidence { paused_by: vec!["ana".into()], members: Some(0), ..evidence() },
            Verdict::Paused,
            Level::Info,
        ),
        (Evidence { kind: GroupType::Other, members: Some(0), ..evidence() }, Verdict::Unknown, Level::Info),
        (
            Evidence { stale: Some("no answer".into()), paused_by: vec!["ana".into()], ..evidence() },
            Verdict::Unknown,
            Level::Info,
        ),
        // A rebalance is said from 15 s on, and critical from 60 s on.
        (Evidence { rebalance: rebalance(14), sum: lag(500), ..evidence() }, Verdict::Behind, Level::Warning),
        (
            Evidence { rebalance: rebalance(15), sum: lag(500), ..evidence() },
            Verdict::Rebalancing,
            Level::Warning,
        ),
        (Evidence { rebalance: rebalance(59), ..evidence() }, Verdict::Rebalancing, Level::Warning),
        (Evidence { rebalance: rebalance(60), ..evidence() }, Verdict::Rebalancing, Level::Critical),
        (
            Evidence { rebalance: rebalance(60), paused_by: vec!["ana".into()], ..evidence() },
            Verdict::Rebalancing,
            Level::Critical,
        ),
    ];
    for (case, verdict, level) in cases {
        let judged = judge(&case, &rules());
        assert_eq!((judged.verdict, judged.level), (verdict, level), "{case:?}");
    }
}

#[test]
fn limits_of_a_rebalance_can_be_set() {
    let minutes = |n: u64| Duration::from_secs(60 * n);
    let slow = RebalanceLimits { warning: minutes(5), critical: minutes(10) };
    let judged = |seconds| {
        let case = Evidence { rebalance: rebalance(seconds), ..evidence() };
        judge(&case, &Rules { rebalancing: slow, ..rules() })
    };
    assert_eq!(judged(299).verdict, Verdict::Ok);
    assert_eq!((judged(300).verdict, judged(300).level), (Verdict::Rebalancing, Level::Warning));
    assert_eq!(judged(600).level, Level::Critical);
    assert_eq!(judged(300).why.as_deref(), Some("for at least 300 s: Kafka does not tell which member"));
}

/// Partition 0 lost 60, of partition 1 30 are lost and 30 wait, partition 2 is caught up.
#[test]
fn what_waits_at_least_and_what_was_deleted_is_summed() {
    let group = sum([&reading(100, Some(40), 100), &reading(70, Some(40), 100), &reading(0, Some(100), 100)]);
    assert_eq!((group.lag, group.unknown), (Some(0), 2));
    assert_eq!((group.at_least, group.deleted_unread), (Some(30), 90));
    assert!(!group.is_caught_up());
    let judged = judge(&Evidence { members: Some(0), sum: group, ..evidence() }, &rules());
    assert_eq!((judged.verdict, judged.level), (Verdict::DataLost, Level::Critical));
    assert_eq!(judged.why.as_deref(), Some("90 unread records were deleted"));
}

#[test]
fn sums_keep_the_unknown_apart() {
    let known = reading(0, Some(4), 10);
    let never = reading(0, None, 10);
    let untouched = reading(3, None, 3);
    let mixed = sum([&known, &never, &untouched]);
    assert_eq!((mixed.lag, mixed.at_least, mixed.unknown), (Some(6), Some(6), 1));
    assert_eq!(sum([&never]).lag, None);
    assert!(sum([&untouched]).is_caught_up());
    // Each reason has its own count.
    let refused = PartitionReading { refused: Some(Unknown::NotPermitted), ..known };
    assert_eq!(
        sum([&never, &refused, &never]).reasons().as_deref(),
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
        (Verdict::Rebalancing, Level::Warning),
        (Verdict::Rebalancing, Level::Critical),
        (Verdict::NoMembers, Level::Critical),
        (Verdict::PauseNotObeyed, Level::Critical),
        (Verdict::DataLost, Level::Critical),
    ];
    assert!(order.is_sorted_by_key(|(verdict, level)| verdict.severity(*level)));
}

#[test]
fn keys_come_back() {
    for verdict in Verdict::WORST_FIRST {
        assert_eq!(Verdict::parse(verdict.key()), Some(verdict));
    }
    assert!(Verdict::WORST_FIRST.is_sorted_by_key(|verdict| std::cmp::Reverse(*verdict)));
}
