//! Records that were peeked at.

use serde::{Deserialize, Serialize};

use super::ClusterView;
use crate::names::{GroupId, Partition, TopicName};
use crate::time::Timestamp;

/// Bytes of a value shown in a list, and of one record that was opened.
pub const PAYLOAD_LIST: usize = 512;
pub const PAYLOAD_FULL: usize = 1024 * 1024;

/// What came to a followed topic since the look before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct TailView {
    /// Oldest first.
    pub records: Vec<MessageView>,
    /// Records that were read for it.
    pub scanned: u64,
    /// Offsets that were not read, since more came than the limit or the time allows.
    pub left_out: u64,
    /// `from` of a stream that goes on behind it; null where there are too many partitions for a query.
    pub position: Option<String>,
    /// Why there may be less than there is.
    pub note: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct MessagesView {
    pub now: Timestamp,
    pub cluster_info: ClusterView,
    pub topic: TopicName,
    /// In the order asked for: newest first where they are read backwards (`latest`, `before:`), else oldest
    /// first. Within a partition that is the order of offsets, always. Partitions are merged by time: by the
    /// greatest plausible time (not ahead of now) of a record and of those before it that were read, then by
    /// the partition's number.
    pub records: Vec<MessageView>,
    /// Records read, more than shown where offsets have gaps.
    pub scanned: u32,
    pub took_millis: u32,
    /// False: a bound of time or bytes came first; what is here is what was read until then.
    pub complete: bool,
    /// Which bound, in words.
    pub note: Option<String>,
    /// The query of the page of older records, in the same order; null where there are none. Each record is on
    /// one page, in both directions.
    pub older: Option<String>,
    /// The query of the page of newer records; null where there are none.
    pub newer: Option<String>,
    /// There are more pages, but the topic has too many partitions for one query to say where they are: ask
    /// for one partition at a time.
    pub too_many_partitions: bool,
    /// With `latest`: partitions of which the newest record is not in the list, since others have as many newer
    /// ones; with `earliest`: of which the oldest is not.
    pub partitions_not_shown: Vec<Partition>,
    /// Where records were looked for: what was scanned. `older` or `newer` goes on.
    pub search: Option<SearchView>,
    /// Of one record that was opened: where the groups are that the reader may view.
    pub readers: Vec<RecordReader>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct SearchView {
    /// Records of this scan and of those before it.
    pub scanned: u64,
    /// Bytes of keys and values of this scan.
    pub bytes: u64,
    /// How much of the partitions' offsets lies behind it, in the direction of the search.
    pub percent: u32,
    /// The query that goes on; null: all was scanned.
    pub next: Option<String>,
}

/// A group that has a committed offset in the record's partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct RecordReader {
    pub group: GroupId,
    pub committed: i64,
    /// It committed an offset after the record: the record was handled, or passed over.
    pub is_past: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct MessageView {
    pub partition: Partition,
    pub offset: i64,
    /// `null` where the record has none, or one that is no date: see `timestampRaw`.
    pub timestamp: Option<Timestamp>,
    /// What the record carries for milliseconds since 1970, where that is no date between 1970 and 9999:
    /// microseconds sent by mistake, say.
    pub timestamp_raw: Option<i64>,
    /// `CreateTime` or `LogAppendTime`.
    pub timestamp_type: Option<String>,
    /// True: written in a transaction that was aborted, so consumers with `read_committed` never get it. Null:
    /// not known, since the transaction is open or it was not found out in time.
    pub aborted: Option<bool>,
    /// It lies at or after the last stable offset: a transaction is open in which it, or a record before it, was
    /// written, and consumers with `read_committed` do not get it yet.
    pub transaction_open: bool,
    pub key: Payload,
    pub value: Payload,
    /// In the record's order; at most the first 100.
    pub headers: Vec<HeaderView>,
    /// Headers that the record has, more than `headers` where that list was cut.
    pub headers_total: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct HeaderView {
    pub name: String,
    pub value: Payload,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum PayloadKind {
    /// Absent: a tombstone's value, a record without key.
    Null,
    Json,
    /// Mostly readable UTF-8; see `notUtf8`.
    Text,
    /// Most is not readable text: `text` is hexadecimal.
    Binary,
}

/// A key, a value or a header's value, as far as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Payload {
    pub kind: PayloadKind,
    /// JSON that was sent as JSON: as it was sent, not re-formatted.
    pub text: String,
    /// Bytes of the whole.
    pub size: u32,
    /// `text` is only its beginning.
    pub cut: bool,
    /// Bytes of a text, as far as it was read, that are not UTF-8. `text` has them as `\\xNN`, in hexadecimal.
    pub not_utf8: u32,
    /// What it was decoded as, and through which compression: `gzip → MessagePack`. Empty: there is nothing.
    pub decoder: String,
    /// How often something in it was masked.
    pub masked: u32,
    /// Why it could not be decoded as it was asked for, or not all of it.
    pub problem: Option<DecodeProblem>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct DecodeProblem {
    /// The decoder that says so.
    pub decoder: String,
    /// The byte, from 0, of what was unpacked where it was compressed.
    pub at: Option<u32>,
    pub why: String,
}

/// Decoders that a reader of a topic may choose, and those of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct DecodersView {
    pub names: Vec<String>,
    /// Null: it is detected.
    pub key: Option<String>,
    pub value: Option<String>,
}
