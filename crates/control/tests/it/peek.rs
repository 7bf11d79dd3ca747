//! Messages, bounded, touching no group.

use std::collections::BTreeSet;

use flowdeck_model::ports::Bind;
use flowdeck_model::query::From as Start;
use flowdeck_model::view::{MessagesView, Mode, PayloadKind};
use flowdeck_model::{Actor, Grant, MessagesQuery, Pattern, Permission, PortError, Via};
use flowdeck_testkit::{DEADLINE, kafka, unique, wait_for};

use crate::common::{Running, partition, settings, topic};

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
    let grant =
        Grant { permissions: vec![Permission::View], clusters: Pattern::any(), groups: Pattern::any() };
    let viewer = running.admin.bind(Actor::new(view, vec![grant]));
    let refused = viewer.peek.messages(cluster, &name, &MessagesQuery::default()).await;
    assert!(matches!(refused, Err(PortError::Forbidden { permission: Permission::ReadPayloads, .. })));
    running.stop().await;
}
