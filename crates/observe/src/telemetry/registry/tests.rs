use super::*;
use flowdeck_protocol::wire::AgentTelemetry;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_000_000 + seconds * 1_000)
}

fn heard(instance: &str, seconds: i64, running: &[i32]) -> Heard {
    Heard {
        pair: 0,
        group: "g".into(),
        consumer: "c".into(),
        instance: instance.into(),
        agent: false,
        incarnation: None,
        topic: TelemetryTopic::Name("t".parse().unwrap()),
        status: ConsumerStatus::Running,
        running: running.iter().filter_map(|p| Partition::new(*p)).collect(),
        paused: vec![],
        cut: 0,
        workers: Some(3),
        holds: None,
        sent_at: Some(at(seconds)),
        offset: seconds,
        at: at(seconds),
    }
}

fn agent(number: u128, seconds: i64) -> Heard {
    let incarnation = Incarnation::from_uuid(uuid::Uuid::from_u128(number));
    Heard { agent: true, incarnation: Some(incarnation), ..heard("pod-1", seconds, &[0]) }
}

fn registry() -> Registry {
    let limits = TelemetryLimits {
        instances_per_consumer: 3,
        instances_per_group: 4,
        instances: 5,
        consumers_per_group: 2,
        consumers: 3,
        topics_per_instance: 2,
        partitions: 60,
        ..TelemetryLimits::default()
    };
    Registry::new(limits)
}

fn flags(registry: &mut Registry, now: i64) -> Vec<(bool, bool)> {
    let index = registry.index(at(now));
    index.group(&"g".into()).unwrap().instances().map(|(_, i)| (i.ambiguous, i.superseded)).collect()
}

#[test]
fn a_flood_does_not_grow_memory() {
    let mut registry = registry();
    let mut dropped = 0;
    for n in 0..10_000 {
        let mut record = heard(&format!("i{n}"), n, &[0, 1, 2]);
        record.group = format!("g{}", n % 100).as_str().into();
        dropped += usize::from(registry.hear(record, |_| Trust::UnknownGroup).is_err());
    }
    assert!(registry.instances() <= 5 && dropped > 9_000, "{} {dropped}", registry.instances());
    // A known group's instance still finds a place.
    assert_eq!(registry.hear(heard("real", 1, &[0]), |_| Trust::Unverified), Ok(()));
    assert!(registry.index(at(2)).group(&"g".into()).is_some());
    let warnings = registry.index(at(2)).warnings;
    assert!(
        warnings[0].starts_with("9,995 more instances are heard than are kept (5 in all"),
        "{warnings:?}"
    );
    registry.expire(at(20_000));
    assert_eq!(registry.index(at(20_000)).warnings, Vec::<String>::new());
}

#[test]
fn each_bound_says_why() {
    let mut all = registry();
    for instance in ["a", "b", "c"] {
        all.hear(heard(instance, 0, &[0]), |_| Trust::Unverified).unwrap();
    }
    let fourth = all.hear(heard("d", 0, &[0]), |_| Trust::Unverified);
    assert_eq!(fourth, Err(Dropped::TooManyInstancesOfOneConsumer));
    let many: Vec<i32> = (0..60).collect();
    assert_eq!(all.hear(heard("a", 0, &many), |_| Trust::Unverified), Err(Dropped::TooManyPartitions));
    assert_eq!(all.hear(heard(&"x".repeat(600), 0, &[]), |_| Trust::Unverified), Err(Dropped::NameTooLong));
    for (topic, want) in [("t2", Ok(())), ("t3", Err(Dropped::TooManyTopics))] {
        let record = Heard { topic: TelemetryTopic::Name(topic.parse().unwrap()), ..heard("a", 0, &[0]) };
        assert_eq!(all.hear(record, |_| Trust::Unverified), want);
    }
    let of = |consumer: &str, instance: &str| Heard { consumer: consumer.into(), ..heard(instance, 0, &[0]) };
    assert_eq!(all.hear(of("d", "a"), |_| Trust::Unverified), Ok(()));
    assert_eq!(all.hear(of("d", "b"), |_| Trust::Unverified), Err(Dropped::TooManyInstancesOfOneGroup));
    let mut wide = registry();
    for consumer in ["c", "d"] {
        wide.hear(of(consumer, "a"), |_| Trust::Unverified).unwrap();
    }
    assert_eq!(wide.hear(of("e", "a"), |_| Trust::Unverified), Err(Dropped::TooManyConsumersOfOneGroup));
}

/// A flood came first, in the very group and under the very consumer of the real one.
#[test]
fn whom_kafka_bears_out_is_kept_whatever_a_flood_claims() {
    for flood in [Trust::UnknownGroup, Trust::Unverified] {
        let mut all = registry();
        for n in 0..100 {
            let _ = all.hear(heard(&format!("fake-{n}"), n, &[0, 1, 2, 3]), |_| flood);
        }
        for n in 0..100 {
            let group = format!("g{}", n % 10);
            let fake = Heard { group: group.as_str().into(), ..heard(&format!("fake-{n}"), n, &[0]) };
            let _ = all.hear(fake, |_| flood);
        }
        let many: Vec<i32> = (0..40).collect();
        assert_eq!(all.hear(heard("real", 100, &many), |_| Trust::Member), Ok(()), "{flood:?}");
        for n in 100..200 {
            let _ = all.hear(heard(&format!("fake-{n}"), n, &[0]), |_| flood);
            if n % 5 == 0 {
                let _ = all.hear(heard("real", n, &many), |_| Trust::Member);
            }
        }
        let index = all.index(at(200));
        let group = index.group(&"g".into()).unwrap();
        assert!(group.instances().any(|(_, instance)| instance.instance.as_str() == "real"));
        assert!(group.unkept > 0 || flood == Trust::UnknownGroup);
        // The counts are those that a new count gives.
        let counts = (all.consumers, all.instances, all.partitions, all.trust);
        all.expire(at(200));
        assert_eq!((all.consumers, all.instances, all.partitions, all.trust), counts);
    }
}

