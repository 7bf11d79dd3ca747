//! One group: its partitions, the consumers that telemetry tells of, its members.

use serde::{Deserialize, Deserializer, Serialize};

use super::both::both;
use super::{ClusterView, CommandView, GroupRow, InstanceKind};
use crate::ids::{HoldId, Incarnation, Version};
use crate::lag::{TimeLag, Unknown};
use crate::names::{ConsumerName, InstanceName, Partition, TopicName};
use crate::rate::Windows;
use crate::time::Timestamp;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct GroupView {
    pub version: Version,
    pub now: Timestamp,
    pub cluster_info: ClusterView,
    #[serde(flatten)]
    pub row: GroupRow,
    pub partitions: Vec<PartitionRow>,
    pub consumers: Vec<ConsumerView>,
    pub group_members: Vec<MemberView>,
    /// The newest commands of this group that are remembered, newest first, at most 20; fewer where these have thousands of
    /// instances together.
    pub commands: Vec<CommandView>,
    /// What a person must know before acting: the agents' holds are unknown, a repeat was capped.
    pub warnings: Vec<String>,
    /// Of retention, offsets and transactions, a sentence each.
    pub facts: Vec<String>,
    /// When its committed offsets expire at the latest, unless a member joins or it commits; `null` while it has members,
    /// and where the brokers do not tell how long they are kept.
    pub offsets_expire: Option<Timestamp>,
}

/// A group's view but its row.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BesideRow {
    version: Version,
    now: Timestamp,
    cluster_info: ClusterView,
    partitions: Vec<PartitionRow>,
    consumers: Vec<ConsumerView>,
    group_members: Vec<MemberView>,
    commands: Vec<CommandView>,
    warnings: Vec<String>,
    facts: Vec<String>,
}

