//! A service with typed functions: routing by message type, state, a layer, dead letters, workers that share partitions
//! by key, a health page, and an orderly end at Ctrl-C.
//!
//! `cargo run --example orders -- localhost:9092`

use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use flowdeck_agent::{
    Agent, ClientConfig, Context, DeadLetters, Distribution, HandlerError, Json, OnError, OnUnmatched,
    Router, State, Then, TopicSpec,
};
use serde::Deserialize;
use tower::timeout::TimeoutLayer;

/// What the functions share.
#[derive(Clone, Default)]
pub struct Totals {
    pub created: Arc<AtomicU64>,
    pub cents: Arc<AtomicU64>,
}

#[derive(Deserialize)]
pub struct Created {
    pub id: u64,
    pub cents: u64,
}

#[derive(Deserialize)]
pub struct Cancelled {
    pub id: u64,
}

async fn created(
    State(totals): State<Totals>,
    Json(order): Json<Created>,
    context: Context,
) -> Result<(), HandlerError> {
    if order.cents == 0 {
        // No other try would find another price.
        return Err(HandlerError::permanent(format!("order {} costs nothing", order.id)));
    }
    totals.created.fetch_add(1, Ordering::Relaxed);
    totals.cents.fetch_add(order.cents, Ordering::Relaxed);
    println!("order {} (offset {}, attempt {})", order.id, context.offset(), context.attempt());
    Ok(())
}

async fn cancelled(Json(order): Json<Cancelled>) {
    println!("order {} is cancelled", order.id);
}

/// Also what a test calls, without a broker: `flowdeck_agent::testing`.
pub fn router(totals: Totals) -> Router<Totals> {
    Router::new(totals)
        .message("Orders.Created", created)
        .message("Orders.Cancelled", cancelled)
        .on_unmatched(OnUnmatched::Skip)
        .layer(TimeoutLayer::new(Duration::from_secs(10)))
}

pub async fn run(
    bootstrap: &str,
    topic: &str,
    totals: Totals,
    stop: impl Future<Output = ()>,
) -> Result<(), Box<dyn Error>> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set("auto.offset.reset", "earliest");
    let dead_letters = format!("{topic}.dead-letters");
    let agent = Agent::builder(config, topic)
        .topics([topic])
        .create_topics([TopicSpec::new(topic).partitions(3), TopicSpec::new(&*dead_letters)])
        .wait_for_cluster(30, Duration::from_secs(2))
        .workers(8)
        .distribution(Distribution::ByKey)
        .on_error(OnError { then: Then::DeadLetter, ..OnError::default() })
        .dead_letters(DeadLetters::to(dead_letters))
        .handler(router(totals))
        .start()
        .await?;
    agent.ready().await;
    agent.run_until(stop).await?;
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
    run(&bootstrap, "orders", Totals::default(), stop).await
}
