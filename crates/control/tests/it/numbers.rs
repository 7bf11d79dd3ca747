//! Against a broker: until when unread records and offsets are kept, and a transaction that keeps others waiting.

use std::time::Duration;

use flowdeck_model::Timestamp;
use flowdeck_model::view::Mode;
use flowdeck_observe::clock;
use flowdeck_testkit::{DEADLINE, kafka, unique};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};

use crate::common::{Running, settings};

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
