//! A record that an operator produced, in the audit: its request without its bytes, and what came of it.

use flowdeck_model::actor::ActorView;
use flowdeck_model::produce::ProduceSource;
use flowdeck_model::record_place::RecordPlace;
use flowdeck_model::{CommandId, Partition, Timestamp, TopicName};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::actor::ActorJson;
use super::{limit, record};
use crate::{Malformed, Record};

pub(super) const TYPE: &str = "produce";

/// In characters.
const NOTE_MAX: usize = 500;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProduceRecord {
    pub id: CommandId,
    pub at: Timestamp,
    pub actor: ActorView,
    pub event: ProduceEvent,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ProduceEvent {
    /// The first one under an id decides what the id means, and who wrote it produces the record: nobody else has its
    /// bytes.
    Requested(ProduceRequested),
    Written(RecordPlace),
    Failed {
        why: String,
        /// It may have been written.
        #[serde(rename = "inDoubt")]
        in_doubt: bool,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProduceRequested {
    /// Of this request: another one under the same id has another.
    pub attempt: Uuid,
    pub topic: TopicName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<Partition>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<ProduceSource>,
    /// Bytes of key, value and headers.
    pub size: u64,
    /// SHA-256 of the request as JSON, in hexadecimal.
    pub digest: String,
    pub reason: String,
}

#[derive(Serialize, Deserialize)]
struct ProduceJson {
    r#type: String,
    id: CommandId,
    at: i64,
    actor: ActorJson,
    event: ProduceEvent,
}

/// What is too long of a text is cut, so that the record is one that is read.
pub fn produce_record(produce: &ProduceRecord) -> Record {
    let mut event = produce.event.clone();
    if let ProduceEvent::Failed { why, .. } = &mut event {
        *why = limit::text(why, NOTE_MAX).into_owned();
    }
    let json = ProduceJson {
        r#type: TYPE.to_owned(),
        id: produce.id,
        at: produce.at.millis(),
        actor: ActorJson::from(&produce.actor),
        event,
    };
    record(produce.id.uuid(), &json)
}

pub(super) fn read(key: Uuid, value: &[u8]) -> Result<ProduceRecord, Malformed> {
    let json: ProduceJson = serde_json::from_slice(value).map_err(|_| Malformed::ValueJson)?;
    if json.id.uuid() != key {
        return Err(Malformed::KeyId);
    }
    Ok(ProduceRecord {
        id: json.id,
        at: Timestamp::from_millis(json.at),
        actor: json.actor.into(),
        event: json.event,
    })
}
