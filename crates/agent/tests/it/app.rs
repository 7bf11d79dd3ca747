//! An app: several consumers and a producer under one builder, on one broker.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use flowdeck_agent::health::{HealthHandle, router};
use flowdeck_agent::producer::{Event, Producer, TopicFields, TopicNaming};
use flowdeck_agent::{
    Agent, AgentError, App, AppError, ClientConfig, Context, HandlerError, Json, Router, State, Timings,
    TopicSpec,
};
use flowdeck_testkit::{DEADLINE, kafka, unique, wait_for};
use serde_json::Value;
use tower::ServiceExt as _;

use crate::common::{a_while, noting, quick, slow};

#[derive(serde::Serialize, serde::Deserialize)]
struct Placed(u32);

#[derive(serde::Serialize, serde::Deserialize)]
struct Paid(u32);

impl Event for Placed {
    const TYPE: &'static str = "Placed";

    fn topic() -> TopicFields {
        TopicFields::new("orders")
    }
}

impl Event for Paid {
    const TYPE: &'static str = "Paid";

    fn topic() -> TopicFields {
        TopicFields::new("payments")
    }
}

type Numbers = Arc<Mutex<Vec<u32>>>;

async fn placed(
    State(producer): State<Producer>,
    Json(Placed(number)): Json<Placed>,
    context: Context,
) -> Result<(), HandlerError> {
    Ok(producer.publish_within(&context, &Paid(number)).await?)
}

async fn paid(State(numbers): State<Numbers>, Json(Paid(number)): Json<Paid>) {
    numbers.lock().unwrap().push(number);
}

fn client() -> ClientConfig {
    let mut config = kafka().client();
    config.set("auto.offset.reset", "earliest").set("session.timeout.ms", "6000");
    config
}

/// With the two topics of its events, `{prefix}.orders` and `{prefix}.payments`.
fn app(prefix: &str, timings: Timings) -> App {
    let spec = |name: &str, partitions| TopicSpec::new(format!("{prefix}.{name}")).partitions(partitions);
    App::new(client())
        .unwrap()
        .naming(TopicNaming::new("{prefix}.{topic}").unwrap().set("prefix", prefix))
        .create_topics([spec("orders", 3), spec("payments", 2)])
        .defaults(|all| all.timings(timings).label("region", "eu-1"))
}

