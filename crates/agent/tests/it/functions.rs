//! Functions with extractors, routing and layers: without a broker by `testing`, and once with one.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context as Task, Poll};
use std::time::Duration;

use crate::common::{Agents as _, skip_at_once};
use crate::runtime::wait_committed;
use flowdeck_agent::testing::{TestMessage, run};
use flowdeck_agent::{
    Avro, AvroSchema, AvroSchemas, BoxError, CancellationToken, CloudEvent, Context, Failure, FromMessage,
    HandlerError, Json, Message, OnUnmatched, Protobuf, Raw, Router, State,
};
use flowdeck_model::Timestamp;
use flowdeck_testkit::World;
use serde::Deserialize;
use serde_json::json;
use tower::limit::ConcurrencyLimitLayer;
use tower::timeout::TimeoutLayer;
use tower::{Layer, Service};

/// What functions were called with.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn add(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

#[derive(Debug, Deserialize)]
struct Created {
    id: u64,
}

async fn created(State(log): State<Log>, Json(created): Json<Created>, context: Context) {
    log.add(format!("created {} at {}", created.id, context.offset()));
}

async fn raw(State(log): State<Log>, Raw(value): Raw) -> Result<(), std::str::Utf8Error> {
    log.add(format!("raw {}", std::str::from_utf8(&value)?));
    Ok(())
}

fn permanent(result: Result<(), HandlerError>) -> String {
    let error = result.unwrap_err();
    assert_eq!(error.failure(), Some(Failure::Permanent), "{error}");
    error.to_string()
}

#[tokio::test]
async fn the_most_precise_function_is_called() {
    let log = Log::default();
    let say = |what: &'static str| move |State(log): State<Log>| async move { log.add(what) };
    let router = Router::new(log.clone())
        .message("Orders.Created", say("type"))
        .message("com.example.created", say("event"))
        .topic("orders", say("topic"))
        .fallback(say("fallback"));
    let orders = TestMessage::new("orders");
    let kafkaflow = |name: &str| orders.clone().header("Message-Type", name);
    let structured = json!({"specversion": "1.0", "id": "1", "source": "s", "type": "com.example.created"});
    for (message, want) in [
        (kafkaflow("Orders.Created, Orders"), "type"),
        (kafkaflow("Orders.Created"), "type"),
        (kafkaflow("Orders.Cancelled, Orders"), "topic"),
        (orders.clone().header("ce_type", "com.example.created"), "event"),
        (
            orders
                .clone()
                .header("content-type", "application/cloudevents+json; charset=utf-8")
                .json(&structured),
            "event",
        ),
        (orders.clone().json(&structured), "topic"),
        (orders.clone(), "topic"),
        (TestMessage::new("payments"), "fallback"),
    ] {
        run(&router, message.clone()).await.unwrap();
        assert_eq!(log.take(), vec![want], "{message:?}");
    }
}

#[tokio::test]
async fn a_message_without_a_function_is_an_error_or_skipped() {
    let router = || Router::new(()).message("Orders.Created", || async {});
    let message = TestMessage::new("orders").header("Message-Type", "Orders.Cancelled, Orders");
    let error = permanent(run(&router(), message.clone()).await);
    assert_eq!(error, r#"no function for messages of type "Orders.Cancelled", nor for topic orders"#);
    let error = permanent(run(&router(), TestMessage::new("orders")).await);
    assert_eq!(error, "no function for topic orders, and the message has no type");
    run(&router().on_unmatched(OnUnmatched::Skip), message).await.unwrap();
}

#[tokio::test]
async fn what_is_not_the_json_of_the_type_is_a_permanent_error() {
    let log = Log::default();
    let router = Router::new(log.clone()).topic("orders", created).topic("bytes", raw);
    let orders = TestMessage::new("orders").at(3, 17);
    run(&router, orders.clone().json(&json!({"id": 7}))).await.unwrap();
    assert_eq!(log.take(), vec!["created 7 at 17"]);
    assert!(
        permanent(run(&router, orders.clone().value("{")).await).contains("not the JSON that is expected")
    );
    assert!(permanent(run(&router, orders).await).contains("tombstone"));
    run(&router, TestMessage::new("bytes").value("x")).await.unwrap();
    assert_eq!(log.take(), vec!["raw x"]);
    let own = run(&router, TestMessage::new("bytes").value([0xff])).await.unwrap_err();
    assert!(own.failure().is_none() && own.source().is::<std::str::Utf8Error>(), "{own}");
}

#[derive(Clone, PartialEq, prost::Message)]
struct Moved {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(string, tag = "2")]
    to: String,
}

