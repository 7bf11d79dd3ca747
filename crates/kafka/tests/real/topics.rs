//! Metadata, ids, configuration and creation.

use std::collections::BTreeMap;

use flowdeck_kafka::{Cause, Created, NewTopic, ReadStart};
use flowdeck_testkit::{DEADLINE, NodeOptions, kafka, private, unique, wait_for};
use tokio_util::sync::CancellationToken;

use crate::support::{LONG, asked, cluster, read, topic};

#[tokio::test(flavor = "multi_thread")]
async fn the_full_list() {
    let kafka = kafka();
    let cluster = cluster(kafka);
    let name = unique("listed");
    kafka.create_topic(&name, 5).await;
    let metadata = cluster.metadata(LONG).await.expect("metadata");
    assert!(metadata.cluster_id.as_deref().is_some_and(|id| id.len() == 22));
    assert_eq!(metadata.controller, Some(1));
    assert_eq!(metadata.brokers.len(), 1);
    assert_eq!(kafka.bootstrap(), format!("{}:{}", metadata.brokers[0].host, metadata.brokers[0].port));
    let found = metadata.topic(&topic(&name)).expect("the topic");
    let numbers: Vec<_> = found.partitions.iter().map(|partition| partition.partition.get()).collect();
    assert_eq!(numbers, [0, 1, 2, 3, 4]);
    assert!(found.partitions.iter().all(|partition| partition.leader == Some(1) && partition.isr == [1]));
    let rights = cluster.rights(LONG).await.expect("rights");
    assert_eq!(rights.missing_describe(), None);
    assert!(rights.operations.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_made_anew_has_another_id() {
    let kafka = kafka();
    let cluster = cluster(kafka);
    let name = topic(&unique("anew"));
    let names = [name.clone()];
    kafka.create_topic(name.as_str(), 1).await;
    let first = cluster.topic_ids(&names, LONG).await.expect("ids")[&name].clone().expect("an id");
    assert_eq!(cluster.topic_ids(&names, LONG).await.expect("ids")[&name], Ok(first));
    kafka.delete_topic(name.as_str()).await;
    assert_eq!(cluster.topic_ids(&names, LONG).await.expect("ids")[&name], Err(Cause::UnknownTopic));
    kafka.create_topic(name.as_str(), 1).await;
    let second = cluster.topic_ids(&names, LONG).await.expect("ids")[&name].clone().expect("an id");
    assert_ne!(first, second);
}

#[tokio::test(flavor = "multi_thread")]
async fn creation_says_what_it_did() {
    let kafka = kafka();
    let cluster = cluster(kafka);
    let new = |replication| NewTopic {
        name: topic(&unique("own")),
        partitions: 1,
        replication,
        configs: BTreeMap::from([("cleanup.policy".to_owned(), "compact".to_owned())]),
    };
    let (fine, impossible) = (new(1), new(3));
    let made = cluster.create_topics(&[fine.clone(), impossible.clone()], LONG).await;
    assert_eq!(made[0], (fine.name.clone(), Ok(Created::Created)));
    assert_eq!(made[1].0, impossible.name);
    let error = made[1].1.clone().expect_err("one broker only").to_string();
    assert!(error.contains("INVALID_REPLICATION_FACTOR") && error.contains('3'), "{error}");
    assert_eq!(cluster.create_topics(std::slice::from_ref(&fine), LONG).await[0].1, Ok(Created::Existed));
    // A broker may learn of the topic a moment after the controller made it.
    let config =
        wait_for("its configuration", DEADLINE, async || cluster.topic_config(&fine.name, LONG).await.ok())
            .await;
    assert_eq!(config["cleanup.policy"].value.as_deref(), Some("compact"));
    assert!(!config["cleanup.policy"].default && config["retention.ms"].default);
    let missing = cluster.topic_config(&topic(&unique("missing")), LONG).await.expect_err("unknown");
    assert_eq!(missing.cause, Cause::UnknownTopic);
}

/// A broker that creates any topic that a client names.
#[tokio::test(flavor = "multi_thread")]
async fn looking_creates_nothing_where_the_broker_would() {
    let properties = vec![("auto.create.topics.enable".to_owned(), "true".to_owned())];
    let kafka = private(&NodeOptions { properties, ..NodeOptions::default() });
    let cluster = cluster(&kafka);
    kafka.create_topic("there", 1).await;
    let name = unique("not-there");
    let missing = topic(&name);
    let refused = cluster.read(read(&name, ReadStart::Newest, 5), CancellationToken::new()).await;
    assert_eq!(refused.expect_err("unknown").cause, Cause::UnknownTopic);
    let ids = cluster.topic_ids(std::slice::from_ref(&missing), LONG).await.expect("ids");
    assert_eq!(ids[&missing], Err(Cause::UnknownTopic));
    let ends = cluster.offsets(&asked(&name, 2), flowdeck_kafka::OffsetSpec::Latest, LONG).await;
    assert_eq!(ends, [Err(Cause::UnknownTopic), Err(Cause::UnknownTopic)]);
    assert!(cluster.topic_config(&missing, LONG).await.is_err());
    let mut tail = cluster.tail(crate::tail::follow(&name, flowdeck_kafka::TailFrom::Beginning));
    assert_eq!(tail.next().await, Some(flowdeck_kafka::TailEvent::Gone));
    let producer = cluster.producer(flowdeck_kafka::ProducerKind::Idempotent).expect("a producer");
    let sent = producer.send(crate::produce::record(&name, "k", Some("v")), LONG).await;
    assert_eq!(sent, Err(flowdeck_kafka::SendError::UnknownTopic(missing)));
    cluster.capabilities(LONG).await;
    assert_eq!(kafka.topics(), [("there".to_owned(), 1)]);
}
