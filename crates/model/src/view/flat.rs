//! How a group's page is read. serde reads a flattened field by keeping the whole page as values of
//! any kind first and then reading them once more: a second reader of every type in the browser's
//! download. Here the fields stand side by side, as they do in the JSON.

use serde::Deserialize;

use super::group::{ConsumerView, GroupView, MemberView, PartitionRow};
use super::{ClusterView, CommandView, GroupRow, HoldChip};
use crate::ids::Version;
use crate::names::{ClusterName, GroupId, TopicName};
use crate::time::Timestamp;
use crate::verdict::{GroupState, GroupType, Level, Verdict};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FlatGroup {
    version: Version,
    now: Timestamp,
    cluster_info: ClusterView,
    cluster: ClusterName,
    group: GroupId,
    #[serde(rename = "type")]
    kind: GroupType,
    state: GroupState,
    verdict: Verdict,
    level: Level,
    why: Option<String>,
    lag: Option<u64>,
    lag_at_least: Option<u64>,
    deleted_unread: u64,
    unknown_partitions: u32,
    rebalancing_since: Option<Timestamp>,
    members: Option<u32>,
    topics: Vec<TopicName>,
    topic_count: u32,
    partition_count: u32,
    held_partitions: u32,
    holds: Vec<HoldChip>,
    as_of: Option<Timestamp>,
    partitions: Vec<PartitionRow>,
    consumers: Vec<ConsumerView>,
    group_members: Vec<MemberView>,
    commands: Vec<CommandView>,
    warnings: Vec<String>,
}

impl From<FlatGroup> for GroupView {
    fn from(flat: FlatGroup) -> Self {
        let row = GroupRow {
            cluster: flat.cluster,
            group: flat.group,
            kind: flat.kind,
            state: flat.state,
            verdict: flat.verdict,
            level: flat.level,
            why: flat.why,
            lag: flat.lag,
            lag_at_least: flat.lag_at_least,
            deleted_unread: flat.deleted_unread,
            unknown_partitions: flat.unknown_partitions,
            rebalancing_since: flat.rebalancing_since,
            members: flat.members,
            topics: flat.topics,
            topic_count: flat.topic_count,
            partition_count: flat.partition_count,
            held_partitions: flat.held_partitions,
            holds: flat.holds,
            as_of: flat.as_of,
        };
        Self {
            version: flat.version,
            now: flat.now,
            cluster_info: flat.cluster_info,
            row,
            partitions: flat.partitions,
            consumers: flat.consumers,
            group_members: flat.group_members,
            commands: flat.commands,
            warnings: flat.warnings,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every number another, so that none stands in another's place.
    const JSON: &str = r#"{
        "version": "00000001-2", "now": "2026-11-21T14:00:00.000Z",
        "clusterInfo": {"name": "demo", "label": "Demo", "colour": "red", "mode": "control", "asOf": null,
            "error": null, "brokers": 1, "notes": [], "capped": []},
        "cluster": "demo", "group": "g", "type": "classic", "state": "stable", "verdict": "behind", "level": "warning", "why": "w",
        "lag": 1, "lagAtLeast": 7, "deletedUnread": 8, "unknownPartitions": 2,
        "rebalancingSince": "2026-11-21T13:59:58.000Z", "members": 3, "topics": ["t"], "topicCount": 4, "partitionCount": 5,
        "heldPartitions": 6, "holds": [], "asOf": "2026-11-21T13:59:59.000Z",
        "partitions": [], "consumers": [], "groupMembers": [], "commands": [], "warnings": ["careful"]
    }"#;

    #[test]
    fn what_is_read_is_what_was_written() {
        let written: serde_json::Value = serde_json::from_str(JSON).unwrap();
        let view: GroupView = serde_json::from_str(JSON).unwrap();
        assert_eq!(serde_json::to_value(&view).unwrap(), written);
    }
}
