//! Typed events to topics that a pattern names, as JSON or by another serializer, alone or as CloudEvents, with what a trace
//! needs.
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

#[cfg(feature = "avro")]
mod avro;
mod cloud_event;
mod correlation;
mod naming;
mod serializer;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::failure::BoxError;
use crate::message::Context;
use crate::publish::{Outgoing, PublishError, Publisher, PublisherMetrics};
use cloud_event::{attributes, structured};
use serializer::JSON;

#[cfg(feature = "avro")]
pub use avro::AvroSerializer;
pub use correlation::Correlation;
pub use naming::{NamingError, TopicFields, TopicNaming, environment};
#[cfg(feature = "prost")]
pub use serializer::ProtobufSerializer;
pub use serializer::{EventSerializer, JsonSerializer, RawSerializer};

/// One kind of message. What its data looks like says the [`EventSerializer`] of the [`Producer`]: for JSON, the default, it
/// is a `serde::Serialize` too.
pub trait Event: Sync {
    /// By which consumers choose a handler: the header `Message-Type`, or a CloudEvent's `type`.
    const TYPE: &'static str;
    /// The header `schema-version`.
    const SCHEMA_VERSION: Option<&'static str> = None;

    /// The field that is the key, by its name in the event's JSON; of a nested one the names with dots between, such as
    /// `track.id`. A text, a number or a truth value. In place of [`Event::key`]. For serializers that read fields: JSON's
    /// and Avro's ([`EventSerializer::field`]).
    const KEY_FIELD: Option<&'static str> = None;

    /// Of the pattern that names topics.
    fn topic() -> TopicFields;

    /// By which Kafka chooses the partition: events of one key stay in their order. None by default; as a rule one of
    /// the event's fields. As a CloudEvent it is the attribute `partitionkey` too.
    fn key(&self) -> Option<String> {
        None
    }
}

