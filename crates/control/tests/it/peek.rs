//! Messages, bounded, touching no group.

use std::collections::BTreeSet;

use flowdeck_model::ports::Bind;
use flowdeck_model::query::From as Start;
use flowdeck_model::view::{MessagesView, Mode, PayloadKind};
use flowdeck_model::{Actor, Grant, MessagesQuery, Pattern, Permission, PortError, Via};
use flowdeck_observe::{ConfiguredDecoder, TopicSettings};
use flowdeck_testkit::{DEADLINE, kafka, unique, wait_for};

use crate::common::{Running, partition, settings, topic};

#[tokio::test]
async fn decoder_is_chosen_or_configured_or_detected() {
    let kafka = kafka();
    let name = unique("decoded");
    kafka.create_topic(&name, 1).await;
    kafka.send(&name, &7i64.to_be_bytes(), b"\x81\xa1a\x01", &[]).await;
    let mut settings = settings(Mode::Observe);
    let decoder = settings.decoders.parse("long").unwrap();
    let key = Some(ConfiguredDecoder { name: "long".to_owned(), decoder });
    settings.topics =
        vec![TopicSettings { pattern: Pattern::new("decoded*"), key, value: None, payloads: true }];
    let running = Running::start(settings);
    let (cluster, name) = (&running.cluster, topic(&name));
    let ask = async |query: &str| {
        let query = MessagesQuery::parse(query, true).unwrap();
        running.ports.peek.messages(cluster, &name, &query).await
    };
    wait_for("the topic", DEADLINE, async || ask("").await.ok()).await;
    let record = ask("").await.unwrap().records.remove(0);
    assert_eq!((record.key.text.as_str(), record.key.decoder.as_str()), ("7", "long"));
    assert_eq!((record.value.text.as_str(), record.value.decoder.as_str()), ("{\"a\":1}", "MessagePack"));
    let record = ask("keyDecoder=hex&valueDecoder=json").await.unwrap().records.remove(0);
    assert_eq!(record.key.text, "0000000000000007");
    assert_eq!(record.value.problem.unwrap().at, Some(0));
    let refused = ask("valueDecoder=yaml").await.unwrap_err();
    assert!(matches!(&refused, PortError::Invalid { field, .. } if field == "valueDecoder"), "{refused}");
    let view = running.ports.fleet.topic(cluster, &name).await.unwrap();
    assert_eq!((view.decoders.key.as_deref(), view.decoders.value.as_deref()), (Some("long"), None));
    assert!(view.decoders.names.contains(&"messagepack".to_owned()));
    running.stop().await;
}

