//! Against a broker: until when unread records and offsets are kept, and a transaction that keeps others waiting.

use std::time::Duration;

use flowdeck_model::view::{AgentReport, GroupView, Mode};
use flowdeck_model::{Pattern, Timestamp};
use flowdeck_observe::{ClusterSettings, clock};
use flowdeck_testkit::{DEADLINE, kafka, unique, wait_for};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};

use crate::common::{Running, settings};
use crate::fake_instance::FakeInstance;

type Transactional = ThreadedProducer<DefaultProducerContext>;

/// A transaction with one record that says it is twelve minutes old; it stays open until it is aborted.
fn open_transaction(topic: &str, at: Timestamp) -> Transactional {
    let mut config = kafka().client();
    config.set("transactional.id", unique("open")).set("transaction.timeout.ms", "300000");
    let producer: Transactional = config.create().expect("a producer");
    producer.init_transactions(DEADLINE).expect("a transactional id");
    producer.begin_transaction().expect("a transaction");
    let record = BaseRecord::<[u8], [u8]>::to(topic).partition(0).payload(b"x").timestamp(at.millis());
    assert!(producer.send(record).is_ok());
    producer.flush(DEADLINE).expect("it is sent");
    producer
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_expiry_and_an_open_transaction_are_said() {
    let (topic, group) = (unique("orders"), unique("idle"));
    kafka().create_topic_with(&topic, 1, &[("retention.ms", "3600000")]).await;
    let before = clock::now();
    kafka().produce_at(&topic, [(0, "waits")]).await;
    kafka().commit(&group, &[(&topic, 0, 0)]);
    let (name, at) = (topic.clone(), before.minus(Duration::from_secs(720)));
    let open = tokio::task::spawn_blocking(move || open_transaction(&name, at)).await.unwrap();
    kafka().produce_at(&topic, [(0, "behind"), (0, "it")]).await;

    let running = Running::start(settings(Mode::Observe));
    let has = |facts: &[String], words: &str| facts.iter().any(|one| one.contains(words));
    let transaction = format!("the last stable offset of {topic} partition 0 at 1 for 12 min");
    let view = running
        .group(&group, "three sentences", |view| {
            has(&view.facts, "Retention (1 h)") && has(&view.facts, &transaction) && view.facts.len() == 3
        })
        .await;
    assert!(has(&view.facts, ": 3 records wait behind it"), "{:?}", view.facts);
    assert!(
        has(&view.facts, &format!("unread record of {topic} partition 0 for another 59 min")),
        "{:?}",
        view.facts
    );
    assert!(has(&view.facts, "expire in 6 d 23 h at the latest"), "{:?}", view.facts);
    let row = &view.partitions[0];
    assert_eq!((row.last_stable, row.end), (Some(1), Some(4)));
    let kept = row.kept_until.unwrap();
    let (earliest, latest) = (before, clock::now());
    let hour = Duration::from_secs(3_600);
    assert!((earliest.plus(hour)..=latest.plus(hour)).contains(&kept), "{kept}");
    let expire = view.offsets_expire.unwrap();
    assert!(expire <= latest.plus(7 * 24 * hour) && expire > earliest.plus(6 * 24 * hour), "{expire}");

    tokio::task::spawn_blocking(move || open.abort_transaction(DEADLINE).unwrap()).await.unwrap();
    let view = running
        .group(&group, "the transaction has ended", |view| {
            view.partitions[0].last_stable == view.partitions[0].end
        })
        .await;
    assert!(!has(&view.facts, "open transaction"), "{:?}", view.facts);
    running.stop().await;
}

#[tokio::test]
async fn lag_of_readers_of_committed_records_ends_at_the_last_stable_offset() {
    let (topic, reader, other) = (unique("orders"), unique("reader"), unique("other"));
    let (told, wrong) = (unique("told"), unique("wrong"));
    kafka().create_topic(&topic, 1).await;
    kafka().produce_at(&topic, [(0, "waits")]).await;
    kafka().commit(&reader, &[(&topic, 0, 0)]);
    kafka().commit(&other, &[(&topic, 0, 0)]);
    kafka().commit(&told, &[(&topic, 0, 0)]);
    let name = topic.clone();
    let open = tokio::task::spawn_blocking(move || open_transaction(&name, clock::now())).await.unwrap();
    kafka().produce_at(&topic, [(0, "behind"), (0, "it")]).await;
    kafka().commit(&wrong, &[(&topic, 0, 3)]);

    let read_committed = [&reader, &wrong].map(Pattern::new).to_vec();
    let settings = ClusterSettings { read_committed, ..settings(Mode::Observe) };
    kafka().create_topic(settings.admin_topics[0].telemetry.0.as_str(), 1).await;
    let running = Running::start(settings);
    let said = |view: &GroupView, words: &str| view.facts.iter().any(|one| one.contains(words));
    let view = running.group(&reader, "its lag", |view| view.row.lag.is_some()).await;
    assert_eq!((view.row.lag, view.partitions[0].end), (Some(1), Some(1)), "{view:?}");
    running.group(&reader, "why", |view| said(view, "its lag ends at the last stable offset")).await;
    // As its agent tells.
    let report: AgentReport =
        serde_json::from_value(serde_json::json!({ "at": clock::now(), "readCommitted": true })).unwrap();
    let agent = FakeInstance::new(&running.settings, &told, &told, &topic).agent();
    wait_for("the agent is believed", DEADLINE, async || {
        agent.says(&[0], &[]).await;
        agent.reports(report.clone()).await;
        let view = running.ports.fleet.group(&running.cluster, &told.as_str().into()).ok()?;
        (view.row.lag == Some(1)).then_some(())
    })
    .await;
    let view = running.group(&other, "its lag", |view| view.row.lag.is_some()).await;
    assert_eq!((view.row.lag, view.partitions[0].end), (Some(4), Some(4)), "{view:?}");
    // Its commit shows that it is no such reader.
    let view = running.group(&wrong, "its lag", |view| view.row.lag.is_some()).await;
    assert_eq!((view.row.lag, view.partitions[0].end), (Some(1), Some(4)), "{view:?}");
    assert!(said(&view, "committed beyond the last stable offset"), "{:?}", view.facts);

    tokio::task::spawn_blocking(move || open.abort_transaction(DEADLINE).unwrap()).await.unwrap();
    // With the marker that ends the transaction.
    running.group(&reader, "what waited behind it", |view| view.row.lag == Some(5)).await;
    running.stop().await;
}
