//! Producing, for clusters in control mode: idempotent, or transactional with fencing. All acks.

use bytes::Bytes;
use flowdeck_model::{Partition, TopicName};

use crate::error::{Acl, Cause, Error, Operation};
use crate::{Cluster, Deadline};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProducerKind {
    Idempotent,
    /// A producer that starts later with the same id fences this one.
    Transactional { id: String },
}

/// A record to write.
#[derive(Clone, PartialEq, Eq)]
pub struct NewRecord {
    pub topic: TopicName,
    /// `None`: by the key's hash, as Java's clients do (murmur2).
    pub partition: Option<Partition>,
    pub key: Option<Bytes>,
    /// `None` is a tombstone.
    pub value: Option<Bytes>,
    pub headers: Vec<(String, Option<Bytes>)>,
}

impl std::fmt::Debug for NewRecord {
    // Payloads stay out of logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NewRecord({}, {:?})", self.topic, self.partition)
    }
}

/// Where a record was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    pub partition: Partition,
    pub offset: i64,
}

/// A record was not written, or it is not known whether it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    #[error("another producer has taken over; this one can write no more")]
    Fenced,
    /// Not known whether it was written: it may still arrive.
    #[error("no confirmation in time: it may have been written")]
    InDoubt,
    /// Surely not written.
    #[error("topic {0} does not exist")]
    UnknownTopic(TopicName),
    #[error("not permitted: {0} is missing")]
    NotPermitted(Acl),
    #[error("the record is larger than the topic accepts")]
    TooLarge,
    /// The transaction was aborted; none of its records count.
    #[error("the transaction was aborted")]
    Aborted(#[source] Cause),
    #[error("it was not written")]
    Failed(#[source] Cause),
}

/// A producer of one cluster; cheap to clone.
#[derive(Clone)]
pub struct Producer {
    _private: (),
}

impl Producer {
    /// Writes one record and waits for its confirmation. Not for transactional producers.
    pub async fn send(&self, _record: NewRecord, _deadline: impl Into<Deadline>) -> Result<Placed, SendError> {
        Err(SendError::Failed(Cause::Unsupported("being built".into())))
    }

    /// Transactional producers: takes over the id, which fences every earlier producer of it.
    pub async fn init(&self, _deadline: impl Into<Deadline>) -> Result<(), SendError> {
        Err(SendError::Failed(Cause::Unsupported("being built".into())))
    }

    /// Writes all of `records` or none. Where they are confirmed, in the order given.
    pub async fn transaction(
        &self,
        _records: Vec<NewRecord>,
        _deadline: impl Into<Deadline>,
    ) -> Result<Vec<Placed>, SendError> {
        Err(SendError::Failed(Cause::Unsupported("being built".into())))
    }
}

impl Cluster {
    /// Starts a producer, in the background; needs no broker to be there.
    pub fn producer(&self, _kind: ProducerKind) -> Result<Producer, Error> {
        Err(Error::new(Operation::Producer, Cause::Unsupported("being built".into())))
    }
}
