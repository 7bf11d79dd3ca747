//! Sends messages: for dead letters, and for a service's own.

mod metrics;

use std::time::Duration;

use async_trait::async_trait;
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};

use crate::config;
use metrics::{INTERVAL, Measuring};

pub use metrics::{Latency, PublisherMetrics};

/// How long the producer's queue may stay full.
const QUEUE_LIMIT: Duration = Duration::from_secs(5);

/// A message to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Outgoing {
    /// Where to.
    pub topic: String,
    /// By which Kafka chooses the partition.
    pub key: Option<Vec<u8>>,
    /// `None`: a tombstone.
    pub value: Option<Vec<u8>>,
    /// In their order; a name may occur more than once.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Outgoing {
    /// Without key, value and headers yet.
    pub fn to(topic: impl Into<String>) -> Self {
        Self { topic: topic.into(), ..Self::default() }
    }

    /// Sets the key.
    #[must_use]
    pub fn key(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Sets the value.
    #[must_use]
    pub fn value(mut self, value: impl Into<Vec<u8>>) -> Self {
        self.value = Some(value.into());
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.into(), Some(value.into())));
        self
    }
}

/// A message was not sent, or nobody knows whether it was.
#[derive(Debug, thiserror::Error)]
#[error("topic {topic:?} did not take a message")]
pub struct PublishError {
    /// Where it was to go.
    pub topic: String,
    /// Why.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

impl PublishError {
    /// The topic refuses this message, and would refuse it again.
    pub(crate) fn is_for_good(&self) -> bool {
        let code = self.source.downcast_ref::<KafkaError>().and_then(KafkaError::rdkafka_error_code);
        matches!(
            code,
            Some(
                RDKafkaErrorCode::MessageSizeTooLarge
                    | RDKafkaErrorCode::MessageBatchTooLarge
                    | RDKafkaErrorCode::InvalidRecord
                    | RDKafkaErrorCode::UnsupportedForMessageFormat
            )
        )
    }
}

/// Sends messages: Kafka ([`KafkaPublisher`]), or a list in a test ([`crate::testing::RecordingPublisher`]).
#[async_trait]
pub trait Publisher: Send + Sync + 'static {
    /// Returns once Kafka has it, on all replicas that are in sync.
    async fn publish(&self, message: Outgoing) -> Result<(), PublishError>;

    /// What its client measured; `None` where there is none, or nothing yet.
    fn metrics(&self) -> Option<PublisherMetrics> {
        None
    }
}

/// Sends to Kafka: acknowledged by all replicas in sync, idempotent, within ten seconds, unless its configuration says
/// otherwise. It creates no topic.
#[derive(Clone)]
pub struct KafkaPublisher {
    producer: FutureProducer<Measuring>,
    measuring: Measuring,
}

impl std::fmt::Debug for KafkaPublisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KafkaPublisher")
    }
}

impl KafkaPublisher {
    /// `config` is the host's own, as for [`crate::Agent::builder`]; what is a consumer's in it is left out.
    ///
    /// # Errors
    /// For a configuration that the client refuses.
    pub fn new(config: &ClientConfig) -> Result<Self, KafkaError> {
        Self::of(config::publisher(config))
    }

    /// For records that must not be lost: `acks` and idempotence are not the host's to say.
    pub(crate) fn safe(config: &ClientConfig) -> Result<Self, KafkaError> {
        let mut config = config.clone();
        config::set(&mut config, "acks", "all");
        config::set(&mut config, "enable.idempotence", "true");
        // What goes with weaker promises than these.
        config::remove(&mut config, "max.in.flight");
        config::any_size(&mut config);
        Self::new(&config)
    }

    fn of(mut config: ClientConfig) -> Result<Self, KafkaError> {
        config.set("statistics.interval.ms", INTERVAL);
        let measuring = Measuring::default();
        Ok(Self { producer: config.create_with_context(measuring.clone())?, measuring })
    }
}

#[async_trait]
impl Publisher for KafkaPublisher {
    async fn publish(&self, message: Outgoing) -> Result<(), PublishError> {
        let headers = message.headers.iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
            headers.insert(Header { key, value: value.as_ref() })
        });
        let mut record = FutureRecord::<[u8], [u8]>::to(&message.topic).headers(headers);
        (record.key, record.payload) = (message.key.as_deref(), message.value.as_deref());
        match self.producer.send(record, QUEUE_LIMIT).await {
            Ok(_) => Ok(()),
            Err((error, _)) => Err(PublishError { topic: message.topic.clone(), source: Box::new(error) }),
        }
    }
    fn metrics(&self) -> Option<PublisherMetrics> {
        self.measuring.metrics()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_of_the_host_do_not_weaken_the_safe_publisher() {
        let mut base = ClientConfig::new();
        base.set("bootstrap.servers", "127.0.0.1:1")
            .set("request.required.acks", "1")
            .set("max.in.flight", "10")
            .set("delivery.timeout.ms", "60000");
        // The order in which the client gets them is another one each time.
        for _ in 0..20 {
            assert!(KafkaPublisher::safe(&base).is_ok());
        }
    }
}
