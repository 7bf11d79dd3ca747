//! CloudEvents in binary and structured mode, an extractor of the service's own, and messages of its own.
//!
//! `cargo run --example cloud_events -- localhost:9092`

use std::error::Error;
use std::future::Future;
use std::sync::Arc;

use flowdeck_agent::{
    Agent, ClientConfig, CloudEvent, FromMessage, HandlerError, KafkaPublisher, Message, Outgoing, Publisher,
    Router, State,
};
use serde::Deserialize;

#[derive(Deserialize)]
pub struct Uploaded {
    pub track: String,
}

/// The header `tenant`, which each of the service's messages must have.
pub struct Tenant(pub String);

impl<S> FromMessage<S> for Tenant {
    fn from_message(message: &Message, _: &S) -> Result<Self, HandlerError> {
        let tenant = message.record().header("tenant");
        let tenant = tenant.ok_or_else(|| HandlerError::permanent("the header tenant is missing"))?;
        Ok(Self(String::from_utf8(tenant.to_vec())?))
    }
}

async fn uploaded(
    State(publisher): State<Arc<dyn Publisher>>,
    Tenant(tenant): Tenant,
    event: CloudEvent<Uploaded>,
) -> Result<(), HandlerError> {
    let track = event.data.track;
    let message = Outgoing::to("tracks.indexed").key(track.as_bytes()).value(format!("{tenant}/{track}"));
    publisher.publish(message).await?;
    Ok(())
}

pub fn router(publisher: Arc<dyn Publisher>) -> Router<Arc<dyn Publisher>> {
    Router::new(publisher).message("com.example.track.uploaded", uploaded)
}

pub async fn run(bootstrap: &str, topic: &str, stop: impl Future<Output = ()>) -> Result<(), Box<dyn Error>> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set("auto.offset.reset", "earliest");
    let publisher = Arc::new(KafkaPublisher::new(&config)?);
    let agent = Agent::builder(config, topic).topics([topic]).handler(router(publisher)).start().await?;
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
    run(&bootstrap, "tracks.uploaded", stop).await
}
