//! `flowdeck.audit`: who asked for what, and what came of it. Each record holds the whole state of an
//! operation or one log-in, so that a reader needs no earlier record; of a re-drive and of a bulk operation its request, an
//! order, or how far it came; of a produced record its request, or what came of it;
//! of a raised retention its whole state, or the order to end it; of a look at records who looked at which.
//!
//! Of the records of one id with the state `requested`, the first one decides what the id means: a later
//! one with another request ([`Request::is_same_as`]) is ignored by every reader.

mod actor;
mod bulk;
mod limit;
mod log_in;
mod look;
mod operation;
mod parts;
mod produce;
mod redrive;
mod request;
mod retention;

use serde::Deserialize;
use uuid::Uuid;

pub use bulk::{BulkEvent, BulkRecord, bulk_record, check_bulk};
pub use log_in::{LogIn, LogInOutcome, log_in_record};
pub use look::{Look, LookFilter, LookKind, look_record};
pub use operation::{LeftOut, MustBeEnded, Operation, OperationInstance, operation_record};
pub use produce::{ProduceEvent, ProduceRecord, ProduceRequested, produce_record};
pub use redrive::{RedriveEvent, RedriveRecord, redrive_record};
pub use request::{REQUEST_MAX, Request};
pub use retention::{RetentionEvent, RetentionRecord, RetentionStatus, retention_record};

use super::{LONGEST, is_version_1, own_headers};
use crate::{Headers, Malformed, Record};

/// What a record on `flowdeck.audit` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditRecord {
    Operation(Box<Operation>),
    LogIn(LogIn),
    Redrive(Box<RedriveRecord>),
    Bulk(Box<BulkRecord>),
    Produce(Box<ProduceRecord>),
    Look(Box<Look>),
    Retention(Box<RetentionRecord>),
    /// Without our version header or with another version: skipped and counted.
    NewerVersion,
    /// Of version 1, but a type that was added later: skipped and counted.
    UnknownType,
}

#[derive(Deserialize)]
struct Type {
    r#type: String,
}

/// No length of `key` or `value` and no content makes this panic, or take more memory than a few times
/// [`LONGEST`].
pub fn read_audit(
    headers: &Headers<'_>,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
) -> Result<AuditRecord, Malformed> {
    if !is_version_1(headers) {
        return Ok(AuditRecord::NewerVersion);
    }
    let key = key.ok_or(Malformed::NoKey)?;
    let value = value.ok_or(Malformed::NoValue)?;
    if key.len() > LONGEST || value.len() > LONGEST {
        return Err(Malformed::TooLong);
    }
    let id = read_key(key)?;
    let Type { r#type } = serde_json::from_slice(value).map_err(|_| Malformed::ValueJson)?;
    match r#type.as_str() {
        operation::TYPE => operation::read(id, value).map(|it| AuditRecord::Operation(Box::new(it))),
        log_in::TYPE => log_in::read(id, value).map(AuditRecord::LogIn),
        look::TYPE => look::read(id, value).map(|it| AuditRecord::Look(Box::new(it))),
        produce::TYPE => produce::read(id, value).map(|it| AuditRecord::Produce(Box::new(it))),
        redrive::TYPE => redrive::read(id, value).map(|it| AuditRecord::Redrive(Box::new(it))),
        retention::TYPE => retention::read(id, value).map(|it| AuditRecord::Retention(Box::new(it))),
        bulk::TYPE => bulk::read(id, value).map(|it| AuditRecord::Bulk(Box::new(it))),
        _ => Ok(AuditRecord::UnknownType),
    }
}

/// As it is written: one id has one key.
fn read_key(key: &[u8]) -> Result<Uuid, Malformed> {
    let text = std::str::from_utf8(key).map_err(|_| Malformed::Utf8)?;
    let id: Uuid = text.parse().map_err(|_| Malformed::KeyId)?;
    if id.hyphenated().to_string() == text { Ok(id) } else { Err(Malformed::KeyId) }
}

fn record(id: Uuid, value: &impl serde::Serialize) -> Record {
    let key = id.hyphenated().to_string().into_bytes();
    Record { key, value: Some(super::json(value)), headers: own_headers() }
}
