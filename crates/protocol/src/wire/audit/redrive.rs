//! A re-drive in the audit: its request, what an operator told it, and how far it came. A record holds one of the three;
//! together they are what is known of it.

use flowdeck_model::actor::{ActorView, Pattern};
use flowdeck_model::redrive::{RedriveOrder, RedriveProgress, RedriveRequest, RedriveState};
use flowdeck_model::{CommandId, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::actor::ActorJson;
use super::{limit, record};
use crate::{Malformed, Record};

pub(super) const TYPE: &str = "redrive";

const NOTES_MAX: usize = 20;
/// In characters.
const NOTE_MAX: usize = 500;
/// More patterns than any configuration has.
const ALLOWED_MAX: usize = 1_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedriveRecord {
    pub id: CommandId,
    pub at: Timestamp,
    /// Who asked or told it; of progress Flowdeck itself.
    pub actor: ActorView,
    pub event: RedriveEvent,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RedriveEvent {
    /// The first one under an id decides what the id means.
    Requested {
        request: RedriveRequest,
        /// The topics to which whoever asked may re-drive, as the configuration had it then.
        allowed: Vec<Pattern>,
    },
    Ordered(RedriveOrder),
    /// By the elected writer alone.
    Progress {
        state: RedriveState,
        progress: RedriveProgress,
        #[serde(default)]
        notes: Vec<String>,
    },
}

impl RedriveEvent {
    /// A request, an order or its end.
    pub fn is_milestone(&self) -> bool {
        match self {
            Self::Requested { .. } | Self::Ordered(_) => true,
            Self::Progress { state, .. } => state.is_over(),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct RedriveJson {
    r#type: String,
    id: CommandId,
    at: i64,
    actor: ActorJson,
    event: RedriveEvent,
}

/// What is too long of the notes is cut, so that the record is one that is read.
pub fn redrive_record(redrive: &RedriveRecord) -> Record {
    let mut event = redrive.event.clone();
    if let RedriveEvent::Progress { notes, .. } = &mut event {
        limit::notes(notes, NOTES_MAX, NOTE_MAX);
    }
    let json = RedriveJson {
        r#type: TYPE.to_owned(),
        id: redrive.id,
        at: redrive.at.millis(),
        actor: ActorJson::from(&redrive.actor),
        event,
    };
    record(redrive.id.uuid(), &json)
}

pub(super) fn read(key: Uuid, value: &[u8]) -> Result<RedriveRecord, Malformed> {
    let json: RedriveJson = serde_json::from_slice(value).map_err(|_| Malformed::ValueJson)?;
    if json.id.uuid() != key {
        return Err(Malformed::KeyId);
    }
    if let RedriveEvent::Requested { request, allowed } = &json.event {
        // By the writers' own rules: what breaks them is no request.
        request.check().map_err(|_| Malformed::ValueJson)?;
        if allowed.len() > ALLOWED_MAX {
            return Err(Malformed::TooLong);
        }
    }
    Ok(RedriveRecord {
        id: json.id,
        at: Timestamp::from_millis(json.at),
        actor: json.actor.into(),
        event: json.event,
    })
}
