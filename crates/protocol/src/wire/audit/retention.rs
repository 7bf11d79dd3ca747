//! A retention that is raised for a while, in the audit. Each record but an order holds the whole state, so that what has to
//! be put back is known from the newest one alone.

use flowdeck_model::actor::ActorView;
use flowdeck_model::retention::{RetentionPause, RetentionRequest, RetentionState, TopicRetention};
use flowdeck_model::{CommandId, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::actor::ActorJson;
use super::{limit, record};
use crate::{Malformed, Record};

pub(super) const TYPE: &str = "retention";

/// In characters.
const NOTE_MAX: usize = 500;
const NOTES_MAX: usize = 5;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetentionRecord {
    pub id: CommandId,
    pub at: Timestamp,
    /// Who asked, for the state; who ordered, for the end.
    pub actor: ActorView,
    pub event: RetentionEvent,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RetentionEvent {
    /// The first one with the state `requested` under an id decides what the id means; the others are by the elected writer.
    State(Box<RetentionStatus>),
    /// The values are to be put back at once.
    End,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RetentionStatus {
    pub request: RetentionRequest,
    pub requested_at: Timestamp,
    pub state: RetentionState,
    /// What is put back; there before anything is changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<TopicRetention>,
    #[serde(default)]
    pub pause: RetentionPause,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct RetentionJson {
    r#type: String,
    id: CommandId,
    at: i64,
    actor: ActorJson,
    event: RetentionEvent,
}

/// What is too long of a text is cut, so that the record is one that is read.
pub fn retention_record(retention: &RetentionRecord) -> Record {
    let mut event = retention.event.clone();
    if let RetentionEvent::State(status) = &mut event {
        status.notes.truncate(NOTES_MAX);
        for note in &mut status.notes {
            *note = limit::text(note, NOTE_MAX).into_owned();
        }
    }
    let json = RetentionJson {
        r#type: TYPE.to_owned(),
        id: retention.id,
        at: retention.at.millis(),
        actor: ActorJson::from(&retention.actor),
        event,
    };
    record(retention.id.uuid(), &json)
}

pub(super) fn read(key: Uuid, value: &[u8]) -> Result<RetentionRecord, Malformed> {
    let json: RetentionJson = serde_json::from_slice(value).map_err(|_| Malformed::ValueJson)?;
    if json.id.uuid() != key {
        return Err(Malformed::KeyId);
    }
    Ok(RetentionRecord {
        id: json.id,
        at: Timestamp::from_millis(json.at),
        actor: json.actor.into(),
        event: json.event,
    })
}
