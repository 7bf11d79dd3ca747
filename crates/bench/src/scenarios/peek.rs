//! The newest 50 messages over 20 partitions, by the API.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::Context;
use crate::figure::Figure;
use crate::server::Server;

const PARTITIONS: i32 = 20;
const RECORDS: usize = 200;
const SAMPLES: usize = 300;
const LIMIT: Duration = Duration::from_millis(100);
const TOPIC: &str = "bench-messages";

pub(super) async fn run(context: &Context) -> Result<Vec<Figure>> {
    context.kafka.create_topic(TOPIC, PARTITIONS).await;
    let value = format!("{{\"note\":\"{}\"}}", "x".repeat(300));
    let partitions = (0..PARTITIONS).flat_map(|partition| std::iter::repeat_n(partition, RECORDS));
    context.kafka.produce_at(TOPIC, partitions.map(|partition| (partition, &value))).await;
    let mut server = Server::start(&context.server, context.kafka.bootstrap())?;
    let path = format!("/kafkaflow/api/v1/clusters/bench/topics/{TOPIC}/messages?limit=50");
    server.wait_ok(&path).await?;
    let shown = server.json(&path).await?["records"].as_array().map(Vec::len);
    ensure!(shown == Some(50), "{shown:?} records are shown, not 50");
    let mut samples = Vec::with_capacity(SAMPLES);
    for _ in 0..SAMPLES {
        samples.push(server.first_byte(&path).await?);
    }
    Ok(vec![Figure::p95("newest 50 messages over 20 partitions, p95", samples, LIMIT)?])
}
