//! NovaTune's two consumers with their settings, and two more services of the same make: all on
//! `flowdeck-agent`, as a service would use it.

use std::time::Duration;

use anyhow::{Context as _, Result};
use flowdeck_agent::{
    Agent, Delivery, Handler, HandlerError, OnError, Record, Running, Then, Timings, async_trait,
};
use tracing::debug;

use crate::cluster::Cluster;
use crate::events::{AudioUploaded, SCHEMA_HEADER, SCHEMA_VERSION, TrackDeleted};
use crate::plan::Plan;

/// Short, so that the demo ends within 5 s of Ctrl-C.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

pub async fn start(cluster: &Cluster, plan: &Plan) -> Result<Vec<Running>> {
    let mut running = vec![];
    for number in 1..=2 {
        running.push(audio(cluster, plan, number).await.context("start the audio processor")?);
    }
    running.push(deletions(cluster, plan).await.context("start the deletion processor")?);
    running.push(storage(cluster, plan).await.context("start the storage indexer")?);
    running.push(search(cluster, plan).await.context("start the search indexer")?);
    Ok(running)
}

fn timings() -> Timings {
    Timings { shutdown_timeout: SHUTDOWN_TIMEOUT, ..Timings::default() }
}

fn instance(service: &str, number: u32) -> String {
    format!("{service}-{number}-{}", std::process::id())
}

async fn audio(cluster: &Cluster, plan: &Plan, number: u32) -> Result<Running> {
    let mut config = cluster.consumer();
    config.set("session.timeout.ms", "30000");
    let agent = Agent::builder(config, plan.audio_processor().as_str())
        .consumer(plan.audio_processor())
        .topics([plan.audio_events()])
        .workers(3)
        .buffer(100)
        .instance(instance("novatune-audio", number))
        .timings(timings())
        .handler(AudioHandler);
    Ok(agent.start().await?)
}

/// Extracts what an upload tells; takes 20 ms on average.
struct AudioHandler;

#[async_trait]
impl Handler for AudioHandler {
    async fn handle(&self, record: Delivery<'_>) -> Result<(), HandlerError> {
        check_schema(&record)?;
        let event: AudioUploaded = serde_json::from_slice(record.value().unwrap_or_default())?;
        tokio::time::sleep(varying(&record, 20)).await;
        debug!(track = %event.track_id, "analysed");
        Ok(())
    }
}

async fn deletions(cluster: &Cluster, plan: &Plan) -> Result<Running> {
    let mut config = cluster.consumer();
    config.set("session.timeout.ms", "30000").set("partition.assignment.strategy", "cooperative-sticky");
    // NovaTune's handler rethrows: retries come first, then the record is given up.
    let policy = OnError {
        retries: 3,
        backoff: Duration::from_millis(250),
        backoff_max: Duration::from_secs(2),
        jitter: true,
        then: Then::Skip,
    };
    let agent = Agent::builder(config, plan.deletion_processor().as_str())
        .consumer(plan.deletion_processor())
        .topics([plan.track_deletions()])
        .workers(2)
        .buffer(50)
        .instance(instance("novatune-deletions", 1))
        .on_error(policy)
        .timings(timings())
        .handler(DeletionHandler);
    Ok(agent.start().await?)
}

/// Removes a track's object; fails where that is locked.
struct DeletionHandler;

#[async_trait]
impl Handler for DeletionHandler {
    async fn handle(&self, record: Delivery<'_>) -> Result<(), HandlerError> {
        check_schema(&record)?;
        let event: TrackDeleted = serde_json::from_slice(record.value().unwrap_or_default())?;
        tokio::time::sleep(varying(&record, 30)).await;
        if event.object_locked {
            return Err("the object store answered 409: the object is locked".into());
        }
        Ok(())
    }
}

async fn storage(cluster: &Cluster, plan: &Plan) -> Result<Running> {
    let agent = Agent::builder(cluster.consumer(), plan.storage_indexer().as_str())
        .consumer("storage-indexer")
        .topics([plan.minio_events()])
        .workers(1)
        .buffer(20)
        .instance(instance("novatune-storage", 1))
        .timings(timings())
        .handler(Slow(500));
    Ok(agent.start().await?)
}

async fn search(cluster: &Cluster, plan: &Plan) -> Result<Running> {
    let mut config = cluster.consumer();
    config.set("group.protocol", "consumer");
    let agent = Agent::builder(config, plan.search_indexer().as_str())
        .consumer("search-indexer")
        .topics([plan.audio_events(), plan.track_deletions()])
        .workers(2)
        .buffer(100)
        .instance(instance("novatune-search", 1))
        .timings(timings())
        .handler(Slow(10));
    Ok(agent.start().await?)
}

/// Takes its time with each record: so many milliseconds on average.
struct Slow(u64);

#[async_trait]
impl Handler for Slow {
    async fn handle(&self, record: Delivery<'_>) -> Result<(), HandlerError> {
        tokio::time::sleep(varying(&record, self.0)).await;
        Ok(())
    }
}

/// From nothing to twice the mean, by the record: real work never takes the same time twice.
fn varying(record: &Record, mean_ms: u64) -> Duration {
    let spread = record.offset().unsigned_abs().wrapping_mul(7_919) % (2 * mean_ms + 1);
    Duration::from_millis(spread)
}

fn check_schema(record: &Record) -> Result<(), HandlerError> {
    let version = record.header(SCHEMA_HEADER).and_then(|value| std::str::from_utf8(value).ok());
    match version.and_then(|version| version.parse::<u32>().ok()) {
        Some(SCHEMA_VERSION) => Ok(()),
        _ => Err(format!("the {SCHEMA_HEADER} header is not {SCHEMA_VERSION}").into()),
    }
}

#[cfg(test)]
mod tests {
    /// 7,919 shares no divisor with the number of steps, so that each comes once before one comes again.
    #[test]
    fn the_handlers_times_are_spread_evenly_about_their_mean() {
        for mean in [10, 20, 30, 500_u64] {
            let steps = 2 * mean + 1;
            let mut times: Vec<u64> = (0..steps).map(|offset| offset * 7_919 % steps).collect();
            times.sort_unstable();
            assert_eq!(times, (0..steps).collect::<Vec<_>>());
        }
    }
}
