//! A canary resume: its steps, and how the part goes.

use serde::{Deserialize, Serialize};

use super::CommandView;
use crate::canary::{CanaryOrder, CanaryState};
use crate::names::{Partition, TopicName};
use crate::time::Timestamp;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct CanaryView {
    pub state: CanaryState,
    /// The orders that it takes now.
    pub orders: Vec<CanaryOrder>,
    /// The resume of the part; its id is that of the canary resume.
    pub first: CommandView,
    /// The resume of the rest. Null where it was not ordered.
    pub rest: Option<CommandView>,
    /// The pause of the part. Null where it was not ordered.
    pub back: Option<CommandView>,
    /// Partitions of the part, as they are now; the first hundred.
    pub partitions: Vec<CanaryPartition>,
    /// What still holds the rest, in words.
    pub holds: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct CanaryPartition {
    pub topic: TopicName,
    pub partition: Partition,
    pub committed: Option<i64>,
    pub lag: Option<u64>,
    /// When its commit was seen to move last.
    pub last_commit: Option<Timestamp>,
    /// A hold covers it.
    pub paused: bool,
}
