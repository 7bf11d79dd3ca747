//! NovaTune: MinIO tells of uploads, an ingestor makes them events of tracks, processors work on tracks and deletions.

pub mod events;

use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::Router as HttpRouter;
use flowdeck_agent::producer::{Correlation, Producer, TopicNaming};
use flowdeck_agent::{
    Agent, AgentBuilder, Context, DeadLetters, HandlerError, Json, KafkaPublisher, OnError, OnUnmatched,
    Outgoing, Publisher as _, Router, State, Then, TopicSpec,
};
use tracing::{debug, info, warn};

use super::{Runtime, managed, sources};
use crate::events::ObjectStored;
use crate::services::Troubles;
use events::{AudioUploaded, MinioEvent, TrackDeleted};

const UPLOADS: Duration = Duration::from_millis(500);
const DELETIONS: Duration = Duration::from_millis(400);
/// As the hosted service starts its bus: 30 tries, 2 s apart.
const TRIES: u32 = 30;
const APART: Duration = Duration::from_secs(2);
/// What the lifecycle worker asks of the client.
const LIFECYCLE: [(&str, &str); 3] =
    [("session.timeout.ms", "45000"), ("socket.timeout.ms", "30000"), ("reconnect.backoff.ms", "1000")];

#[derive(Clone)]
struct Service {
    runtime: Runtime,
    prefix: String,
}

pub async fn start(runtime: &Runtime) -> Result<HttpRouter> {
    let prefix = runtime.settings.topic_prefix.clone().unwrap_or_else(|| "dev".to_owned());
    let service = Service { runtime: runtime.clone(), prefix };
    let publisher = KafkaPublisher::new(&runtime.client()).context("make the producer")?;
    let producer = Producer::new(publisher.clone(), TopicNaming::prefixed(service.prefix.as_str()));

    let audio = service.agent("audio-processor", "audio-events", 100, 3, &[]);
    let audio =
        audio.create_topics(service.topics()).handler(Router::new(()).message("AudioUploaded", uploaded));
    managed::untroubled(runtime, audio.start().await.context("start the audio processor")?);

    let deletions = service.clone();
    let start = move || deletions.clone().deletions();
    managed::troubled(runtime, Box::new(start)).await.context("start the deletion processor")?;

    let lifecycle = service.agent("lifecycle-worker", "track-deletions", 100, 2, &LIFECYCLE);
    // What is no deletion it leaves to others.
    let router = Router::new(()).message("TrackDeleted", forget).on_unmatched(OnUnmatched::Skip);
    let lifecycle = lifecycle.handler(router);
    managed::untroubled(runtime, lifecycle.start().await.context("start the lifecycle worker")?);

    let ingestor = service.agent("upload-ingestor", "minio-events", 100, 1, &[]);
    let ingestor = ingestor.handler(Router::new(producer.clone()).fallback(ingest));
    managed::untroubled(runtime, ingestor.start().await.context("start the upload ingestor")?);

    service.produce(&producer, &publisher);
    Ok(HttpRouter::new())
}

impl Service {
    fn named(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }

    fn topics(&self) -> Vec<TopicSpec> {
        let spec = |name, partitions| TopicSpec::new(self.named(name)).partitions(partitions).replication(1);
        let letters = ["audio-events.dlq", "track-deletions.dlq", "minio-events.dlq"];
        let own = [spec("audio-events", 3), spec("track-deletions", 3), spec("minio-events", 1)];
        own.into_iter().chain(letters.map(|name| spec(name, 1))).collect()
    }

