//! A record that a function owns, and what is known about it beside its value.

use std::sync::Arc;

use flowdeck_model::{Partition, Timestamp, TopicName};
use tokio_util::sync::CancellationToken;

use crate::handler::Delivery;
use crate::lanes::{Call, CallSlot};
use crate::message_type;
use crate::record::Record;
use crate::retry_topics::Origin;

/// A record with its attempt, owned: what functions and `tower::Service`s take. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Message {
    record: Arc<Record>,
    attempt: u32,
    cancellation: CancellationToken,
    origin: Option<Origin>,
    call: Option<Arc<Call>>,
}

impl Message {
    pub(crate) fn of(delivery: Delivery<'_>) -> Self {
        let message =
            Self::new(delivery.record().clone(), delivery.attempt(), delivery.cancellation().clone());
        Self {
            origin: delivery.origin().cloned(),
            call: delivery.call().map(CallSlot::call).cloned(),
            ..message
        }
    }

    pub(crate) fn new(record: Record, attempt: u32, cancellation: CancellationToken) -> Self {
        Self { record: Arc::new(record), attempt, cancellation, origin: None, call: None }
    }

    pub(crate) fn with_origin(self, origin: Option<Origin>) -> Self {
        Self { origin, ..self }
    }

    /// As Kafka delivered it.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// 1 for the first try; on a retry topic those before it count too.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Cancelled when the partition is taken away or the agent stops.
    pub fn cancellation(&self) -> &CancellationToken {
        &self.cancellation
    }

    /// By which a [`crate::Router`] chooses: KafkaFlow's header `Message-Type` without the assembly, else the type of a
    /// CloudEvent (header `ce_type`, or the field `type` in structured mode). `None`: the topic decides.
    pub fn message_type(&self) -> Option<String> {
        message_type::of(&self.record)
    }

    pub(crate) fn delivery(&self) -> Delivery<'_> {
        Delivery::new(&self.record, self.attempt, &self.cancellation).from(self.origin.as_ref())
    }

    /// The function that gets the message may keep it for longer than its call.
    pub(crate) fn take_call(&mut self) -> Option<Arc<Call>> {
        self.call.take()
    }
}

/// Extractor: everything about a message but its value.
#[derive(Debug, Clone)]
pub struct Context(pub(crate) Message);

impl Context {
    /// 1 for the first try; on a retry topic those before it count too.
    pub fn attempt(&self) -> u32 {
        self.0.attempt
    }

    /// Where it lies.
    pub fn topic(&self) -> &TopicName {
        self.0.record.topic()
    }

    /// Where it lies.
    pub fn partition(&self) -> Partition {
        self.0.record.partition()
    }

    /// Where it lies.
    pub fn offset(&self) -> i64 {
        self.0.record.offset()
    }

    /// Of a record on a retry topic: where it lay first.
    pub fn origin(&self) -> Option<&Origin> {
        self.0.origin.as_ref()
    }

    /// The producer's or the broker's time, as the topic's `message.timestamp.type` says.
    pub fn timestamp(&self) -> Option<Timestamp> {
        self.0.record.timestamp()
    }

    /// `None` where it was sent without one.
    pub fn key(&self) -> Option<&[u8]> {
        self.0.record.key()
    }

    /// The value of the first header of that name.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.0.record.header(name)
    }

    /// All headers in their order; a name may occur more than once.
    pub fn headers(&self) -> impl Iterator<Item = (&str, Option<&[u8]>)> {
        self.0.record.headers()
    }

    /// The text of the first header `Correlation-Id`, `X-Correlation-Id` or `ce_correlationid`, however it is
    /// capitalised and hyphenated.
    pub fn correlation_id(&self) -> Option<&str> {
        self.0.record.correlation_id()
    }

    /// As [`Message::message_type`].
    pub fn message_type(&self) -> Option<String> {
        self.0.message_type()
    }

    /// Cancelled when the partition is taken away or the agent stops: what the function does is not committed unless
    /// it ends within [`crate::Timings::shutdown_timeout`].
    pub fn cancellation(&self) -> &CancellationToken {
        &self.0.cancellation
    }
}
