//! The trait underneath: it copies nothing, and sees all of a record.
//!
//! `cargo run --example whole_record -- localhost:9092`

use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flowdeck_agent::{Agent, ClientConfig, Delivery, Handler, HandlerError, async_trait};

#[derive(Clone, Default)]
pub struct Bytes(pub Arc<AtomicU64>);

#[async_trait]
impl Handler for Bytes {
    async fn handle(&self, record: Delivery<'_>) -> Result<(), HandlerError> {
        let bytes = record.value().map_or(0, <[u8]>::len);
        self.0.fetch_add(u64::try_from(bytes)?, Ordering::Relaxed);
        Ok(())
    }
}

pub async fn run(
    bootstrap: &str,
    topic: &str,
    bytes: Bytes,
    stop: impl Future<Output = ()>,
) -> Result<(), Box<dyn Error>> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set("auto.offset.reset", "earliest");
    let agent = Agent::builder(config, topic).topics([topic]).workers(3).handler(bytes).start().await?;
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
    run(&bootstrap, "records", Bytes::default(), stop).await
}
