//! A command and what came of it.

use serde::{Deserialize, Deserializer, Serialize};

use super::ClusterView;
use super::both::both;
use crate::action::Action;
use crate::actor::ActorView;
use crate::command::{CommandState, InstanceState, Target};
use crate::ids::{CommandId, HoldId, Incarnation};
use crate::names::{ConsumerName, InstanceName, Partition, TopicName};
use crate::time::Timestamp;

/// The answer to a command that was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Submitted {
    /// Where `existing`, the id of the command in force.
    pub id: CommandId,
    pub state: CommandState,
    /// Nothing was written: the same command came before, or its request is already in force.
    pub existing: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct CommandView {
    pub id: CommandId,
    pub cluster_info: ClusterView,
    #[serde(flatten)]
    #[cfg_attr(feature = "openapi", schema(value_type = crate::action::ActionFields))]
    pub action: Action,
    pub target: Target,
    pub actor: ActorView,
    pub reason: String,
    pub state: CommandState,
    /// The server's clock when the view was made.
    pub now: Timestamp,
    pub requested_at: Timestamp,
    pub until: Option<Timestamp>,
    /// What was written for it, in order. Of what was sent again and again, the newest.
    pub sent: Vec<SentRecord>,
    /// It was not obeyed, or a rebalance made instances forget it.
    pub sent_again: Option<SentAgain>,
    pub holds: Vec<HoldId>,
    /// Of a reset or rewind, as it was found when it was sent; of a hold by stop, the commits that are kept.
    pub offsets: Vec<OffsetChange>,
    pub instances: Vec<InstanceOutcome>,
    /// What it cannot do, or what went otherwise: "up to 300 records may still finish".
    pub notes: Vec<String>,
}

/// A command's view but its action.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BesideAction {
    id: CommandId,
    cluster_info: ClusterView,
    target: Target,
    actor: ActorView,
    reason: String,
    state: CommandState,
    now: Timestamp,
    requested_at: Timestamp,
    until: Option<Timestamp>,
    sent: Vec<SentRecord>,
    sent_again: Option<SentAgain>,
    holds: Vec<HoldId>,
    offsets: Vec<OffsetChange>,
    instances: Vec<InstanceOutcome>,
    notes: Vec<String>,
}

impl<'de> Deserialize<'de> for CommandView {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (action, beside): (_, BesideAction) = both(deserializer)?;
        Ok(Self {
            id: beside.id,
            cluster_info: beside.cluster_info,
            action,
            target: beside.target,
            actor: beside.actor,
            reason: beside.reason,
            state: beside.state,
            now: beside.now,
            requested_at: beside.requested_at,
            until: beside.until,
            sent: beside.sent,
            sent_again: beside.sent_again,
            holds: beside.holds,
            offsets: beside.offsets,
            instances: beside.instances,
            notes: beside.notes,
        })
    }
}

/// Where a partition's commit is moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct OffsetChange {
    pub topic: TopicName,
    pub partition: Partition,
    /// Committed before. Null where nothing is.
    pub from: Option<i64>,
    pub to: OffsetTarget,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum OffsetTarget {
    Offset(i64),
    /// The partition has no record at or after the time, so it is left as it is.
    NoRecord,
    /// No instance that listens has it assigned, so it is left as it is.
    Unassigned,
    /// Kafka did not tell in time.
    Unknown,
    /// The commit is deleted.
    Deleted,
    /// Of a hold by stop: put back where it is missing before the consumer starts.
    Kept,
    /// It was to be moved or deleted, and was not.
    NotSet,
}

impl OffsetTarget {
    pub fn label(self) -> &'static str {
        match self {
            Self::Offset(_) => "moved",
            Self::NoRecord => "left as it is: no record at or after that time",
            Self::Unassigned => "left as it is: not assigned",
            Self::Unknown => "not known",
            Self::Deleted => "deleted",
            Self::Kept => "kept: put back where it is missing",
            Self::NotSet => "left as it is: not set",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct SentAgain {
    pub times: u32,
    pub last_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct SentRecord {
    pub topic: TopicName,
    pub partition: Partition,
    pub offset: i64,
    pub at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum InstanceKind {
    Agent,
    KafkaFlow,
    /// A plain member of the group: seen by Kafka alone.
    Member,
    /// No instance: the commits of a topic, which Flowdeck itself sets.
    Commits,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct InstanceOutcome {
    /// For a plain member, its client id and host.
    pub instance: InstanceName,
    pub consumer: Option<ConsumerName>,
    pub kind: InstanceKind,
    pub incarnation: Option<Incarnation>,
    pub state: InstanceState,
    /// When it came to this state.
    pub at: Timestamp,
    pub detail: Option<String>,
}
