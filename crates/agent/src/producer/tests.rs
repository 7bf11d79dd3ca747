use std::sync::Mutex;

use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::testing::{RecordingPublisher, TestMessage, run};
use crate::{CloudEvent, HandlerError, Json, Router};

#[cfg(all(feature = "avro", feature = "prost"))]
mod serializers;

#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
struct OrderCreated {
    order: u32,
    customer: String,
}

impl Event for OrderCreated {
    const TYPE: &'static str = "OrderCreated";
    const SCHEMA_VERSION: Option<&'static str> = Some("2");

    fn topic() -> TopicFields {
        TopicFields::new("orders")
    }

    fn key(&self) -> Option<String> {
        Some(self.customer.clone())
    }
}

fn event() -> OrderCreated {
    OrderCreated { order: 7, customer: "c-1".into() }
}

/// As a consumer gets what was published.
fn consumed(sent: &Outgoing) -> TestMessage {
    let mut message = TestMessage::new(sent.topic.clone()).value(sent.value.clone().unwrap());
    if let Some(key) = &sent.key {
        message = message.key(key.clone());
    }
    for (name, value) in &sent.headers {
        message = message.header(name.clone(), value.clone().unwrap());
    }
    message
}

fn header(sent: &Outgoing, name: &str) -> Option<String> {
    let found = sent.headers.iter().find(|(header, _)| header == name)?;
    String::from_utf8(found.1.clone()?).ok()
}

#[tokio::test]
async fn json_is_routed_by_its_type() {
    let sent = RecordingPublisher::default();
    let producer = Producer::new(sent.clone(), TopicNaming::prefixed("dev"));
    producer.publish(&event()).await.unwrap();
    let sent = &sent.messages()[0];
    assert_eq!((sent.topic.as_str(), sent.key.as_deref()), ("dev-orders", Some(&b"c-1"[..])));
    assert_eq!(header(sent, "schema-version").as_deref(), Some("2"));
    assert!(header(sent, "correlation-id").is_some_and(|id| id.parse::<Uuid>().is_ok()));
    static GOT: Mutex<Option<OrderCreated>> = Mutex::new(None);
    async fn created(Json(event): Json<OrderCreated>) -> Result<(), HandlerError> {
        *GOT.lock().unwrap() = Some(event);
        Ok(())
    }
    let router = Router::new(()).message("OrderCreated", created);
    run(&router, consumed(sent)).await.unwrap();
    assert_eq!(GOT.lock().unwrap().take(), Some(event()));
}

