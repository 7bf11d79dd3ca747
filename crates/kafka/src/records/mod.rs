//! Reading records without touching any group: partitions are started by hand, nothing is committed,
//! and a read stops at the end offsets that it took when it began.

mod aborted;
mod backward;
mod forward;
mod merge;
pub(crate) mod pool;
mod range;
mod read;
pub(crate) mod reader;
mod scan;
mod throttle;

pub use scan::Filter;
pub use throttle::Throttle;

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadStart {
    /// The end of each partition, and backwards.
    Newest,
    Earliest,
    Offset(i64),
    At(Timestamp),
    /// Backwards from these offsets, which are not read themselves. A partition that is not named has nothing
    /// before its position.
    Before(Vec<(Partition, i64)>),
    /// These offsets. A partition that is not named is read from its start.
    From(Vec<(Partition, i64)>),
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
    /// Also finds out whether a record lies before and after those that are given, over gaps; else what is
    /// said of that goes by the log's bounds.
    pub neighbours: bool,
    /// Also finds out which records belong to aborted or open transactions. Reads a second time where there
    /// may be any.
    pub transactions: bool,
    pub deadline: Deadline,
}

impl ReadRequest {
    /// The first record of a partition from there on, for where it lies and when it was written: its value is cut.
    pub fn first(topic: &TopicName, partition: Partition, start: ReadStart, deadline: Deadline) -> Self {
        Self {
            topic: topic.clone(),
            partitions: Some(vec![partition]),
            start,
            limit_records: 1,
            limit_bytes: 64 * 1024,
            max_value_bytes: 1,
            isolation: Isolation::ReadUncommitted,
            neighbours: false,
            transactions: false,
            deadline,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadOutcome {
    /// Newest first where it was read backwards, else oldest first. Within a partition by offset, always;
    /// partitions are merged by the greatest plausible time of a record and those before it in what was read,
    /// then by their number.
    pub records: Vec<Record>,
    /// Records that were fetched to find these.
    pub scanned: u64,
    /// Bytes of what was kept; of a scan, of all that was read.
    pub bytes: u64,
    pub end: ReadEnd,
    /// Records lie before `from` of the partitions. `true` too where that was not found out in time.
    pub older: bool,
    /// Records lie at or after `next` of the partitions. `true` too where that was not found out in time.
    pub newer: bool,
    /// In the order of their numbers.
    pub partitions: Vec<PartitionRead>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadEnd {
    /// Everything up to the ends as they were at the start, or, for the newest, enough.
    Complete,
    TimedOut,
    /// `limit_records` or `limit_bytes` was reached; there is more.
    LimitHit,
    /// Too many records were fetched for those that are given; there is more.
    ScanLimitHit,
    Cancelled,
}

/// How far a read came in one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionRead {
    pub partition: Partition,
    /// The log's first offset and its end when the read began.
    pub start: i64,
    pub end: i64,
    /// All records of `from..next` are given, and no others. Read before `from` or from `next` on to go on.
    pub from: i64,
    pub next: i64,
    /// It has records in the direction of the read, and none of them was among the first.
    pub none_shown: bool,
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
    pub transaction: Transaction,
}

/// What became of the transaction in which a record was written, if it was in one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transaction {
    /// Nobody looked, or it was not found out in time.
    #[default]
    Unknown,
    /// It was committed, or there was none: every consumer gets the record.
    Settled,
    /// Consumers with `read_committed` never get it.
    Aborted,
    /// It lies at or after the last stable offset: consumers with `read_committed` do not get it yet, since
    /// a transaction is open in which it, or a record before it, was written.
    Open,
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
            transaction: Transaction::Unknown,
        }
    }

    /// Those that have a value, in their order.
    pub fn headers_with_values(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_deref()?)))
    }

    /// Bytes that are kept of it.
    fn kept(&self) -> usize {
        let headers =
            self.headers.iter().map(|(name, value)| name.len() + value.as_ref().map_or(0, Bytes::len));
        self.key.as_ref().map_or(0, Bytes::len)
            + self.value.as_ref().map_or(0, Bytes::len)
            + headers.sum::<usize>()
    }

    fn millis(&self) -> Option<i64> {
        self.timestamp.map(|time| time.millis)
    }
}
