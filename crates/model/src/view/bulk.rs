//! A bulk operation, and what one would do.

use serde::{Deserialize, Serialize};

use super::ClusterView;
use crate::actor::ActorView;
use crate::bulk::{BulkAction, BulkCounts, BulkGroupState, BulkState, BulkTarget};
use crate::ids::CommandId;
use crate::names::GroupId;
use crate::time::Timestamp;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct BulkView {
    pub id: CommandId,
    pub cluster_info: ClusterView,
    pub action: BulkAction,
    /// The bulk operation that this one takes back.
    pub undoes: Option<CommandId>,
    pub actor: ActorView,
    pub reason: String,
    pub stop_after: u32,
    pub state: BulkState,
    /// An operator stopped it: no other group is begun.
    pub stopping: bool,
    /// The server's clock when the view was made.
    pub now: Timestamp,
    pub requested_at: Timestamp,
    /// When it last said how far it came.
    pub changed_at: Timestamp,
    /// Of all its groups.
    pub counts: BulkCounts,
    /// Those that the reader may view, in the order of the request.
    pub groups: Vec<BulkGroupView>,
    /// Its groups that the reader may not view.
    pub hidden: u32,
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct BulkGroupView {
    pub group: GroupId,
    /// Of its command, once that is begun.
    pub command: CommandId,
    pub state: BulkGroupState,
    pub note: Option<String>,
}

/// What a bulk operation would do. Nothing has happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct BulkPreview {
    pub cluster_info: ClusterView,
    pub now: Timestamp,
    pub action: BulkAction,
    /// The bulk operation that would be taken back.
    pub undoes: Option<CommandId>,
    pub groups: Vec<BulkPlan>,
    /// Groups with which something would be done.
    pub ready: u32,
    /// Groups for which it is in force already, or has nothing to take back.
    pub nothing_to_do: u32,
    pub refused: u32,
    /// By their offsets: compaction and transactions make it fewer records.
    pub replayed: u64,
    /// The same. Where it is not 0, the operation asks for this number.
    pub skipped: u64,
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct BulkPlan {
    pub group: GroupId,
    /// To be sent with the operation, as it is. Null where nothing would be done.
    pub target: Option<BulkTarget>,
    /// It is in force already, by this command.
    pub existing: Option<CommandId>,
    /// Why it cannot be done.
    pub refused: Option<String>,
    /// What would be done, in words.
    pub plan: String,
    /// What it cannot do, or what goes otherwise than one may expect.
    pub notes: Vec<String>,
}

impl BulkPreview {
    pub fn targets(&self) -> Vec<BulkTarget> {
        self.groups.iter().filter_map(|one| one.target.clone()).collect()
    }
}
