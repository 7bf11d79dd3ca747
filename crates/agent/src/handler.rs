//! What a service gives to the agent: a handler, and what it is handed.

use std::ops::Deref;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::failure::HandlerError;
use crate::lanes::CallSlot;
use crate::record::Record;
use crate::retry_topics::Origin;

/// The service's own work. Called for one record of a partition at a time, in the order of the log (other orders:
/// [`crate::Distribution`]); records of different partitions run side by side, as many as there are workers.
///
/// A record may come twice (at least once): after a crash, a retry, or a rebalance that did not wait
/// for it.
///
/// It begins when it is polled first. Once a pause is acknowledged none begins; one that has begun goes on, whatever it
/// waits for. What waits for its turn before it does its work belongs into a layer of a [`crate::Router`], whose
/// functions ask again before they begin.
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
    call: Option<&'a CallSlot>,
}

impl<'a> Delivery<'a> {
    pub(crate) fn new(record: &'a Record, attempt: u32, cancellation: &'a CancellationToken) -> Self {
        Self { record, attempt, cancellation, origin: None, call: None }
    }

    pub(crate) fn from(self, origin: Option<&'a Origin>) -> Self {
        Self { origin, ..self }
    }

    pub(crate) fn behind(self, call: &'a CallSlot) -> Self {
        Self { call: Some(call), ..self }
    }

    /// `None`: no gate is asked, as in [`crate::testing`].
    pub(crate) fn call(&self) -> Option<&'a CallSlot> {
        self.call
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
