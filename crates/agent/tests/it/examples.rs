//! The examples, run: each against a broker, and its handler without one. What is public in them is so for a reader.

#[allow(unreachable_pub)]
#[path = "../../examples/app.rs"]
mod app;
#[allow(unreachable_pub)]
#[path = "../../examples/cloud_events.rs"]
mod cloud_events;
#[allow(unreachable_pub)]
#[path = "../../examples/extractors.rs"]
mod extractors;
#[allow(unreachable_pub)]
#[path = "../../examples/layers.rs"]
mod layers;
#[allow(unreachable_pub)]
#[path = "../../examples/orders.rs"]
mod orders;
#[allow(unreachable_pub)]
#[path = "../../examples/retries.rs"]
mod retries;
#[allow(unreachable_pub)]
#[path = "../../examples/serializers.rs"]
mod serializers;
#[allow(unreachable_pub)]
#[path = "../../examples/whole_record.rs"]
mod whole_record;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use flowdeck_agent::producer::{Producer, TopicNaming};
use flowdeck_agent::testing::{Outcome, RecordingPublisher, TestMessage, TestWorker, run};
use flowdeck_testkit::{DEADLINE, kafka, unique, wait_for};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn orders_are_counted_and_one_that_costs_nothing_is_a_dead_letter() {
    let (topic, totals) = (unique("orders"), orders::Totals::default());
    let counted = totals.clone();
    let bootstrap = kafka().bootstrap().to_owned();
    let done = async {
        wait_for("the topics", DEADLINE, async || {
            let topics = kafka().topics();
            topics.iter().any(|(name, partitions)| *name == topic && *partitions == 3).then_some(())
        })
        .await;
        let header: (&str, &[u8]) = ("Message-Type", b"Orders.Created, Orders");
        for (id, cents) in [(1, 250), (2, 0), (3, 50)] {
            let value = json!({"id": id, "cents": cents}).to_string();
            kafka().send(&topic, &[id], value.as_bytes(), &[header]).await;
        }
        let letters = format!("{topic}.dead-letters");
        wait_for("the orders", DEADLINE, async || {
            let counts = (counted.created.load(Ordering::Relaxed), counted.cents.load(Ordering::Relaxed));
            (counts == (2, 300) && kafka().read_all(&letters).len() == 1).then_some(())
        })
        .await;
    };
    orders::run(&bootstrap, &topic, totals, done).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_charge_that_fails_is_tried_later_and_one_that_never_succeeds_is_a_dead_letter() {
    let (topic, bank) = (unique("charges"), retries::Bank::default());
    let charged = bank.clone();
    let done = async {
        let letters = format!("{topic}.dead-letters");
        wait_for("the topics", DEADLINE, async || {
            let topics = kafka().topics();
            let there = |name: &str| topics.iter().any(|(one, _)| one == name);
            (there(&topic) && there(&letters)).then_some(())
        })
        .await;
        for cents in ["0", "1", "250"] {
            kafka().send(&topic, b"card", cents.as_bytes(), &[]).await;
        }
        wait_for("the charges", DEADLINE, async || {
            let charged = charged.charged.load(Ordering::Relaxed);
            (charged == 251 && kafka().read_all(&letters).len() == 1).then_some(())
        })
        .await;
    };
    let delay = std::time::Duration::from_millis(100);
    retries::run(kafka().bootstrap(), &topic, delay, bank.clone(), done).await.unwrap();
}

#[tokio::test]
async fn orders_without_a_broker() {
    let totals = orders::Totals::default();
    let router = orders::router(totals.clone());
    let message = TestMessage::new("orders").header("Message-Type", "Orders.Created, Orders");
    run(&router, message.clone().json(&json!({"id": 1, "cents": 5}))).await.unwrap();
    assert_eq!(totals.cents.load(Ordering::Relaxed), 5);
    assert!(run(&router, message.json(&json!({"id": 1, "cents": 0}))).await.is_err());
    let cancelled = TestMessage::new("orders").header("Message-Type", "Orders.Cancelled");
    run(&router, cancelled.json(&json!({"id": 1}))).await.unwrap();
    run(&router, TestMessage::new("orders").header("Message-Type", "Orders.Other")).await.unwrap();
}

#[tokio::test]
async fn app_without_a_broker() {
    let (sent, accounts) = (RecordingPublisher::default(), app::Accounts::default());
    let orders = app::orders(Producer::new(sent.clone(), TopicNaming::prefixed("shop")));
    let placed = TestMessage::new("shop-orders").header("Message-Type", "OrderPlaced");
    run(&orders, placed.json(&json!({"id": 1, "cents": 250}))).await.unwrap();
    let due = sent.messages().remove(0);
    assert_eq!((due.topic.as_str(), due.key.as_deref()), ("shop-invoices", Some(&b"1"[..])));
    let invoices = app::invoices(accounts.clone());
    let message = TestMessage::new("shop-invoices").header("Message-Type", "InvoiceDue");
    run(&invoices, message.clone().value(due.value.unwrap())).await.unwrap();
    assert!(run(&invoices, message.json(&json!({"order": 2, "cents": 0}))).await.is_err());
    assert_eq!(accounts.cents.load(Ordering::Relaxed), 250);
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_become_invoices_in_an_app_with_one_health_page() {
    let (prefix, accounts) = (unique("shop"), app::Accounts::default());
    let probes = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let page = probes.local_addr().unwrap();
    let invoiced = accounts.clone();
    let done = async {
        let placed: (&str, &[u8]) = ("Message-Type", b"OrderPlaced");
        for (id, cents) in [(1, 250), (2, 0), (3, 50)] {
            let value = json!({"id": id, "cents": cents}).to_string();
            kafka().send(&format!("{prefix}.orders"), &[id], value.as_bytes(), &[placed]).await;
        }
        let letters = format!("{prefix}.dead-letters");
        wait_for("the invoices", DEADLINE, async || {
            let cents = invoiced.cents.load(Ordering::Relaxed);
            (cents == 300 && kafka().read_all(&letters).len() == 1).then_some(())
        })
        .await;
        let answer = get(page, "/health").await;
        assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
        for name in ["orders", "invoices"] {
            assert!(answer.contains(&format!("\"{prefix}.{name}\":{{\"status\":\"Healthy\"")), "{answer}");
        }
    };
    app::run(kafka().bootstrap(), &prefix, accounts, probes, done).await.unwrap();
}

async fn get(server: std::net::SocketAddr, path: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let mut stream = tokio::net::TcpStream::connect(server).await.unwrap();
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn cloud_events_without_a_broker() {
    let publisher = RecordingPublisher::default();
    let router = cloud_events::router(Arc::new(publisher.clone()));
    let event = json!({
        "specversion": "1.0", "id": "1", "source": "/web", "type": "com.example.track.uploaded",
        "data": {"track": "t-7"}
    });
    let message = TestMessage::new("tracks.uploaded").header("content-type", "application/cloudevents+json");
    run(&router, message.clone().header("tenant", "acme").json(&event)).await.unwrap();
    let sent = publisher.messages();
    assert_eq!(
        (sent[0].topic.as_str(), sent[0].value.as_deref()),
        ("tracks.indexed", Some(&b"acme/t-7"[..]))
    );
    assert!(run(&router, message.json(&event)).await.is_err(), "without a tenant");
}

#[tokio::test(flavor = "multi_thread")]
async fn cloud_events_are_published_on() {
    let topic = unique("tracks");
    let topics = kafka().topics();
    if !topics.iter().any(|(name, _)| name == "tracks.indexed") {
        kafka().create_topic("tracks.indexed", 1).await;
    }
    kafka().create_topic(&topic, 1).await;
    let headers: [(&str, &[u8]); 4] = [
        ("ce_id", b"1"),
        ("ce_source", b"/web"),
        ("ce_type", b"com.example.track.uploaded"),
        ("tenant", topic.as_bytes()),
    ];
    kafka().send(&topic, b"k", br#"{"track":"t-7"}"#, &headers).await;
    let want = format!("{topic}/t-7");
    let done = wait_for("the track", DEADLINE, async || {
        let read = kafka().read_all("tracks.indexed");
        read.iter().any(|record| record.value.as_deref() == Some(want.as_bytes())).then_some(())
    });
    cloud_events::run(kafka().bootstrap(), &topic, done).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_are_counted() {
    let (topic, bytes) = (unique("records"), whole_record::Bytes::default());
    kafka().create_topic(&topic, 2).await;
    kafka().produce(&topic, 0, ["12345"]).await;
    kafka().produce(&topic, 1, ["123"]).await;
    let done = wait_for("all bytes", DEADLINE, async || (bytes.0.load(Ordering::Relaxed) == 8).then_some(()));
    whole_record::run(kafka().bootstrap(), &topic, bytes.clone(), done).await.unwrap();
}

#[tokio::test]
async fn extractors_without_a_broker() {
    let customers = extractors::Customers::default();
    let router = extractors::router("customers", customers.clone());
    let message = TestMessage::new("customers").key("c-1");
    let name = || customers.names.lock().unwrap().get("c-1").cloned();
    run(&router, message.clone().json(&json!({"name": "Ana"}))).await.unwrap();
    assert_eq!(name().as_deref(), Some("Ana"));
    run(&router, message.clone()).await.unwrap();
    assert_eq!(name(), None, "a tombstone");
    assert!(run(&router, TestMessage::new("customers")).await.is_err(), "without a key");
    run(&router, message.clone().header("Message-Type", "Customers.Picture").value("12345")).await.unwrap();
    run(&router, message.header("Message-Type", "Customers.Other")).await.unwrap();
    let counts = (customers.picture_bytes.load(Ordering::Relaxed), customers.others.load(Ordering::Relaxed));
    assert_eq!(counts, (5, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn extractors_take_bytes_messages_and_optional_values() {
    let (topic, customers) = (unique("customers"), extractors::Customers::default());
    kafka().create_topic(&topic, 1).await;
    let picture: (&str, &[u8]) = ("Message-Type", b"Customers.Picture");
    let other: (&str, &[u8]) = ("Message-Type", b"Customers.Other");
    kafka().send(&topic, b"c-1", br#"{"name":"Ana"}"#, &[]).await;
    kafka().send(&topic, b"c-1", b"12345", &[picture]).await;
    kafka().send(&topic, b"c-1", b"{}", &[other]).await;
    let done = wait_for("the customer", DEADLINE, async || {
        let counts =
            (customers.picture_bytes.load(Ordering::Relaxed), customers.others.load(Ordering::Relaxed));
        (counts == (5, 1) && customers.names.lock().unwrap().len() == 1).then_some(())
    });
    extractors::run(kafka().bootstrap(), &topic, customers.clone(), done).await.unwrap();
}

#[tokio::test]
async fn layers_without_a_broker() {
    let (warehouse, calls) = (layers::Warehouse::default(), layers::CountCalls::default());
    let (router, worker) = (layers::router(warehouse.clone(), calls.clone()), TestWorker::new());
    let message = TestMessage::new("reservations").json(&1);
    assert_eq!(worker.run(&router, message.clone()).await, Outcome::Handled);
    warehouse.closed.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        assert_eq!(worker.run(&router, message.clone()).await, Outcome::Retry);
    }
    assert_eq!(worker.run(&router, message).await, Outcome::CircuitOpen);
    let counts = (calls.succeeded.load(Ordering::SeqCst), calls.failed.load(Ordering::SeqCst));
    assert_eq!(counts, (1, 3), "none while the circuit is open");
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrency_limit_bounds_the_calls() {
    let topic = unique("reservations");
    let (warehouse, calls) = (layers::Warehouse::default(), layers::CountCalls::default());
    kafka().create_topic(&topic, 3).await;
    for key in 0..20_u8 {
        kafka().send(&topic, &[key], b"2", &[]).await;
    }
    let done = wait_for("the reservations", DEADLINE, async || {
        (warehouse.reserved.load(Ordering::SeqCst) == 40).then_some(())
    });
    layers::run(kafka().bootstrap(), &topic, warehouse.clone(), calls.clone(), done).await.unwrap();
    let max = warehouse.requests_max.load(Ordering::SeqCst);
    assert!((1..=2).contains(&max), "{max} at the same time");
    assert_eq!(calls.succeeded.load(Ordering::SeqCst), 20);
}

#[tokio::test]
async fn serializers_without_a_broker() {
    let publisher = RecordingPublisher::default();
    let service = serializers::Service::new(publisher.clone(), "test");
    let (measurements, seen) = (service.measurements.clone(), Arc::clone(&service.seen));
    let router = service.router();
    // As a consumer gets what was published last.
    let last = || {
        let sent = publisher.messages().pop().unwrap();
        let message = TestMessage::new(sent.topic).key(sent.key.unwrap()).value(sent.value.unwrap());
        let headers = sent.headers.into_iter();
        headers.fold(message, |message, (name, value)| message.header(name, value.unwrap()))
    };
    let measured = |celsius| serializers::Measured { sensor: "south".to_owned(), celsius };
    measurements.publish(&measured(41.5)).await.unwrap();
    run(&router, last()).await.unwrap();
    let alarm = publisher.messages().pop().unwrap();
    assert_eq!((alarm.topic.as_str(), alarm.value.as_deref()), ("test-alarms", Some(&b"south,41.5"[..])));
    run(&router, last()).await.unwrap();
    let hot = serializers::TooHot { sensor: "south".to_owned(), celsius: 41.5 };
    assert_eq!(*seen.lock().unwrap(), [hot]);
    measurements.publish(&measured(20.0)).await.unwrap();
    run(&router, last()).await.unwrap();
    assert_eq!(publisher.messages().len(), 3, "no alarm");
    assert!(run(&router, last().header("Message-Type", "TooHot").value("south")).await.is_err(), "no comma");
}
