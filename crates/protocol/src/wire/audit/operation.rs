//! An operation as it is at one time.

use flowdeck_model::actor::ActorView;
use flowdeck_model::verdict::lock_up::MustEnd;
use flowdeck_model::view::{InstanceOutcome, OffsetChange, SentRecord};
use flowdeck_model::{CommandId, CommandState, ConsumerName, Hold, HoldId, InstanceName, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::actor::ActorJson;
use super::parts::{EndedJson, InstanceJson, OffsetJson, SentJson};
use super::{Request, limit, record};
use crate::wire::LONGEST;
use crate::wire::holds::HoldJson;
use crate::{Malformed, Record};

pub(super) const TYPE: &str = "operation";

/// Of [`LONGEST`], in bytes: all that is no list and not the request.
const SCALARS: usize = 4 * 1024;
/// These lists may take so much; the instances what is left, and what was in force before the rest of that.
const HOLDS: usize = 8 * 1024;
const NOTES: usize = 8 * 1024;
const NAMES: usize = 8 * 1024;
const ENDED: usize = 8 * 1024;
const SENT: usize = 16 * 1024;
const OFFSETS: usize = 32 * 1024;
/// In characters.
const NOTE_MAX: usize = 1_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    pub id: CommandId,
    /// When this record was made.
    pub at: Timestamp,
    pub actor: ActorView,
    pub request: Request,
    pub state: CommandState,
    pub requested_at: Timestamp,
    /// When its first record was confirmed.
    pub sent_at: Option<Timestamp>,
    pub until: Option<Timestamp>,
    pub sent: Vec<SentRecord>,
    /// So many records were written at first: what comes after them in `sent` was sent again.
    pub written: Option<u32>,
    pub holds: Vec<HoldId>,
    /// The holds that it changed or released, as they were.
    pub before: Vec<Hold>,
    /// Of a reset or rewind: where each commit was, and where it is moved.
    pub offsets: Vec<OffsetChange>,
    pub instances: Vec<OperationInstance>,
    pub notes: Vec<String>,
    /// Of a resume: consumers that are brought back first, until that is done.
    pub brings_back: Vec<ConsumerName>,
    /// KafkaFlow instances that are locked up and that nothing brought back, until they are gone.
    pub must_end: Vec<MustBeEnded>,
    pub left_out: LeftOut,
}

/// An instance whose process must be ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MustBeEnded {
    pub consumer: ConsumerName,
    pub instance: InstanceName,
    pub why: MustEnd,
    /// Since when it is locked up.
    pub since: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationInstance {
    pub outcome: InstanceOutcome,
    /// Without evidence until then, it is `noResponse`.
    pub deadline: Option<Timestamp>,
}

/// How many of each list the record has no space for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct LeftOut {
    #[serde(skip_serializing_if = "is_zero")]
    pub sent: u32,
    #[serde(skip_serializing_if = "is_zero")]
    pub holds: u32,
    #[serde(skip_serializing_if = "is_zero")]
    pub before: u32,
    #[serde(skip_serializing_if = "is_zero")]
    pub offsets: u32,
    #[serde(skip_serializing_if = "is_zero")]
    pub instances: u32,
    #[serde(skip_serializing_if = "is_zero")]
    pub notes: u32,
    #[serde(skip_serializing_if = "is_zero")]
    pub brings_back: u32,
    #[serde(skip_serializing_if = "is_zero")]
    pub must_end: u32,
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl LeftOut {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// `List` is [`RawValue`] where it is written, so that no list is serialised twice.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OperationJson<Sent, Before, Offset, Instance, Note, Id, Name, Ended> {
    r#type: String,
    id: CommandId,
    at: i64,
    actor: ActorJson,
    request: Box<RawValue>,
    state: CommandState,
    requested_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sent_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<i64>,
    #[serde(default = "Vec::new")]
    sent: Vec<Sent>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    written: Option<u32>,
    #[serde(default = "Vec::new")]
    holds: Vec<Id>,
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    before: Vec<Before>,
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    offsets: Vec<Offset>,
    #[serde(default = "Vec::new")]
    instances: Vec<Instance>,
    #[serde(default = "Vec::new")]
    notes: Vec<Note>,
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    brings_back: Vec<Name>,
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    must_end: Vec<Ended>,
    #[serde(default, skip_serializing_if = "LeftOut::is_empty")]
    left_out: LeftOut,
}

type Json = Box<RawValue>;
type Written = OperationJson<Json, Json, Json, Json, Json, Json, Json, Json>;
type Read =
    OperationJson<SentJson, HoldJson, OffsetJson, InstanceJson, String, HoldId, ConsumerName, EndedJson>;

