//! Records as they are shown: their parts decoded as it was asked for, bounded.

use std::sync::Arc;

use flowdeck_kafka::{Record, RecordTime, TimeKind, Transaction};
use flowdeck_model::view::{DecodeProblem, HeaderView, MessageView, Payload, PayloadKind};
use flowdeck_payload::{How, Kind, MASKED, Mask, Part, Schemas, Shown, Source, show};

/// Bytes of a value that are read to judge what it is, in lists.
pub(crate) const JUDGED_BYTES: usize = 64 * 1024;
const HEADERS_MAX: usize = 100;
const HEADER_NAME_MAX: usize = 256;
const HEADER_VALUE_MAX: usize = 512;
const KEY_MAX: usize = 2_048;

/// How the records of one topic are shown.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reading {
    pub(crate) key: How,
    pub(crate) value: How,
    pub(crate) mask: Mask,
    pub(crate) schemas: Option<Arc<dyn Schemas>>,
    /// Bytes of a value's text.
    pub(crate) most: usize,
}

/// What a record carries, by its parts.
pub(crate) struct Parts<'a> {
    record: &'a Record,
    headers: Vec<(&'a str, Option<&'a [u8]>)>,
    reading: &'a Reading,
}

impl<'a> Parts<'a> {
    pub(crate) fn new(record: &'a Record, reading: &'a Reading) -> Self {
        let headers = record.headers.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect();
        Self { record, headers, reading }
    }

    pub(crate) fn source(&self, part: Part) -> Source<'_> {
        Source {
            topic: self.record.topic.as_str(),
            part,
            key: self.record.key.as_deref(),
            headers: &self.headers,
            schemas: self.reading.schemas.as_deref(),
        }
    }

    pub(crate) fn raw_value(&self) -> Option<&[u8]> {
        self.record.value.as_deref()
    }

    pub(crate) fn key(&self, most: usize) -> Shown {
        let (bytes, size) = (self.record.key.as_deref(), self.record.key_size);
        show(&self.source(Part::Key), bytes, size, &self.reading.key, &self.reading.mask, most)
    }

    pub(crate) fn value(&self, most: usize) -> Shown {
        let (bytes, size) = (self.record.value.as_deref(), self.record.value_size);
        show(&self.source(Part::Value), bytes, size, &self.reading.value, &self.reading.mask, most)
    }

    /// Names and values, at most the first hundred.
    pub(crate) fn headers(&self, most: usize) -> impl Iterator<Item = (&'a str, Shown, usize)> {
        self.headers.iter().take(HEADERS_MAX).map(move |(name, value)| {
            let size = value.map_or(0, <[u8]>::len);
            let mut shown =
                show(&self.source(Part::Header), *value, size, &How::default(), &self.reading.mask, most);
            if self.reading.mask.hides_header(name) && value.is_some() {
                shown.decoded.kind = Kind::Text;
                shown.decoded.problem = None;
                MASKED.clone_into(&mut shown.decoded.text);
                shown.masked = 1;
            }
            (*name, shown, size)
        })
    }
}

pub(crate) fn message(record: &Record, reading: &Reading) -> MessageView {
    let parts = Parts::new(record, reading);
    let headers = parts.headers(HEADER_VALUE_MAX).map(|(name, shown, size)| HeaderView {
        name: cut(name, HEADER_NAME_MAX).to_owned(),
        value: payload(shown, size),
    });
    let headers: Vec<HeaderView> = headers.collect();
    let key = parts.key(KEY_MAX.min(reading.most));
    let value = parts.value(reading.most);
    let at = record.timestamp.and_then(RecordTime::at);
    MessageView {
        partition: record.partition,
        offset: record.offset,
        timestamp: at,
        timestamp_raw: record.timestamp.filter(|_| at.is_none()).map(|time| time.millis),
        timestamp_type: record.timestamp.map(time_words),
        aborted: match record.transaction {
            Transaction::Settled => Some(false),
            Transaction::Aborted => Some(true),
            Transaction::Open | Transaction::Unknown => None,
        },
        transaction_open: record.transaction == Transaction::Open,
        key: payload(key, record.key_size),
        value: payload(value, record.value_size),
        headers,
        headers_total: count(record.headers.len()),
    }
}

fn time_words(time: RecordTime) -> String {
    match time.kind {
        TimeKind::Created => "CreateTime".to_owned(),
        TimeKind::Appended => "LogAppendTime".to_owned(),
    }
}

fn payload(shown: Shown, size: usize) -> Payload {
    let decoded = shown.decoded;
    Payload {
        masked: count(shown.masked),
        kind: match decoded.kind {
            Kind::Null => PayloadKind::Null,
            Kind::Json => PayloadKind::Json,
            Kind::Text => PayloadKind::Text,
            Kind::Binary => PayloadKind::Binary,
        },
        text: decoded.text,
        size: count(size),
        cut: decoded.cut,
        not_utf8: count(decoded.not_utf8),
        decoder: decoded.decoder,
        problem: decoded.problem.map(|problem| DecodeProblem {
            decoder: problem.decoder,
            at: problem.at.map(count),
            why: problem.why,
        }),
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn cut(text: &str, most: usize) -> &str {
    if text.len() <= most {
        return text;
    }
    let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use bytes::Bytes;
    use flowdeck_model::Partition;

    fn record(millis: Option<i64>, headers: usize) -> Record {
        Record {
            topic: Arc::new("orders".parse().unwrap()),
            partition: Partition::new(0).unwrap(),
            offset: 7,
            timestamp: millis.map(|millis| RecordTime { millis, kind: TimeKind::Created }),
            key: None,
            key_size: 0,
            value: None,
            value_size: 0,
            transaction: Transaction::Unknown,
            headers: (0..headers).map(|n| (format!("h{n}"), Some(Bytes::from_static(b"x")))).collect(),
        }
    }

    #[test]
    fn a_cut_list_of_headers_says_so_beside_itself() {
        for (headers, listed) in [(0, 0), (100, 100), (101, 100), (5_000, 100)] {
            let view = message(&record(None, headers), &Reading { most: 512, ..Reading::default() });
            assert_eq!((view.headers.len(), view.headers_total as usize), (listed, headers));
            assert!(view.headers.iter().enumerate().all(|(n, header)| header.name == format!("h{n}")));
        }
    }

    #[test]
    fn a_time_that_is_no_date_is_the_raw_number() {
        let micros = 1_795_270_137_123_000;
        for (millis, time, raw) in [
            (Some(1_795_270_137_123), Some("2026-11-21T14:08:57.123Z"), None),
            (Some(micros), None, Some(micros)),
            (Some(i64::MAX), None, Some(i64::MAX)),
            (Some(-5), None, Some(-5)),
            (None, None, None),
        ] {
            let view = message(&record(millis, 0), &Reading::default());
            let shown = view.timestamp.map(|time| time.to_string());
            assert_eq!((shown.as_deref(), view.timestamp_raw), (time, raw), "{millis:?}");
            assert_eq!(view.timestamp_type.is_some(), millis.is_some());
        }
    }
}
