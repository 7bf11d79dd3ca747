//! One log-in, log-out or refused credential.

use flowdeck_model::Timestamp;
use flowdeck_model::actor::ActorView;
pub use flowdeck_model::view::audit::LogInOutcome;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::actor::ActorJson;
use super::{limit, record};
use crate::{Malformed, Record};

pub(super) const TYPE: &str = "logIn";

/// In characters.
const DETAIL_MAX: usize = 1_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogIn {
    pub id: Uuid,
    pub at: Timestamp,
    /// Of one that was refused, the name is what was claimed; a refused token has none.
    pub actor: ActorView,
    pub outcome: LogInOutcome,
    /// Why it was refused, or how many were not recorded since. Never a password, a token or a session's id.
    pub detail: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct LogInJson {
    r#type: String,
    at: i64,
    actor: ActorJson,
    outcome: LogInOutcome,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// Whatever was claimed, the record is one that is read: what is too long is cut.
pub fn log_in_record(log_in: &LogIn) -> Record {
    let json = LogInJson {
        r#type: TYPE.to_owned(),
        at: log_in.at.millis(),
        actor: ActorJson::from(&log_in.actor),
        outcome: log_in.outcome,
        detail: log_in.detail.as_deref().map(|detail| limit::text(detail, DETAIL_MAX).into_owned()),
    };
    record(log_in.id, &json)
}

pub(super) fn read(id: Uuid, value: &[u8]) -> Result<LogIn, Malformed> {
    let json: LogInJson = serde_json::from_slice(value).map_err(|_| Malformed::ValueJson)?;
    Ok(LogIn {
        id,
        at: Timestamp::from_millis(json.at),
        actor: json.actor.into(),
        outcome: json.outcome,
        detail: json.detail,
    })
}
