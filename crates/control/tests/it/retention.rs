//! Raised retentions against a real broker: raised after the audit has what was before, put back at the end, and what
//! others changed meanwhile left as it is.

use std::time::Duration;

use flowdeck_kafka::{Cluster, ClusterConfig};
use flowdeck_model::retention::RetentionState;
use flowdeck_model::view::{AuditEntry, Mode, RetentionView};
use flowdeck_model::{
    Action, AuditQuery, CommandId, Grant, Pattern, Permission, PortError, Ports, RetentionQuery,
    RetentionRequest, SubmitRetention,
};
use flowdeck_observe::ClusterSettings;
use flowdeck_testkit::{DEADLINE, kafka, unique, wait_for};

use crate::common::{Running, settings, submit, topic};

const CALL: Duration = Duration::from_secs(30);

async fn running(settings: ClusterSettings, name: &str) -> Running {
    let running = Running::start(settings);
    wait_for("the topic", DEADLINE, async || {
        running.ports.fleet.topic(&running.cluster, &topic(name)).await.ok()
    })
    .await;
    running
}

fn raw() -> Cluster {
    Cluster::new(ClusterConfig::new(kafka().bootstrap())).expect("a client")
}

/// Value, and whether it is set on the topic.
async fn entry(name: &str, key: &str) -> (String, bool) {
    let config = raw().topic_config(&topic(name), CALL).await.expect("its configuration");
    (config[key].value.clone().unwrap_or_default(), config[key].own)
}

async fn previewed(running: &Running, name: &str, query: RetentionQuery) -> RetentionRequest {
    let preview = running.ports.retentions.preview(&running.cluster, &topic(name), query).await;
    RetentionRequest { reason: "INC-1".to_owned(), ..preview.expect("a preview").request }
}

fn new(request: RetentionRequest) -> SubmitRetention {
    SubmitRetention { id: CommandId::random(), request }
}