#[tokio::test]
async fn cloud_events_come_back_as_they_went_in_both_modes() {
    static GOT: Mutex<Vec<CloudEvent<OrderCreated>>> = Mutex::new(vec![]);
    async fn created(event: CloudEvent<OrderCreated>) -> Result<(), HandlerError> {
        GOT.lock().unwrap().push(event);
        Ok(())
    }
    let source = || "urn:shop:orders".to_owned();
    let formats = [
        EventFormat::CloudEventsBinary { source: source() },
        EventFormat::CloudEventsStructured { source: source() },
    ];
    for format in formats {
        let sent = RecordingPublisher::default();
        let producer = Producer::new(sent.clone(), TopicNaming::prefixed("dev")).format(format.clone());
        producer.publish(&event()).await.unwrap();
        let router = Router::new(()).message("OrderCreated", created);
        run(&router, consumed(&sent.messages()[0])).await.unwrap();
        let got = GOT.lock().unwrap().pop().unwrap();
        assert_eq!(
            (got.data, got.source, got.r#type.as_str()),
            (event(), source(), "OrderCreated"),
            "{format:?}"
        );
        assert_eq!(got.extensions.get("partitionkey").map(String::as_str), Some("c-1"), "{format:?}");
        assert!(got.time.is_some() && got.id.parse::<Uuid>().is_ok(), "{format:?}");
    }
}

#[tokio::test]
async fn correlation_and_trace_go_on() {
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let message = TestMessage::new("in").header("X-Correlation-ID", "corr-1").header("Traceparent", trace);
    let sent = RecordingPublisher::default();
    let producer = Producer::new(sent.clone(), TopicNaming::prefixed("dev"));
    producer.publish_within(&Context(message.build()), &event()).await.unwrap();
    let sent = &sent.messages()[0];
    assert_eq!(header(sent, "correlation-id").as_deref(), Some("corr-1"));
    assert_eq!(header(sent, "traceparent").as_deref(), Some(trace));
    assert_eq!(header(sent, "tracestate"), None);
}

#[tokio::test]
async fn a_failure_is_an_error_or_a_line_of_the_log_and_counted() {
    let sent = RecordingPublisher::default();
    let producer = Producer::new(sent.clone(), TopicNaming::prefixed("dev"));
    producer.publish(&event()).await.unwrap();
    sent.refuse(Some("the broker is away"));
    assert!(matches!(producer.publish(&event()).await, Err(EventError::Publish(_))));
    producer.publish_or_log(&event()).await;
    let counts = producer.counts();
    assert_eq!((counts.published, counts.failed), (1, 2));
    let unnamed = Producer::new(sent, TopicNaming::new("{domain}.{topic}").unwrap());
    assert!(matches!(unnamed.publish(&event()).await, Err(EventError::Naming { event: "OrderCreated", .. })));
}

#[tokio::test]
async fn what_belongs_together_carries_one_correlation() {
    let sent = RecordingPublisher::default();
    let producer = Producer::new(sent.clone(), TopicNaming::prefixed("dev"));
    let request = producer.correlated(Correlation::with_id("req-7").traced());
    request.publish(&event()).await.unwrap();
    request.publish_or_log(&event()).await;
    producer.publish(&event()).await.unwrap();
    let messages = sent.messages();
    let ids: Vec<_> = messages.iter().map(|message| header(message, "correlation-id").unwrap()).collect();
    assert_eq!((&ids[0][..], &ids[1][..]), ("req-7", "req-7"));
    assert_ne!(ids[2], "req-7");
    assert!(header(&messages[0], "traceparent").is_some());
    assert_eq!(header(&messages[0], "traceparent"), header(&messages[1], "traceparent"));
    assert_eq!(producer.counts().published, 3, "clones count together");
}

#[tokio::test]
async fn a_topic_may_be_named_by_the_type_of_its_event() {
    let sent = RecordingPublisher::default();
    let producer = Producer::new(sent.clone(), TopicNaming::prefixed("dev"));
    let producer = producer.topics([("OrderCreated".to_owned(), "orders-of-old".to_owned())].into());
    producer.publish(&event()).await.unwrap();
    assert_eq!(sent.messages()[0].topic, "orders-of-old");
}

#[tokio::test]
async fn a_key_is_a_field_by_its_name_in_json() {
    #[derive(serde::Serialize)]
    struct Shipped {
        order: serde_json::Value,
    }

    impl Event for Shipped {
        const TYPE: &'static str = "Shipped";
        const KEY_FIELD: Option<&'static str> = Some("order.id");

        fn topic() -> TopicFields {
            TopicFields::new("shipped")
        }
    }

    let sent = RecordingPublisher::default();
    let source = "urn:shop".to_owned();
    let producer = Producer::new(sent.clone(), TopicNaming::prefixed("dev"))
        .format(EventFormat::CloudEventsBinary { source });
    for id in [json!("o-7"), json!(7), json!(true)] {
        producer.publish(&Shipped { order: json!({ "id": id }) }).await.unwrap();
    }
    let keys: Vec<_> =
        sent.messages().iter().map(|one| String::from_utf8(one.key.clone().unwrap()).unwrap()).collect();
    assert_eq!(keys, ["o-7", "7", "true"]);
    assert_eq!(header(&sent.messages()[0], "ce_partitionkey").as_deref(), Some("o-7"));
    for order in [json!({}), json!({ "id": null }), json!({ "id": [1] }), json!("o-7")] {
        let refused = producer.publish(&Shipped { order }).await;
        assert!(
            matches!(refused, Err(EventError::Key { event: "Shipped", field: "order.id" })),
            "{refused:?}"
        );
    }
    assert_eq!((sent.messages().len(), producer.counts().failed), (3, 4));
}