/// Where the data of an event is in its message, and where its attributes are. The data itself is the
/// [`EventSerializer`]'s affair.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventFormat {
    /// The data is the value; its type is in the header `Message-Type`, and what it is in `content-type`, unless it is
    /// `application/json`. The default.
    #[default]
    Plain,
    /// A CloudEvent 1.0 in binary mode: the data is the value, the attributes are in headers `ce_…`.
    CloudEventsBinary {
        /// The attribute `source`, such as `urn:momentum:sales-api`.
        source: String,
    },
    /// A CloudEvent 1.0 in structured mode: attributes and data in the value, which is JSON. Data that is no JSON is in
    /// base64 there (`data_base64`), which no extractor of this crate reads: choose the binary mode for such data.
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
    /// Its field that is the key ([`Event::KEY_FIELD`]) is missing, null, a list or an object, or the serializer reads no
    /// fields.
    #[error(
        "the event {event} has no key: its field {field} is neither a text nor a number nor a truth value"
    )]
    Key {
        /// Its type.
        event: &'static str,
        /// By its name in JSON.
        field: &'static str,
    },
    /// Its serializer made no bytes of it.
    #[error("the event {event} could not be serialized")]
    Serialize {
        /// Its type.
        event: &'static str,
        /// Why.
        #[source]
        source: BoxError,
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

/// Publishes events, serialized by `Z`; cheap to clone.
pub struct Producer<Z = JsonSerializer> {
    publisher: Arc<dyn Publisher>,
    naming: TopicNaming,
    format: EventFormat,
    serializer: Arc<Z>,
    topics: Arc<BTreeMap<String, String>>,
    correlation: Option<Correlation>,
    counts: Arc<Counts>,
}

impl<Z> Clone for Producer<Z> {
    fn clone(&self) -> Self {
        Self {
            publisher: Arc::clone(&self.publisher),
            naming: self.naming.clone(),
            format: self.format.clone(),
            serializer: Arc::clone(&self.serializer),
            topics: Arc::clone(&self.topics),
            correlation: self.correlation.clone(),
            counts: Arc::clone(&self.counts),
        }
    }
}

#[derive(Default)]
struct Counts {
    published: AtomicU64,
    failed: AtomicU64,
    micros: AtomicU64,
    slowest: AtomicU64,
}

impl<Z> std::fmt::Debug for Producer<Z> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Producer")
            .field("naming", &self.naming)
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

impl Producer {
    /// JSON by default; see [`Producer::format`] and [`Producer::serializer`]. Through [`crate::KafkaPublisher`], or in a
    /// test through [`crate::testing::RecordingPublisher`].
    pub fn new(publisher: impl Publisher, naming: TopicNaming) -> Self {
        Self {
            publisher: Arc::new(publisher),
            naming,
            format: EventFormat::default(),
            serializer: Arc::default(),
            topics: Arc::default(),
            correlation: None,
            counts: Arc::default(),
        }
    }
}

impl<Z> Producer<Z> {
    /// What makes bytes of events; [`JsonSerializer`] unless told otherwise. It is for one producer: a service with events
    /// of two kinds has two, or a serializer of its own.
    #[must_use]
    pub fn serializer<Y>(self, serializer: Y) -> Producer<Y> {
        let Self { publisher, naming, format, serializer: _, topics, correlation, counts } = self;
        Producer { publisher, naming, format, serializer: Arc::new(serializer), topics, correlation, counts }
    }

    /// Whether events are CloudEvents; [`EventFormat::Plain`] unless told otherwise.
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
    /// Where the topic has no name, the event cannot be serialized, or Kafka did not take it.
    pub async fn publish<E: Event>(&self, event: &E) -> Result<(), EventError>
    where
        Z: EventSerializer<E>,
    {
        self.send(event, self.correlation.clone().unwrap_or_default().headers()).await
    }

    /// The same, with the correlation id and the W3C trace context of the message that is being handled.
    ///
    /// # Errors
    /// As [`Producer::publish`].
    pub async fn publish_within<E: Event>(&self, context: &Context, event: &E) -> Result<(), EventError>
    where
        Z: EventSerializer<E>,
    {
        self.send(event, Correlation::of(context).headers()).await
    }

    /// For events without which the work goes on: a failure is logged and counted, and no error.
    pub async fn publish_or_log<E: Event>(&self, event: &E)
    where
        Z: EventSerializer<E>,
    {
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

    async fn send<E: Event>(&self, event: &E, headers: Vec<(String, String)>) -> Result<(), EventError>
    where
        Z: EventSerializer<E>,
    {
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

    fn outgoing<E: Event>(&self, event: &E, headers: Vec<(String, String)>) -> Result<Outgoing, EventError>
    where
        Z: EventSerializer<E>,
    {
        let named = self.topics.get(E::TYPE).cloned().map_or_else(|| self.naming.name(&E::topic()), Ok);
        let topic = named.map_err(|source| EventError::Naming { event: E::TYPE, source })?;
        let refused = |source| EventError::Serialize { event: E::TYPE, source };
        let key = self.key(event)?;
        let data = self.serializer.serialize(event).map_err(refused)?;
        let mut message = Outgoing::to(topic);
        for (name, value) in headers {
            message = message.header(name, value);
        }
        if let Some(version) = E::SCHEMA_VERSION {
            message = message.header("schema-version", version);
        }
        let content_type = self.serializer.content_type();
        let put = self.format.put(message, E::TYPE, key.as_deref(), content_type, data);
        message = put.map_err(refused)?;
        Ok(match key {
            Some(key) => message.key(key),
            None => message,
        })
    }

    fn key<E: Event>(&self, event: &E) -> Result<Option<String>, EventError>
    where
        Z: EventSerializer<E>,
    {
        let Some(field) = E::KEY_FIELD else { return Ok(event.key()) };
        let key = self.serializer.field(event, field);
        let key = key.map_err(|source| EventError::Serialize { event: E::TYPE, source })?;
        key.map(Some).ok_or(EventError::Key { event: E::TYPE, field })
    }
}

impl EventFormat {
    fn put(
        &self,
        mut message: Outgoing,
        event: &str,
        key: Option<&str>,
        content_type: &str,
        data: Vec<u8>,
    ) -> Result<Outgoing, BoxError> {
        Ok(match self {
            Self::Plain => {
                message = message.header("Message-Type", event);
                // Where nothing is said, consumers take it for JSON.
                if content_type != JSON {
                    message = message.header("content-type", content_type);
                }
                message.value(data)
            }
            Self::CloudEventsBinary { source } => {
                for (name, value) in attributes(event, source, key) {
                    message = message.header(format!("ce_{name}"), value);
                }
                message.header("content-type", content_type).value(data)
            }
            Self::CloudEventsStructured { source } => {
                let whole = structured(attributes(event, source, key), content_type, &data)?;
                message.header("content-type", "application/cloudevents+json; charset=UTF-8").value(whole)
            }
        })
    }
}

impl EventError {
    fn source_text(&self) -> String {
        std::error::Error::source(self).map(ToString::to_string).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
