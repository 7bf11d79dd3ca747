//! Typed events to topics that a pattern names, as JSON or CloudEvents, with what a trace needs.
//!
//! ```
//! use flowdeck_agent::producer::{Event, Producer, TopicFields, TopicNaming};
//! use flowdeck_agent::testing::RecordingPublisher;
//!
//! #[derive(serde::Serialize)]
//! struct TrackDeleted {
//!     track_id: String,
//! }
//!
//! impl Event for TrackDeleted {
//!     const TYPE: &'static str = "TrackDeleted";
//!     const SCHEMA_VERSION: Option<&'static str> = Some("2");
//!
//!     fn topic() -> TopicFields {
//!         TopicFields::new("track-deletions")
//!     }
//!
//!     fn key(&self) -> Option<String> {
//!         Some(self.track_id.clone())
//!     }
//! }
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let sent = RecordingPublisher::default();
//! let producer = Producer::new(sent.clone(), TopicNaming::prefixed("dev"));
//! producer.publish(&TrackDeleted { track_id: "t-1".into() }).await?;
//! assert_eq!(sent.messages()[0].topic, "dev-track-deletions");
//! # Ok(()) }
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(run()).unwrap();
//! ```

mod correlation;
mod key;
mod naming;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use flowdeck_model::Timestamp;
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use crate::message::Context;
use crate::publish::{Outgoing, PublishError, Publisher, PublisherMetrics};

pub use correlation::Correlation;
pub use naming::{NamingError, TopicFields, TopicNaming, environment};

/// One kind of message.
pub trait Event: Serialize + Sync {
    /// By which consumers choose a handler: the header `Message-Type`, or a CloudEvent's `type`.
    const TYPE: &'static str;
    /// The header `schema-version`.
    const SCHEMA_VERSION: Option<&'static str> = None;

    /// The field that is the key, by its name in the event's JSON; of a nested one the names with dots between, such as
    /// `track.id`. A text, a number or a truth value. In place of [`Event::key`].
    const KEY_FIELD: Option<&'static str> = None;

    /// Of the pattern that names topics.
    fn topic() -> TopicFields;

    /// By which Kafka chooses the partition: events of one key stay in their order. None by default; as a rule one of
    /// the event's fields. As a CloudEvent it is the attribute `partitionkey` too.
    fn key(&self) -> Option<String> {
        None
    }
}

/// What a value looks like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventFormat {
    /// The event as JSON; its type is in the header `Message-Type`. The default.
    #[default]
    Json,
    /// A CloudEvent 1.0 in binary mode: the event as JSON, the attributes in headers `ce_…`.
    CloudEventsBinary {
        /// The attribute `source`, such as `urn:momentum:sales-api`.
        source: String,
    },
    /// A CloudEvent 1.0 in structured mode: attributes and data in the value.
    CloudEventsStructured {
        /// The attribute `source`.
        source: String,
    },
}

/// An event was not published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EventError {
    /// Its topic has no name.
    #[error("the event {event} has no topic")]
    Naming {
        /// Its type.
        event: &'static str,
        /// Why.
        #[source]
        source: NamingError,
    },
    /// Its field that is the key ([`Event::KEY_FIELD`]) is missing, null, a list or an object.
    #[error(
        "the event {event} has no key: its field {field} is neither a text nor a number nor a truth value"
    )]
    Key {
        /// Its type.
        event: &'static str,
        /// By its name in JSON.
        field: &'static str,
    },
    /// It is no JSON.
    #[error("the event {event} could not be written as JSON")]
    Json {
        /// Its type.
        event: &'static str,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// Kafka did not take it in time, or nobody knows whether it did.
    #[error(transparent)]
    Publish(#[from] PublishError),
}

/// How often it published, since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProducerCounts {
    /// Acknowledged by Kafka.
    pub published: u64,
    /// Not acknowledged, or not even sent.
    pub failed: u64,
    /// From the call to Kafka's acknowledgement, in all.
    pub acknowledged_in: Duration,
    /// The longest of these.
    pub slowest: Duration,
}

/// Publishes events; cheap to clone.
#[derive(Clone)]
pub struct Producer {
    publisher: Arc<dyn Publisher>,
    naming: TopicNaming,
    format: EventFormat,
    topics: Arc<BTreeMap<String, String>>,
    correlation: Option<Correlation>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    published: AtomicU64,
    failed: AtomicU64,
    micros: AtomicU64,
    slowest: AtomicU64,
}

impl std::fmt::Debug for Producer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Producer")
            .field("naming", &self.naming)
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

impl Producer {
    /// JSON by default; see [`Producer::format`]. Through [`crate::KafkaPublisher`], or in a test through
    /// [`crate::testing::RecordingPublisher`].
    pub fn new(publisher: impl Publisher, naming: TopicNaming) -> Self {
        let publisher = Arc::new(publisher);
        let (format, topics, counts) = (EventFormat::Json, Arc::default(), Arc::default());
        Self { publisher, naming, format, topics, correlation: None, counts }
    }

    /// What values look like; [`EventFormat::Json`] unless told otherwise.
    #[must_use]
    pub fn format(mut self, format: EventFormat) -> Self {
        self.format = format;
        self
    }

    /// Topics by the types of events ([`Event::TYPE`]), in place of what the pattern names; none unless told.
    #[must_use]
    pub fn topics(mut self, topics: BTreeMap<String, String>) -> Self {
        self.topics = Arc::new(topics);
        self
    }

