//! KafkaFlow's admin messages, as KafkaFlow v4 writes them with protobuf-net: pause, resume and the
//! other commands, and the telemetry of its consumers.
//!
//! Encoding gives protobuf-net's own bytes (fields in order, lists not packed, zero numbers left
//! out). Decoding takes packed lists too, and refuses what KafkaFlow could not act on.

mod bcl;
mod fields;
mod read;
mod write;

use flowdeck_model::{CommandId, ConsumerName, GroupId, Incarnation, InstanceName, Partition, TopicName};
use uuid::Uuid;

pub use bcl::DateTime;
pub use flowdeck_model::view::ConsumerStatus;
pub use read::{Decoded, decode};

use crate::{Record, wire};

/// The header that names the message's .NET type.
pub const MESSAGE_TYPE: &str = "Message-Type";

/// A command on the admin topic. `topics` empty means all topics of that consumer or group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    PauseConsumerByName { consumer: ConsumerName, topics: Vec<TopicName> },
    ResumeConsumerByName { consumer: ConsumerName, topics: Vec<TopicName> },
    PauseConsumersByGroup { group: GroupId, topics: Vec<TopicName> },
    ResumeConsumersByGroup { group: GroupId, topics: Vec<TopicName> },
    ResetConsumerOffset { consumer: ConsumerName, topics: Vec<TopicName> },
    RewindConsumerOffsetToDateTime { consumer: ConsumerName, date_time: DateTime, topics: Vec<TopicName> },
    RestartConsumerByName { consumer: ConsumerName },
    StartConsumerByName { consumer: ConsumerName },
    StopConsumerByName { consumer: ConsumerName },
    ChangeConsumerWorkersCount { consumer: ConsumerName, workers: i32 },
}

impl Command {
    /// KafkaFlow's name of the message, whom it names, and the topics in it.
    pub fn parts(&self) -> (&'static str, &str, &[TopicName]) {
        match self {
            Self::PauseConsumerByName { consumer, topics } => {
                ("PauseConsumerByName", consumer.as_str(), topics)
            }
            Self::ResumeConsumerByName { consumer, topics } => {
                ("ResumeConsumerByName", consumer.as_str(), topics)
            }
            Self::PauseConsumersByGroup { group, topics } => {
                ("PauseConsumersByGroup", group.as_str(), topics)
            }
            Self::ResumeConsumersByGroup { group, topics } => {
                ("ResumeConsumersByGroup", group.as_str(), topics)
            }
            Self::ResetConsumerOffset { consumer, topics } => {
                ("ResetConsumerOffset", consumer.as_str(), topics)
            }
            Self::RewindConsumerOffsetToDateTime { consumer, topics, .. } => {
                ("RewindConsumerOffsetToDateTime", consumer.as_str(), topics)
            }
            Self::RestartConsumerByName { consumer } => ("RestartConsumerByName", consumer.as_str(), &[]),
            Self::StartConsumerByName { consumer } => ("StartConsumerByName", consumer.as_str(), &[]),
            Self::StopConsumerByName { consumer } => ("StopConsumerByName", consumer.as_str(), &[]),
            Self::ChangeConsumerWorkersCount { consumer, .. } => {
                ("ChangeConsumerWorkersCount", consumer.as_str(), &[])
            }
        }
    }
}

/// `ConsumerTelemetryMetric`: one topic of one consumer in one process, sent every 5 s. What a
/// consumer says of itself: its clock and its lag are not to be trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Telemetry {
    pub group: GroupId,
    pub consumer: ConsumerName,
    pub topic: TelemetryTopic,
    pub instance: InstanceName,
    pub running: Vec<Partition>,
    pub paused: Vec<Partition>,
    pub sent_at: DateTime,
    pub workers: i32,
    pub status: ConsumerStatus,
    pub lag: i64,
    /// How many listed partitions were left out when this was read (`PARTITIONS_MAX` for each
    /// list). Not on the wire; 0 in what is sent.
    pub dropped_partitions: u64,
}

/// What the telemetry's topic field names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TelemetryTopic {
    Name(TopicName),
    /// A regex subscription, `^…`, reported without partitions.
    Pattern(String),
}

