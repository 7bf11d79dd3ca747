//! Keys, values and headers as they are shown: JSON, text or hexadecimal, cut where they are long,
//! always at the edge of a character. Payloads are hostile input: bounded work, no panic.

use flowdeck_kafka::{Record, RecordTime, TimeKind, Transaction};
use flowdeck_model::view::{HeaderView, MessageView, Payload, PayloadKind};
use serde::de::IgnoredAny;

/// Bytes of a value that are read to judge what it is, in lists.
pub(crate) const JUDGED_BYTES: usize = 64 * 1024;
const HEADERS_MAX: usize = 100;
const HEADER_NAME_MAX: usize = 256;
const HEADER_VALUE_MAX: usize = 512;
const KEY_MAX: usize = 2_048;

pub(crate) fn message(record: &Record, shown: usize) -> MessageView {
    let headers = record
        .headers
        .iter()
        .take(HEADERS_MAX)
        .map(|(name, value)| HeaderView {
            name: cut(name, HEADER_NAME_MAX).to_owned(),
            value: payload(value.as_deref(), value.as_ref().map_or(0, |value| value.len()), HEADER_VALUE_MAX),
        })
        .collect();
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
        key: payload(record.key.as_deref(), record.key_size, KEY_MAX.min(shown)),
        value: payload(record.value.as_deref(), record.value_size, shown),
        headers,
        headers_total: u32::try_from(record.headers.len()).unwrap_or(u32::MAX),
    }
}

fn time_words(time: RecordTime) -> String {
    match time.kind {
        TimeKind::Created => "CreateTime".to_owned(),
        TimeKind::Appended => "LogAppendTime".to_owned(),
    }
}

/// `bytes` may be only the beginning of `size` bytes.
pub(crate) fn payload(bytes: Option<&[u8]>, size: usize, shown: usize) -> Payload {
    let size_shown = u32::try_from(size).unwrap_or(u32::MAX);
    let Some(bytes) = bytes else {
        return Payload { kind: PayloadKind::Null, text: String::new(), size: 0, cut: false, not_utf8: 0 };
    };
    let whole = bytes.len() >= size;
    let read = if whole { bytes } else { &bytes[..bytes.len() - torn_end(bytes)] };
    let Some(not_utf8) = bad_bytes_of_text(read) else {
        let part = &bytes[..bytes.len().min(shown / 2)];
        let cut = !whole || part.len() < bytes.len();
        return Payload { kind: PayloadKind::Binary, text: hex(part), size: size_shown, cut, not_utf8: 0 };
    };
    let (text, ends_early) = escaped(read, shown);
    let is_json = || whole && not_utf8 == 0 && std::str::from_utf8(read).is_ok_and(is_json);
    let kind = if is_json() { PayloadKind::Json } else { PayloadKind::Text };
    let not_utf8 = u32::try_from(not_utf8).unwrap_or(u32::MAX);
    Payload { kind, text, size: size_shown, cut: !whole || ends_early, not_utf8 }
}

/// Bytes at the end that begin a character and do not end it.
fn torn_end(bytes: &[u8]) -> usize {
    let is_torn = |length: &usize| {
        let end = bytes.len().checked_sub(*length).map(|start| std::str::from_utf8(&bytes[start..]));
        matches!(end, Some(Err(error)) if error.valid_up_to() == 0 && error.error_len().is_none())
    };
    (1..=3).find(is_torn).unwrap_or(0)
}

/// How many bytes are not UTF-8, where it is text to a person all the same: control characters are the
/// exception, as in a line that colours a terminal (a page writes them out, `model::shown`), and so are bytes
/// of another encoding. `None`: it is no text.
fn bad_bytes_of_text(bytes: &[u8]) -> Option<usize> {
    let strange = |c: &char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    let (mut controls, mut bad) = (0, 0);
    for chunk in bytes.utf8_chunks() {
        controls += chunk.valid().chars().filter(strange).count();
        bad += chunk.invalid().len();
    }
    let length = bytes.len().max(1);
    (controls * 4 < length && (controls + bad) * 3 < length).then_some(bad)
}

/// The text with bytes that are not UTF-8 as `\xNN`, at most `most` bytes of it, and whether it ends early.
fn escaped(bytes: &[u8], most: usize) -> (String, bool) {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len().min(most));
    for chunk in bytes.utf8_chunks() {
        let part = cut(chunk.valid(), most - text.len());
        text.push_str(part);
        if part.len() < chunk.valid().len() {
            return (text, true);
        }
        for byte in chunk.invalid() {
            if text.len() + "\\xff".len() > most {
                return (text, true);
            }
            // Writing to a String cannot fail.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    (text, false)
}

/// An object or an array: a bare number or word is text to a person. What is ignored is read without
/// recursion, so any depth will do.
fn is_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '[']) && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