async fn moved(State(log): State<Log>, Protobuf(moved): Protobuf<Moved>) {
    log.add(format!("{} to {}", moved.id, moved.to));
}

#[tokio::test]
async fn a_protobuf_message_is_read_and_what_is_none_is_a_permanent_error() {
    let log = Log::default();
    let router = Router::new(log.clone()).topic("moves", moved);
    let message = TestMessage::new("moves");
    let value = prost::Message::encode_to_vec(&Moved { id: 7, to: "hall 3".into() });
    run(&router, message.clone().value(value)).await.unwrap();
    assert_eq!(log.take(), ["7 to hall 3"]);
    permanent(run(&router, message.clone().value(*b"\xff")).await);
    permanent(run(&router, message).await);
}

#[derive(Deserialize)]
struct Weighed {
    id: i64,
    unit: Option<String>,
}

#[derive(Clone)]
struct Scales {
    log: Log,
    schemas: Arc<HashMap<u32, Arc<AvroSchema>>>,
}

impl AvroSchemas for Scales {
    fn schema(&self, id: u32) -> Option<Arc<AvroSchema>> {
        self.schemas.schema(id)
    }
}

async fn weighed(State(scales): State<Scales>, Avro(weighed): Avro<Weighed>) {
    scales.log.add(format!("{} in {:?}", weighed.id, weighed.unit));
}

