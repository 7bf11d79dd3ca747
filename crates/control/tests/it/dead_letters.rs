//! Dead letters: found, counted, grouped, one with its original; masked and by permission.

use flowdeck_kafka::ClusterConfig;
use flowdeck_model::record_place::RecordPlace;
use flowdeck_model::view::{DeadLetterShape, FoundBy, Mode};
use flowdeck_model::{DeadLettersQuery, Grant, Pattern, Permission, PortError, Timestamp};
use flowdeck_observe::MaskRule;
use flowdeck_payload::Mask;
use flowdeck_protocol::wire::dead_letters::DeadLetter;
use flowdeck_testkit::{DEADLINE, Kafka, NodeOptions, kafka, private, unique, wait_for};

use crate::common::{Running, partition, settings, topic};

/// As an agent of the group `billing` writes it.
async fn send(kafka: &Kafka, name: &str, original: &str, error: &str, value: &[u8]) {
    let original = topic(original);
    let letter = DeadLetter {
        topic: &original,
        partition: partition(1),
        offset: 42,
        timestamp: None,
        group: "billing",
        error,
        attempts: 3,
        failed_at: Timestamp::from_millis(1_795_270_137_123),
    };
    let headers = letter.headers();
    let mut headers: Vec<(&str, &[u8])> =
        headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    headers.insert(0, ("trace", b"t-1"));
    kafka.send(name, b"key", value, &headers).await;
}

/// On a broker of its own: of the shared one's topics, of all tests, only some are looked at.
#[tokio::test]
async fn dead_letters_are_found_counted_and_grouped() {
    let kafka = private(&NodeOptions::default());
    let (named, shaped, other) =
        ([unique("orders"), ".dlq".to_owned()].concat(), unique("failed"), unique("plain"));
    for name in [&named, &shaped, &other] {
        kafka.create_topic(name, 1).await;
    }
    for n in 0..5 {
        send(&kafka, &named, "orders", &format!("no card {n}"), b"{\"id\":1}").await;
    }
    send(&kafka, &named, "invoices", "late", b"{}").await;
    kafka.send(&named, b"", b"says nothing", &[]).await;
    let convex = br#"{"OriginalTopic":"orders","OriginalMessage":{"id":7},"ErrorMessage":"broken","FailedAt":"2026-11-21T14:08:57Z"}"#;
    kafka.send(&shaped, b"", convex, &[]).await;
    kafka.send(&other, b"", b"{}", &[]).await;
    let mut settings = settings(Mode::Observe);
    settings.kafka = ClusterConfig::new(kafka.bootstrap());
    let running = Running::start(settings);
    let (cluster, port) = (&running.cluster, &running.ports.dead_letters);
    let all = wait_for("the topics", DEADLINE, async || {
        let view = port.topics(cluster, true).await.ok()?;
        let known = |name: &str| view.topics.iter().find(|found| found.topic.as_str() == name).cloned();
        let named = known(&named).filter(|found| found.last_hour.is_some() && found.newest.is_some())?;
        Some((named, known(&shaped).filter(|found| found.count.is_some())?, known(&other)))
    })
    .await;
    let (found, by_shape, none) = all;
    assert_eq!((found.found_by, found.count, found.last_hour), (FoundBy::Name, Some(7), Some(7)));
    assert!(found.newest.is_some() && found.oldest <= found.newest);
    assert_eq!((by_shape.found_by, by_shape.count, none), (FoundBy::Shape, Some(1), None));
    let plain = port.topics(cluster, false).await.unwrap();
    assert!(plain.looked_at.is_none() && plain.topics.iter().all(|found| found.topic.as_str() != shaped));

    let name = topic(&named);
    let view = port.letters(cluster, &name, &DeadLettersQuery::default()).await.unwrap();
    let groups: Vec<_> = view
        .groups
        .iter()
        .map(|group| (group.original_topic.as_deref(), group.error.as_deref(), group.count))
        .collect();
    assert_eq!(
        groups,
        [(Some("orders"), Some("no card #"), 5), (None, None, 1), (Some("invoices"), Some("late"), 1)]
    );
    assert_eq!((view.scanned, view.complete, view.matching, view.count), (7, true, 7, 7));
    let query = DeadLettersQuery::parse("original=orders&error=no+card+%23").unwrap();
    let view = port.letters(cluster, &name, &query).await.unwrap();
    assert_eq!((view.matching, view.letters.len(), view.groups.len()), (5, 5, 3));
    assert_eq!(view.letters[0].offset, 4);

    let place = RecordPlace { partition: partition(0), offset: 4 };
    let one = port.letter(cluster, &name, place).await.unwrap();
    assert_eq!((one.origin.shape, one.origin.error.as_deref()), (DeadLetterShape::Agent, Some("no card 4")));
    assert_eq!(
        (one.origin.attempts, one.origin.group.as_ref().map(|group| group.as_str())),
        (Some(3), Some("billing"))
    );
    assert!(one.record.headers.len() > 5);
    let original = one.original.unwrap();
    assert_eq!((original.headers.len(), original.headers[0].name.as_str()), (1, "trace"));
    assert_eq!(original.value.text, "{\"id\":1}");
    let place = RecordPlace { partition: partition(0), offset: 7 };
    assert!(matches!(port.letter(cluster, &name, place).await, Err(PortError::NotFound { .. })));
    let shaped = topic(&shaped);
    let place = RecordPlace { partition: partition(0), offset: 0 };
    let one = port.letter(cluster, &shaped, place).await.unwrap();
    assert_eq!(one.original.unwrap().value.text, "{\"id\":7}");
    running.stop().await;
}

