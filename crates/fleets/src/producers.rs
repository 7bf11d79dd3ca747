//! NovaTune's API and its object store: produce events at a modest, steady rate.

use std::time::Duration;

use anyhow::{Context as _, Result};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use serde::Serialize;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::cluster::Cluster;
use crate::events::{AudioUploaded, ObjectStored, SCHEMA_HEADER, SCHEMA_VERSION, TrackDeleted};
use crate::plan::Plan;

const AUDIO: Duration = Duration::from_millis(250);
const DELETIONS: Duration = Duration::from_millis(1_000);
/// One deletion in so many fails.
const LOCKED_IN: u32 = 25;
/// The object store works in waves of this length: the first part busy, the rest quiet. The slow
/// group handles 2 records a second: it falls some 350 behind, then catches up.
const WAVE: Duration = Duration::from_secs(300);
const BUSY: Duration = Duration::from_secs(90);
const STORED_BUSY: Duration = Duration::from_millis(165);
const STORED_QUIET: Duration = Duration::from_secs(5);

pub async fn run(cluster: &Cluster, plan: &Plan, stop: CancellationToken) -> Result<()> {
    let producer: FutureProducer = cluster
        .client()
        .set("client.id", "novatune-api")
        .set("enable.idempotence", "true")
        .set("queue.buffering.max.messages", "1000")
        .set("message.timeout.ms", "30000")
        .create()
        .context("make the producer of events")?;
    let audio = repeat(&producer, plan.audio_events(), AUDIO, &stop, || {
        let event = AudioUploaded::random();
        (event.track_id.to_string(), event)
    });
    let deletions = repeat(&producer, plan.track_deletions(), DELETIONS, &stop, || {
        let event = TrackDeleted::random(LOCKED_IN);
        (event.track_id.to_string(), event)
    });
    tokio::join!(audio, deletions, waves(&producer, plan.minio_events(), &stop));
    Ok(())
}

async fn repeat<E: Serialize>(
    producer: &FutureProducer,
    topic: String,
    every: Duration,
    stop: &CancellationToken,
    event: impl Fn() -> (String, E),
) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stop.cancelled() => return,
        }
        let (key, event) = event();
        send(producer, &topic, &key, &event);
    }
}

async fn waves(producer: &FutureProducer, topic: String, stop: &CancellationToken) {
    let start = Instant::now();
    loop {
        let event = ObjectStored::random();
        send(producer, &topic, &event.key, &event);
        let into = Duration::from_millis(
            u64::try_from(start.elapsed().as_millis() % WAVE.as_millis()).unwrap_or_default(),
        );
        let wait = if into < BUSY { STORED_BUSY } else { STORED_QUIET };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Queued, not awaited: an event that Kafka does not take in time is lost, as in a demo it may be.
fn send(producer: &FutureProducer, topic: &str, key: &str, event: &impl Serialize) {
    let Ok(value) = serde_json::to_vec(event) else { return };
    let version = SCHEMA_VERSION.to_string();
    let headers = OwnedHeaders::new()
        .insert(Header { key: SCHEMA_HEADER, value: Some(&version) })
        .insert(Header { key: "content-type", value: Some("application/json") });
    let record = FutureRecord::to(topic).key(key).payload(&value).headers(headers);
    if let Err((error, _)) = producer.send_result(record) {
        warn!(topic, %error, "an event was not sent");
    }
}