/// All places are those of pods that are gone: Kafka listed them, and forgot them before Flowdeck does.
#[test]
fn a_rollout_shuts_out_nobody() {
    let mut all = registry();
    for pod in ["a", "b", "c"] {
        all.hear(heard(pod, 0, &[0]), |_| Trust::Member).unwrap();
    }
    let refused = Err(Dropped::TooManyInstancesOfOneConsumer);
    assert_eq!(all.hear(heard("new", 50, &[0]), |_| Trust::Member), refused);
    assert_eq!(all.hear(heard("new", 70, &[0]), |_| Trust::Member), Ok(()));
}

#[test]
fn unknown_groups_and_groups_that_kafka_does_not_list_are_told_after_a_while() {
    let mut all = registry();
    all.hear(heard("a", 0, &[0]), |_| Trust::UnknownGroup).unwrap();
    assert_eq!(all.index(at(10)).warnings, Vec::<String>::new());
    let words = "1 instance says that it is in a group that Kafka does not list. No page shows it.";
    assert_eq!(all.index(at(31)).warnings, [words]);
    all.hear(heard("a", 32, &[0]), |_| Trust::Unverified).unwrap();
    assert_eq!(all.index(at(33)).warnings, Vec::<String>::new());
}

#[test]
fn the_silent_are_forgotten() {
    let mut registry = registry();
    registry.hear(heard("a", 0, &[0, 1]), |_| Trust::Unverified).unwrap();
    registry.hear(heard("b", 200, &[2]), |_| Trust::Unverified).unwrap();
    registry.expire(at(301));
    assert_eq!((registry.instances(), registry.partitions), (1, entry::STREAM + 1));
    registry.expire(at(600));
    assert_eq!((registry.instances(), registry.partitions), (0, 0));
    assert!(registry.index(at(600)).groups.is_empty());
}

#[test]
fn two_senders_under_one_kafkaflow_name() {
    let mut registry = registry();
    for (seconds, running) in [(0, [0]), (1, [1]), (5, [0]), (6, [1]), (10, [0])] {
        registry.hear(heard("m-1", seconds, &running), |_| Trust::Unverified).unwrap();
    }
    assert_eq!(flags(&mut registry, 10), [(true, false)]);
    let mut one = super::tests::registry();
    // Rebalances there and back, by one sender that tells every five seconds; then a quick pause.
    for (seconds, running) in [(0, [0]), (5, [1]), (10, [0]), (15, [1]), (20, [0]), (21, [1]), (22, [0])] {
        one.hear(heard("m-1", seconds, &running), |_| Trust::Unverified).unwrap();
    }
    assert_eq!(flags(&mut one, 22), [(false, false)]);
}

#[test]
fn a_restart_supersedes_and_two_lives_at_once_are_ambiguous() {
    let mut restart = registry();
    for record in [agent(1, 0), agent(1, 5), agent(2, 7), agent(2, 12)] {
        restart.hear(record, |_| Trust::Unverified).unwrap();
    }
    assert_eq!(flags(&mut restart, 12), [(false, true), (false, false)]);
    let mut both = registry();
    for record in [agent(1, 0), agent(2, 3), agent(1, 5), agent(2, 8)] {
        both.hear(record, |_| Trust::Unverified).unwrap();
    }
    assert_eq!(flags(&mut both, 8), [(true, false), (true, false)]);
}

#[test]
fn a_report_is_kept_with_an_agent_that_is_heard_and_within_its_bound() {
    let report = |number: u128, error: &str| {
        let failure = serde_json::json!({
            "at": at(1), "topic": "t", "partition": 0, "offset": 7, "attempt": 1, "error": error,
        });
        let report = serde_json::json!({ "at": at(1), "workers": 3, "errors": [failure] });
        AgentTelemetry {
            group: "g".into(),
            consumer: "c".into(),
            instance: "pod-1".into(),
            incarnation: Incarnation::from_uuid(uuid::Uuid::from_u128(number)),
            report: serde_json::from_value(report).unwrap(),
        }
    };
    let mut registry = registry();
    registry.limits.report_bytes = 150;
    assert!(!registry.report(0, report(1, "early"), 100, at(1)), "nobody of that name is heard");
    for number in [1, 2] {
        registry.hear(agent(number, 1), |_| Trust::Unverified).unwrap();
        assert!(registry.report(0, report(number, "a time-out"), 100, at(2)));
    }
    assert!(registry.report(0, report(1, "newer"), 120, at(3)), "it takes the place of its own");
    let index = registry.index(at(3));
    let kept = |number: u128| {
        let incarnation = Some(Incarnation::from_uuid(uuid::Uuid::from_u128(number)));
        let mut all = index.group(&"g".into()).unwrap().instances().map(|(_, one)| one);
        let report = all.find(|one| one.incarnation == incarnation).unwrap().report.clone().unwrap();
        (report.heard, report.of.workers, report.of.errors.first().map(|one| one.error.clone()))
    };
    assert_eq!(kept(1), (at(3), 3, Some("newer".into())));
    assert_eq!(kept(2), (at(2), 3, None), "beyond the bound without its errors");
    registry.expire(at(1_000));
    assert_eq!(registry.report_bytes, 0);
}