#[tokio::test]
async fn dead_letters_are_masked_and_by_permission() {
    let name = [unique("cards"), "-dlt".to_owned()].concat();
    kafka().create_topic(&name, 1).await;
    send(kafka(), &name, "masked-orders", "card 1234-5678 refused", br#"{"iban":"DE1","password":"x"}"#)
        .await;
    let mut settings = settings(Mode::Observe);
    let pattern = "[0-9]{4}-[0-9]{4}".parse().unwrap();
    settings.masks = vec![
        MaskRule { topics: Pattern::any(), mask: Mask::none().with_pattern(pattern) },
        // Of the original topic: its copies are masked alike.
        MaskRule {
            topics: Pattern::new("masked-orders"),
            mask: Mask::none().with_path("$.iban".parse().unwrap()),
        },
    ];
    let running = Running::start(settings);
    let (cluster, name) = (&running.cluster, topic(&name));
    let all = DeadLettersQuery::default();
    let view = wait_for("the topic", DEADLINE, async || {
        running.ports.dead_letters.letters(cluster, &name, &all).await.ok()
    })
    .await;
    assert_eq!(view.groups[0].error.as_deref(), Some("card *** refused"));
    let place = RecordPlace { partition: partition(0), offset: 0 };
    let one = running.ports.dead_letters.letter(cluster, &name, place).await.unwrap();
    for record in [&one.record, one.original.as_ref().unwrap()] {
        assert_eq!(record.value.text, r#"{"iban":"***","password":"***"}"#);
    }
    let by_error = DeadLettersQuery { error: Some("card #-# refused".to_owned()), ..all.clone() };
    let guessed = running.ports.dead_letters.letters(cluster, &name, &by_error).await.unwrap();
    assert_eq!(guessed.matching, 0, "a condition is no way to what is masked");

    let viewer = running.who_may(&[Permission::View]);
    assert!(viewer.dead_letters.topics(cluster, false).await.is_ok());
    let forbidden = |error: PortError| {
        assert!(
            matches!(error, PortError::Forbidden { permission: Permission::ReadPayloads, .. }),
            "{error}"
        );
    };
    forbidden(viewer.dead_letters.letters(cluster, &name, &all).await.unwrap_err());
    forbidden(viewer.dead_letters.letter(cluster, &name, place).await.unwrap_err());
    // A grant for other topics is none for this one.
    let of = |topics: &str| {
        let grant = Grant {
            topics: Pattern::new(topics),
            ..Grant::everywhere(&[Permission::View, Permission::ReadPayloads])
        };
        running.who(vec![grant])
    };
    forbidden(of("other-*").dead_letters.letters(cluster, &name, &all).await.unwrap_err());
    assert!(of("cards*").dead_letters.letters(cluster, &name, &all).await.is_ok());
    running.stop().await;
}