/// What Kafka itself wrote.
#[tokio::test]
async fn commits_are_read_from_kafkas_own_topic() {
    let kafka = kafka();
    let (name, group) = (unique("committed"), unique("committer"));
    kafka.create_topic(&name, 1).await;
    kafka.produce(&name, 0, (0..5).map(|n| n.to_string())).await;
    kafka.commit(&group, &[(&name, 0, 3)]);
    let running = Running::start(settings(Mode::Observe));
    let offsets = topic("__consumer_offsets");
    let found = wait_for("the commit", DEADLINE, async || {
        let query = MessagesQuery::parse("limit=500", true).unwrap();
        let view = running.ports.peek.messages(&running.cluster, &offsets, &query).await.ok()?;
        let is_ours = |text: &str| text.contains("offsetCommit") && text.contains(&group);
        view.records.into_iter().find(|record| is_ours(&record.key.text))
    })
    .await;
    assert_eq!(
        found.key.text,
        format!(r#"{{"record":"offsetCommit","group":"{group}","topic":"{name}","partition":0}}"#)
    );
    assert!(found.value.text.starts_with("{\"offset\":3,"), "{}", found.value.text);
    running.stop().await;
}

#[tokio::test]
async fn newest_first_from_an_offset_and_not_without_the_right() {
    let kafka = kafka();
    let name = unique("events");
    kafka.create_topic(&name, 2).await;
    for n in 0..20 {
        kafka.produce(&name, n % 2, [format!("{{\"n\":{n}}}")]).await;
    }
    kafka.send(&name, b"key", &[0xff; 2_000], &[("trace", b"abc")]).await;
    let running = Running::start(settings(Mode::Observe));
    let (cluster, name) = (&running.cluster, topic(&name));
    let ask = async |query: MessagesQuery| running.ports.peek.messages(cluster, &name, &query).await;
    wait_for("the topic", DEADLINE, async || ask(MessagesQuery::default()).await.ok()).await;
    let newest = ask(MessagesQuery { limit: 5, ..MessagesQuery::default() }).await.unwrap();
    assert_eq!(newest.records.len(), 5);
    assert_eq!(newest.records[0].value.kind, PayloadKind::Binary);
    assert!(newest.records[0].value.cut && newest.records[0].value.size == 2_000);
    assert_eq!(newest.records[0].headers[0].value.text, "abc");
    assert_eq!(
        (newest.records[1].value.kind, newest.records[1].value.text.as_str()),
        (PayloadKind::Json, "{\"n\":19}")
    );
    let times: Vec<_> = newest.records.iter().map(|record| record.timestamp).collect();
    assert!(times.is_sorted_by(|a, b| a >= b));
    let from = MessagesQuery {
        partition: Some(partition(0)),
        from: Start::Offset(3),
        limit: 2,
        ..MessagesQuery::default()
    };
    let from = ask(from).await.unwrap();
    let offsets = |view: &MessagesView| view.records.iter().map(|record| record.offset).collect::<Vec<_>>();
    assert_eq!((offsets(&from), from.complete), (vec![3, 4], true));
    assert_eq!(from.newer.as_deref(), Some("partition=0&from=offset%3A5&limit=2"));
    assert_eq!(from.older.as_deref(), Some("partition=0&from=before%3A3&order=asc&limit=2"));
    let parsed = |query: &Option<String>| MessagesQuery::parse(query.as_deref().unwrap(), true).unwrap();
    let older = ask(parsed(&from.older)).await.unwrap();
    assert_eq!(offsets(&older), [1, 2]);
    let first = ask(parsed(&older.older)).await.unwrap();
    assert_eq!((offsets(&first), first.older), (vec![0], None));
    // All partitions, newest first in both directions.
    let latest = ask(MessagesQuery { limit: 9, ..MessagesQuery::default() }).await.unwrap();
    let older = ask(parsed(&latest.older)).await.unwrap();
    let newer = ask(parsed(&older.newer)).await.unwrap();
    // Of records of one time, either partition's may come first.
    let places = |view: &MessagesView| {
        view.records.iter().map(|record| (record.partition, record.offset)).collect::<BTreeSet<_>>()
    };
    assert_eq!((latest.newer.as_ref(), places(&newer)), (None, places(&latest)));
    assert!(newer.records.is_sorted_by(|a, b| a.timestamp >= b.timestamp));
    let too_many = MessagesQuery::parse("from=before:1.2.3", true).unwrap();
    let refused = ask(too_many).await;
    assert!(matches!(&refused, Err(PortError::Invalid { field, .. }) if field == "from"), "{refused:?}");
    let nowhere = ask(MessagesQuery { partition: Some(partition(7)), ..MessagesQuery::default() }).await;
    assert!(matches!(nowhere, Err(PortError::NotFound { .. })), "{nowhere:?}");
    let view = Actor::anonymous(Via::Api, None).view;
    let grant = Grant::everywhere(&[Permission::View]);
    let viewer = running.admin.bind(Actor::new(view, vec![grant]));
    let refused = viewer.peek.messages(cluster, &name, &MessagesQuery::default()).await;
    assert!(matches!(refused, Err(PortError::Forbidden { permission: Permission::ReadPayloads, .. })));
    running.stop().await;
}
