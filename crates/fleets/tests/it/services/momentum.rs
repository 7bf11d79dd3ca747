//! The row Momentum.

use flowdeck_fleets::services::{Fleet, Trouble};
use flowdeck_testkit::{Read, wait_for};
use serde_json::Value;

use super::{LIMIT, header, json, key, start};

const CUSTOMERS: &str = "dev.sales.public.customers.v1";
const UPDATES: &str = "dev.sales.internal.customer-updates.v1";
const PAYMENTS: &str = "dev.ecommerce.public.order-payments.v2";

#[tokio::test(flavor = "multi_thread")]
async fn momentum_topics_groups_and_consumers() {
    let service = start(Fleet::Momentum, &[]).await;
    for topic in [CUSTOMERS, UPDATES, PAYMENTS] {
        assert_eq!(service.partitions(topic), Some(3), "{topic}");
    }
    service.wait_consumers(&[("dev.sales-api", "sales-api", 3)]).await;
    service.end().await;
}

/// CloudEvents: structured for other services, binary for its own, with a partition key; the trace goes on.
#[tokio::test(flavor = "multi_thread")]
async fn momentum_events_in_both_modes_within_one_trace() {
    let service = start(Fleet::Momentum, &[]).await;
    let updates = service.records(UPDATES, 2).await;
    let created = service.kafka.read_all(CUSTOMERS);
    for record in &created {
        let event = json(record);
        assert_eq!((&event["specversion"], &event["type"]), (&"1.0".into(), &"CustomerCreated".into()));
        assert_eq!(event["source"], "urn:momentum:sales-api");
        assert_eq!(event["partitionkey"], key(record));
        assert_eq!(event["data"]["customerId"], key(record));
        assert!(header(record, "content-type").unwrap().starts_with("application/cloudevents+json"));
    }
    let trace = |record: &Read| header(record, "traceparent").map(|parent| parent[3..35].to_owned());
    for record in &updates {
        assert_eq!(header(record, "ce_type"), Some("CustomerUpdated"));
        assert_eq!(header(record, "ce_partitionkey"), Some(key(record)));
        assert_eq!(json(record)["customerId"], key(record));
        let cause = created.iter().find(|one| key(one) == key(record)).expect("its customer");
        assert!(trace(record).is_some());
        assert_eq!(trace(record), trace(cause));
        assert_eq!(header(record, "correlation-id"), header(cause, "correlation-id"));
    }
    service.end().await;
}

/// `GET /health`, while the broker is there and once it is not.
#[tokio::test(flavor = "multi_thread")]
async fn momentum_health_has_a_kafka_check() {
    let mut service = start(Fleet::Momentum, &[]).await;
    let url = format!("{}/health", service.url);
    let health = async || {
        let answer = reqwest::get(&url).await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let well = wait_for("healthy", LIMIT, async || Some(health().await).filter(|(status, _)| *status == 200));
    let (_, body) = well.await;
    assert_eq!(body["status"], "Healthy");
    let kafka = &body["checks"]["kafka"];
    assert_eq!(
        (&kafka["status"], &kafka["description"]),
        (&"Healthy".into(), &"Kafka connectivity check".into())
    );
    assert_eq!(kafka["tags"], serde_json::json!(["messaging", "kafka"]));
    let metrics = reqwest::get(format!("{}/metrics", service.url)).await.unwrap().text().await.unwrap();
    assert!(metrics.contains("messaging_client_sent_messages_total{messaging_client_id=\"sales-api\"}"));
    service.kafka.kill();
    let ill =
        wait_for("unhealthy", LIMIT, async || Some(health().await).filter(|(status, _)| *status == 503));
    assert_eq!(ill.await.1["checks"]["kafka"]["status"], "Unhealthy");
    service.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn momentum_settings_retry_dead_letter_and_what_cannot_be_read() {
    let service = start(Fleet::Momentum, &[]).await;
    assert_eq!(
        (service.partitions("dev.sales-api.retry"), service.partitions("dev.sales-api.dlq")),
        (Some(1), Some(1))
    );
    service.runtime.troubles.begin(Trouble::PoisonRecord);
    let letters = service.records("dev.sales-api.dlq", 1).await;
    assert_eq!(header(&letters[0], "Flowdeck-Original-Topic"), Some(CUSTOMERS));
    assert_eq!(header(&letters[0], "Flowdeck-Original-Group"), Some("dev.sales-api"));
    service.end().await;
}
