//! The row ExpenseVault CustomService.

use flowdeck_fleets::services::Fleet;
use flowdeck_testkit::Read;
use serde_json::json as body;

use super::{LIMIT, Service, header, json, key, start};

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const USER: &str = "550e8400-e29b-41d4-a716-446655440000";

#[tokio::test(flavor = "multi_thread")]
async fn custom_service_topics_groups_and_consumers() {
    let service = start(Fleet::CustomService, &[]).await;
    for kind in ["created", "updated", "deleted"] {
        assert_eq!(service.partitions(&format!("customservice.item.{kind}")), Some(3), "{kind}");
    }
    // A group for each service, a consumer for each handler.
    let consumers = [
        ("analytics-service", "analytics-service-item-created", 2),
        ("analytics-service", "analytics-service-item-updated", 2),
        ("analytics-service", "analytics-service-item-deleted", 2),
        ("notification-service", "notification-service-item-created", 2),
        ("audit-service", "audit-service-item-created", 2),
        ("audit-service", "audit-service-item-updated", 2),
        ("audit-service", "audit-service-item-deleted", 2),
    ];
    service.wait_consumers(&consumers).await;
    service.end().await;
}

impl Service {
    /// The event of a topic that carries this correlation id.
    async fn event(&self, topic: &str, correlation: &str) -> Read {
        let is = |record: &Read| header(record, "correlation-id") == Some(correlation);
        flowdeck_testkit::wait_for(&format!("the event of {correlation} on {topic}"), LIMIT, async || {
            self.kafka.read_all(topic).into_iter().find(is)
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn custom_service_events_of_http_commands() {
    let service = start(Fleet::CustomService, &[]).await;
    let client = reqwest::Client::new();
    let sent = |request: reqwest::RequestBuilder, id: &str| {
        request.header("x-correlation-id", id).header("traceparent", TRACE).send()
    };
    let change = body!({ "name": "Sample Item", "description": "Item description", "userId": USER });
    let items = format!("{}/items", service.url);
    let created = sent(client.post(&items).json(&change), "c-1").await.unwrap();
    assert_eq!(created.status(), 201);
    let item: serde_json::Value = created.json().await.unwrap();
    let one = format!("{items}/{}", item["id"].as_str().unwrap());
    let updated = sent(client.put(&one).json(&body!({ "name": "Updated Item Name" })), "c-2").await.unwrap();
    assert_eq!(updated.status(), 200);
    assert_eq!(sent(client.delete(&one), "c-3").await.unwrap().status(), 204);
    assert_eq!(sent(client.delete(&one), "c-4").await.unwrap().status(), 404);
    for (kind, id, own) in
        [("created", "c-1", "categoryId"), ("updated", "c-2", "modifiedBy"), ("deleted", "c-3", "deletedBy")]
    {
        let record = service.event(&format!("customservice.item.{kind}"), id).await;
        let event = json(&record);
        assert_eq!(key(&record), USER, "events of one user stay in their order");
        assert_eq!(header(&record, "traceparent"), Some(TRACE));
        let base = [&event["eventType"], &event["eventVersion"], &event["sourceService"]];
        assert_eq!(base, [kind, "1.0", "customservice"]);
        assert_eq!((&event["correlationId"], &event["userId"]), (&body!(id), &body!(USER)));
        assert_eq!(event["customItemId"], item["id"], "the payload is beside what all have in common");
        assert!(event["eventId"].is_string() && event["timestamp"].is_string() && event[own].is_string());
    }
    service.end().await;
}

/// `publish failure is a logged one`: the command is done all the same.
#[tokio::test(flavor = "multi_thread")]
async fn custom_service_command_succeeds_without_kafka() {
    let mut service = start(Fleet::CustomService, &[("Kafka__MessageTimeoutMs", "1000")]).await;
    service.kafka.kill();
    let client = reqwest::Client::new();
    let items = format!("{}/items", service.url);
    let created = client.post(&items).json(&body!({ "name": "an item" })).send().await.unwrap();
    assert_eq!(created.status(), 201);
    let metrics = client.get(format!("{}/metrics", service.url)).send().await.unwrap().text().await.unwrap();
    let failed = "messaging_client_failed_messages_total{messaging_client_id=\"customservice-producer\"} ";
    let failed = metrics.lines().find_map(|line| line.strip_prefix(failed)).unwrap();
    assert!(failed.parse::<u64>().unwrap() > 0, "{metrics}");
    service.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn custom_service_settings_of_its_idempotent_producer() {
    let mapped = [("Kafka__Topics__CustomItemDeletedEvent", "vault.items.gone"), ("Kafka__MaxInFlight", "3")];
    let service = start(Fleet::CustomService, &mapped).await;
    let client = service.runtime.client();
    for (property, value) in [
        ("client.id", "customservice-producer"),
        ("enable.idempotence", "true"),
        ("acks", "-1"),
        ("max.in.flight", "3"),
        ("message.timeout.ms", "30000"),
        ("request.timeout.ms", "30000"),
        ("retry.backoff.ms", "1000"),
    ] {
        assert_eq!(client.get(property), Some(value), "{property}");
    }
    service.records("vault.items.gone", 2).await;
    assert_eq!(service.partitions("customservice.item.deleted"), None);
    // What a client measures of itself: it does so every 5 s.
    let http = reqwest::Client::new();
    flowdeck_testkit::wait_for("times of acknowledgement", LIMIT, async || {
        let text = http.get(format!("{}/metrics", service.url)).send().await.ok()?.text().await.ok()?;
        let all = ["acknowledgement_seconds", "queue_seconds", "send_seconds", "messages_per_second"];
        all.iter().all(|name| text.contains(&format!("messaging_client_{name}{{"))).then_some(())
    })
    .await;
    service.end().await;
}
