//! Telemetry merged into the group's view, and telemetry that means harm.

use flowdeck_control::AdminSettings;
use flowdeck_model::Verdict;
use flowdeck_model::view::{AgentReport, InstanceHolds, InstanceKind, Mode};
use flowdeck_testkit::{DEADLINE, kafka, unique, wait_for};

use crate::common::{Running, settings};
use crate::fake_instance::FakeInstance;

/// A group of two partitions, and two instances of it: KafkaFlow's `host-1` and the agent `pod-7`.
async fn two_instances() -> (Running, String, [FakeInstance; 2]) {
    let kafka = kafka();
    let (topic, group) = (unique("audio"), unique("audio-processor"));
    let settings = settings(Mode::Observe);
    kafka.create_topic(&topic, 2).await;
    kafka.create_topic(settings.admin_topics[0].telemetry.0.as_str(), 1).await;
    kafka.commit(&group, &[(&topic, 0, 0), (&topic, 1, 0)]);
    let running = Running::start(settings.clone());
    running.group(&group, "the group", |view| view.partitions.len() == 2).await;
    let flow = FakeInstance::new(&settings, &group, "audio", &topic);
    let agent = FakeInstance::new(&settings, &group, "audio", &topic).named("pod-7").agent();
    (running, group, [flow, agent])
}

#[tokio::test]
async fn instances_partitions_and_a_pause_by_the_application() {
    let (running, group, [flow, agent]) = two_instances().await;
    let view = wait_for("both instances", DEADLINE, async || {
        flow.says(&[], &[0]).await;
        agent.says(&[1], &[]).await;
        let view = running.ports.fleet.group(&running.cluster, &group.as_str().into()).ok()?;
        (view.consumers.first()?.instances.len() == 2).then_some(view)
    })
    .await;
    let instances = &view.consumers[0].instances;
    let flow = instances.iter().find(|one| one.kind == InstanceKind::KafkaFlow).unwrap();
    assert_eq!((flow.instance.as_str(), flow.workers, flow.lost), ("host-1", Some(3), false));
    assert_eq!(flow.paused[0].partitions.len(), 1);
    let agent = instances.iter().find(|one| one.kind == InstanceKind::Agent).unwrap();
    assert!(agent.incarnation.is_some() && !agent.ambiguous);
    assert_eq!(view.row.verdict, Verdict::PausedByApplication);
    assert_eq!(view.row.why.as_deref(), Some("by the application, without a hold of Flowdeck"));
    let rows: Vec<_> = view.partitions.iter().map(|row| (row.owner.as_deref(), row.paused)).collect();
    assert_eq!(rows, [(Some("host-1"), true), (Some("pod-7"), false)]);
    running.stop().await;
}

/// Of an instance that does not know the holds nobody may believe that a pause reaches it.
#[tokio::test]
async fn what_an_agent_says_of_the_holds_is_shown() {
    let (running, group, [flow, agent]) = two_instances().await;
    // It finds its way to them: the newest word counts.
    for holds in [InstanceHolds::Reading, InstanceHolds::Unknown, InstanceHolds::Absent, InstanceHolds::Known]
    {
        let want = [("host-1".to_owned(), None), ("pod-7".to_owned(), Some(holds))];
        wait_for(&format!("{holds:?} in the view"), DEADLINE, async || {
            // What KafkaFlow says of them is nobody's word.
            flow.says_of_the_holds(&[0], InstanceHolds::Unknown).await;
            agent.says_of_the_holds(&[1], holds).await;
            let view = running.ports.fleet.group(&running.cluster, &group.as_str().into()).ok()?;
            let instances = view.consumers.into_iter().flat_map(|consumer| consumer.instances);
            let mut said: Vec<_> =
                instances.map(|instance| (instance.instance.to_string(), instance.holds)).collect();
            said.sort();
            (said == want).then_some(())
        })
        .await;
    }
    running.stop().await;
}

