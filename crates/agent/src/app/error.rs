//! Why an app could not start, or did not end in order.

use rdkafka::error::KafkaError;

use super::ConsumerId;
use crate::error::AgentError;

/// Why an app could not start, or did not end in order. Each variant's text says what failed, where, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
// The texts say it all.
#[allow(missing_docs)]
pub enum AppError {
    #[error(
        "the app has no consumer: call consumer(...), or use a KafkaPublisher where the service only publishes"
    )]
    NoConsumers,
    #[error(
        "two consumers of the app are named {consumer:?}, of the groups {group:?} and {other_group:?}: give one of them another name by AgentBuilder::consumer(...)"
    )]
    SameName { consumer: String, group: String, other_group: String },
    #[error(
        "the consumers {other:?} and {consumer:?} of the app are of one group and have the retry topic {topic:?} in common, and each would get records of the other: give each its own by AgentBuilder::retry_topics(...)"
    )]
    SameRetryTopic { topic: String, consumer: String, other: String },
    #[error(
        "the defaults of the app came after its consumer {consumer:?}, which did not get them: call defaults(...) before consumer(...)"
    )]
    DefaultsTooLate { consumer: String },
    #[error("the app is to create {topic:?} in two ways: name the topic once, or twice alike")]
    TopicTwice { topic: String },
    #[error("the Kafka client of the app's producer could not be made")]
    Client(#[source] KafkaError),
    #[error(transparent)]
    NotPrepared(Box<AgentError>),
    #[error("consumer {consumer:?} of group {group:?} did not start: no consumer of the app runs")]
    NotStarted { consumer: String, group: String, source: Box<AgentError> },
    #[error("consumer {consumer:?} of group {group:?} did not end in order")]
    NotStopped { consumer: String, group: String, source: Box<AgentError> },
}

impl ConsumerId {
    pub(crate) fn not_started(&self, error: AgentError) -> AppError {
        let (consumer, group) = (self.name.to_string(), self.group.to_string());
        AppError::NotStarted { consumer, group, source: Box::new(error) }
    }

    pub(crate) fn not_stopped(&self, error: AgentError) -> AppError {
        let (consumer, group) = (self.name.to_string(), self.group.to_string());
        AppError::NotStopped { consumer, group, source: Box::new(error) }
    }
}
