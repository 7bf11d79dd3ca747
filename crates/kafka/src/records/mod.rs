//! Reading records without touching any group: partitions are started by hand, nothing is committed,
//! and a read stops at the end offsets that it took when it began.

mod merge;
pub(crate) mod pool;
mod range;
mod read;
pub(crate) mod reader;

use bytes::Bytes;
use flowdeck_model::{Partition, Timestamp, TopicName};

use crate::error::Cause;
use crate::ffi::consume::Message;
use crate::{Deadline, Topic};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Isolation {
    /// Records of open and aborted transactions too.
    #[default]
    ReadUncommitted,
    ReadCommitted,
}

/// Where a read begins, in each of its partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadStart {
    /// The newest `limit_records` over all partitions together, by their time.
    Newest,
    Earliest,
    Offset(i64),
    At(Timestamp),
}

#[derive(Debug, Clone)]
pub struct ReadRequest {
    pub topic: TopicName,
    /// `None`: all.
    pub partitions: Option<Vec<Partition>>,
    pub start: ReadStart,
    pub limit_records: usize,
    /// Of keys, values and headers that are kept, together.
    pub limit_bytes: usize,
    /// A longer key or value is cut to this.
    pub max_value_bytes: usize,
    pub isolation: Isolation,
    pub deadline: Deadline,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadOutcome {
    /// Newest first for `ReadStart::Newest`, else oldest first; by time, then partition and offset.
    pub records: Vec<Record>,
    /// Records that were fetched to find these.
    pub scanned: u64,
    /// Bytes of what was kept.
    pub bytes: u64,
    pub end: ReadEnd,
    pub partitions: Vec<PartitionRead>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadEnd {
    /// Everything up to the ends as they were at the start, or, for the newest, enough.
    Complete,
    TimedOut,
    /// `limit_records` or `limit_bytes` was reached; more follows at `next`.
    LimitHit,
    Cancelled,
}

/// How far a read came in one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionRead {
    pub partition: Partition,
    /// The log's first offset and its end when the read began.
    pub start: i64,
    pub end: i64,
    /// The first offset that this read covered.
    pub from: i64,
    /// Read from here to go on.
    pub next: i64,
    pub error: Option<Cause>,
}

#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    pub topic: Topic,
    pub partition: Partition,
    pub offset: i64,
    /// `None`: it carries none.
    pub timestamp: Option<RecordTime>,
    /// Cut to the request's `max_value_bytes`.
    pub key: Option<Bytes>,
    /// Bytes of the whole key.
    pub key_size: usize,
    /// `None` is a tombstone. Cut to the request's `max_value_bytes`.
    pub value: Option<Bytes>,
    /// Bytes of the whole value.
    pub value_size: usize,
    pub headers: Vec<(String, Option<Bytes>)>,
}

impl std::fmt::Debug for Record {
    // Payloads stay out of logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Record({}-{}@{})", self.topic, self.partition, self.offset)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordTime {
    /// As the record carries it: milliseconds since 1970, unless its producer meant something else.
    pub millis: i64,
    pub kind: TimeKind,
}

impl RecordTime {
    /// `None`: the number is no date between 1970 and 9999.
    pub fn at(self) -> Option<Timestamp> {
        Timestamp::from_millis_exact(self.millis)
    }
}

/// Kafka's number for "no timestamp".
const NO_TIMESTAMP: i64 = -1;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeKind {
    /// The producer's clock.
    Created,
    /// The broker's clock, when it appended the record.
    Appended,
}

impl Record {
    /// Copies a message out of librdkafka's memory, cut to `most` bytes each of key and value.
    pub(crate) fn copy(topic: &Topic, partition: Partition, message: &Message, most: usize) -> Self {
        let cut = |bytes: &[u8]| Bytes::copy_from_slice(&bytes[..bytes.len().min(most)]);
        let mut headers = Vec::new();
        message.for_each_header(|name, value| headers.push((name, value.map(Bytes::copy_from_slice))));
        Self {
            topic: topic.clone(),
            partition,
            offset: message.offset(),
            timestamp: message.timestamp().filter(|(millis, _)| *millis != NO_TIMESTAMP).map(
                |(millis, appended)| RecordTime {
                    millis,
                    kind: if appended { TimeKind::Appended } else { TimeKind::Created },
                },
            ),
            key: message.key().map(cut),
            key_size: message.key().map_or(0, <[u8]>::len),
            value: message.value().map(cut),
            value_size: message.value().map_or(0, <[u8]>::len),
            headers,
        }
    }

    /// Bytes that are kept of it.
    fn kept(&self) -> usize {
        let headers =
            self.headers.iter().map(|(name, value)| name.len() + value.as_ref().map_or(0, Bytes::len));
        self.key.as_ref().map_or(0, Bytes::len)
            + self.value.as_ref().map_or(0, Bytes::len)
            + headers.sum::<usize>()
    }

    /// What records are ordered by across partitions; one without a time counts as the oldest.
    fn millis(&self) -> i64 {
        self.timestamp.map_or(0, |time| time.millis)
    }
}