/// However many instances there are and whatever they are called, the record is one that is read: names and
/// texts are cut, and of a list that is too long its first entries are written.
pub fn operation_record(operation: &Operation) -> Record {
    let mut space = LONGEST - SCALARS - operation.request.text().len();
    let notes = operation.notes.iter().map(|note| limit::text(note, NOTE_MAX));
    let holds = limited(&operation.holds, HOLDS, &mut space);
    let notes = limited(notes, NOTES, &mut space);
    let brings_back = limited(&operation.brings_back, NAMES, &mut space);
    let must_end = limited(operation.must_end.iter().map(EndedJson::from), ENDED, &mut space);
    let sent = limited(operation.sent.iter().map(SentJson::from), SENT, &mut space);
    let offsets = limited(operation.offsets.iter().map(OffsetJson::from), OFFSETS, &mut space);
    let instances = instances(&operation.instances, &mut space);
    let before = limit::fitting(operation.before.iter().map(HoldJson::from), &mut space);
    let earlier = operation.left_out;
    let more = |earlier: u32, count| earlier.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
    let left_out = LeftOut {
        sent: more(earlier.sent, operation.sent.len() - sent.len()),
        holds: more(earlier.holds, operation.holds.len() - holds.len()),
        before: more(earlier.before, operation.before.len() - before.len()),
        offsets: more(earlier.offsets, operation.offsets.len() - offsets.len()),
        instances: more(earlier.instances, operation.instances.len() - instances.len()),
        notes: more(earlier.notes, operation.notes.len() - notes.len()),
        brings_back: more(earlier.brings_back, operation.brings_back.len() - brings_back.len()),
        must_end: more(earlier.must_end, operation.must_end.len() - must_end.len()),
    };
    let json = Written {
        r#type: TYPE.to_owned(),
        id: operation.id,
        at: operation.at.millis(),
        actor: ActorJson::from(&operation.actor),
        request: operation.request.json().to_owned(),
        state: operation.state,
        requested_at: operation.requested_at.millis(),
        sent_at: operation.sent_at.map(Timestamp::millis),
        until: operation.until.map(Timestamp::millis),
        sent,
        written: operation.written,
        holds,
        before,
        offsets,
        instances,
        notes,
        brings_back,
        must_end,
        left_out,
    };
    record(operation.id.uuid(), &json)
}

/// Where not all fit, first those that have not obeyed: whoever goes on with the operation awaits these.
fn instances(all: &[OperationInstance], space: &mut usize) -> Vec<Json> {
    let mut left = *space;
    let fitting = limit::fitting(all.iter().map(InstanceJson::from), &mut left);
    if fitting.len() == all.len() {
        *space = left;
        return fitting;
    }
    let (done, open): (Vec<_>, Vec<_>) = all.iter().partition(|one| one.outcome.state.is_done());
    limit::fitting(open.into_iter().chain(done).map(InstanceJson::from), space)
}

/// Of `items` as many as take at most `max` bytes of `space`.
fn limited<T: Serialize>(items: impl IntoIterator<Item = T>, max: usize, space: &mut usize) -> Vec<Json> {
    let before = max.min(*space);
    let mut left = before;
    let fitting = limit::fitting(items, &mut left);
    *space -= before - left;
    fitting
}

pub(super) fn read(key: Uuid, value: &[u8]) -> Result<Operation, Malformed> {
    let json: Read = serde_json::from_slice(value).map_err(|_| Malformed::ValueJson)?;
    if json.id.uuid() != key {
        return Err(Malformed::KeyId);
    }
    Ok(Operation {
        id: json.id,
        at: Timestamp::from_millis(json.at),
        actor: json.actor.into(),
        request: Request::checked(json.request)?,
        state: json.state,
        requested_at: Timestamp::from_millis(json.requested_at),
        sent_at: json.sent_at.map(Timestamp::from_millis),
        until: json.until.map(Timestamp::from_millis),
        sent: json.sent.into_iter().map(SentRecord::from).collect(),
        written: json.written,
        holds: json.holds,
        before: json.before.into_iter().map(Hold::try_from).collect::<Result<_, _>>()?,
        offsets: json.offsets.into_iter().map(OffsetChange::from).collect(),
        instances: json.instances.into_iter().map(OperationInstance::try_from).collect::<Result<_, _>>()?,
        notes: json.notes,
        brings_back: json.brings_back,
        must_end: json.must_end.into_iter().filter_map(EndedJson::known).collect(),
        left_out: json.left_out,
    })
}