    /// The same producer, whose events carry this correlation id and trace: those of a request, or of the message that
    /// is being handled. It counts with the one that it was made of.
    #[must_use]
    pub fn correlated(&self, correlation: Correlation) -> Self {
        Self { correlation: Some(correlation), ..self.clone() }
    }

    /// Returns once Kafka has it. It begins a correlation of its own unless it was told one ([`Producer::correlated`]);
    /// where a handler publishes, use [`Producer::publish_within`].
    ///
    /// # Errors
    /// Where the topic has no name, the event is no JSON, or Kafka did not take it.
    pub async fn publish<E: Event>(&self, event: &E) -> Result<(), EventError> {
        self.send(event, self.correlation.clone().unwrap_or_default().headers()).await
    }

    /// The same, with the correlation id and the W3C trace context of the message that is being handled.
    ///
    /// # Errors
    /// As [`Producer::publish`].
    pub async fn publish_within<E: Event>(&self, context: &Context, event: &E) -> Result<(), EventError> {
        self.send(event, Correlation::of(context).headers()).await
    }

    /// For events without which the work goes on: a failure is logged and counted, and no error.
    pub async fn publish_or_log<E: Event>(&self, event: &E) {
        if let Err(error) = self.publish(event).await {
            tracing::warn!(event = E::TYPE, %error, cause = error.source_text(), "an event was not published");
        }
    }

    /// Since it was made; clones count together.
    pub fn counts(&self) -> ProducerCounts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let counts = &self.counts;
        ProducerCounts {
            published: read(&counts.published),
            failed: read(&counts.failed),
            acknowledged_in: Duration::from_micros(read(&counts.micros)),
            slowest: Duration::from_micros(read(&counts.slowest)),
        }
    }

    /// Of the Kafka client: rate, queue, times of sending and acknowledgement. `None` where there is none, or nothing was
    /// measured yet.
    pub fn metrics(&self) -> Option<PublisherMetrics> {
        self.publisher.metrics()
    }

    async fn send<E: Event>(&self, event: &E, headers: Vec<(String, String)>) -> Result<(), EventError> {
        let began = Instant::now();
        let sent = match self.outgoing(event, headers) {
            Ok(message) => self.publisher.publish(message).await.map_err(EventError::from),
            Err(error) => Err(error),
        };
        match &sent {
            Ok(()) => {
                let took = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
                self.counts.published.fetch_add(1, Ordering::Relaxed);
                self.counts.micros.fetch_add(took, Ordering::Relaxed);
                self.counts.slowest.fetch_max(took, Ordering::Relaxed);
            }
            Err(_) => drop(self.counts.failed.fetch_add(1, Ordering::Relaxed)),
        }
        sent
    }

    fn outgoing<E: Event>(&self, event: &E, headers: Vec<(String, String)>) -> Result<Outgoing, EventError> {
        let named = self.topics.get(E::TYPE).cloned().map_or_else(|| self.naming.name(&E::topic()), Ok);
        let topic = named.map_err(|source| EventError::Naming { event: E::TYPE, source })?;
        let json = |source| EventError::Json { event: E::TYPE, source };
        let key = match E::KEY_FIELD {
            Some(field) => Some(key::of_field(event, field)?),
            None => event.key(),
        };
        let mut message = Outgoing::to(topic);
        for (name, value) in headers {
            message = message.header(name, value);
        }
        if let Some(version) = E::SCHEMA_VERSION {
            message = message.header("schema-version", version);
        }
        message = match &self.format {
            EventFormat::Json => {
                message.header("Message-Type", E::TYPE).value(serde_json::to_vec(event).map_err(json)?)
            }
            EventFormat::CloudEventsBinary { source } => {
                for (name, value) in attributes::<E>(source, key.as_deref()) {
                    message = message.header(format!("ce_{name}"), value);
                }
                let data = serde_json::to_vec(event).map_err(json)?;
                message.header("content-type", "application/json").value(data)
            }
            EventFormat::CloudEventsStructured { source } => {
                let mut whole = serde_json::Map::new();
                for (name, value) in attributes::<E>(source, key.as_deref()) {
                    whole.insert(name.to_owned(), json!(value));
                }
                whole.insert("datacontenttype".to_owned(), json!("application/json"));
                whole.insert("data".to_owned(), serde_json::to_value(event).map_err(json)?);
                let whole = serde_json::to_vec(&whole).map_err(json)?;
                message.header("content-type", "application/cloudevents+json; charset=UTF-8").value(whole)
            }
        };
        Ok(match key {
            Some(key) => message.key(key),
            None => message,
        })
    }
}

/// Of a CloudEvent. The key is the attribute of the partitioning extension.
fn attributes<E: Event>(source: &str, key: Option<&str>) -> Vec<(&'static str, String)> {
    let now = Timestamp::from_system(SystemTime::now());
    let mut attributes = vec![
        ("specversion", "1.0".to_owned()),
        ("id", Uuid::new_v4().to_string()),
        ("source", source.to_owned()),
        ("type", E::TYPE.to_owned()),
        ("time", now.to_string()),
    ];
    attributes.extend(key.map(|key| ("partitionkey", key.to_owned())));
    attributes
}

impl EventError {
    fn source_text(&self) -> String {
        std::error::Error::source(self).map(ToString::to_string).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
