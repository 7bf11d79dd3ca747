//! One look at records: who read or searched which of them. Never what they hold, nor what was looked for.

use flowdeck_model::Timestamp;
use flowdeck_model::actor::ActorView;
pub use flowdeck_model::view::audit::{LookFilter, LookKind};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::actor::ActorJson;
use super::{limit, record};
use crate::{Malformed, Record};

pub(super) const TYPE: &str = "look";

/// In characters: positions of many partitions are longer.
const FROM_MAX: usize = 1_000;
/// In bytes, as Kafka's.
const TOPIC_MAX: usize = 249;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    pub id: Uuid,
    /// When it began.
    pub at: Timestamp,
    pub actor: ActorView,
    pub kind: LookKind,
    /// `None`: several topics.
    pub topic: Option<String>,
    pub partition: Option<i32>,
    /// As in an address: `latest`, `offset:7`.
    pub from: String,
    pub until: Option<Timestamp>,
    /// What kinds of conditions it had.
    pub filter: Vec<LookFilter>,
    pub unmasked: bool,
    /// That were shown; `None`: it did not come to its end, or has none.
    pub records: Option<u64>,
    /// That were looked at for it.
    pub scanned: Option<u64>,
    /// Looks before this one that are in the log alone.
    pub missed: u64,
}

#[derive(Serialize, Deserialize)]
struct LookJson {
    r#type: String,
    at: i64,
    actor: ActorJson,
    look: LookKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    topic: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    partition: Option<i32>,
    from: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<i64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    filter: Vec<LookFilter>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unmasked: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    records: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scanned: Option<u64>,
    #[serde(default, skip_serializing_if = "is_zero")]
    missed: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

pub fn look_record(look: &Look) -> Record {
    let json = LookJson {
        r#type: TYPE.to_owned(),
        at: look.at.millis(),
        actor: ActorJson::from(&look.actor),
        look: look.kind,
        topic: look.topic.as_deref().map(|topic| limit::name(topic, TOPIC_MAX).into_owned()),
        partition: look.partition,
        from: limit::text(&look.from, FROM_MAX).into_owned(),
        until: look.until.map(Timestamp::millis),
        filter: look.filter.clone(),
        unmasked: look.unmasked,
        records: look.records,
        scanned: look.scanned,
        missed: look.missed,
    };
    record(look.id, &json)
}

pub(super) fn read(id: Uuid, value: &[u8]) -> Result<Look, Malformed> {
    let json: LookJson = serde_json::from_slice(value).map_err(|_| Malformed::ValueJson)?;
    Ok(Look {
        id,
        at: Timestamp::from_millis(json.at),
        actor: json.actor.into(),
        kind: json.look,
        topic: json.topic,
        partition: json.partition,
        from: json.from,
        until: json.until.map(Timestamp::from_millis),
        filter: json.filter,
        unmasked: json.unmasked,
        records: json.records,
        scanned: json.scanned,
        missed: json.missed,
    })
}
