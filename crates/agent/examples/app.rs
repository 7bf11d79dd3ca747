//! A service with two consumers under one builder: topics that are created, a producer whose events go from one consumer to
//! the other, settings for both, one health page, and an orderly end of both at Ctrl-C.
//!
//! `cargo run --example app -- localhost:9092`

use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use flowdeck_agent::producer::{Event, Producer, TopicFields, TopicNaming};
use flowdeck_agent::{
    App, ClientConfig, Context, DeadLetters, HandlerError, Json, OnError, Router, State, Then, TopicSpec,
    health,
};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tower::timeout::TimeoutLayer;

#[derive(Serialize, Deserialize)]
pub struct OrderPlaced {
    pub id: u64,
    pub cents: u64,
}

impl Event for OrderPlaced {
    const TYPE: &'static str = "OrderPlaced";

    fn topic() -> TopicFields {
        TopicFields::new("orders")
    }

    fn key(&self) -> Option<String> {
        Some(self.id.to_string())
    }
}

#[derive(Serialize, Deserialize)]
pub struct InvoiceDue {
    pub order: u64,
    pub cents: u64,
}

impl Event for InvoiceDue {
    const TYPE: &'static str = "InvoiceDue";

    fn topic() -> TopicFields {
        TopicFields::new("invoices")
    }

    fn key(&self) -> Option<String> {
        Some(self.order.to_string())
    }
}

/// What was invoiced.
#[derive(Clone, Default)]
pub struct Accounts {
    pub cents: Arc<AtomicU64>,
}

async fn placed(
    State(producer): State<Producer>,
    Json(order): Json<OrderPlaced>,
    context: Context,
) -> Result<(), HandlerError> {
    let due = InvoiceDue { order: order.id, cents: order.cents };
    // With the correlation id and the trace of the order.
    Ok(producer.publish_within(&context, &due).await?)
}

async fn invoice(State(accounts): State<Accounts>, Json(due): Json<InvoiceDue>) -> Result<(), HandlerError> {
    if due.cents == 0 {
        return Err(HandlerError::permanent(format!("order {} costs nothing", due.order)));
    }
    accounts.cents.fetch_add(due.cents, Ordering::Relaxed);
    Ok(())
}

pub fn orders(producer: Producer) -> Router<Producer> {
    let limit = TimeoutLayer::new(Duration::from_secs(10));
    Router::new(producer).message(OrderPlaced::TYPE, placed).layer(limit)
}

pub fn invoices(accounts: Accounts) -> Router<Accounts> {
    Router::new(accounts).message(InvoiceDue::TYPE, invoice)
}

pub async fn run(
    bootstrap: &str,
    prefix: &str,
    accounts: Accounts,
    probes: TcpListener,
    stop: impl Future<Output = ()>,
) -> Result<(), Box<dyn Error>> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set("auto.offset.reset", "earliest");
    let [topic, due, letters] = ["orders", "invoices", "dead-letters"].map(|name| format!("{prefix}.{name}"));
    let app = App::new(config)?
        .naming(TopicNaming::new("{prefix}.{topic}")?.set("prefix", prefix))
        .create_topics([&topic, &due].map(|name| TopicSpec::new(name).partitions(3)))
        .create_topics([TopicSpec::new(&letters)])
        .wait_for_cluster(30, Duration::from_secs(2))
        .defaults(|consumer| {
            consumer
                .workers(4)
                .on_error(OnError { then: Then::DeadLetter, ..OnError::default() })
                .dead_letters(DeadLetters::to(&letters))
                .label("version", env!("CARGO_PKG_VERSION"))
        });
    let producer = app.producer();
    let running = app
        .consumer(topic.as_str(), |consumer| consumer.topics([&topic]).handler(orders(producer)))
        .consumer(due.as_str(), |consumer| consumer.topics([&due]).workers(1).handler(invoices(accounts)))
        .start()
        .await?;
    // /health, /health/ready and /health/live, of both consumers.
    let routes = health::router(running.health());
    let server = tokio::spawn(async move { axum::serve(probes, routes).await });
    running.ready().await;
    running.run_until(stop).await?;
    server.abort();
    Ok(())
}

#[tokio::main]
#[allow(dead_code)]
async fn main() -> Result<(), Box<dyn Error>> {
    let bootstrap = std::env::args().nth(1).unwrap_or_else(|| "localhost:9092".to_owned());
    let stop = async {
        // Without a handler for the signal there is nothing to wait for.
        let _ = tokio::signal::ctrl_c().await;
    };
    let probes = TcpListener::bind("127.0.0.1:8080").await?;
    run(&bootstrap, "shop", Accounts::default(), probes, stop).await
}
