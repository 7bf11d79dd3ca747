//! Dead letters: records that a consumer gave up on and put aside, and where they came from.

use serde::{Deserialize, Serialize};

use super::{ClusterView, MessageView};
use crate::names::{GroupId, Partition, TopicName};
use crate::time::Timestamp;

/// Whose records say of themselves that they are dead letters, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum DeadLetterShape {
    /// The headers `Flowdeck-Original-…` of a Flowdeck agent.
    Agent,
    /// `{OriginalTopic, OriginalMessage, ErrorMessage, FailedAt}` as the value.
    Convex,
    /// The headers `kafka_dlt-…` of Spring for Apache Kafka.
    Spring,
    /// The headers `__connect.errors.…` of Kafka Connect.
    Connect,
    /// The headers `Kafka-Flow-Retry-Durable-…` of KafkaFlow's retry extension; they name no original topic.
    KafkaFlowRetry,
    /// Nothing in the record says where it came from.
    Unknown,
}

impl DeadLetterShape {
    pub fn label(self) -> &'static str {
        match self {
            Self::Agent => "Flowdeck agent",
            Self::Convex => "Convex",
            Self::Spring => "Spring",
            Self::Connect => "Kafka Connect",
            Self::KafkaFlowRetry => "KafkaFlow retry",
            Self::Unknown => "not known",
        }
    }
}

/// Why a topic is taken for one of dead letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum FoundBy {
    Configuration,
    /// `*.dlq`, `*-dlq`, `*-dlt`, `*.DLT`, `*-dead-letter` and the like.
    Name,
    /// Its newest record is a dead letter.
    Shape,
}

impl FoundBy {
    pub fn label(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Name => "name",
            Self::Shape => "shape of its records",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct DeadLetterTopicsView {
    pub now: Timestamp,
    pub cluster_info: ClusterView,
    pub topics: Vec<DeadLetterTopic>,
    /// Other topics whose newest record was looked at; null: nobody asked for that.
    pub looked_at: Option<u32>,
    /// What could not be read, and why.
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct DeadLetterTopic {
    pub topic: TopicName,
    pub found_by: FoundBy,
    pub partitions: u32,
    /// The span of offsets of its partitions: as many records at most. Null: not read.
    pub count: Option<u64>,
    /// The same of those that came within the last hour and the last day.
    pub last_hour: Option<u64>,
    pub last_day: Option<u64>,
    /// Of its oldest and its newest record. Null: it has none, or that was not read.
    pub oldest: Option<Timestamp>,
    pub newest: Option<Timestamp>,
    /// Consumer groups that read it and that the reader may view.
    pub readers: u32,
}

/// The newest dead letters of a topic that match what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct DeadLettersView {
    pub now: Timestamp,
    pub cluster_info: ClusterView,
    pub topic: TopicName,
    /// Null: nothing says that it is one of dead letters.
    pub found_by: Option<FoundBy>,
    /// The span of offsets of its partitions: as many records at most.
    pub count: u64,
    /// Records that were read, the newest first; `groups` is made of these.
    pub scanned: u32,
    /// They are all that the topic has.
    pub complete: bool,
    /// By original topic and error, the largest first.
    pub groups: Vec<DeadLetterGroup>,
    /// Groups that are not listed.
    pub more_groups: u32,
    /// Of those that match, newest first; at most 100.
    pub letters: Vec<DeadLetterRow>,
    /// How many of what was read match.
    pub matching: u32,
    /// What could not be read, and why.
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct DeadLetterGroup {
    /// Null: the records do not say.
    pub original_topic: Option<String>,
    /// Numbers in it are written as `#`, so that errors which differ in an id alone are one. Null: the records do not
    /// say.
    pub error: Option<String>,
    pub shape: DeadLetterShape,
    pub count: u32,
    pub oldest: Option<Timestamp>,
    pub newest: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct DeadLetterRow {
    pub partition: Partition,
    pub offset: i64,
    pub timestamp: Option<Timestamp>,
    #[serde(flatten)]
    pub origin: DeadLetterOrigin,
}

/// Where a dead letter came from, and why it is one: as the record says. Texts of it are masked and cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct DeadLetterOrigin {
    pub shape: DeadLetterShape,
    pub original_topic: Option<String>,
    pub original_partition: Option<i32>,
    pub original_offset: Option<i64>,
    pub original_timestamp: Option<Timestamp>,
    /// The group, or the connector, that gave up on it.
    pub group: Option<GroupId>,
    pub error: Option<String>,
    pub attempts: Option<u32>,
    pub failed_at: Option<Timestamp>,
}

/// One dead letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct DeadLetterView {
    pub now: Timestamp,
    pub cluster_info: ClusterView,
    pub topic: TopicName,
    pub origin: DeadLetterOrigin,
    /// As it lies on the dead-letter topic.
    pub record: MessageView,
    /// As a re-drive would copy it: the original's key, value and headers. Null: that cannot be known.
    pub original: Option<MessageView>,
    /// Why there is no `original`, or what differs.
    pub note: Option<String>,
}