fn cut(text: &str, most: usize) -> &str {
    if text.len() <= most {
        return text;
    }
    let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    &text[..end]
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use bytes::Bytes;
    use flowdeck_model::Partition;
    use proptest::prelude::*;

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
            let view = message(&record(None, headers), 512);
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
            let view = message(&record(millis, 0), 512);
            let shown = view.timestamp.map(|time| time.to_string());
            assert_eq!((shown.as_deref(), view.timestamp_raw), (time, raw), "{millis:?}");
            assert_eq!(view.timestamp_type.is_some(), millis.is_some());
        }
    }

    #[test]
    fn what_a_payload_is() {
        use PayloadKind::*;
        for (bytes, kind, text) in [
            (&b"{\"a\":1}"[..], Json, "{\"a\":1}"),
            (b" [1, 2]", Json, " [1, 2]"),
            (b"{\"a\":", Text, "{\"a\":"),
            (b"42", Text, "42"),
            ("gr\u{fc}n".as_bytes(), Text, "gr\u{fc}n"),
            (b"", Text, ""),
            (b"\x00\x01", Binary, "0001"),
            (b"\x1b[31mred\x1b[0m", Text, "\x1b[31mred\x1b[0m"),
            (b"\0\0\0\0\x07order", Binary, "00000000076f72646572"),
            (b"\xff\xfe", Binary, "fffe"),
            (b"\xff\xfe\x00\xc3(\xf0(\x8c\xbc", Binary, "fffe00c328f0288cbc"),
            (b"Stra\xdfe 7, M\xfcnchen, caf\xe9", Text, "Stra\\xdfe 7, M\\xfcnchen, caf\\xe9"),
            (b"{\"name\": \"caf\xe9\"}", Text, "{\"name\": \"caf\\xe9\"}"),
        ] {
            let shown = payload(Some(bytes), bytes.len(), 512);
            assert_eq!((shown.kind, shown.text.as_str(), shown.cut), (kind, text, false));
        }
        assert_eq!(payload(None, 0, 512).kind, Null);
    }

    #[test]
    fn bytes_that_are_not_utf8_are_counted() {
        for (bytes, size, shown, text, cut, count) in [
            (&b"a text with \xe2\x82 and \xff"[..], 20, 512, "a text with \\xe2\\x82 and \\xff", false, 3),
            // No escape is torn.
            (b"a text\xff with more of it", 23, 9, "a text", true, 1),
            (b"a text\xff with more of it", 23, 10, "a text\\xff", true, 1),
            // Only the beginning was read: its last character is torn, and not bad.
            (b"a text\xff with a euro: \xe2\x82", 99, 512, "a text\\xff with a euro: ", true, 1),
        ] {
            let view = payload(Some(bytes), size, shown);
            assert_eq!(view.kind, PayloadKind::Text);
            assert_eq!((view.text.as_str(), view.cut, view.not_utf8), (text, cut, count));
        }
    }

    #[test]
    fn long_ones_are_cut_between_characters() {
        let text = "\u{1f980}".repeat(200);
        let shown = payload(Some(text.as_bytes()), text.len(), 511);
        assert_eq!((shown.text.chars().count(), shown.cut, shown.size), (127, true, 800));
        // Only the beginning was read, and its last character is torn.
        let begun = payload(Some(&text.as_bytes()[..6]), text.len(), 512);
        assert_eq!((begun.kind, begun.text.as_str(), begun.cut), (PayloadKind::Text, "\u{1f980}", true));
    }

    #[test]
    fn json_of_any_depth_is_json_and_no_overflow() {
        let open = "[".repeat(100_000);
        assert_eq!(payload(Some(open.as_bytes()), open.len(), 512).kind, PayloadKind::Text);
        let deep = [open, "]".repeat(100_000)].concat();
        assert_eq!(payload(Some(deep.as_bytes()), deep.len(), 512).kind, PayloadKind::Json);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..600), size in 0usize..1_000, shown in 0usize..600) {
            let view = payload(Some(&bytes), size.max(bytes.len()), shown);
            prop_assert!(view.text.len() <= shown);
        }
    }
}
