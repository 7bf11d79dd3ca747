//! `flowdeck.ledger`: which dead letters were re-driven. One record for each, written in the transaction that copies it;
//! the topic is compacted, and a key is never written twice with another meaning.

use flowdeck_model::{CommandId, Partition, Timestamp, TopicName};
use serde::{Deserialize, Serialize};

use super::{is_version_1, json, own_headers};
use crate::{Headers, Malformed, Record};

/// On each copy: the re-drive that made it.
pub const REDRIVE_ID: &str = "Flowdeck-Redrive-Id";
/// On a copy that is meant for one consumer group: agents of other groups skip it.
pub const REDRIVE_GROUP: &str = "Flowdeck-Redrive-Group";

/// A dead-letter topic: by its id, since a topic that was created anew under its name has other records. By its name
/// where the brokers tell no ids.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LedgerTopic {
    /// 32 hexadecimal digits.
    TopicId(String),
    Name(TopicName),
}

/// The key: the dead letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerKey {
    #[serde(flatten)]
    pub topic: LedgerTopic,
    pub partition: Partition,
    pub offset: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerEntry {
    pub key: LedgerKey,
    pub redrive: CommandId,
    /// To where it was copied.
    pub to: TopicName,
    pub at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct EntryJson {
    redrive: CommandId,
    to: TopicName,
    at: i64,
}

#[derive(Serialize, Deserialize)]
struct BegunJson {
    redrive: CommandId,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerRecord {
    Entry(LedgerEntry),
    /// A re-drive wrote here before its first copy: so it is known that it may.
    Begun(CommandId),
    /// Without our version header or with another version: skipped and counted.
    NewerVersion,
}

pub fn ledger_record(entry: &LedgerEntry) -> Record {
    let value = EntryJson { redrive: entry.redrive, to: entry.to.clone(), at: entry.at.millis() };
    Record { key: json(&entry.key), value: Some(json(&value)), headers: own_headers() }
}

pub fn ledger_begun(redrive: CommandId, at: Timestamp) -> Record {
    let value = json(&serde_json::json!({ "at": at.millis() }));
    Record { key: json(&BegunJson { redrive }), value: Some(value), headers: own_headers() }
}

pub fn read_ledger(
    headers: &Headers<'_>,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
) -> Result<LedgerRecord, Malformed> {
    if !is_version_1(headers) {
        return Ok(LedgerRecord::NewerVersion);
    }
    let (key, value) = (key.ok_or(Malformed::NoKey)?, value.ok_or(Malformed::NoValue)?);
    if let Ok(BegunJson { redrive }) = serde_json::from_slice(key) {
        return Ok(LedgerRecord::Begun(redrive));
    }
    let key: LedgerKey = serde_json::from_slice(key).map_err(|_| Malformed::KeyJson)?;
    let EntryJson { redrive, to, at } = serde_json::from_slice(value).map_err(|_| Malformed::ValueJson)?;
    Ok(LedgerRecord::Entry(LedgerEntry { key, redrive, to, at: Timestamp::from_millis(at) }))
}