impl<'de> Deserialize<'de> for GroupView {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (row, beside) = both(deserializer)?;
        let BesideRow {
            version,
            now,
            cluster_info,
            partitions,
            consumers,
            group_members,
            commands,
            warnings,
            facts,
        } = beside;
        // The page shows the facts.
        let offsets_expire = None;
        Ok(Self {
            version,
            now,
            cluster_info,
            row,
            partitions,
            consumers,
            group_members,
            commands,
            warnings,
            facts,
            offsets_expire,
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct PartitionRow {
    pub topic: TopicName,
    pub partition: Partition,
    /// The log's first offset.
    pub start: Option<i64>,
    pub committed: Option<i64>,
    /// One past the last offset; of a group that reads committed records (`read_committed` of the configuration) the last
    /// stable offset.
    pub end: Option<i64>,
    pub lag: Option<u64>,
    /// Why `lag` is null. Null too where nothing was ever written or committed: then lag is 0.
    pub unknown: Option<Unknown>,
    /// The age of the oldest record that waits; `null` where it is not known.
    pub time_lag: Option<TimeLag>,
    /// Records that come to it.
    #[serde(rename = "in")]
    pub written: Windows,
    /// The highest lag of every 30 s of the last 15 minutes, the newest last; `null` where it is not known, empty where
    /// the partition was not followed.
    pub lag_trend: Vec<Option<u64>>,
    /// When its commit was seen to move last; `null`: not since Flowdeck began to watch the group.
    pub last_commit: Option<Timestamp>,
    /// The member that owns it: instance name where telemetry tells it, else client id and host.
    pub owner: Option<String>,
    /// Holds that cover it.
    pub holds: Vec<HoldId>,
    /// Telemetry lists it as paused.
    pub paused: bool,
    /// Where a consumer with `read_committed` stops: before `end` while a transaction is open. `null` where it was not
    /// asked for: it is while somebody looks at the group.
    #[serde(skip_deserializing)]
    pub last_stable: Option<i64>,
    /// Until when, at least, retention keeps the oldest record that waits. `null` where nothing waits, or its age or the
    /// topic's `retention.ms` is not known.
    #[serde(skip_deserializing)]
    pub kept_until: Option<Timestamp>,
}

impl PartitionRow {
    /// Records that were deleted before the group read them.
    pub fn deleted_unread(&self) -> u64 {
        match (self.unknown, self.start, self.committed) {
            (Some(Unknown::OutOfRange), Some(start), Some(committed)) => start.abs_diff(committed),
            _ => 0,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ConsumerView {
    pub name: ConsumerName,
    /// Topics that its telemetry names.
    pub topics: Vec<TopicName>,
    pub instances: Vec<InstanceView>,
    /// In which KafkaFlow reads the time of a rewind: that of the consumer's hosts, as configured.
    pub rewind_time_zone: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct InstanceView {
    pub instance: InstanceName,
    pub kind: InstanceKind,
    pub incarnation: Option<Incarnation>,
    /// Two streams under one name: what they say cannot be told apart.
    pub ambiguous: bool,
    /// Kafka lists a member that owns what it says it owns. Null where it says nothing, or Kafka's list of
    /// members tells nothing of it: who may write to the admin topic can claim to be an instance.
    pub confirmed: Option<bool>,
    pub workers: Option<u32>,
    /// What it knows of the cluster's holds. Null where it does not say: only agents do.
    pub holds: Option<InstanceHolds>,
    /// As it last reported, without what Kafka has assigned to others since. Empty where it is lost.
    pub running: Vec<TopicPartitions>,
    pub paused: Vec<TopicPartitions>,
    /// By Flowdeck's clock.
    pub last_heard: Timestamp,
    /// No telemetry for longer than the interval of a running instance.
    pub lost: bool,
    /// "joined 14 s after the pause: not paused", "holds unknown".
    pub note: Option<String>,
}

/// What an agent says of the holds: whether an active pause reaches it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum InstanceHolds {
    /// Read to their end, and followed since.
    Known,
    /// They cannot be read, or not all of them.
    Unknown,
    /// It finds no topic of holds and obeys admin commands.
    Absent,
    /// Not read to their end yet.
    Reading,
}

impl InstanceHolds {
    pub const ALL: [Self; 4] = [Self::Known, Self::Unknown, Self::Absent, Self::Reading];

    /// On the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::Known => "known",
            Self::Unknown => "unknown",
            Self::Absent => "absent",
            Self::Reading => "reading",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct TopicPartitions {
    pub topic: TopicName,
    pub partitions: Vec<Partition>,
}

/// One client's session with Kafka.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct MemberView {
    pub member_id: String,
    pub client_id: String,
    pub host: String,
    /// Static membership: `group.instance.id`.
    pub static_id: Option<String>,
    pub partitions: Vec<TopicPartitions>,
    /// The instance that owns the same partitions; `null`: unmatched.
    pub instance: Option<InstanceName>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every number is different, so that none is read as another.
    const JSON: &str = r#"{
        "version": "00000001-2", "now": "2026-11-21T14:00:00.000Z",
        "clusterInfo": {"name": "demo", "label": "Demo", "colour": "red", "mode": "control", "asOf": null,
            "error": null, "brokers": 1, "notes": [], "capped": []},
        "cluster": "demo", "group": "g", "type": "classic", "state": "stable", "verdict": "behind", "level": "warning", "why": "w",
        "verdicts": [{"verdict": "behind", "level": "warning", "since": "2026-11-21T13:59:00.000Z", "evidence": "w"}], "ignored": false,
        "lag": 1, "lagAtLeast": 7, "deletedUnread": 8, "unknownPartitions": 2,
        "timeLag": {"millis": 9, "precision": "atLeast"},
        "flow": {"in": {"1m": 10.5, "5m": 11.25, "15m": null}, "out": {"1m": 12.0, "5m": 13.0, "15m": 14.0},
            "drain": {"soonestSeconds": 15, "latestSeconds": null}, "lastCommit": null, "watchedSince": "2026-11-21T13:00:00.000Z"},
        "lagTrend": [null, 16], "rebalancingSince": "2026-11-21T13:59:58.000Z", "members": 3, "topics": ["t"], "topicCount": 4, "partitionCount": 5,
        "pausedPartitions": 6, "holds": [], "asOf": "2026-11-21T13:59:59.000Z",
        "partitions": [], "consumers": [], "groupMembers": [], "commands": [], "warnings": ["careful"], "facts": ["soon"], "offsetsExpire": null
    }"#;

    #[test]
    fn group_reads_what_was_written() {
        let written: serde_json::Value = serde_json::from_str(JSON).unwrap();
        let view: GroupView = serde_json::from_str(JSON).unwrap();
        assert_eq!(serde_json::to_value(&view).unwrap(), written);
    }
}
