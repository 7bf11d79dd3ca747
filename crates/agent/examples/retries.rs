//! A service that calls another one, which may be down: retry topics with delays, a circuit breaker, dead letters, and a
//! client that blocks its thread.
//!
//! `cargo run --example retries -- localhost:9092`

use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use flowdeck_agent::{
    Agent, CircuitBreaker, ClientConfig, Context, DeadLetters, HandlerError, Json, OnError, RetryTopics,
    Router, State, Then, TopicSpec,
};

/// A client without async.
#[derive(Clone, Default)]
pub struct Bank {
    pub charged: Arc<AtomicU64>,
}

impl Bank {
    fn charge(&self, cents: u64, attempt: u32) -> Result<(), String> {
        std::thread::sleep(Duration::from_millis(5));
        match cents {
            // A card that is never covered, and one that is at the second try.
            0 => Err("the card is not covered".to_owned()),
            1 if attempt == 1 => Err("the bank does not respond".to_owned()),
            _ => {
                self.charged.fetch_add(cents, Ordering::Relaxed);
                Ok(())
            }
        }
    }
}

async fn charge(
    State(bank): State<Bank>,
    Json(cents): Json<u64>,
    context: Context,
) -> Result<(), HandlerError> {
    if let Some(origin) = context.origin() {
        println!("try {} of offset {} of {}", context.attempt(), origin.offset(), origin.topic());
    }
    Ok(bank.charge(cents, context.attempt())?)
}

pub async fn run(
    bootstrap: &str,
    topic: &str,
    delay: Duration,
    bank: Bank,
    stop: impl Future<Output = ()>,
) -> Result<(), Box<dyn Error>> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set("auto.offset.reset", "earliest");
    let [soon, later, letters] = ["retry-1", "retry-2", "dead-letters"].map(|name| format!("{topic}.{name}"));
    let day = Duration::from_secs(24 * 3600);
    let topics = [&soon, &later, &letters].map(|name| TopicSpec::new(name).retention(7 * day));
    let agent = Agent::builder(config, topic)
        .topics([topic])
        .create_topics(topics.into_iter().chain([TopicSpec::new(topic).partitions(3)]))
        .workers(4)
        .thread_per_worker()
        .on_error(OnError { retries: 0, then: Then::DeadLetter, ..OnError::default() })
        .retry_topics(RetryTopics::new().topic(soon, delay).topic(later, 10 * delay))
        .dead_letters(DeadLetters::to(letters))
        .circuit_breaker(CircuitBreaker::new(20, Duration::from_secs(30)))
        .label("region", "eu-1")
        .handler(Router::new(bank).topic(topic, charge))
        .start()
        .await?;
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
    run(&bootstrap, "charges", Duration::from_secs(60), Bank::default(), stop).await
}
