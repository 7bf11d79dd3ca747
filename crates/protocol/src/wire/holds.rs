//! `flowdeck.holds`: one record for each hold, under its scope and id; a tombstone releases it.

use flowdeck_model::{
    CommandId, ConsumerName, GroupId, Hold, HoldBy, HoldId, InstanceName, Partition, Scope, Timestamp,
    TopicName,
};
use serde::{Deserialize, Serialize};

use super::{COMMAND, LONGEST, is_version_1, own_headers};
use crate::{Headers, Malformed, NAME_MAX, Record};

/// The longest list of exceptions.
pub const EXCEPTIONS_MAX: usize = 1_000;

/// What a record on `flowdeck.holds` says. Which command wrote it: `wire::command_of`; without
/// that header it is the command of the hold's own id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HoldRecord {
    Set(Hold),
    Released {
        scope: Scope,
        id: HoldId,
    },
    /// Without our version header or with another version: skipped and counted.
    NewerVersion,
    Malformed(Malformed),
}

/// A field that is not known would narrow the scope, so it is refused and not ignored.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScopeJson {
    group: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    consumer: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    topic: Option<TopicName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    partition: Option<Partition>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct KeyJson {
    scope: ScopeJson,
    id: HoldId,
}

#[derive(Serialize, Deserialize)]
struct ValueJson {
    owner: String,
    reason: String,
    since: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<i64>,
    /// `stop`, or absent. A word that is not known is a pause: that is what agents do either way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    #[serde(default)]
    except: Vec<ScopeJson>,
}

/// A hold with its key, as it is part of another record.
#[derive(Serialize, Deserialize)]
pub(super) struct HoldJson {
    #[serde(flatten)]
    key: KeyJson,
    #[serde(flatten)]
    value: ValueJson,
}

/// Sets the hold, or replaces it under its key; `command` is the one that does so.
pub fn hold_record(hold: &Hold, command: CommandId) -> Record {
    record(&hold.scope, hold.id, command, Some(super::json(&ValueJson::from(hold))))
}

/// Whether every reader takes this hold. To be asked before it is written: what readers skip would hold for
/// its writer alone, and after compaction for nobody.
pub fn check_hold(hold: &Hold) -> Result<(), Malformed> {
    let record = hold_record(hold, hold.id.into());
    read(Some(&record.key), record.value.as_deref()).map(drop)
}

/// Releases the hold by a tombstone under its key.
pub fn release_record(scope: &Scope, id: HoldId, command: CommandId) -> Record {
    record(scope, id, command, None)
}

fn record(scope: &Scope, id: HoldId, command: CommandId, value: Option<Vec<u8>>) -> Record {
    let key = super::json(&KeyJson { scope: scope.into(), id });
    let mut headers = own_headers();
    headers.push((COMMAND.to_owned(), command.to_string().into_bytes()));
    Record { key, value, headers }
}

pub fn read_hold(headers: &Headers<'_>, key: Option<&[u8]>, value: Option<&[u8]>) -> HoldRecord {
    if !is_version_1(headers) {
        return HoldRecord::NewerVersion;
    }
    read(key, value).unwrap_or_else(HoldRecord::Malformed)
}

fn read(key: Option<&[u8]>, value: Option<&[u8]>) -> Result<HoldRecord, Malformed> {
    let key = key.ok_or(Malformed::NoKey)?;
    if key.len() > LONGEST || value.is_some_and(|value| value.len() > LONGEST) {
        return Err(Malformed::TooLong);
    }
    let key: KeyJson = serde_json::from_slice(key).map_err(|_| Malformed::KeyJson)?;
    let scope = Scope::try_from(key.scope)?;
    let Some(value) = value else { return Ok(HoldRecord::Released { scope, id: key.id }) };
    let value = serde_json::from_slice(value).map_err(|_| Malformed::ValueJson)?;
    hold(scope, key.id, value).map(HoldRecord::Set)
}

fn hold(scope: Scope, id: HoldId, value: ValueJson) -> Result<Hold, Malformed> {
    if value.except.len() > EXCEPTIONS_MAX {
        return Err(Malformed::TooManyExceptions);
    }
    let by = value.by.as_deref().and_then(HoldBy::from_word).filter(|_| scope.is_whole()).unwrap_or_default();
    Ok(Hold {
        scope,
        id,
        owner: value.owner,
        reason: value.reason,
        since: Timestamp::from_millis(value.since),
        until: value.until.map(Timestamp::from_millis),
        by,
        except: value.except.into_iter().map(Scope::try_from).collect::<Result<_, _>>()?,
    })
}

impl From<&Hold> for ValueJson {
    fn from(hold: &Hold) -> Self {
        Self {
            owner: hold.owner.clone(),
            reason: hold.reason.clone(),
            since: hold.since.millis(),
            until: hold.until.map(Timestamp::millis),
            by: (hold.by == HoldBy::Stop).then(|| HoldBy::Stop.word().to_owned()),
            except: hold.except.iter().map(ScopeJson::from).collect(),
        }
    }
}

impl From<&Hold> for HoldJson {
    fn from(hold: &Hold) -> Self {
        Self { key: KeyJson { scope: (&hold.scope).into(), id: hold.id }, value: hold.into() }
    }
}

impl TryFrom<HoldJson> for Hold {
    type Error = Malformed;
    fn try_from(HoldJson { key, value }: HoldJson) -> Result<Self, Malformed> {
        hold(Scope::try_from(key.scope)?, key.id, value)
    }
}

impl From<&Scope> for ScopeJson {
    fn from(scope: &Scope) -> Self {
        Self {
            group: scope.group.to_string(),
            consumer: scope.consumer.as_ref().map(ConsumerName::to_string),
            topic: scope.topic.clone(),
            partition: scope.partition,
            instance: scope.instance.as_ref().map(InstanceName::to_string),
        }
    }
}

impl TryFrom<ScopeJson> for Scope {
    type Error = Malformed;
    fn try_from(json: ScopeJson) -> Result<Self, Malformed> {
        let short = |name: Option<String>, field| match name {
            Some(name) if name.len() > NAME_MAX => Err(Malformed::NameTooLong(field)),
            name => Ok(name),
        };
        if json.group.len() > NAME_MAX {
            return Err(Malformed::NameTooLong("group"));
        }
        Ok(Self {
            group: GroupId::new(json.group),
            consumer: short(json.consumer, "consumer")?.map(ConsumerName::new),
            topic: json.topic,
            partition: json.partition,
            instance: short(json.instance, "instance")?.map(InstanceName::new),
        })
    }
}