/// Of error texts only who may read payloads sees what they say: they may repeat a record.
#[tokio::test]
async fn what_an_agent_reports_is_shown_and_a_hanging_handler_is_said() {
    let (running, group, [flow, agent]) = two_instances().await;
    let report: AgentReport = serde_json::from_value(serde_json::json!({
        "at": "2026-11-29T12:00:00Z",
        "inFlight": 1,
        "running": [{ "topic": "audio", "partition": 1, "offset": 7, "since": "2026-11-29T11:58:00Z" }],
        "errors": [{
            "at": "2026-11-29T11:59:00Z", "topic": "audio", "partition": 1, "offset": 6, "attempt": 3,
            "error": "no price in {card: 4711}",
        }],
        "circuitBreaker": { "state": "open", "since": "2026-11-29T11:59:30Z", "error": "{card: 4711}" },
    }))
    .unwrap();
    let view = wait_for("its report", DEADLINE, async || {
        flow.says(&[0], &[]).await;
        agent.says(&[1], &[]).await;
        agent.reports(report.clone()).await;
        let view = running.ports.fleet.agents(&running.cluster, &group.as_str().into()).ok()?;
        (!view.agents.is_empty()).then_some(view)
    })
    .await;
    let [one] = &view.agents[..] else { panic!("only the agent reports: {view:?}") };
    assert_eq!((one.instance.as_str(), &one.report, one.lost), ("pod-7", &report, false));
    let group_view = running.ports.fleet.group(&running.cluster, &group.as_str().into()).unwrap();
    let mut instances = group_view.consumers[0].instances.iter();
    let note = instances.find(|one| one.kind == InstanceKind::Agent).unwrap().note.clone().unwrap();
    assert!(
        note.contains("a handler is in flight since 2026-11-29T11:58:00.000Z: audio[1] offset 7"),
        "{note}"
    );
    assert!(
        note.contains("circuit breaker open: no record is handled, since 2026-11-29T11:59:30.000Z"),
        "{note}"
    );
    assert!(!note.contains("4711"), "{note}");
    running.stop().await;
}

#[tokio::test]
async fn a_flood_of_fake_instances_is_bounded_and_said() {
    let kafka = kafka();
    let settings = settings(Mode::Observe);
    let admin = settings.admin_topics[0].telemetry.0.to_string();
    kafka.create_topic(&admin, 1).await;
    let mut limits = AdminSettings::default();
    limits.observe.telemetry.instances = 20;
    let running = Running::start_with(settings.clone(), limits);
    wait_for("a refresh", DEADLINE, async || running.admin.ready().clusters[0].as_of).await;
    let numbers = wait_for("drops", DEADLINE, async || {
        for n in 0..40 {
            FakeInstance::new(&settings, "fake", &format!("c{n}"), "t")
                .named(&format!("i{n}"))
                .says(&[0], &[])
                .await;
        }
        kafka
            .send(
                &admin,
                b"k",
                b"\xff\xff",
                &[("Message-Type", b"KafkaFlow.Admin.Messages.PauseConsumerByName, KafkaFlow.Admin")],
            )
            .await;
        let numbers = running.admin.stats().clusters.remove(0);
        (numbers.records_dropped.len() >= 2).then_some(numbers)
    })
    .await;
    assert!(numbers.instances_heard <= 20, "{numbers:?}");
    assert!(numbers.records_dropped.contains_key("too_many_instances"), "{numbers:?}");
    assert!(numbers.records_dropped.contains_key("malformed_message"), "{numbers:?}");
    let cluster = wait_for("the warning", DEADLINE, async || {
        running.ports.fleet.clusters().into_iter().find(|one| one.capped.len() >= 2)
    })
    .await;
    let said = |words: &str| cluster.capped.iter().any(|line| line.contains(words));
    assert!(said("20 more instances are heard than are kept (20 in all"), "{:?}", cluster.capped);
    assert!(
        said("were not taken in lately") && said("(malformed KafkaFlow message)"),
        "{:?}",
        cluster.capped
    );
    assert_eq!(running.admin.stats().clusters[0].instances_dropped, 20);
    running.stop().await;
}