#[tokio::test]
async fn an_avro_value_is_read_by_the_schema_that_it_was_written_with() {
    let schema = |fields: &str| {
        let text = format!(r#"{{"type": "record", "name": "Weighed", "fields": [{fields}]}}"#);
        Arc::new(AvroSchema::parse_str(&text).unwrap())
    };
    let first = r#"{"name": "id", "type": "long"}"#;
    let second = format!(r#"{first}, {{"name": "unit", "type": ["null", "string"]}}"#);
    let schemas = Arc::new(HashMap::from([(1, schema(first)), (258, schema(&second))]));
    let log = Log::default();
    let router = Router::new(Scales { log: log.clone(), schemas }).topic("scales", weighed);
    let message = TestMessage::new("scales");
    // As the Avro specification encodes them: zigzag numbers, the branch of a union before its value.
    run(&router, message.clone().value(*b"\0\0\0\0\x01\x0e")).await.unwrap();
    run(&router, message.clone().value(*b"\0\0\0\x01\x02\x0e\x02\x04kg")).await.unwrap();
    assert_eq!(log.take(), ["7 in None", "7 in Some(\"kg\")"]);
    for (value, why) in [
        (&b"{}"[..], "zero byte"),
        (b"\0\0\0\x01\x02\x0e\x02\x7fkg", "schema 258"),
        (b"\0\0\0\0\x01\x0e\x0e", "1 bytes are left"),
    ] {
        let said = permanent(run(&router, message.clone().value(value)).await);
        assert!(said.contains(why), "{said}");
    }
    let unknown = run(&router, message.clone().value(*b"\0\0\0\0\x02\x0e")).await.unwrap_err();
    assert_eq!(
        (unknown.failure(), unknown.to_string()),
        (Some(Failure::Retry), "the schema 2 is not known".into())
    );
    assert!(permanent(run(&router, message).await).contains("tombstone"));
}

#[tokio::test]
async fn a_tombstone_is_none_of_an_optional_value() {
    let log = Log::default();
    let function = |State(log): State<Log>, value: Option<Json<Created>>| async move {
        log.add(format!("{:?}", value.map(|Json(created)| created.id)));
    };
    let router = Router::new(log.clone()).topic("orders", function);
    run(&router, TestMessage::new("orders")).await.unwrap();
    run(&router, TestMessage::new("orders").json(&json!({"id": 7}))).await.unwrap();
    assert!(run(&router, TestMessage::new("orders").value("?")).await.is_err());
    assert_eq!(log.take(), vec!["None", "Some(7)"]);
}

#[tokio::test]
async fn a_cloud_event_is_read_in_both_modes() {
    let events = Arc::<Mutex<Vec<CloudEvent<serde_json::Value>>>>::default();
    let function = |State(events): State<Arc<Mutex<Vec<_>>>>, event: CloudEvent<serde_json::Value>| async move {
        events.lock().unwrap().push(event);
    };
    let router = Router::new(Arc::clone(&events)).topic("events", function);
    let binary = TestMessage::new("events")
        .header("ce_specversion", "1.0")
        .header("ce_id", "1")
        .header("ce_source", "/orders")
        .header("ce_type", "created")
        .header("ce_subject", "7")
        .header("ce_traceparent", "00-1-2-01")
        .json(&json!({"id": 7}));
    let attributes = json!({
        "specversion": "1.0", "id": "1", "source": "/orders", "type": "created", "subject": "7",
        "traceparent": "00-1-2-01", "datacontenttype": "application/json", "data": {"id": 7}
    });
    let structured = TestMessage::new("events").header("Content-Type", "application/cloudevents+json");
    run(&router, binary).await.unwrap();
    run(&router, structured.json(&attributes)).await.unwrap();
    let incomplete = TestMessage::new("events").header("ce_id", "1").json(&1);
    assert!(permanent(run(&router, incomplete).await).contains("ce_source is missing"));
    let events = events.lock().unwrap();
    assert_eq!(events[0], events[1]);
    let CloudEvent { id, source, r#type, subject, time, extensions, data, .. } = events[0].clone();
    assert_eq!((id.as_str(), source.as_str(), r#type.as_str()), ("1", "/orders", "created"));
    assert_eq!((subject.as_deref(), time), (Some("7"), None));
    assert_eq!(extensions.into_iter().collect::<Vec<_>>(), vec![("traceparent".into(), "00-1-2-01".into())]);
    assert_eq!(data, json!({"id": 7}));
}

#[tokio::test]
async fn the_context_tells_all_that_is_known() {
    let log = Log::default();
    let function = |State(log): State<Log>, context: Context, message: Message| async move {
        let text = |bytes: Option<&[u8]>| bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let place = format!("{}[{}]@{}", context.topic(), context.partition(), context.offset());
        log.add(format!(
            "{place} attempt {} {:?}",
            context.attempt(),
            context.timestamp().map(Timestamp::millis)
        ));
        log.add(format!("{:?} {:?}", text(context.key()), text(context.header("a"))));
        log.add(format!("{:?} {}", context.correlation_id(), context.headers().count()));
        log.add(format!("{:?} {}", context.message_type(), context.cancellation().is_cancelled()));
        assert_eq!(message.record().offset(), context.offset());
    };
    let router = Router::new(log.clone()).topic("orders", function);
    let cancellation = CancellationToken::new();
    cancellation.cancel();
    let message = TestMessage::new("orders")
        .at(2, 40)
        .timestamp(Timestamp::from_millis(1_000))
        .key("k")
        .header("a", "b")
        .header("x_correlation-ID", "c-1")
        .attempt(3)
        .cancellation(cancellation);
    run(&router, message).await.unwrap();
    let lines =
        ["orders[2]@40 attempt 3 Some(1000)", r#"Some("k") Some("b")"#, r#"Some("c-1") 2"#, "None true"];
    assert_eq!(log.take(), lines);
}

/// An extractor of the service's own.
struct Tenant(String);

impl<S> FromMessage<S> for Tenant {
    fn from_message(message: &Message, _: &S) -> Result<Self, HandlerError> {
        let tenant = message.record().header("tenant").ok_or_else(|| HandlerError::permanent("no tenant"))?;
        Ok(Self(std::str::from_utf8(tenant)?.to_owned()))
    }
}

#[tokio::test]
async fn a_service_has_extractors_of_its_own() {
    let log = Log::default();
    let function = |State(log): State<Log>, Tenant(tenant): Tenant| async move { log.add(tenant) };
    let router = Router::new(log.clone()).fallback(function);
    run(&router, TestMessage::new("t").header("tenant", "acme")).await.unwrap();
    assert_eq!(log.take(), vec!["acme"]);
    assert_eq!(permanent(run(&router, TestMessage::new("t")).await), "no tenant");
}

/// A layer of the service's own: notes begin and end.
#[derive(Clone)]
struct Traced(Log, &'static str);

#[derive(Clone)]
struct TracedService<T>(T, Log, &'static str);

impl<T> Layer<T> for Traced {
    type Service = TracedService<T>;

    fn layer(&self, inner: T) -> Self::Service {
        TracedService(inner, self.0.clone(), self.1)
    }
}

impl<T: Service<Message, Response = (), Error = BoxError>> Service<Message> for TracedService<T> {
    type Response = ();
    type Error = BoxError;
    type Future = T::Future;

    fn poll_ready(&mut self, task: &mut Task<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(task)
    }

    fn call(&mut self, message: Message) -> T::Future {
        self.1.add(format!("{} {}", self.2, message.record().topic()));
        self.0.call(message)
    }
}

#[tokio::test]
async fn layers_lie_around_the_functions_that_were_named_before() {
    let log = Log::default();
    let router = Router::new(log.clone())
        .topic("orders", |State(log): State<Log>| async move { log.add("function") })
        .layer(Traced(log.clone(), "inner"))
        .layer(Traced(log.clone(), "outer"))
        .topic("bare", |State(log): State<Log>| async move { log.add("function") });
    run(&router, TestMessage::new("orders")).await.unwrap();
    assert_eq!(log.take(), vec!["outer orders", "inner orders", "function"]);
    run(&router, TestMessage::new("bare")).await.unwrap();
    assert_eq!(log.take(), vec!["function"]);
}

#[tokio::test]
async fn an_error_keeps_its_kind_through_layers_and_a_time_limit_is_an_error() {
    let router = Router::new(())
        .topic("fails", || async { Err::<(), _>(HandlerError::permanent("broken")) })
        .topic("hangs", || async { std::future::pending::<()>().await })
        .layer(TimeoutLayer::new(Duration::from_millis(20)))
        .layer(ConcurrencyLimitLayer::new(1));
    assert_eq!(permanent(run(&router, TestMessage::new("fails")).await), "broken");
    let late = run(&router, TestMessage::new("hangs")).await.unwrap_err();
    assert!(late.source().is::<tower::timeout::error::Elapsed>() && late.failure().is_none(), "{late}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_router_handles_what_a_broker_delivers() {
    let world = World::new(1).await;
    let calls = Arc::new(AtomicUsize::new(0));
    let function = |State(calls): State<Arc<AtomicUsize>>, Json(value): Json<u64>, context: Context| async move {
        calls.fetch_add(1, Ordering::SeqCst);
        if value == 2 && context.attempt() < 3 { Err("not yet") } else { Ok(()) }
    };
    let router = Router::new(Arc::clone(&calls)).message("Numbers.Number", function);
    let header: (&str, &[u8]) = ("Message-Type", b"Numbers.Number, Numbers");
    for value in ["1", "2", "no number", "3"] {
        world.kafka.send(&world.topic, b"k", value.as_bytes(), &[header]).await;
    }
    let policy = flowdeck_agent::OnError { retries: 5, ..skip_at_once() };
    let agent = world.agent("i-1").on_error(policy).handler(router).start().await.unwrap();
    wait_committed(&world, 0, 4).await;
    // Two more tries of one; none of the one that is no number.
    let counts = agent.counts();
    assert_eq!((calls.load(Ordering::SeqCst), counts.failed, counts.skipped), (5, 3, 1));
    agent.stop().await.unwrap();
}