impl TelemetryTopic {
    pub fn as_str(&self) -> &str {
        match self {
            Self::Name(name) => name.as_str(),
            Self::Pattern(pattern) => pattern,
        }
    }

    pub fn name(&self) -> Option<&TopicName> {
        match self {
            Self::Name(name) => Some(name),
            Self::Pattern(_) => None,
        }
    }
}

impl From<TopicName> for TelemetryTopic {
    fn from(name: TopicName) -> Self {
        Self::Name(name)
    }
}

fn status_of(number: i32) -> ConsumerStatus {
    match number {
        0 => ConsumerStatus::Stopped,
        1 => ConsumerStatus::Running,
        2 => ConsumerStatus::PartiallyRunning,
        3 => ConsumerStatus::Paused,
        other => ConsumerStatus::Other(other),
    }
}

fn status_number(status: ConsumerStatus) -> i32 {
    match status {
        ConsumerStatus::Stopped => 0,
        ConsumerStatus::Running => 1,
        ConsumerStatus::PartiallyRunning => 2,
        ConsumerStatus::Paused => 3,
        ConsumerStatus::Other(other) => other,
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    Command(Command),
    Telemetry(Telemetry),
}

impl From<Command> for Message {
    fn from(command: Command) -> Self {
        Self::Command(command)
    }
}

impl From<Telemetry> for Message {
    fn from(telemetry: Telemetry) -> Self {
        Self::Telemetry(telemetry)
    }
}

impl Message {
    /// The value of the `Message-Type` header.
    pub fn message_type(&self) -> String {
        format!("{}{}, {}", read::NAMESPACE, self.type_name(), read::ASSEMBLY)
    }

    /// The record's value, as protobuf-net writes it.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Command(command) => write::command(command),
            Self::Telemetry(telemetry) => write::telemetry(telemetry),
        }
    }

    fn record(&self, key: Vec<u8>) -> Record {
        let headers = vec![(MESSAGE_TYPE.to_owned(), self.message_type().into_bytes())];
        Record { key, value: Some(self.encode()), headers }
    }

    fn type_name(&self) -> &'static str {
        match self {
            Self::Command(command) => command.type_name(),
            Self::Telemetry(_) => read::TELEMETRY,
        }
    }
}

impl Command {
    /// The message's .NET type without its namespace, such as `PauseConsumerByName`.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::PauseConsumerByName { .. } => "PauseConsumerByName",
            Self::ResumeConsumerByName { .. } => "ResumeConsumerByName",
            Self::PauseConsumersByGroup { .. } => "PauseConsumersByGroup",
            Self::ResumeConsumersByGroup { .. } => "ResumeConsumersByGroup",
            Self::ResetConsumerOffset { .. } => "ResetConsumerOffset",
            Self::RewindConsumerOffsetToDateTime { .. } => "RewindConsumerOffsetToDateTime",
            Self::RestartConsumerByName { .. } => "RestartConsumerByName",
            Self::StartConsumerByName { .. } => "StartConsumerByName",
            Self::StopConsumerByName { .. } => "StopConsumerByName",
            Self::ChangeConsumerWorkersCount { .. } => "ChangeConsumerWorkersCount",
        }
    }
}

/// Flowdeck's own command to KafkaFlow instances: key and header carry its id.
pub fn command_record(id: CommandId, command: Command) -> Record {
    let mut record = Message::Command(command).record(id.to_string().into_bytes());
    record.headers.push((wire::COMMAND.to_owned(), id.to_string().into_bytes()));
    record
}

/// A command as KafkaFlow's own dashboard sends it: without a word of Flowdeck.
pub fn external_command_record(key: Uuid, command: Command) -> Record {
    Message::Command(command).record(key.hyphenated().to_string().into_bytes())
}

/// Telemetry as KafkaFlow sends it: `key` is 16 random bytes. An agent marks it as its own.
pub fn telemetry_record(key: Uuid, telemetry: Telemetry, agent: Option<Incarnation>) -> Record {
    let mut record = Message::Telemetry(telemetry).record(key.as_bytes().to_vec());
    if let Some(incarnation) = agent {
        record.headers.push((wire::AGENT.to_owned(), wire::agent_header(incarnation)));
    }
    record
}
