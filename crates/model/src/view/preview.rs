//! What a command would do. Nothing has happened.

use serde::{Deserialize, Serialize};

use super::{InstanceOutcome, OffsetChange};
use crate::action::ActionKind;
use crate::hold::HoldBy;
use crate::ids::{CommandId, HoldId};
use crate::names::{Partition, TopicName};
use crate::scope::Scope;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct PreviewView {
    /// What is asked for is in force already, by this command: nothing would be written.
    pub existing: Option<CommandId>,
    /// Of a pause: how it would be kept with KafkaFlow consumers.
    pub by: Option<HoldBy>,
    /// What would be written to `flowdeck.holds`, in one transaction.
    pub holds: Vec<HoldPreview>,
    /// What would be sent to KafkaFlow.
    pub messages: Vec<MessagePreview>,
    /// Of a reset or rewind, partition by partition; the first thousand.
    pub offsets: Vec<OffsetChange>,
    /// Who is expected to obey, and the members that cannot.
    pub instances: Vec<InstanceOutcome>,
    /// What it cannot do, or what goes otherwise than one may expect.
    pub notes: Vec<String>,
    /// The action that takes it back, with the same target.
    pub undo: Option<ActionKind>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct HoldPreview {
    pub id: HoldId,
    pub scope: Scope,
    pub change: HoldChangeKind,
    /// Who holds: an actor's name, or `external` for an external command.
    pub owner: String,
    pub reason: String,
    /// Parts of its scope that it does not cover.
    pub except: Vec<Scope>,
    /// Those of them that are new: what a resume takes out of it.
    pub taken_out: Vec<Scope>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum HoldChangeKind {
    /// Made, or replaced under the same id.
    Set,
    Release,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct MessagePreview {
    pub topic: TopicName,
    pub partition: Partition,
    /// KafkaFlow's name of the message: `PauseConsumerByName`.
    pub message: String,
    /// Of the consumer or group that it names.
    pub name: String,
    /// All of them where there is none.
    pub topics: Vec<TopicName>,
    /// What else is in it: a number of workers; a time, as the consumer's host reads it.
    pub argument: Option<String>,
}
