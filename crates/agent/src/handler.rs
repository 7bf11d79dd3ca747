//! What a service gives to the agent: a handler, and what it is handed.

use std::ops::Deref;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::failure::HandlerError;
use crate::record::Record;
use crate::retry_topics::Origin;

/// The service's own work. Called for one record of a partition at a time, in the order of the log (other orders:
/// [`crate::Distribution`]); records of different partitions run side by side, as many as there are workers.
///
/// A record may come twice (at least once): after a crash, a retry, or a rebalance that did not wait
/// for it.
///
/// Async functions with extractors become one by [`crate::Router`]; this trait is what is underneath, and copies
/// nothing.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Returns once the record is handled, or why it is not.
    async fn handle(&self, delivery: Delivery<'_>) -> Result<(), HandlerError>;
}

/// A record, and which try of it this is. It is used as the [`Record`].
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    record: &'a Record,
    attempt: u32,
    cancellation: &'a CancellationToken,
    origin: Option<&'a Origin>,
}

impl<'a> Delivery<'a> {
    pub(crate) fn new(record: &'a Record, attempt: u32, cancellation: &'a CancellationToken) -> Self {
        Self { record, attempt, cancellation, origin: None }
    }

    pub(crate) fn from(self, origin: Option<&'a Origin>) -> Self {
        Self { origin, ..self }
    }

    /// As Kafka delivered it.
    pub fn record(&self) -> &'a Record {
        self.record
    }

    /// Of a record on a retry topic: where it lay first.
    pub fn origin(&self) -> Option<&'a Origin> {
        self.origin
    }

    /// 1 for the first try; on a retry topic those before it count too.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Cancelled when the partition is taken away or the agent stops: what the handler does is not committed unless it
    /// ends within [`crate::Timings::shutdown_timeout`].
    pub fn cancellation(&self) -> &'a CancellationToken {
        self.cancellation
    }
}

impl Deref for Delivery<'_> {
    type Target = Record;

    fn deref(&self) -> &Record {
        self.record
    }
}
