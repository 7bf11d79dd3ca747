//! Writing.

use std::time::Duration;

use bytes::Bytes;
use flowdeck_kafka::{NewRecord, ProducerKind, SendError};
use flowdeck_testkit::{kafka, unique};

use crate::support::{LONG, cluster, partition, topic};

pub(crate) fn record(name: &str, key: &str, value: Option<&str>) -> NewRecord {
    NewRecord {
        topic: topic(name),
        partition: None,
        key: Some(Bytes::copy_from_slice(key.as_bytes())),
        value: value.map(|value| Bytes::copy_from_slice(value.as_bytes())),
        headers: vec![("v".to_owned(), Some(Bytes::from_static(b"1")))],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_and_tombstones() {
    let kafka = kafka();
    let cluster = cluster(kafka);
    let name = unique("written");
    kafka.create_topic(&name, 3).await;
    let producer = cluster.producer(ProducerKind::Idempotent).expect("a producer");
    let placed = producer.send(record(&name, "k", Some("value")), LONG).await.expect("written");
    let gone = producer.send(record(&name, "k", None), LONG).await.expect("written");
    assert_eq!((gone.partition, gone.offset), (placed.partition, placed.offset + 1));
    let third = NewRecord { partition: Some(partition(2)), ..record(&name, "x", Some("y")) };
    assert_eq!(producer.send(third, LONG).await.expect("written").partition, partition(2));
    let found = kafka.read_all(&name);
    let ours: Vec<_> = found.iter().filter(|read| read.key.as_deref() == Some(b"k")).collect();
    assert_eq!(
        ours.iter().map(|read| read.value.as_deref()).collect::<Vec<_>>(),
        [Some(&b"value"[..]), None]
    );
    assert_eq!(ours[0].headers, [("v".to_owned(), b"1".to_vec())]);
    let huge = NewRecord { value: Some(Bytes::from(vec![0; 2_000_000])), ..record(&name, "k", None) };
    assert_eq!(producer.send(huge, LONG).await, Err(SendError::TooLarge));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_producer_fences_the_older() {
    let kafka = kafka();
    let cluster = cluster(kafka);
    let name = unique("leader");
    kafka.create_topic(&name, 1).await;
    let kind = ProducerKind::Transactional { id: unique("flowdeck") };
    let old = cluster.producer(kind.clone()).expect("a producer");
    old.init(LONG).await.expect("init");
    let placed =
        old.transaction(vec![record(&name, "a", Some("1")), record(&name, "b", Some("2"))], LONG).await;
    let offsets: Vec<_> = placed.expect("committed").iter().map(|placed| placed.offset).collect();
    assert_eq!(offsets, [0, 1]);
    let new = cluster.producer(kind).expect("a producer");
    new.init(LONG).await.expect("init");
    new.transaction(vec![record(&name, "c", Some("3"))], LONG).await.expect("committed");
    for _ in 0..2 {
        let fenced = old.transaction(vec![record(&name, "d", Some("4"))], LONG).await;
        assert_eq!(fenced, Err(SendError::Fenced));
    }
    new.transaction(vec![record(&name, "e", Some("5"))], LONG).await.expect("committed");
    let values: Vec<_> = kafka.read_all(&name).into_iter().filter_map(|read| read.value).collect();
    assert_eq!(values, [b"1", b"2", b"3", b"5"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_record_too_large_and_none_of_the_transaction_counts() {
    let kafka = kafka();
    let cluster = cluster(kafka);
    let name = unique("all-or-none");
    kafka.create_topic(&name, 1).await;
    let producer = cluster.producer(ProducerKind::Transactional { id: unique("tx") }).expect("a producer");
    producer.init(LONG).await.expect("init");
    let huge = NewRecord { value: Some(Bytes::from(vec![0; 2_000_000])), ..record(&name, "k", None) };
    let failed = producer.transaction(vec![record(&name, "a", Some("1")), huge], LONG).await;
    assert_eq!(failed, Err(SendError::TooLarge));
    producer.transaction(vec![record(&name, "b", Some("2"))], LONG).await.expect("the producer goes on");
    let values: Vec<_> = kafka.read_all(&name).into_iter().filter_map(|read| read.value).collect();
    assert_eq!(values, [b"2"]);
    let wrong = producer.send(record(&name, "k", None), Duration::from_secs(1)).await;
    assert!(matches!(wrong, Err(SendError::Failed(_))), "{wrong:?}");
}
