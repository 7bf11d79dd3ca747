//! Reading records without touching any group: partitions are started by hand, nothing is committed,
//! and a read stops at the end offsets that it took when it began.

pub(crate) mod pool;

use bytes::Bytes;
use flowdeck_model::{Partition, Timestamp, TopicName};
use tokio_util::sync::CancellationToken;

use crate::error::{Cause, Error, Operation};
use crate::{Cluster, Deadline, Topic};

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
    /// Read from here to go on.
    pub next: i64,
    pub error: Option<Cause>,
}

#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    pub topic: Topic,
    pub partition: Partition,
    pub offset: i64,
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
    pub at: Timestamp,
    pub kind: TimeKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeKind {
    /// The producer's clock.
    Created,
    /// The broker's clock, when it appended the record.
    Appended,
}

impl Cluster {
    /// Reads within the request's bounds. Dropping the future or cancelling stops the work.
    pub async fn read(&self, _request: ReadRequest, _cancel: CancellationToken) -> Result<ReadOutcome, Error> {
        Err(Error::new(Operation::Read, Cause::Unsupported("being built".into())))
    }
}
