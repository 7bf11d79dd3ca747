//! Why an agent could not start, or ended.

use rdkafka::error::KafkaError;

/// Why an agent could not start, or ended. Each variant's text says what failed, where, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
// The texts say it all.
#[allow(missing_docs)]
pub enum AgentError {
    #[error("consumer {consumer:?} of group {group:?} names no topic: call topics([...])")]
    NoTopics { group: String, consumer: String },
    #[error(
        "group {group:?} sends records to the dead letters and has no topic for them: call dead_letters(...)"
    )]
    NoDeadLetters { group: String },
    #[error(
        "group {group:?} reads the topic of its own dead letters, {topic:?}: each would come back for ever"
    )]
    DeadLettersLoop { group: String, topic: String },
    #[error(
        "group {group:?} names {topic:?} as a retry topic and reads it already: each retry topic is one of its own"
    )]
    RetryTopicsLoop { group: String, topic: String },
    #[error("{topic:?} cannot be subscribed to: it is no topic name")]
    Topic { topic: String, source: flowdeck_model::names::NameError },
    #[error("{property} belongs to the agent: leave it out of the client's configuration")]
    Property { property: &'static str },
    #[error("the agent of group {group:?} must be started on a tokio runtime")]
    NoRuntime { group: String },
    #[error("the cluster of group {group:?} was not ready after {tries} tries")]
    NotPrepared { group: String, tries: u32, source: Box<KafkaError> },
    #[error("the Kafka client of consumer {consumer:?} of group {group:?} could not be made")]
    Client { group: String, consumer: String, source: Box<KafkaError> },
    #[error("a thread of the agent of group {group:?} could not be started")]
    Thread { group: String, source: std::io::Error },
    #[error("group {group:?} could not subscribe")]
    Subscribe { group: String, source: Box<KafkaError> },
    #[error("the consumer of group {group:?} cannot go on; start it again")]
    Fatal { group: String, source: Box<KafkaError> },
    #[error(
        "the consumer of group {group:?} got a record of {topic:?} [{partition}] past the partition's own queue; start it again"
    )]
    Queue { group: String, topic: String, partition: i32 },
    #[error("a worker of the agent of group {group:?} panicked, and the consumer ended; start it again")]
    WorkerPanicked { group: String },
    #[error("the agent of group {group:?} did not end in time; what it had not committed is read again")]
    SlowStop { group: String },
    #[error(
        "the agent of group {group:?} ended while handlers still ran, whose records are read again: {calls}"
    )]
    HandlersRan { group: String, calls: String },
}
