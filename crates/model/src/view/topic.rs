//! Topics: the list, and one with its partitions and readers.

use serde::{Deserialize, Serialize};

use super::{ClusterView, DecodersView};
use crate::ids::Version;
use crate::lag::TimeLag;
use crate::names::{GroupId, Partition, TopicName};
use crate::rate::Windows;
use crate::time::Timestamp;
use crate::verdict::{Level, Verdict};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct TopicsView {
    pub version: Version,
    pub now: Timestamp,
    pub cluster_info: ClusterView,
    pub topics: Vec<TopicRow>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct TopicRow {
    pub topic: TopicName,
    pub partitions: u32,
    /// Of the first partition.
    pub replication: u32,
    /// Groups with a commit on it or a member that owns part of it.
    pub readers: u32,
    /// At most 20 of these, those with most lag on it first.
    pub groups: Vec<GroupId>,
    /// Of all these groups together, on this topic.
    pub lag: Option<u64>,
    /// As a group's, on this topic.
    pub lag_at_least: Option<u64>,
    pub unknown_partitions: u32,
    /// Flowdeck's, KafkaFlow's or Kafka's own.
    pub internal: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct TopicView {
    pub version: Version,
    pub now: Timestamp,
    pub cluster_info: ClusterView,
    pub topic: TopicName,
    /// When the partitions were read.
    pub as_of: Option<Timestamp>,
    pub partitions: Vec<TopicPartitionRow>,
    /// Records a second that come to it; known where groups read all of its partitions.
    pub written: Windows,
    pub readers: Vec<ReaderRow>,
    pub config: Vec<ConfigRow>,
    pub decoders: DecodersView,
    /// What could not be read, and why.
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct TopicPartitionRow {
    pub partition: Partition,
    /// A broker's id; `null`: no leader.
    pub leader: Option<i32>,
    pub replicas: Vec<i32>,
    pub in_sync: Vec<i32>,
    pub start: Option<i64>,
    pub end: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ReaderRow {
    pub group: GroupId,
    pub verdict: Verdict,
    pub level: Level,
    /// Of this topic alone.
    pub lag: Option<u64>,
    /// As a group's, of this topic alone.
    pub lag_at_least: Option<u64>,
    pub unknown_partitions: u32,
    /// As a group's, of this topic alone.
    pub time_lag: Option<TimeLag>,
    pub members: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ConfigRow {
    pub name: String,
    pub value: Option<String>,
    pub default: bool,
}
