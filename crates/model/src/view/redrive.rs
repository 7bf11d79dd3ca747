//! A re-drive, and what one would do.

use serde::{Deserialize, Serialize};

use super::ClusterView;
use crate::actor::ActorView;
use crate::ids::CommandId;
use crate::names::{GroupId, TopicName};
use crate::redrive::{RedriveOrder, RedriveProgress, RedriveRequest, RedriveState};
use crate::time::Timestamp;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct RedriveView {
    pub id: CommandId,
    pub cluster_info: ClusterView,
    pub request: RedriveRequest,
    pub actor: ActorView,
    pub state: RedriveState,
    /// What an operator last told it; `run` from the beginning.
    pub order: RedriveOrder,
    pub progress: RedriveProgress,
    /// The server's clock when the view was made.
    pub now: Timestamp,
    pub requested_at: Timestamp,
    /// When it last said how far it came.
    pub changed_at: Timestamp,
    pub notes: Vec<String>,
}

/// What a re-drive would do. Nothing has happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct RedrivePreview {
    /// The request, with the ends that were taken for it.
    pub request: RedriveRequest,
    /// Would be copied.
    pub copies: u64,
    /// What would not be, and how much was looked at.
    pub progress: RedriveProgress,
    pub targets: Vec<RedriveTargetPreview>,
    /// Everything that is asked for was looked at; else these are numbers of a part.
    pub complete: bool,
    /// What goes otherwise than one may expect.
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct RedriveTargetPreview {
    pub topic: TopicName,
    pub copies: u64,
    /// Its consumer groups, which get every copy, but for agents that skip it; those that the reader may view.
    pub groups: Vec<GroupId>,
    /// Its consumer groups that the reader may not view.
    pub other_groups: u32,
    /// It has groups other than the one that failed: `otherGroups` must be agreed to.
    pub needs_consent: bool,
}

/// One re-drive of a dead-letter topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct RedriveRow {
    pub id: CommandId,
    pub actor: ActorView,
    pub state: RedriveState,
    pub copied: u64,
    pub not_copied: u64,
    pub requested_at: Timestamp,
}
