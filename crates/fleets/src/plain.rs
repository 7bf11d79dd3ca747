//! A consumer without the agent: Flowdeck sees its lag and its members, and cannot pause it.

use anyhow::{Context as _, Result};
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::cluster::Cluster;
use crate::plan::Plan;

pub async fn run(cluster: &Cluster, plan: &Plan, stop: CancellationToken) -> Result<()> {
    let consumer: StreamConsumer = cluster
        .consumer()
        .set("group.id", plan.audit_export())
        .set("client.id", "audit-export")
        .set("auto.commit.interval.ms", "1000")
        .create()
        .context("make the plain consumer")?;
    consumer.subscribe(&[&plan.track_deletions()]).context("subscribe the plain consumer")?;
    loop {
        tokio::select! {
            message = consumer.recv() => {
                if let Err(error) = message {
                    debug!(%error, "the plain consumer goes on");
                }
            }
            () = stop.cancelled() => break,
        }
    }
    // Leaving the group waits for the broker.
    let _ = tokio::task::spawn_blocking(move || drop(consumer)).await;
    Ok(())
}
