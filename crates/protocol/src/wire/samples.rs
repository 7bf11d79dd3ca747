//! `flowdeck.samples`: what the groups of a cluster did in one minute, many groups in one record.

use std::fmt;

use flowdeck_model::{GroupId, Timestamp};
use serde::de::{Error as _, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::{LONGEST, is_version_1, own_headers};
use crate::{Headers, Malformed, NAME_MAX, Record};

const TYPE: &str = "minute";
const MINUTE_MILLIS: i64 = 60_000;
/// Of a minute, as many events are written of a group.
const EVENTS_MAX: usize = 20;
/// Of the words of one, in characters.
const WORDS_MAX: usize = 400;

/// What is known of some groups' minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Minute {
    /// Where it begins: a whole minute since 1970.
    pub at: Timestamp,
    pub groups: Vec<GroupMinute>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupMinute {
    pub group: GroupId,
    /// The highest, in records.
    pub lag: Option<u64>,
    pub time_lag_millis: Option<u64>,
    /// The mean, in thousandths of a record a second.
    pub input_milli: Option<u64>,
    pub output_milli: Option<u64>,
    /// As many as are written; the first ones of more.
    pub events: Vec<MinuteEvent>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MinuteEvent {
    /// Of the minute.
    pub second: u8,
    pub what: MinuteEventKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MinuteEventKind {
    /// One began.
    Rebalance,
    /// What became of the group or of its topics, in words.
    Change(String),
    /// Another version, in words.
    Deployment(String),
    /// So many calls of handlers failed in the minute, the first one in this second.
    FailedCalls(u32),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SampleRecord {
    Minute(Minute),
    /// Without our version header or with another version: skipped and counted.
    NewerVersion,
    /// Of version 1, but a type that was added later: skipped and counted.
    UnknownType,
    Malformed(Malformed),
}

/// As many records as it takes. A group whose name is longer than is read is left out.
pub fn minute_records(minute: &Minute) -> Vec<Record> {
    let head = format!(r#"{{"type":"{TYPE}","at":{},"groups":["#, minute.at.millis()).into_bytes();
    let key = minute.at.millis().to_string().into_bytes();
    let mut records = Vec::new();
    let mut value = head.clone();
    let mut close = |value: &mut Vec<u8>| {
        let mut whole = std::mem::replace(value, head.clone());
        whole.extend_from_slice(b"]}");
        records.push(Record { key: key.clone(), value: Some(whole), headers: own_headers() });
    };
    let mut is_first = true;
    for group in minute.groups.iter().filter(|one| one.group.as_str().len() <= NAME_MAX) {
        let entry = super::json(&entry(group));
        // The comma before it, and the two brackets at the end.
        if !is_first && value.len() + entry.len() + 3 > LONGEST {
            close(&mut value);
            is_first = true;
        }
        if !is_first {
            value.push(b',');
        }
        value.extend_from_slice(&entry);
        is_first = false;
    }
    if !is_first {
        close(&mut value);
    }
    records
}

#[derive(Serialize)]
#[serde(untagged)]
enum EntryJson<'a> {
    Quiet(Numbers<'a>),
    Eventful(WithEvents<'a>),
}

type Numbers<'a> = (&'a str, Option<u64>, Option<u64>, Option<u64>, Option<u64>);
type WithEvents<'a> = (&'a str, Option<u64>, Option<u64>, Option<u64>, Option<u64>, Vec<EventJson>);

#[derive(Serialize)]
#[serde(untagged)]
enum EventJson {
    Plain(u8, &'static str),
    Words(u8, &'static str, String),
    Count(u8, &'static str, u32),
}

const REBALANCE: &str = "rebalance";
const CHANGE: &str = "change";
const DEPLOYMENT: &str = "deployment";
const FAILED_CALLS: &str = "failedCalls";

fn cut(words: &str) -> String {
    words.chars().take(WORDS_MAX).collect()
}

fn event(MinuteEvent { second, what }: &MinuteEvent) -> EventJson {
    match what {
        MinuteEventKind::Rebalance => EventJson::Plain(*second, REBALANCE),
        MinuteEventKind::Change(words) => EventJson::Words(*second, CHANGE, cut(words)),
        MinuteEventKind::Deployment(words) => EventJson::Words(*second, DEPLOYMENT, cut(words)),
        MinuteEventKind::FailedCalls(count) => EventJson::Count(*second, FAILED_CALLS, *count),
    }
}

fn entry(one: &GroupMinute) -> EntryJson<'_> {
    let GroupMinute { group, lag, time_lag_millis, input_milli, output_milli, events } = one;
    let name = group.as_str();
    if events.is_empty() {
        return EntryJson::Quiet((name, *lag, *time_lag_millis, *input_milli, *output_milli));
    }
    let events = events.iter().take(EVENTS_MAX).map(event).collect();
    EntryJson::Eventful((name, *lag, *time_lag_millis, *input_milli, *output_milli, events))
}

/// The key is not looked at: the value says the same.
pub fn read_sample(headers: &Headers<'_>, value: Option<&[u8]>) -> SampleRecord {
    if !is_version_1(headers) {
        return SampleRecord::NewerVersion;
    }
    read(value).unwrap_or_else(SampleRecord::Malformed)
}

#[derive(Deserialize)]
struct Type {
    r#type: String,
}

#[derive(Deserialize)]
struct MinuteJson {
    at: i64,
    groups: Vec<Entry>,
}

fn read(value: Option<&[u8]>) -> Result<SampleRecord, Malformed> {
    let value = value.ok_or(Malformed::NoValue)?;
    if value.len() > LONGEST {
        return Err(Malformed::TooLong);
    }
    let Type { r#type } = serde_json::from_slice(value).map_err(|_| Malformed::ValueJson)?;
    if r#type != TYPE {
        return Ok(SampleRecord::UnknownType);
    }
    let json: MinuteJson = serde_json::from_slice(value).map_err(|_| Malformed::ValueJson)?;
    if json.at < 0 || json.at % MINUTE_MILLIS != 0 || u32::try_from(json.at / 1_000).is_err() {
        return Err(Malformed::Minute);
    }
    let groups: Vec<GroupMinute> = json.groups.into_iter().map(|entry| entry.0).collect();
    if groups.iter().any(|one| one.group.as_str().len() > NAME_MAX) {
        return Err(Malformed::NameTooLong("group"));
    }
    Ok(SampleRecord::Minute(Minute { at: Timestamp::from_millis(json.at), groups }))
}

/// `[name, lag, time lag, in, out, events…]`; what comes after that is of later versions of Flowdeck.
struct Entry(GroupMinute);

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_seq(EntryVisitor)
    }
}

struct EntryVisitor;

impl<'de> Visitor<'de> for EntryVisitor {
    type Value = Entry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of a group's name and numbers")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Entry, A::Error> {
        let group: String = seq.next_element()?.ok_or_else(|| A::Error::invalid_length(0, &self))?;
        let mut number =
            |at| seq.next_element::<Option<u64>>()?.ok_or_else(|| A::Error::invalid_length(at, &self));
        let (lag, time_lag_millis) = (number(1)?, number(2)?);
        let (input_milli, output_milli) = (number(3)?, number(4)?);
        let events: Vec<Event> = seq.next_element()?.unwrap_or_default();
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        let events = events.into_iter().filter_map(|one| one.0).take(EVENTS_MAX).collect();
        Ok(Entry(GroupMinute {
            group: group.into(),
            lag,
            time_lag_millis,
            input_milli,
            output_milli,
            events,
        }))
    }
}

/// `[second, kind, …]`. Of a kind that is not known here, nothing is kept.
struct Event(Option<MinuteEvent>);

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_seq(EventVisitor)
    }
}

struct EventVisitor;

impl<'de> Visitor<'de> for EventVisitor {
    type Value = Event;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of a second and what happened in it")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Event, A::Error> {
        let second: u64 = seq.next_element()?.ok_or_else(|| A::Error::invalid_length(0, &self))?;
        let kind: String = seq.next_element()?.ok_or_else(|| A::Error::invalid_length(1, &self))?;
        let what = match &*kind {
            REBALANCE => Some(MinuteEventKind::Rebalance),
            CHANGE => seq.next_element::<String>()?.map(|words| MinuteEventKind::Change(cut(&words))),
            DEPLOYMENT => seq.next_element::<String>()?.map(|words| MinuteEventKind::Deployment(cut(&words))),
            FAILED_CALLS => seq.next_element()?.map(MinuteEventKind::FailedCalls),
            _ => None,
        };
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        let second = u8::try_from(second).ok().filter(|second| *second < 60);
        Ok(Event(second.zip(what).map(|(second, what)| MinuteEvent { second, what })))
    }
}
