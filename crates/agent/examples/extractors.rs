//! What else a function may take beside typed values: the bytes, the whole message, and a value that may be missing.
//!
//! `cargo run --example extractors -- localhost:9092`

use std::collections::BTreeMap;
use std::error::Error;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use flowdeck_agent::{Agent, ClientConfig, Context, HandlerError, Json, Message, Raw, Router, State};
use serde::Deserialize;

/// What is known of the customers.
#[derive(Clone, Default)]
pub struct Customers {
    pub names: Arc<Mutex<BTreeMap<String, String>>>,
    pub picture_bytes: Arc<AtomicUsize>,
    pub others: Arc<AtomicUsize>,
}

#[derive(Deserialize)]
pub struct Customer {
    pub name: String,
}

/// Of a compacted topic: the newest value of a key, or `None` for a tombstone.
async fn customer(
    State(customers): State<Customers>,
    customer: Option<Json<Customer>>,
    context: Context,
) -> Result<(), HandlerError> {
    let key = context.key().ok_or_else(|| HandlerError::permanent("a customer without a key"))?;
    let id = String::from_utf8(key.to_vec())?;
    let mut names = customers.names.lock().unwrap_or_else(PoisonError::into_inner);
    match customer {
        Some(Json(customer)) => names.insert(id, customer.name),
        None => names.remove(&id),
    };
    Ok(())
}

/// The value as it is.
async fn picture(State(customers): State<Customers>, Raw(bytes): Raw) {
    customers.picture_bytes.fetch_add(bytes.len(), Ordering::Relaxed);
}

/// The whole message, owned: record, attempt, type and cancellation.
async fn other(State(customers): State<Customers>, message: Message) {
    let record = message.record();
    println!("{:?} at offset {} of {}", message.message_type(), record.offset(), record.topic());
    customers.others.fetch_add(1, Ordering::Relaxed);
}

pub fn router(topic: &str, customers: Customers) -> Router<Customers> {
    Router::new(customers)
        .message("Customers.Picture", picture)
        .message("Customers.Other", other)
        .topic(topic, customer)
}

pub async fn run(
    bootstrap: &str,
    topic: &str,
    customers: Customers,
    stop: impl Future<Output = ()>,
) -> Result<(), Box<dyn Error>> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set("auto.offset.reset", "earliest");
    let agent =
        Agent::builder(config, topic).topics([topic]).handler(router(topic, customers)).start().await?;
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
    run(&bootstrap, "customers", Customers::default(), stop).await
}