async fn probe(health: HealthHandle, path: &str) -> (u16, Value) {
    let request = axum::http::Request::get(path).body(axum::body::Body::empty()).unwrap();
    let answer = router(health).oneshot(request).await.unwrap();
    let status = answer.status().as_u16();
    let body = axum::body::to_bytes(answer.into_body(), 10_000).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_consumers_handle_records_have_one_health_and_end_together() {
    let (prefix, numbers) = (unique("app"), Numbers::default());
    let [orders, payments] = ["orders", "payments"].map(|name| format!("{prefix}.{name}"));
    let app = app(&prefix, quick());
    let first = Router::new(app.producer()).message("Placed", placed);
    let second = Router::new(Arc::clone(&numbers)).message("Paid", paid);
    let running = app
        .consumer(orders.as_str(), |consumer| consumer.topics([&orders]).workers(3).handler(first))
        .consumer(payments.as_str(), |consumer| {
            consumer.consumer("payments").topics([&payments]).handler(second)
        })
        .start()
        .await
        .unwrap();
    running.ready().await;
    let listed = kafka().topics();
    let partitions = |topic: &str| listed.iter().find(|(name, _)| name == topic).map(|(_, count)| *count);
    assert_eq!((partitions(&orders), partitions(&payments)), (Some(3), Some(2)));

    for number in 1..=20 {
        running.producer().publish(&Placed(number)).await.unwrap();
    }
    let all: Vec<u32> = (1..=20).collect();
    let sorted = || {
        let mut seen = numbers.lock().unwrap().clone();
        seen.sort_unstable();
        seen
    };
    wait_for("all payments", DEADLINE, async || (sorted() == all).then_some(())).await;
    assert_eq!(running.consumer("payments").unwrap().counts().handled, 20);
    assert_eq!(running.producer().counts().published, 40, "those of the handlers count too");

    let health = running.health();
    let (status, json) = probe(health.clone(), "/health").await;
    assert_eq!((status, &json["status"], &json["partitions"]), (200, &"Healthy".into(), &5.into()), "{json}");
    for (name, partitions) in [(&*orders, 3), ("payments", 2)] {
        let part = &json["consumers"][name];
        assert_eq!((&part["status"], &part["partitions"]), (&"Healthy".into(), &partitions.into()), "{json}");
        assert_eq!(part["checks"]["kafka"]["detail"], "connected");
    }
    assert_eq!(probe(health, "/health/live").await.0, 200);

    let producer = running.producer();
    running.stop().await.unwrap();
    producer.publish(&Placed(21)).await.unwrap();
    producer.publish(&Paid(21)).await.unwrap();
    a_while().await;
    assert_eq!(sorted(), all, "both ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn consumer_that_does_not_start_ends_those_that_did() {
    let (prefix, numbers) = (unique("app"), Numbers::default());
    let [orders, payments] = ["orders", "payments"].map(|name| format!("{prefix}.{name}"));
    let first = Router::new(Arc::clone(&numbers)).message("Paid", paid);
    let second = Router::new(Arc::clone(&numbers)).message("Paid", paid);
    let app = app(&prefix, quick())
        .consumer(payments.as_str(), |consumer| consumer.topics([&payments]).handler(first))
        .consumer(orders.as_str(), |consumer| {
            consumer.topics([&orders]).property("no.such.property", "1").handler(second)
        });
    let producer = app.producer();
    let error = app.start().await.err().unwrap();
    let text = format!("consumer {orders:?} of group {orders:?} did not start: no consumer of the app runs");
    assert_eq!(error.to_string(), text);
    let AppError::NotStarted { source, .. } = error else { panic!("{error}") };
    assert!(matches!(*source, AgentError::Client { .. }), "{source}");
    producer.publish(&Paid(1)).await.unwrap();
    wait_for("the end of what handled", DEADLINE, async || (Arc::strong_count(&numbers) == 1).then_some(()))
        .await;
    assert_eq!(*numbers.lock().unwrap(), [0; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_waits_for_all_at_the_same_time_and_names_who_did_not_end() {
    let prefix = unique("app");
    let [orders, payments] = ["orders", "payments"].map(|name| format!("{prefix}.{name}"));
    let limit = Duration::from_secs(2);
    let app = app(&prefix, Timings { shutdown_timeout: limit, ..quick() });
    let producer = app.producer();
    let [(placed, first, _), (paid, second, _)] = [slow(60_000), slow(60_000)];
    let (quick_one, third) = noting(0);
    let running = app
        .consumer(format!("{prefix}.other"), |consumer| consumer.topics([&payments]).handler(third))
        .consumer(orders.as_str(), |consumer| consumer.topics([&orders]).handler(first))
        .consumer(payments.as_str(), |consumer| consumer.topics([&payments]).handler(second))
        .start()
        .await
        .unwrap();
    producer.publish(&Placed(1)).await.unwrap();
    producer.publish(&Paid(1)).await.unwrap();
    for seen in [&placed, &paid, &quick_one] {
        seen.wait_for(1).await;
    }
    let begin = Instant::now();
    let error = running.stop().await.unwrap_err();
    let took = begin.elapsed();
    assert!(took >= limit && took < 2 * limit + Duration::from_secs(1), "{took:?}");
    let AppError::NotStopped { consumer, source, .. } = error else { panic!("{error}") };
    assert_eq!(consumer, orders, "the first one of the two");
    assert!(matches!(*source, AgentError::HandlersRan { .. }), "{source}");
}

#[tokio::test(flavor = "multi_thread")]
async fn app_ends_where_one_of_its_consumers_ended_by_itself() {
    let prefix = unique("app");
    let [orders, payments] = ["orders", "payments"].map(|name| format!("{prefix}.{name}"));
    let app = app(&prefix, quick());
    let producer = app.producer();
    let ([(seen, first), (others, second)], (_, third)) = ([noting(0), noting(0)], noting(0));
    let running = app
        .consumer(payments.as_str(), |consumer| consumer.topics([&payments]).handler(second))
        .consumer(orders.as_str(), |consumer| {
            consumer.topics([&orders]).property("group.instance.id", "one").handler(first)
        })
        .start()
        .await
        .unwrap();
    producer.publish(&Placed(1)).await.unwrap();
    producer.publish(&Paid(1)).await.unwrap();
    seen.wait_for(1).await;
    others.wait_for(1).await;
    let mut config = client();
    config.set("group.instance.id", "one");
    // Kafka ends the member that had the same id before.
    let agent = Agent::builder(config, orders.as_str()).topics([&orders]).timings(quick()).handler(third);
    let agent = agent.start().await.unwrap();
    let error = running.run_until(std::future::pending()).await.unwrap_err();
    let AppError::NotStopped { consumer, source, .. } = error else { panic!("{error}") };
    assert_eq!(consumer, orders);
    assert!(matches!(*source, AgentError::Fatal { .. }), "{source}");
    agent.stop().await.unwrap();
}
