//! What an operation was asked to do. Open, so that a later kind of operation needs no change here, and a
//! reader that does not know it keeps and shows it.

use std::fmt;

use flowdeck_model::action::{ActionFields, Workers};
use flowdeck_model::offsets::{OffsetMoves, SetOffsets};
use flowdeck_model::{ActionKind, CommandId, GroupId, HoldBy, PauseEnd, Submit, Target, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::{Malformed, NAME_MAX};

/// The longest request, in bytes of JSON: a pause of the most topics under the longest names is shorter.
pub const REQUEST_MAX: usize = 48 * 1024;

/// JSON of an object with the field `action`, byte for byte as its writer wrote it.
#[derive(Clone)]
pub struct Request(Box<RawValue>);

/// A field that is not known could narrow what is asked for, so such a request is not decoded.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SubmitJson {
    action: ActionKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    workers: Option<Workers>,
    /// Epoch milliseconds, as all times in Flowdeck's own records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<i64>,
    target: Target,
    reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    for_seconds: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    offsets: Option<OffsetsJson>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<HoldBy>,
}

/// With `setOffsets` and `deleteGroup`: all of it, so that it can be taken back exactly.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OffsetsJson {
    to: String,
    moves: OffsetMoves,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    skips: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    confirm: Option<String>,
}

impl From<&SetOffsets> for OffsetsJson {
    fn from(set: &SetOffsets) -> Self {
        let SetOffsets { to, moves, skips, confirm } = set.clone();
        Self { to, moves, skips, confirm }
    }
}

impl From<OffsetsJson> for SetOffsets {
    fn from(OffsetsJson { to, moves, skips, confirm }: OffsetsJson) -> Self {
        Self { to, moves, skips, confirm }
    }
}

#[derive(Deserialize)]
struct HasAction {
    action: String,
}

#[derive(Deserialize)]
struct HasReason {
    reason: String,
}

#[derive(Deserialize)]
struct HasGroup {
    target: TargetGroup,
}

#[derive(Deserialize)]
struct TargetGroup {
    group: GroupId,
}

impl Request {
    /// Of any kind: an object with the text field `action`.
    pub fn new(request: &impl Serialize) -> Result<Self, Malformed> {
        serde_json::value::to_raw_value(request).map_err(|_| Malformed::ValueJson).and_then(Self::checked)
    }

    /// Its id is the operation's.
    pub fn of(submit: &Submit) -> Result<Self, Malformed> {
        let ActionFields { action, workers, to } = submit.action.into();
        let request = Self::new(&SubmitJson {
            action,
            workers,
            to: to.map(Timestamp::millis),
            target: submit.target.clone(),
            reason: submit.reason.clone(),
            for_seconds: submit.ends.and_then(PauseEnd::for_seconds),
            until: submit.ends.and_then(PauseEnd::until).map(Timestamp::millis),
            offsets: submit.offsets.as_deref().map(OffsetsJson::from),
            by: submit.by,
        })?;
        // By the readers' own rules.
        request.submit(submit.id).ok_or(Malformed::NameTooLong("target"))?;
        Ok(request)
    }

    pub(super) fn checked(json: Box<RawValue>) -> Result<Self, Malformed> {
        if json.get().len() > REQUEST_MAX {
            return Err(Malformed::RequestTooLong);
        }
        let request = Self(json);
        request.decode::<HasAction>().ok_or(Malformed::Missing("action"))?;
        Ok(request)
    }

    pub(super) fn json(&self) -> &RawValue {
        &self.0
    }

    /// For eyes and logs, also where this version does not know what it means.
    pub fn text(&self) -> &str {
        self.0.get()
    }

    /// A word, which may not be known here.
    pub fn action(&self) -> String {
        self.decode::<HasAction>().map(|it| it.action).unwrap_or_default()
    }

    /// The group that it is about, also of a kind that is not known here: permissions are by group.
    pub fn group(&self) -> Option<GroupId> {
        let HasGroup { target } = self.decode()?;
        (target.group.as_str().len() <= NAME_MAX).then_some(target.group)
    }

    /// Why it was asked for; empty where it does not say.
    pub fn reason(&self) -> String {
        self.decode::<HasReason>().map(|it| it.reason).unwrap_or_default()
    }

    /// `None`: another kind, or one with more to it than is known here.
    pub fn submit(&self, id: CommandId) -> Option<Submit> {
        let SubmitJson { action, workers, to, target, reason, for_seconds, until, offsets, by } =
            self.decode()?;
        let time = |millis: Option<i64>| match millis {
            Some(millis) => Timestamp::from_millis_exact(millis).map(Some),
            None => Some(None),
        };
        let (to, until) = (time(to)?, time(until)?);
        let ends = PauseEnd::of_fields(for_seconds, until).ok()?;
        let action = ActionFields { action, workers, to }.try_into().ok()?;
        let longest = target.consumer.as_ref().map_or(0, |name| name.as_str().len());
        let named = target.group.as_str().len().max(longest) <= NAME_MAX;
        let offsets = offsets.map(|set| Box::new(SetOffsets::from(set)));
        named.then_some(Submit { id, action, target, reason, ends, offsets, by })
    }

    /// As the type of a kind.
    pub fn decode<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(self.0.get()).ok()
    }

    /// Whether both ask for the same: neither the order of fields counts nor that of `target.topics` and
    /// `target.partitions`.
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.text() == other.text()
            || self.in_order().zip(other.in_order()).is_some_and(|(own, other)| own == other)
    }

    fn in_order(&self) -> Option<Value> {
        let mut value: Value = self.decode()?;
        if let Some(Value::Array(topics)) = value.pointer_mut("/target/topics") {
            topics.sort_by(|one, other| one.as_str().cmp(&other.as_str()));
        }
        if let Some(Value::Array(partitions)) = value.pointer_mut("/target/partitions") {
            partitions.sort_by_key(Value::as_i64);
        }
        Some(value)
    }
}

impl PartialEq for Request {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Eq for Request {}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}
