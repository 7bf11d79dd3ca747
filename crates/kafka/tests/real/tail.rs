//! Following a topic.

use std::collections::BTreeSet;
use std::time::Duration;

use flowdeck_kafka::{Cluster, ClusterConfig, Isolation, Tail, TailEvent, TailFrom, TailRequest};
use flowdeck_model::Timestamp;
use flowdeck_testkit::{End, NodeOptions, Rule, ScramUser, kafka, plain, private, unique};
use rdkafka::producer::FutureRecord;

use crate::support::{LONG, cluster, partition, topic};

pub(crate) fn follow(name: &str, from: TailFrom) -> TailRequest {
    TailRequest {
        topic: topic(name),
        partitions: None,
        from,
        isolation: Isolation::ReadCommitted,
        max_value_bytes: 1000,
    }
}

async fn next(tail: &mut Tail) -> TailEvent {
    let event = tokio::time::timeout(LONG, tail.next()).await;
    event.expect("an event in time").expect("a tail that goes on")
}

async fn value(tail: &mut Tail) -> String {
    match next(tail).await {
        TailEvent::Record(record) => String::from_utf8_lossy(&record.value.expect("a value")).into_owned(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn from_the_beginning_and_then_what_comes() {
    let kafka = kafka();
    let cluster = cluster(kafka);
    let name = unique("holds");
    kafka.create_topic(&name, 1).await;
    kafka.produce(&name, 0, ["a", "b"]).await;
    let mut tail = cluster.tail(follow(&name, TailFrom::Beginning));
    assert_eq!([value(&mut tail).await, value(&mut tail).await], ["a", "b"]);
    assert_eq!(next(&mut tail).await, TailEvent::Reached(vec![(partition(0), 2)]));
    kafka.produce(&name, 0, ["c"]).await;
    assert_eq!(value(&mut tail).await, "c");
}

#[tokio::test(flavor = "multi_thread")]
async fn from_the_end() {
    let kafka = kafka();
    let cluster = cluster(kafka);
    let name = unique("acks");
    kafka.create_topic(&name, 2).await;
    kafka.produce(&name, 0, ["old"]).await;
    let mut tail = cluster.tail(follow(&name, TailFrom::End));
    assert_eq!(next(&mut tail).await, TailEvent::Reached(vec![(partition(0), 1), (partition(1), 0)]));
    kafka.produce(&name, 1, ["new"]).await;
    assert_eq!(value(&mut tail).await, "new");
}

#[tokio::test(flavor = "multi_thread")]
async fn from_a_time() {
    const FIRST: i64 = 1_795_270_137_000;
    let kafka = kafka();
    let cluster = cluster(kafka);
    let name = unique("audit");
    kafka.create_topic(&name, 2).await;
    let producer = kafka.producer();
    for (partition, value, millis) in [(0, "a", 0), (0, "b", 1_000), (0, "c", 2_000), (1, "d", 500)] {
        let record = FutureRecord::<(), str>::to(&name).partition(partition).payload(value);
        let sent = producer.send(record.timestamp(FIRST + millis), LONG).await;
        sent.map_err(|(error, _)| error).expect("a delivery");
    }
    let ends = TailEvent::Reached(vec![(partition(0), 3), (partition(1), 1)]);
    for (millis, want) in [
        (-1_000, "abcd"),
        (0, "abcd"),
        (500, "bcd"),
        (1_000, "bc"),
        (1_001, "c"),
        // Later than every record: the end, and what comes after.
        (2_001, ""),
    ] {
        let mut tail = cluster.tail(follow(&name, TailFrom::Time(Timestamp::from_millis(FIRST + millis))));
        let mut values = vec![];
        for _ in 0..want.len() {
            values.push(value(&mut tail).await);
        }
        values.sort();
        assert_eq!((values.concat().as_str(), next(&mut tail).await), (want, ends.clone()), "{millis}");
    }
    let mut tail = cluster.tail(follow(&name, TailFrom::Time(Timestamp::from_millis(FIRST + 2_001))));
    assert_eq!(next(&mut tail).await, ends);
    kafka.produce(&name, 0, ["new"]).await;
    assert_eq!(value(&mut tail).await, "new");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_records_are_read() {
    let kafka = kafka();
    let cluster = cluster(kafka);
    let name = unique("last");
    kafka.create_topic(&name, 1).await;
    kafka.produce(&name, 0, ["a", "b", "c"]).await;
    for (count, want) in [(0, vec![]), (2, vec!["b", "c"]), (9, vec!["a", "b", "c"])] {
        let mut tail = cluster.tail(follow(&name, TailFrom::Last(count)));
        for one in want {
            assert_eq!(value(&mut tail).await, one, "{count}");
        }
        assert_eq!(next(&mut tail).await, TailEvent::Reached(vec![(partition(0), 3)]), "{count}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_is_known_behind_transactions() {
    let kafka = kafka();
    let cluster = cluster(kafka);
    let name = unique("transactions");
    kafka.create_topic(&name, 1).await;
    let transactions = vec![(vec![plain("kept")], End::Commit), (vec![plain("aborted")], End::Abort)];
    kafka.transact(&unique("tx"), &name, transactions).await;
    let mut tail = cluster.tail(follow(&name, TailFrom::Beginning));
    assert_eq!(value(&mut tail).await, "kept");
    // Two records and two markers.
    assert_eq!(next(&mut tail).await, TailEvent::Reached(vec![(partition(0), 4)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_comes_later_is_read_from_its_beginning() {
    let kafka = kafka();
    let cluster = cluster(kafka);
    let name = unique("later");
    let mut tail = cluster.tail(follow(&name, TailFrom::End));
    assert_eq!(next(&mut tail).await, TailEvent::Gone);
    kafka.create_topic(&name, 1).await;
    kafka.produce(&name, 0, ["first"]).await;
    loop {
        match next(&mut tail).await {
            TailEvent::Record(record) => break assert_eq!(record.value.as_deref(), Some(&b"first"[..])),
            TailEvent::Reached(_) | TailEvent::Gone => {}
            other => panic!("{other:?}"),
        }
    }
    kafka.delete_topic(&name).await;
    loop {
        match next(&mut tail).await {
            TailEvent::Gone => break,
            TailEvent::Reached(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_made_anew_is_read_from_its_beginning() {
    let kafka = kafka();
    let cluster = cluster(kafka);
    let name = unique("anew");
    kafka.create_topic(&name, 1).await;
    kafka.produce(&name, 0, ["old"]).await;
    let mut tail = cluster.tail(follow(&name, TailFrom::End));
    assert_eq!(next(&mut tail).await, TailEvent::Reached(vec![(partition(0), 1)]));
    kafka.delete_topic(&name).await;
    kafka.create_topic(&name, 1).await;
    // What was read before no longer counts.
    loop {
        match next(&mut tail).await {
            TailEvent::Gone => break,
            TailEvent::Error(_) => {}
            other => panic!("{other:?}"),
        }
    }
    kafka.produce(&name, 0, ["first", "second"]).await;
    loop {
        match next(&mut tail).await {
            TailEvent::Record(record) => break assert_eq!(record.value.as_deref(), Some(&b"first"[..])),
            TailEvent::Gone | TailEvent::Error(_) | TailEvent::Reached(_) => {}
        }
    }
    loop {
        match next(&mut tail).await {
            TailEvent::Record(record) => break assert_eq!(record.value.as_deref(), Some(&b"second"[..])),
            TailEvent::Reached(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Rights that are taken away and given back: what was there before is not read as if it were new.
#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_was_out_of_sight_goes_on_where_it_was() {
    let ana = ScramUser::new("ana", "correct horse");
    let kafka = private(&NodeOptions { users: vec![ana.clone()], ..NodeOptions::default() });
    kafka.create_topic("admin", 1).await;
    kafka.produce("admin", 0, ["older", "old"]).await;
    let rules = BTreeSet::from(["Describe", "Read"].map(|operation| Rule::new(operation, "Topic", "admin")));
    kafka.grant("ana", &rules);
    let mut config = ClusterConfig::new(kafka.secure().bootstrap.clone());
    config.properties = kafka.secure().client_properties(&ana).into_iter().collect();
    config.properties.remove("bootstrap.servers");
    let cluster = Cluster::new(config).expect("a cluster");
    let mut tail = cluster.tail(follow("admin", TailFrom::End));
    assert_eq!(next(&mut tail).await, TailEvent::Reached(vec![(partition(0), 2)]));
    kafka.produce("admin", 0, ["seen"]).await;
    assert_eq!(value(&mut tail).await, "seen");
    for rule in &rules {
        kafka.revoke("ana", rule);
    }
    loop {
        match next(&mut tail).await {
            TailEvent::Gone => break,
            TailEvent::Error(_) => {}
            other => panic!("{other:?}"),
        }
    }
    kafka.produce("admin", 0, ["meanwhile"]).await;
    kafka.grant("ana", &rules);
    loop {
        match next(&mut tail).await {
            TailEvent::Record(record) => break assert_eq!(record.value.as_deref(), Some(&b"meanwhile"[..])),
            TailEvent::Gone | TailEvent::Error(_) | TailEvent::Reached(_) => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_receiver_loses_nothing() {
    let kafka = kafka();
    let cluster = cluster(kafka);
    let name = unique("slow");
    kafka.create_topic(&name, 1).await;
    kafka.produce(&name, 0, (0..3000).map(|n| n.to_string())).await;
    let mut tail = cluster.tail(follow(&name, TailFrom::Beginning));
    tokio::time::sleep(Duration::from_millis(500)).await;
    for number in 0..3000 {
        assert_eq!(value(&mut tail).await, number.to_string());
    }
    assert_eq!(next(&mut tail).await, TailEvent::Reached(vec![(partition(0), 3000)]));
}
