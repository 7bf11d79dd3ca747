//! The audit: who asked for what, and what came of it.

use serde::{Deserialize, Serialize};

use super::ClusterView;
use crate::actor::ActorView;
use crate::command::CommandState;
use crate::ids::CommandId;
use crate::names::GroupId;
use crate::time::Timestamp;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct AuditView {
    pub now: Timestamp,
    pub cluster_info: ClusterView,
    /// Each operation once, by its last record; newest first. Of groups that the reader may view, and log-ins where the
    /// reader has every permission on every group.
    pub entries: Vec<AuditEntry>,
    /// `before` of the page that follows; null at the beginning of the audit.
    pub older: Option<i64>,
    /// Records that were looked at for it.
    pub scanned: u64,
    /// Why there may be less than there is.
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum AuditEntry {
    Operation(AuditOperation),
    LogIn(AuditLogIn),
    Redrive(AuditRun),
    /// The commands of its groups are operations of their own.
    Bulk(AuditRun),
    Produced(AuditRun),
}

impl AuditEntry {
    /// Of its last record.
    pub fn offset(&self) -> i64 {
        match self {
            Self::Operation(operation) => operation.offset,
            Self::LogIn(log_in) => log_in.offset,
            Self::Redrive(run) | Self::Bulk(run) | Self::Produced(run) => run.offset,
        }
    }
}

/// One record of a re-drive, a bulk operation or a produced record: its request, an order, or its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct AuditRun {
    pub offset: i64,
    pub at: Timestamp,
    pub id: CommandId,
    /// What was asked for or came of it, in words.
    pub title: String,
    pub actor: ActorView,
    /// Of its request.
    pub reason: String,
    /// `requested`, an order, or the state in which it ended.
    pub event: String,
    pub notes: Vec<String>,
}

/// An operation as its last record tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct AuditOperation {
    pub offset: i64,
    /// When that record was made.
    pub at: Timestamp,
    pub id: CommandId,
    /// As the request names it; it may be of a kind that this version does not know.
    pub action: String,
    /// What was asked for, in words.
    pub title: String,
    /// Null where it is about no group.
    pub group: Option<GroupId>,
    pub actor: ActorView,
    pub reason: String,
    pub state: CommandState,
    pub requested_at: Timestamp,
    /// When a pause was to end.
    pub until: Option<Timestamp>,
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct AuditLogIn {
    pub offset: i64,
    pub at: Timestamp,
    /// Of one that was refused, the name is what was claimed.
    pub actor: ActorView,
    pub outcome: LogInOutcome,
    /// Why it was refused.
    pub detail: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum LogInOutcome {
    Accepted,
    Refused,
    SignedOut,
    /// All sessions of the user.
    SignedOutEverywhere,
}

impl LogInOutcome {
    pub fn label(self) -> &'static str {
        match self {
            Self::Accepted => "signed in",
            Self::Refused => "log-in refused",
            Self::SignedOut => "signed out",
            Self::SignedOutEverywhere => "signed out everywhere",
        }
    }
}
