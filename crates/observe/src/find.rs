//! Which records a search finds: judged by what the reader may see of them, so that a hit tells nothing of what is
//! masked.

use std::sync::{Arc, Mutex, PoisonError};

use flowdeck_kafka::Record;
use flowdeck_model::PortError;
use flowdeck_model::query::Find;
use flowdeck_payload::{CelCondition, CelRecord, Judged, Kind, Needle, Part, PathCondition};

use crate::payload::{Parts, Reading};

/// Bytes of a value that are searched.
pub(crate) const SEARCHED: usize = 1024 * 1024;
/// Of a header's value.
const HEADER_SEARCHED: usize = 4_096;

/// All conditions must hold.
pub(crate) struct Matcher {
    text: Option<Needle>,
    key: Option<Needle>,
    header: Option<HeaderCondition>,
    path: Option<PathCondition>,
    cel: Option<CelCondition>,
    unjudged: Arc<Mutex<Unjudged>>,
    reading: Reading,
}

/// Records of which an expression could not be evaluated; they are not found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Unjudged {
    pub(crate) records: u64,
    /// Of the first one, with its place.
    pub(crate) why: String,
}

struct HeaderCondition {
    name: String,
    value: Option<Needle>,
}

impl Matcher {
    pub(crate) fn new(find: &Find, reading: Reading) -> Result<Self, PortError> {
        let header = (!find.header.is_empty()).then(|| header(&find.header)).transpose()?;
        let path = (!find.path.is_empty()).then(|| PathCondition::parse(&find.path));
        let path = path.transpose().map_err(|problem| PortError::invalid("path", problem))?;
        let cel = (!find.cel.is_empty()).then(|| CelCondition::parse(&find.cel));
        let cel = cel.transpose().map_err(|problem| PortError::invalid("cel", problem))?;
        Ok(Self {
            text: needle("text", &find.text)?,
            key: needle("key", &find.key)?,
            header,
            path,
            cel,
            unjudged: Arc::default(),
            reading,
        })
    }

    /// What it could not judge, while it goes on.
    pub(crate) fn unjudged(&self) -> Arc<Mutex<Unjudged>> {
        Arc::clone(&self.unjudged)
    }

    pub(crate) fn is_match(&self, record: &Record) -> bool {
        let parts = Parts::new(record, &self.reading);
        self.key.as_ref().is_none_or(|key| in_key(&parts, key))
            && self.header.as_ref().is_none_or(|header| in_header(&parts, header))
            && self.text.as_ref().is_none_or(|text| self.in_any(record, &parts, text))
            && self.path.as_ref().is_none_or(|path| in_json(&parts, path))
            && self.cel.as_ref().is_none_or(|cel| self.judges(record, &parts, cel))
    }

    fn judges(&self, record: &Record, parts: &Parts<'_>, cel: &CelCondition) -> bool {
        let why = match cel.judge(&cel_record(record, parts, cel)) {
            Judged::Holds => return true,
            Judged::DoesNot => return false,
            Judged::Failed(why) => why,
        };
        let mut unjudged = self.unjudged.lock().unwrap_or_else(PoisonError::into_inner);
        if unjudged.records == 0 {
            unjudged.why = format!("partition {}, offset {}: {why}", record.partition, record.offset);
        }
        unjudged.records += 1;
        false
    }

    fn in_any(&self, record: &Record, parts: &Parts<'_>, text: &Needle) -> bool {
        let may_be = |part, bytes: &Option<_>, how: &flowdeck_payload::How| {
            let bytes: Option<&[u8]> = bytes.as_ref().map(|bytes: &bytes::Bytes| &**bytes);
            bytes.is_some_and(|bytes| text.may_be_in(&parts.source(part), bytes, how.decoder()))
        };
        (may_be(Part::Value, &record.value, &self.reading.value)
            && text.is_in(&parts.value(SEARCHED).decoded.text))
            || (may_be(Part::Key, &record.key, &self.reading.key) && in_key(parts, text))
            || parts.headers(HEADER_SEARCHED).any(|(_, shown, _)| text.is_in(&shown.decoded.text))
    }
}

fn needle(field: &str, text: &str) -> Result<Option<Needle>, PortError> {
    let made = (!text.is_empty()).then(|| Needle::new(text)).transpose();
    made.map_err(|problem| PortError::invalid(field, problem))
}

fn header(text: &str) -> Result<HeaderCondition, PortError> {
    let (name, value) = text.split_once(':').unwrap_or((text, ""));
    Ok(HeaderCondition { name: name.trim().to_owned(), value: needle("header", value.trim())? })
}

fn in_key(parts: &Parts<'_>, key: &Needle) -> bool {
    key.is_in(&parts.key(SEARCHED).decoded.text)
}

fn in_header(parts: &Parts<'_>, wanted: &HeaderCondition) -> bool {
    parts.headers(HEADER_SEARCHED).any(|(name, shown, _)| {
        name.eq_ignore_ascii_case(&wanted.name)
            && wanted.value.as_ref().is_none_or(|value| value.is_in(&shown.decoded.text))
    })
}

fn in_json(parts: &Parts<'_>, path: &PathCondition) -> bool {
    path.matches(&parts.value(SEARCHED).decoded.text)
}

/// What the expression uses of the record, as its reader may see it.
fn cel_record<'a>(record: &Record, parts: &Parts<'a>, cel: &CelCondition) -> CelRecord<'a> {
    let header = |(name, shown, _): (&'a str, flowdeck_payload::Shown, usize)| {
        let decoded = shown.decoded;
        (name, (decoded.kind != Kind::Null).then_some(decoded.text))
    };
    CelRecord {
        key: cel.uses("key").then(|| parts.key(SEARCHED).decoded),
        value: cel.uses("value").then(|| parts.value(SEARCHED).decoded),
        headers: if cel.uses("headers") {
            parts.headers(HEADER_SEARCHED).map(header).collect()
        } else {
            vec![]
        },
        timestamp: record.timestamp.map(|time| time.millis),
        partition: record.partition.get(),
        offset: record.offset,
    }
}
