//! Layers around functions: a limit of concurrency, a circuit breaker, and one of the service's own.
//!
//! `cargo run --example layers -- localhost:9092`

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use flowdeck_agent::{
    Agent, CircuitBreaker, ClientConfig, Distribution, HandlerError, Json, Message, Router, State,
};
use tower::limit::ConcurrencyLimitLayer;
use tower::{Layer, Service};

/// A warehouse that takes two requests at the same time, and may be closed.
#[derive(Clone, Default)]
pub struct Warehouse {
    pub closed: Arc<AtomicBool>,
    pub reserved: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
    pub requests_max: Arc<AtomicUsize>,
}

async fn reserve(State(warehouse): State<Warehouse>, Json(pieces): Json<usize>) -> Result<(), HandlerError> {
    if warehouse.closed.load(Ordering::SeqCst) {
        return Err(HandlerError::retry("the warehouse is closed"));
    }
    let requests = warehouse.requests.fetch_add(1, Ordering::SeqCst) + 1;
    warehouse.requests_max.fetch_max(requests, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(5)).await;
    warehouse.requests.fetch_sub(1, Ordering::SeqCst);
    warehouse.reserved.fetch_add(pieces, Ordering::SeqCst);
    Ok(())
}

/// The layer: counts the calls of the functions that it is around.
#[derive(Clone, Default)]
pub struct CountCalls {
    pub succeeded: Arc<AtomicUsize>,
    pub failed: Arc<AtomicUsize>,
}

impl<S> Layer<S> for CountCalls {
    type Service = CountedCalls<S>;

    fn layer(&self, inner: S) -> CountedCalls<S> {
        CountedCalls { inner, counts: self.clone() }
    }
}

/// One function with the layer around it.
#[derive(Clone)]
pub struct CountedCalls<S> {
    inner: S,
    counts: CountCalls,
}

impl<S> Service<Message> for CountedCalls<S>
where
    S: Service<Message, Response = (), Error: 'static, Future: Send + 'static>,
{
    type Response = ();
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<(), S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, message: Message) -> Self::Future {
        let (call, counts) = (self.inner.call(message), self.counts.clone());
        Box::pin(async move {
            let called = call.await;
            let count = if called.is_ok() { &counts.succeeded } else { &counts.failed };
            count.fetch_add(1, Ordering::SeqCst);
            called
        })
    }
}

/// The layer named last is the outermost one: while the circuit is open, nothing is called and nothing is counted.
pub fn router(warehouse: Warehouse, calls: CountCalls) -> Router<Warehouse> {
    Router::new(warehouse)
        .fallback(reserve)
        .layer(calls)
        .layer(ConcurrencyLimitLayer::new(2))
        .layer(CircuitBreaker::new(3, Duration::from_secs(30)))
}

pub async fn run(
    bootstrap: &str,
    topic: &str,
    warehouse: Warehouse,
    calls: CountCalls,
    stop: impl Future<Output = ()>,
) -> Result<(), Box<dyn Error>> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set("auto.offset.reset", "earliest");
    let agent = Agent::builder(config, topic)
        .topics([topic])
        .workers(8)
        .distribution(Distribution::ByKey)
        .handler(router(warehouse, calls))
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
    run(&bootstrap, "reservations", Warehouse::default(), CountCalls::default(), stop).await
}
