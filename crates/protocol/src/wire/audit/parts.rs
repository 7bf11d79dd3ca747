//! What an operation lists: records that were written, and instances.

use flowdeck_model::verdict::lock_up::MustEnd;
use flowdeck_model::view::{InstanceKind, InstanceOutcome, OffsetChange, OffsetTarget, SentRecord};
use flowdeck_model::{
    ConsumerName, Incarnation, InstanceName, InstanceState, Partition, Timestamp, TopicName,
};
use serde::{Deserialize, Serialize};

use super::{MustBeEnded, OperationInstance, limit};
use crate::{Malformed, NAME_MAX};

/// In characters.
const DETAIL_MAX: usize = 1_000;

#[derive(Serialize, Deserialize)]
pub(super) struct SentJson {
    topic: TopicName,
    partition: Partition,
    offset: i64,
    at: i64,
}

#[derive(Serialize, Deserialize)]
pub(super) struct InstanceJson {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    consumer: Option<String>,
    instance: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    incarnation: Option<Incarnation>,
    kind: InstanceKind,
    state: InstanceState,
    at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deadline: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// `to`: `{"offset": n}`, `"noRecord"`, `"unassigned"`, `"unknown"`, `"deleted"`, `"kept"` or `"notSet"`.
#[derive(Serialize, Deserialize)]
pub(super) struct OffsetJson {
    topic: TopicName,
    partition: Partition,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<i64>,
    to: OffsetTarget,
}

#[derive(Serialize, Deserialize)]
pub(super) struct EndedJson {
    consumer: String,
    instance: String,
    why: Why,
    since: i64,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Why {
    LockedUpAgain,
    DidNotComeBack,
    ResumedTooSoon,
    /// Of a newer version.
    #[serde(other)]
    Unknown,
}

impl From<&MustBeEnded> for EndedJson {
    fn from(one: &MustBeEnded) -> Self {
        let name = |name: &str| limit::name(name, NAME_MAX).into_owned();
        let why = match one.why {
            MustEnd::LockedUpAgain => Why::LockedUpAgain,
            MustEnd::DidNotComeBack => Why::DidNotComeBack,
            MustEnd::ResumedTooSoon => Why::ResumedTooSoon,
        };
        let (consumer, instance) = (name(one.consumer.as_str()), name(one.instance.as_str()));
        Self { consumer, instance, why, since: one.since.millis() }
    }
}

impl EndedJson {
    /// `None`: for a reason that this version does not know, or under a name that is too long.
    pub(super) fn known(self) -> Option<MustBeEnded> {
        let why = match self.why {
            Why::LockedUpAgain => MustEnd::LockedUpAgain,
            Why::DidNotComeBack => MustEnd::DidNotComeBack,
            Why::ResumedTooSoon => MustEnd::ResumedTooSoon,
            Why::Unknown => return None,
        };
        let is_named = self.consumer.len() <= NAME_MAX && self.instance.len() <= NAME_MAX;
        is_named.then(|| MustBeEnded {
            consumer: ConsumerName::new(self.consumer),
            instance: InstanceName::new(self.instance),
            why,
            since: Timestamp::from_millis(self.since),
        })
    }
}

impl From<&OffsetChange> for OffsetJson {
    fn from(change: &OffsetChange) -> Self {
        Self { topic: change.topic.clone(), partition: change.partition, from: change.from, to: change.to }
    }
}

impl From<OffsetJson> for OffsetChange {
    fn from(OffsetJson { topic, partition, from, to }: OffsetJson) -> Self {
        Self { topic, partition, from, to }
    }
}

impl From<&SentRecord> for SentJson {
    fn from(sent: &SentRecord) -> Self {
        Self {
            topic: sent.topic.clone(),
            partition: sent.partition,
            offset: sent.offset,
            at: sent.at.millis(),
        }
    }
}

impl From<SentJson> for SentRecord {
    fn from(SentJson { topic, partition, offset, at }: SentJson) -> Self {
        Self { topic, partition, offset, at: Timestamp::from_millis(at) }
    }
}

impl From<&OperationInstance> for InstanceJson {
    fn from(OperationInstance { outcome, deadline }: &OperationInstance) -> Self {
        let name = |name: &str| limit::name(name, NAME_MAX).into_owned();
        Self {
            consumer: outcome.consumer.as_ref().map(|it| name(it.as_str())),
            instance: name(outcome.instance.as_str()),
            incarnation: outcome.incarnation,
            kind: outcome.kind,
            state: outcome.state,
            at: outcome.at.millis(),
            deadline: deadline.map(Timestamp::millis),
            detail: outcome.detail.as_deref().map(|it| limit::text(it, DETAIL_MAX).into_owned()),
        }
    }
}

impl TryFrom<InstanceJson> for OperationInstance {
    type Error = Malformed;
    fn try_from(json: InstanceJson) -> Result<Self, Malformed> {
        if json.instance.len() > NAME_MAX {
            return Err(Malformed::NameTooLong("instance"));
        }
        if json.consumer.as_ref().is_some_and(|name| name.len() > NAME_MAX) {
            return Err(Malformed::NameTooLong("consumer"));
        }
        let outcome = InstanceOutcome {
            instance: InstanceName::new(json.instance),
            consumer: json.consumer.map(ConsumerName::new),
            kind: json.kind,
            incarnation: json.incarnation,
            state: json.state,
            at: Timestamp::from_millis(json.at),
            detail: json.detail,
        };
        Ok(Self { outcome, deadline: json.deadline.map(Timestamp::from_millis) })
    }
}