    /// The handler rethrows; retries and then dead letters decide.
    fn agent(
        &self,
        group: &str,
        topic: &str,
        buffer: usize,
        workers: usize,
        own: &[(&str, &str)],
    ) -> AgentBuilder {
        let policy = OnError {
            retries: 3,
            backoff: Duration::from_millis(500),
            backoff_max: Duration::from_secs(5),
            jitter: true,
            then: Then::DeadLetter,
        };
        Agent::builder(self.runtime.consumer(own), self.named(group))
            .topics([self.named(topic)])
            .buffer(buffer)
            .workers(workers)
            .wait_for_cluster(TRIES, APART)
            .on_error(policy)
            .dead_letters(DeadLetters::to(self.named(&format!("{topic}.dlq"))))
            .timings(self.runtime.timings())
    }

    fn deletions(self) -> futures::future::BoxFuture<'static, Result<managed::Stop>> {
        Box::pin(async move {
            let agent = self.agent("deletion-processor", "track-deletions", 50, 2, &[]);
            // By topic too, so that a record without its type is told of as what it is.
            let topic = self.named("track-deletions");
            let router = Router::new(self.runtime.troubles.clone()).topic(topic, deleted);
            Ok(managed::stop_of(agent.handler(router).start().await?))
        })
    }

    /// MinIO, the API, and troubles.
    fn produce(&self, producer: &Producer, publisher: &KafkaPublisher) {
        let (minio, topic) = (publisher.clone(), self.named("minio-events"));
        self.runtime.every(UPLOADS, move || {
            let event = ObjectStored::random();
            let value = serde_json::to_vec(&event).unwrap_or_default();
            let (minio, message) = (minio.clone(), Outgoing::to(&topic).key(event.key).value(value));
            async move {
                if let Err(error) = minio.publish(message).await {
                    warn!("MinIO's event was not written: {error}");
                }
            }
        });
        let api = producer.clone();
        self.runtime.every(DELETIONS, move || {
            let (event, api) = (TrackDeleted::random(), api.clone());
            async move {
                let correlation = Correlation::with_id(event.correlation_id.as_str()).traced();
                api.correlated(correlation).publish_or_log(&event).await;
            }
        });
        let deletions = self.named("track-deletions");
        sources::poison_records(&self.runtime, publisher.clone(), deletions.clone(), sources::POISON);
        sources::rebalance_storm(&self.runtime, self.named("deletion-processor"), deletions.clone());
        let one = TrackDeleted::random();
        sources::hot_key(&self.runtime, publisher.clone(), move || {
            Outgoing::to(&deletions)
                .key(one.track_id.to_string())
                .header("Message-Type", "TrackDeleted")
                .header("schema-version", "2")
                .value(serde_json::to_vec(&one).unwrap_or_default())
        });
    }
}

async fn uploaded(Json(event): Json<AudioUploaded>) {
    tokio::time::sleep(Duration::from_millis(20)).await;
    info!(track = %event.track_id, correlation = event.correlation_id, "processed");
}

/// Removes the object once its time has come.
async fn deleted(
    Json(event): Json<TrackDeleted>,
    State(troubles): State<Troubles>,
    context: Context,
) -> Result<(), HandlerError> {
    troubles.in_handler(context.cancellation()).await?;
    tokio::time::sleep(Duration::from_millis(20)).await;
    if event.scheduled_deletion_at < event.deleted_at {
        return Err("it would be deleted before its grace period".into());
    }
    info!(track = %event.track_id, at = event.scheduled_deletion_at, "its deletion is scheduled");
    Ok(())
}

/// Invalidates what is cached of the track.
async fn forget(Json(event): Json<TrackDeleted>) {
    debug!(track = %event.track_id, user = %event.user_id, "the cache is without it");
}

/// The event of the object store becomes one of NovaTune's, with its correlation id.
async fn ingest(
    Json(event): Json<MinioEvent>,
    State(producer): State<Producer>,
    context: Context,
) -> Result<(), HandlerError> {
    let correlation = Correlation::of(&context).traced();
    let Some(uploaded) = event.uploaded(correlation.id()) else {
        return Err(HandlerError::permanent("the object is no track of a user"));
    };
    Ok(producer.correlated(correlation).publish(&uploaded).await?)
}
