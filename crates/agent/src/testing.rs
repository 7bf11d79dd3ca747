//! Runs a handler without a broker: a made-up message in, its outcome out.
//!
//! ```
//! use flowdeck_agent::testing::{TestMessage, run};
//! use flowdeck_agent::{Failure, HandlerError, Json, Router};
//!
//! async fn created(Json(id): Json<u64>) -> Result<(), HandlerError> {
//!     if id == 0 { Err(HandlerError::permanent("no order has the number 0")) } else { Ok(()) }
//! }
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
//! # runtime.block_on(async {
//! let router = Router::new(()).topic("orders", created);
//! let message = TestMessage::new("orders");
//! assert!(run(&router, message.clone().json(&7)).await.is_ok());
//! let error = run(&router, message.json(&0)).await.unwrap_err();
//! assert_eq!(error.failure(), Some(Failure::Permanent));
//! # });
//! ```

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use flowdeck_model::Timestamp;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::failure::HandlerError;
use crate::handler::Handler;
use crate::message::Message;
use crate::publish::{Outgoing, PublishError, Publisher};
use crate::record::{Record, TopicPartition};

/// A message that no broker delivered: the first try of offset 0 of partition 0, without key, value and headers,
/// unless told otherwise.
#[derive(Debug, Clone)]
#[must_use]
pub struct TestMessage {
    topic: String,
    partition: i32,
    offset: i64,
    timestamp: Option<Timestamp>,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
    attempt: u32,
    cancellation: CancellationToken,
}

impl TestMessage {
    /// Of a topic.
    pub fn new(topic: impl Into<String>) -> Self {
        Self {
            topic: topic.into(),
            partition: 0,
            offset: 0,
            timestamp: None,
            key: None,
            value: None,
            headers: vec![],
            attempt: 1,
            cancellation: CancellationToken::new(),
        }
    }

    /// Where it lies.
    pub fn at(mut self, partition: i32, offset: i64) -> Self {
        (self.partition, self.offset) = (partition, offset);
        self
    }

    /// When it was sent; never unless told otherwise.
    pub fn timestamp(mut self, timestamp: Timestamp) -> Self {
        self.timestamp = Some(timestamp);
        self
    }

    /// Its key.
    pub fn key(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Its value; a tombstone unless told otherwise.
    pub fn value(mut self, value: impl Into<Vec<u8>>) -> Self {
        self.value = Some(value.into());
        self
    }

    /// Its value, as JSON.
    ///
    /// # Panics
    /// For what is not JSON, such as a map whose keys are no texts.
    pub fn json(self, value: &impl Serialize) -> Self {
        self.value(serde_json::to_vec(value).expect("a value that can be written as JSON"))
    }

    /// Adds a header.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.into(), Some(value.into())));
        self
    }

    /// Which try it is.
    pub fn attempt(mut self, attempt: u32) -> Self {
        self.attempt = attempt;
        self
    }

    /// What tells the handler that its partition is taken away.
    pub fn cancellation(mut self, cancellation: CancellationToken) -> Self {
        self.cancellation = cancellation;
        self
    }

    /// As a handler gets it.
    ///
    /// # Panics
    /// For a name that is no topic's, or a negative partition.
    pub fn build(self) -> Message {
        let at = TopicPartition::parse(&self.topic, self.partition).expect("a topic's name and a partition");
        let record = Record::made_up(at, self.offset, self.timestamp, self.key, self.value, self.headers);
        Message::new(record, self.attempt, self.cancellation)
    }
}

/// Calls a handler once, as a worker does.
///
/// # Errors
/// The handler's own.
///
/// # Panics
/// As [`TestMessage::build`], and where the handler does.
pub async fn run(handler: &impl Handler, message: TestMessage) -> Result<(), HandlerError> {
    handler.handle(message.build().delivery()).await
}

/// Sends nothing and remembers what it was given. Clones share what they remember.
#[derive(Debug, Clone, Default)]
pub struct RecordingPublisher {
    state: Arc<Mutex<Recorded>>,
}

#[derive(Debug, Default)]
struct Recorded {
    messages: Vec<Outgoing>,
    refuses: Option<String>,
}

impl RecordingPublisher {
    /// What was published, in its order.
    pub fn messages(&self) -> Vec<Outgoing> {
        self.lock().messages.clone()
    }

    /// From now on nothing is taken, for this reason; `None`: everything is.
    pub fn refuse(&self, reason: Option<&str>) {
        self.lock().refuses = reason.map(str::to_owned);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Recorded> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Publisher for RecordingPublisher {
    async fn publish(&self, message: Outgoing) -> Result<(), PublishError> {
        let mut state = self.lock();
        if let Some(reason) = state.refuses.clone() {
            return Err(PublishError { topic: message.topic, source: reason.into() });
        }
        state.messages.push(message);
        Ok(())
    }
}
