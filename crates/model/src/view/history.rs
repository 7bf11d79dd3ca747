//! What was: a group's lag and rates over time, and what happened to it meanwhile.

use serde::{Deserialize, Serialize};

use super::TopicPartitions;
use crate::ids::CommandId;
use crate::names::{ClusterName, GroupId};
use crate::rate::Rate;
use crate::time::Timestamp;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct HistoryView {
    pub now: Timestamp,
    pub cluster: ClusterName,
    pub group: GroupId,
    /// The one partition whose history it is; `null`: the whole group's.
    pub partition: Option<TopicPartitions>,
    pub from: Timestamp,
    pub to: Timestamp,
    /// From one point to the next: 10, 60 or 900 s, the finest that reaches back to `from`.
    pub step_seconds: u32,
    /// Oldest first; steps of which nothing is known are left out.
    pub points: Vec<HistoryPoint>,
    /// Oldest first, at most 100: the newest of the window.
    pub events: Vec<HistoryEvent>,
    /// The oldest point that is kept of it.
    pub known_since: Option<Timestamp>,
    pub storage: HistoryStorage,
    /// Why there is less than was asked for.
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct HistoryPoint {
    /// Where the step begins.
    pub at: Timestamp,
    /// The highest in the step, in records.
    pub lag: Option<u64>,
    /// The highest in the step: the age of the oldest record that waits, mostly an estimate.
    pub time_lag_millis: Option<u64>,
    /// Records that were written to the partitions, a second; the mean of the step.
    pub in_per_second: Option<Rate>,
    /// Records by which committed offsets moved on, a second; the mean of the step.
    pub out_per_second: Option<Rate>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct HistoryEvent {
    pub at: Timestamp,
    pub kind: HistoryEventKind,
    /// "Pause by ana", "Rebalance", "12 calls of handlers failed in 3 min".
    pub text: String,
    /// The operation.
    pub command: Option<CommandId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum HistoryEventKind {
    /// As far as Flowdeck saw: one that begins and ends between two readings, with the same members, is not seen.
    Rebalance,
    /// What was asked for through Flowdeck or by an external command.
    Operation,
    /// Of the group or its topics: created, deleted, created anew, partitions added, offsets expired, records lost.
    Change,
    /// Calls of handlers failed, as agents count them; minutes of failures that are near to each other are one event,
    /// at the first of them.
    Errors,
    /// An agent reported a version, of the service or of flowdeck-agent, that none of its consumer's agents had before.
    Deployment,
}

/// Where history is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum HistoryStorage {
    /// It begins when Flowdeck was started.
    Memory,
    /// Minutes are written to a topic of Flowdeck's, and older ones are being read from it.
    Restoring,
    /// Minutes are written to a topic of Flowdeck's, and what it has was read.
    Topic,
}
