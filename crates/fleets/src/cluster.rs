//! How to reach the cluster: an address, and any property of librdkafka's.

use anyhow::{Context as _, Result};
use clap::Args;
use flowdeck_agent::ClientConfig;

#[derive(Debug, Clone, Args)]
pub struct Cluster {
    /// Where Kafka answers: HOST:PORT[,HOST:PORT…]
    #[arg(long, value_name = "HOST:PORT")]
    pub bootstrap: String,
    /// A property of librdkafka's, such as security.protocol=SASL_SSL; may be repeated
    #[arg(long = "property", value_name = "NAME=VALUE", value_parser = property)]
    pub properties: Vec<(String, String)>,
}

pub(crate) fn property(text: &str) -> Result<(String, String)> {
    let (name, value) = text.split_once('=').context("use NAME=VALUE")?;
    Ok((name.trim().to_owned(), value.to_owned()))
}

impl Cluster {
    /// The base of every client: nothing is created by asking for it.
    pub fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap);
        config.set("allow.auto.create.topics", "false");
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        config
    }

    /// The base of an agent's clients: small buffers, since the demo's records are few.
    pub fn consumer(&self) -> ClientConfig {
        let mut config = self.client();
        config
            .set("auto.offset.reset", "earliest")
            .set("queued.min.messages", "1000")
            .set("queued.max.messages.kbytes", "4096");
        config
    }
}
