//! The fleet: one line a group.

use serde::{Deserialize, Serialize};

use super::ClusterView;
use crate::hold::Hold;
use crate::ids::Version;
use crate::lag::TimeLag;
use crate::names::{ClusterName, GroupId, TopicName};
use crate::rate::{Drain, Windows};
use crate::time::Timestamp;
use crate::verdict::{Finding, GroupState, GroupType, Level, Verdict};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct FleetView {
    pub version: Version,
    /// The server's clock when the view was made: ages are counted from it.
    pub now: Timestamp,
    /// Groups that match, before `limit` and `offset`.
    pub total: u32,
    /// At least one cluster has no answer in this snapshot.
    pub partial: bool,
    pub clusters: Vec<ClusterView>,
    /// Groups by verdict, under the search but not under the verdict filter.
    pub counts: Vec<VerdictCount>,
    /// Groups that match the search and are not counted, since their names match `ignore` of the configuration.
    pub ignored: u32,
    /// Sum of what waits at least in all groups that match the search.
    pub lag: Option<u64>,
    /// Partitions of these groups whose lag is not known.
    pub unknown_partitions: u64,
    pub groups: Vec<GroupRow>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct VerdictCount {
    pub verdict: Verdict,
    pub groups: u32,
}

/// What moves in a group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct FlowView {
    /// Records that come to what it reads.
    #[serde(rename = "in")]
    pub written: Windows,
    /// Records that it commits.
    #[serde(rename = "out")]
    pub committed: Windows,
    /// How long its lag takes to drain at these rates; `null` where nothing waits or no rate is known, and where
    /// it would take for ever at one of them and the lag is small and steady.
    pub drain: Option<Drain>,
    /// When a commit was seen to move last; `null`: none since `watchedSince`.
    pub last_commit: Option<Timestamp>,
    /// When Flowdeck began to watch the group; `null`: it does not.
    pub watched_since: Option<Timestamp>,
}

/// At most so many topic names in a row.
pub const ROW_TOPICS_MAX: usize = 20;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct GroupRow {
    pub cluster: ClusterName,
    pub group: GroupId,
    #[serde(rename = "type")]
    pub kind: GroupType,
    pub state: GroupState,
    pub verdict: Verdict,
    /// How urgent it is.
    pub level: Level,
    /// Why, in words, where the verdict alone does not say it.
    pub why: Option<String>,
    /// All verdicts that apply, `verdict` first.
    pub verdicts: Vec<Finding>,
    /// Its name matches a pattern of groups that are not counted.
    pub ignored: bool,
    /// Sum over the partitions whose lag is known, in records; `null` where not one is.
    pub lag: Option<u64>,
    /// What waits at least: `lag`, and what is left of partitions whose committed offset lies before their start.
    pub lag_at_least: Option<u64>,
    /// Records that were deleted before the group read them, as far as offsets tell.
    pub deleted_unread: u64,
    pub unknown_partitions: u32,
    /// The age of the oldest record that waits in any partition; `null` where it is not known of one.
    pub time_lag: Option<TimeLag>,
    pub flow: FlowView,
    /// The highest lag of every 30 s of the last 15 minutes, the newest last; `null` where it is not known, empty where
    /// there is no history.
    pub lag_trend: Vec<Option<u64>>,
    /// Since when, at the latest, the group is in a rebalance; `null` where it is in none.
    pub rebalancing_since: Option<Timestamp>,
    /// `null` until described.
    pub members: Option<u32>,
    /// At most 20 names.
    pub topics: Vec<TopicName>,
    pub topic_count: u32,
    pub partition_count: u32,
    /// Partitions that a hold covers.
    pub paused_partitions: u32,
    pub holds: Vec<Hold>,
    /// When this row was read.
    pub as_of: Option<Timestamp>,
    /// By the configuration. The live page does not show them, so its browser does not read them.
    #[cfg(not(target_family = "wasm"))]
    #[serde(default, skip_serializing_if = "GroupLabels::is_empty")]
    pub labels: GroupLabels,
}

/// Who owns a group, and what to do when it fails.
#[cfg(not(target_family = "wasm"))]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct GroupLabels {
    /// Such as `team` or `service`.
    pub values: std::collections::BTreeMap<String, String>,
    /// A page of http or https.
    pub runbook: Option<String>,
}

#[cfg(not(target_family = "wasm"))]
impl GroupLabels {
    pub fn is_empty(&self) -> bool {
        self.values.is_empty() && self.runbook.is_none()
    }

    /// What this does not have comes from `more`.
    pub fn add(&mut self, more: &Self) {
        for (name, value) in &more.values {
            self.values.entry(name.clone()).or_insert_with(|| value.clone());
        }
        if self.runbook.is_none() {
            self.runbook.clone_from(&more.runbook);
        }
    }
}