async fn reaches(running: &Running, ports: &Ports, id: CommandId, state: RetentionState) -> RetentionView {
    wait_for(&format!("{state:?}"), DEADLINE, async || {
        ports.retentions.retention(&running.cluster, id).ok().filter(|view| view.state == state)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_is_raised_and_put_back_after_the_pause_and_its_margin() {
    let (kafka, name, group) = (kafka(), unique("kept"), unique("kept-group"));
    kafka
        .create_topic_with(&name, 2, &[("retention.bytes", "1000000"), ("max.message.bytes", "900000")])
        .await;
    kafka.commit(&group, &[(&name, 0, 0)]);
    let before = (entry(&name, "retention.ms").await, entry(&name, "retention.bytes").await);
    assert!(!before.0.1 && before.1.1, "the brokers' and the topic's own: {before:?}");
    let running = running(settings(Mode::Control), &name).await;
    let cluster = running.cluster.clone();
    running.group(&group, "the group is seen", |_| true).await;
    let query = RetentionQuery {
        for_seconds: Some(3_600),
        group: Some(group.as_str().into()),
        margin_seconds: Some(1),
        bytes: Some(-1),
        ..RetentionQuery::default()
    };
    let request = previewed(&running, &name, query).await;
    let kept = before.0.0.parse::<i64>().unwrap() + 3_600_000;
    assert!(request.ms >= kept && request.ms < kept + 120_000, "an hour more: {request:?}");
    assert_eq!(entry(&name, "retention.bytes").await, before.1, "a preview changes nothing");

    let retention = new(request.clone());
    running.ports.retentions.submit(&cluster, retention.clone()).await.expect("taken");
    let view = reaches(&running, &running.ports, retention.id, RetentionState::Raised).await;
    assert_eq!(view.before, Some(request.seen));
    assert_eq!(entry(&name, "retention.ms").await, (request.ms.to_string(), true));
    assert_eq!(entry(&name, "retention.bytes").await, ("-1".to_owned(), true));
    assert_eq!(entry(&name, "max.message.bytes").await, ("900000".to_owned(), true), "nothing else changes");
    let again = running.ports.retentions.submit(&cluster, retention.clone()).await.expect("the same");
    assert_eq!(again.id, retention.id);
    let other = RetentionRequest { margin_seconds: 7, ..request.clone() };
    let other = SubmitRetention { id: retention.id, request: other };
    let refused = running.ports.retentions.submit(&cluster, other).await;
    assert!(matches!(refused, Err(PortError::Conflict { .. })), "{refused:?}");
    let late = running.ports.retentions.submit(&cluster, new(request.clone())).await;
    assert!(matches!(late, Err(PortError::Conflict { .. })), "not as in the preview: {late:?}");

    // The pause comes after it, and is seen; once it is over, the values go back after the margin.
    let pause = submit(Action::Pause, &group, None, &[]);
    running.ports.control.submit(&cluster, pause).await.expect("paused");
    wait_for("the pause is seen", DEADLINE, async || {
        let view = running.ports.retentions.retention(&cluster, retention.id).ok()?;
        (view.pause == flowdeck_model::retention::RetentionPause::Paused).then_some(())
    })
    .await;
    let resume = submit(Action::Resume, &group, None, &[]);
    running.ports.control.submit(&cluster, resume).await.expect("resumed");
    reaches(&running, &running.ports, retention.id, RetentionState::PutBack).await;
    let after = (entry(&name, "retention.ms").await, entry(&name, "retention.bytes").await);
    assert_eq!(after, before, "its own value, and the brokers' again");

    let entries = wait_for("the audit", DEADLINE, async || {
        let view = running.ports.audit.entries(&cluster, &AuditQuery::default()).await.ok()?;
        let of_it = view.entries.into_iter().filter_map(|entry| match entry {
            AuditEntry::Retention(one) if one.id == retention.id => Some((one.event, one.reason)),
            _ => None,
        });
        let of_it: Vec<_> = of_it.collect();
        (of_it.first()?.0 == "put back").then_some(of_it)
    })
    .await;
    assert_eq!(entries, [("put back".to_owned(), "INC-1".to_owned())], "once, by its last record");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_changed_meanwhile_is_left_and_said() {
    let (kafka, name) = (kafka(), unique("kept"));
    let own = [("retention.bytes", "1000000"), ("retention.ms", "600000")];
    kafka.create_topic_with(&name, 1, &own).await;
    let running = running(settings(Mode::Control), &name).await;
    let cluster = running.cluster.clone();
    let query =
        RetentionQuery { for_seconds: Some(3_600), bytes: Some(2_000_000), ..RetentionQuery::default() };
    let retention = new(previewed(&running, &name, query).await);
    running.ports.retentions.submit(&cluster, retention.clone()).await.expect("taken");
    reaches(&running, &running.ports, retention.id, RetentionState::Raised).await;
    let change = [("retention.bytes", Some("777"))];
    raw().alter_topic_config(&topic(&name), &change, CALL).await.expect("changed by somebody else");
    wait_for("that is seen", DEADLINE, async || {
        (entry(&name, "retention.bytes").await.0 == "777").then_some(())
    })
    .await;
    running.ports.retentions.end(&cluster, retention.id).await.expect("ordered");
    let over = reaches(&running, &running.ports, retention.id, RetentionState::Changed).await;
    assert!(over.notes[0].contains("retention.bytes is 777"), "{over:?}");
    assert!(over.ended_by.is_some());
    assert_eq!(entry(&name, "retention.ms").await, ("600000".to_owned(), true), "that one is put back");
    assert_eq!(entry(&name, "retention.bytes").await, ("777".to_owned(), true));
    let again = running.ports.retentions.end(&cluster, retention.id).await;
    assert!(matches!(again, Err(PortError::Conflict { .. })), "{again:?}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn later_request_takes_over_what_was_before() {
    let (kafka, name) = (kafka(), unique("kept"));
    let own = [("retention.ms", "600000"), ("retention.bytes", "5000")];
    kafka.create_topic_with(&name, 1, &own).await;
    let running = running(settings(Mode::Control), &name).await;
    let cluster = running.cluster.clone();
    let first = RetentionQuery { for_seconds: Some(3_600), bytes: Some(-1), ..RetentionQuery::default() };
    let first = new(previewed(&running, &name, first).await);
    running.ports.retentions.submit(&cluster, first.clone()).await.expect("taken");
    reaches(&running, &running.ports, first.id, RetentionState::Raised).await;
    let longer = RetentionQuery { for_seconds: Some(7_200), ..RetentionQuery::default() };
    let preview = running.ports.retentions.preview(&cluster, &topic(&name), longer.clone()).await.unwrap();
    assert_eq!(preview.replaces.map(|one| one.id), Some(first.id));
    let second = new(previewed(&running, &name, longer).await);
    let changed: Vec<_> = second.request.changes().map(|(key, ..)| key.name()).collect();
    assert_eq!(changed, ["retention.ms"], "there is no limit of bytes already");
    running.ports.retentions.submit(&cluster, second.clone()).await.expect("taken");
    let view = reaches(&running, &running.ports, second.id, RetentionState::Raised).await;
    assert_eq!(view.before, Some(first.request.seen), "as before the first");
    reaches(&running, &running.ports, first.id, RetentionState::Replaced).await;
    assert_eq!(entry(&name, "retention.ms").await.0, second.request.ms.to_string());
    running.ports.retentions.end(&cluster, second.id).await.expect("ordered");
    reaches(&running, &running.ports, second.id, RetentionState::PutBack).await;
    assert_eq!(entry(&name, "retention.ms").await, ("600000".to_owned(), true), "as before the first");
    assert_eq!(entry(&name, "retention.bytes").await, ("5000".to_owned(), true), "that of the first alone");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_raised_where_that_is_not_allowed() {
    let (kafka, name, compacted) = (kafka(), unique("kept"), unique("kept-compacted"));
    kafka.create_topic(&name, 1).await;
    kafka.create_topic_with(&compacted, 1, &[("cleanup.policy", "compact")]).await;
    let before = entry(&name, "retention.ms").await;
    let running = self::running(settings(Mode::Control), &name).await;
    let (cluster, query) = (&running.cluster, RetentionQuery::default());
    let request = previewed(&running, &name, query.clone()).await;
    let grant = Grant {
        topics: Pattern::new("others*"),
        ..Grant::everywhere(&[Permission::View, Permission::Retention])
    };
    let control = running.who_may(&[Permission::View, Permission::Control, Permission::Offsets]);
    for ports in [running.who(vec![grant]), control] {
        let refused = ports.retentions.submit(cluster, new(request.clone())).await;
        assert!(
            matches!(&refused, Err(PortError::Forbidden { permission: Permission::Retention, .. })),
            "{refused:?}"
        );
        let refused = ports.retentions.preview(cluster, &topic(&name), query.clone()).await;
        assert!(matches!(refused, Err(PortError::Forbidden { .. })), "{refused:?}");
    }
    let own = running.settings.audit_topic.to_string();
    for name in ["__consumer_offsets", own.as_str(), compacted.as_str()] {
        let refused = running.ports.retentions.preview(cluster, &topic(name), query.clone()).await;
        assert!(matches!(refused, Err(PortError::Unprocessable { .. })), "{name}: {refused:?}");
    }
    let missing = running.ports.retentions.preview(cluster, &topic("no-such-topic"), query.clone()).await;
    assert!(matches!(missing, Err(PortError::NotFound { .. })), "{missing:?}");
    running.stop().await;
    let running = self::running(settings(Mode::Observe), &name).await;
    let refused = running.ports.retentions.submit(&running.cluster, new(request)).await;
    assert!(matches!(refused, Err(PortError::ObserveMode { .. })), "{refused:?}");
    running.stop().await;
    assert_eq!(entry(&name, "retention.ms").await, before);
}
