//! A bulk operation in the audit: its request with the ids of its commands, that an operator stopped it, and how far it
//! came. A record holds one of the three; together they are what is known of it. The commands of its groups are operations
//! of their own.

use flowdeck_model::actor::ActorView;
use flowdeck_model::bulk::{BulkOutcome, BulkRequest, BulkState};
use flowdeck_model::{CommandId, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::actor::ActorJson;
use super::{limit, record};
use crate::wire::LONGEST;
use crate::{Malformed, NAME_MAX, Record};

pub(super) const TYPE: &str = "bulk";

/// In characters.
const NOTE_MAX: usize = 200;
/// So many outcomes keep their notes.
const NOTED_MAX: usize = 50;
const NOTES_MAX: usize = 20;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkRecord {
    pub id: CommandId,
    pub at: Timestamp,
    /// Who asked or stopped it; of progress Flowdeck itself.
    pub actor: ActorView,
    pub event: BulkEvent,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum BulkEvent {
    /// The first one under an id decides what the id means.
    Requested {
        request: BulkRequest,
        /// Of the groups' commands, in the order of the groups.
        commands: Vec<CommandId>,
    },
    Stop,
    /// By the elected writer alone.
    Progress {
        state: BulkState,
        /// Of the groups that were begun.
        outcomes: Vec<BulkOutcome>,
        #[serde(default)]
        notes: Vec<String>,
    },
}

impl BulkEvent {
    /// A request, an order or its end.
    pub fn is_milestone(&self) -> bool {
        match self {
            Self::Requested { .. } | Self::Stop => true,
            Self::Progress { state, .. } => state.is_over(),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct BulkJson {
    r#type: String,
    id: CommandId,
    at: i64,
    actor: ActorJson,
    event: BulkEvent,
}

/// Notes that are too long or too many are cut, so that progress is a record that is read.
pub fn bulk_record(bulk: &BulkRecord) -> Record {
    let mut event = bulk.event.clone();
    if let BulkEvent::Progress { outcomes, notes, .. } = &mut event {
        let noted = outcomes.iter_mut().filter(|one| one.note.is_some());
        for (n, one) in noted.enumerate() {
            let note = one.note.take().filter(|_| n < NOTED_MAX);
            one.note = note.map(|note| limit::text(&note, NOTE_MAX).into_owned());
        }
        limit::notes(notes, NOTES_MAX, NOTE_MAX);
    }
    let json = BulkJson {
        r#type: TYPE.to_owned(),
        id: bulk.id,
        at: bulk.at.millis(),
        actor: ActorJson::from(&bulk.actor),
        event,
    };
    record(bulk.id.uuid(), &json)
}

/// Whether a request is one that readers take.
pub fn check_bulk(bulk: &BulkRecord) -> Result<(), Malformed> {
    let record = bulk_record(bulk);
    let value = record.value.unwrap_or_default();
    match value.len() > LONGEST {
        true => Err(Malformed::TooLong),
        false => read(bulk.id.uuid(), &value).map(drop),
    }
}

pub(super) fn read(key: Uuid, value: &[u8]) -> Result<BulkRecord, Malformed> {
    let json: BulkJson = serde_json::from_slice(value).map_err(|_| Malformed::ValueJson)?;
    if json.id.uuid() != key {
        return Err(Malformed::KeyId);
    }
    if let BulkEvent::Requested { request, commands } = &json.event {
        // By the writers' own rules: what breaks them is no request.
        request.check().map_err(|_| Malformed::ValueJson)?;
        if commands.len() != request.groups.len() {
            return Err(Malformed::ValueJson);
        }
        if request.groups.iter().any(|one| one.group.as_str().len() > NAME_MAX) {
            return Err(Malformed::NameTooLong("group"));
        }
    }
    Ok(BulkRecord {
        id: json.id,
        at: Timestamp::from_millis(json.at),
        actor: json.actor.into(),
        event: json.event,
    })
}
