//! The row NovaTune.

use std::time::Duration;

use flowdeck_fleets::services::Fleet;
use flowdeck_fleets::services::novatune::events::{AudioUploaded, TrackDeleted};
use flowdeck_testkit::{NodeOptions, ScramUser, port, private, wait_for};

use super::{LIMIT, buffers, header, json, key, start, start_on};

#[tokio::test(flavor = "multi_thread")]
async fn novatune_topics_groups_and_consumers() {
    let service = start(Fleet::Novatune, &[]).await;
    for (topic, partitions) in [("dev-audio-events", 3), ("dev-track-deletions", 3), ("dev-minio-events", 1)]
    {
        assert_eq!(service.partitions(topic), Some(partitions), "{topic}");
    }
    let consumers = [
        ("dev-audio-processor", "dev-audio-processor", 3),
        ("dev-deletion-processor", "dev-deletion-processor", 2),
        ("dev-lifecycle-worker", "dev-lifecycle-worker", 2),
        ("dev-upload-ingestor", "dev-upload-ingestor", 1),
    ];
    service.wait_consumers(&consumers).await;
    // Of all workers together: 3 × 100, 2 × 50, 2 × 100.
    let want = [("dev-audio-processor", 300), ("dev-deletion-processor", 100), ("dev-lifecycle-worker", 200)];
    wait_for("their buffers", LIMIT, async || {
        let buffers = buffers(&service.kafka);
        want.iter().all(|(group, size)| buffers.get(*group) == Some(size)).then_some(())
    })
    .await;
    service.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn novatune_events_are_keyed_by_track_and_carry_their_schema_version() {
    let service = start(Fleet::Novatune, &[("NovaTune__TopicPrefix", "qa")]).await;
    for record in service.records("qa-track-deletions", 3).await {
        let event: TrackDeleted = serde_json::from_slice(record.value.as_deref().unwrap()).unwrap();
        assert_eq!((key(&record), event.schema_version), (&*event.track_id.to_string(), 2));
        assert_eq!(header(&record, "schema-version"), Some("2"));
        assert_eq!(header(&record, "correlation-id"), Some(&*event.correlation_id));
        assert!(event.scheduled_deletion_at > event.deleted_at);
    }
    // What MinIO told of becomes an event of the same track.
    for record in service.records("qa-audio-events", 3).await {
        let event: AudioUploaded = serde_json::from_slice(record.value.as_deref().unwrap()).unwrap();
        assert_eq!(key(&record), event.track_id.to_string());
        assert_eq!(header(&record, "schema-version"), Some("1"));
        assert_eq!(header(&record, "correlation-id"), Some(&*event.correlation_id));
        assert!(header(&record, "traceparent").is_some());
        let stored = service.kafka.read_all("qa-minio-events");
        assert!(stored.iter().any(|stored| json(stored)["Key"] == event.object_key), "{event:?}");
    }
    service.end().await;
}

/// `handler rethrows so that retry and dead-lettering decide`.
#[tokio::test(flavor = "multi_thread")]
async fn novatune_handler_that_fails_is_tried_again_and_then_dead_lettered() {
    let service = start(Fleet::Novatune, &[]).await;
    let mut event = TrackDeleted::random();
    event.scheduled_deletion_at = "2020-01-01T00:00:00Z".to_owned();
    let value = serde_json::to_vec(&event).unwrap();
    let at =
        service.kafka.send("dev-track-deletions", b"k", &value, &[("Message-Type", b"TrackDeleted")]).await;
    let letters = service.records("dev-track-deletions.dlq", 1).await;
    let said = |name: &str| header(&letters[0], name).unwrap_or_default().to_owned();
    assert_eq!(letters[0].value.as_deref(), Some(&value[..]));
    assert_eq!(said("Flowdeck-Original-Topic"), "dev-track-deletions");
    assert_eq!(said("Flowdeck-Original-Offset"), at.1.to_string());
    assert_eq!(said("Flowdeck-Original-Group"), "dev-deletion-processor");
    assert_eq!(said("Flowdeck-Attempts"), "4", "the first try and three more");
    service.end().await;
}

/// SASL_SSL with SCRAM-SHA-256 by the names of its configuration, with no more rights than it needs.
#[tokio::test(flavor = "multi_thread")]
async fn novatune_settings_over_sasl_ssl_with_scram() {
    let user = ScramUser::new("novatune", "the password of novatune");
    let kafka = private(&NodeOptions { users: vec![user.clone()], ..NodeOptions::default() });
    kafka.create_topic("kafkaflow.admin", 1).await;
    kafka.allow("novatune", &["All"], &["--topic", "*"]);
    kafka.allow("novatune", &["Describe", "Read"], &["--group", "*"]);
    kafka.allow("novatune", &["Describe", "Create", "IdempotentWrite"], &["--cluster"]);
    let (bootstrap, ca) = (kafka.secure().bootstrap.clone(), kafka.secure().ca.display().to_string());
    let variables = [
        ("Kafka__BootstrapServers", &*bootstrap),
        ("Kafka__TopicPrefix", "prod"),
        ("Kafka__SaslEnabled", "true"),
        ("Kafka__SaslUsername", "novatune"),
        ("Kafka__SaslPassword", &*user.password),
        ("Kafka__SslCaLocation", &*ca),
    ];
    let variables = [&variables[..], &[("NovaTune__TopicPrefix", "prod")]].concat();
    let service = start_on(kafka, Fleet::Novatune, &variables, None).await;
    let client = service.runtime.client();
    assert_eq!(client.get("security.protocol"), Some("SASL_SSL"));
    assert_eq!(client.get("sasl.mechanism"), Some("SCRAM-SHA-256"));
    service.records("prod-audio-events", 2).await;
    wait_for("its commits", LIMIT, async || {
        let rows = service.kafka.judge("prod-audio-processor");
        rows.iter().any(|row| row.committed.is_some_and(|offset| offset > 0)).then_some(())
    })
    .await;
    service.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn novatune_settings_of_the_lifecycle_worker_and_the_offset_reset() {
    let service = start(Fleet::Novatune, &[]).await;
    let own = [("socket.timeout.ms", "30000"), ("session.timeout.ms", "45000")];
    let config = service.runtime.consumer(&own);
    assert_eq!(config.get("auto.offset.reset"), Some("earliest"));
    assert_eq!(config.get("socket.timeout.ms"), Some("30000"));
    assert_eq!(config.get("session.timeout.ms"), Some("6000"), "what the environment says wins");
    // From the beginning: what was there before the worker.
    service.records("dev-track-deletions", 2).await;
    wait_for("all is read", LIMIT, async || {
        let rows = service.kafka.judge("dev-lifecycle-worker");
        (rows.len() == 3 && rows.iter().all(|row| row.committed.is_some() || row.end == Some(0)))
            .then_some(())
    })
    .await;
    service.end().await;
}

/// 30 tries, 2 s apart.
#[tokio::test(flavor = "multi_thread")]
async fn novatune_start_is_tried_until_the_broker_is_there() {
    let port = port::free(1).unwrap()[0];
    let bootstrap = format!("127.0.0.1:{port}");
    let broker = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        tokio::task::spawn_blocking(move || {
            private(&NodeOptions { port: Some(port), ..NodeOptions::default() })
        })
        .await
        .unwrap()
    };
    let settings =
        flowdeck_fleets::services::options::settings(Fleet::Novatune, [], Some(&bootstrap), &[]).unwrap();
    let runtime = flowdeck_fleets::services::Runtime::new(settings);
    let (started, kafka) = tokio::join!(Fleet::Novatune.start(&runtime), broker);
    drop(started.unwrap());
    assert!(kafka.topics().iter().any(|(name, _)| name == "dev-audio-events"));
    runtime.end().await;
}
