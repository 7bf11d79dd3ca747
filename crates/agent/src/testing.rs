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
//!
//! [`run`] gives the handler's own result; [`TestWorker`] says what follows from it: a retry, a dead letter, or what else
//! [`OnError`] says.
//!
//! ```
//! use flowdeck_agent::testing::{Outcome, TestMessage, TestWorker};
//! use flowdeck_agent::{HandlerError, Raw, Router};
//!
//! async fn created(Raw(bytes): Raw) -> Result<(), HandlerError> {
//!     let _text = std::str::from_utf8(&bytes)?;
//!     Ok(())
//! }
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
//! # runtime.block_on(async {
//! let (router, worker) = (Router::new(()).topic("orders", created), TestWorker::new());
//! let message = TestMessage::new("orders").value([0xff_u8]);
//! assert_eq!(worker.run(&router, message.clone()).await, Outcome::Retry);
//! assert_eq!(worker.run(&router, message.attempt(6)).await, Outcome::PartitionPaused);
//! # });
//! ```

use std::error::Error;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use flowdeck_model::{GroupId, Timestamp};
use futures::FutureExt as _;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::after_failure::{Next, Policy};
use crate::breaker::NotAdmitted;
use crate::dead_letters::DeadLetters;
use crate::failure::{Failure, HandlerError, Mapping, OnError, Then};
use crate::handler::Handler;
use crate::message::Message;
use crate::publish::{Outgoing, PublishError, Publisher};
use crate::record::{Record, TopicPartition};
use crate::retry_topics::{Origin, RetryTopics};
use crate::workers::panicked;

/// Of a [`TestWorker`], in what it sends.
const GROUP: &str = "test";

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
    origin: Option<TestOrigin>,
}

#[derive(Debug, Clone)]
struct TestOrigin {
    topic: String,
    partition: i32,
    offset: i64,
    attempts: u32,
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
            origin: None,
        }
    }

    /// Where it lies; offset 0 of partition 0 unless told otherwise.
    pub fn at(mut self, partition: i32, offset: i64) -> Self {
        (self.partition, self.offset) = (partition, offset);
        self
    }

    /// When it was sent; never unless told otherwise.
    pub fn timestamp(mut self, timestamp: Timestamp) -> Self {
        self.timestamp = Some(timestamp);
        self
    }

    /// Its key; none unless told otherwise.
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

    /// Adds a header; none unless told.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.into(), Some(value.into())));
        self
    }

    /// Which try it is on its topic; the first one unless told otherwise. Those before a retry topic ([`Self::origin`]) come
    /// on top in [`crate::Context::attempt`].
    pub fn attempt(mut self, attempt: u32) -> Self {
        self.attempt = attempt;
        self
    }

    /// Makes it a record of a retry topic: it came from this place, after so many calls of the handler there and on the
    /// retry topics before. From nowhere unless told. Its timestamp there is that of [`Self::timestamp`].
    pub fn origin(mut self, topic: impl Into<String>, partition: i32, offset: i64, attempts: u32) -> Self {
        self.origin = Some(TestOrigin { topic: topic.into(), partition, offset, attempts });
        self
    }

    /// What tells the handler that its partition is taken away; one that is never cancelled unless told otherwise.
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
        let origin = self.origin.map(|from| {
            let at = TopicPartition::parse(&from.topic, from.partition);
            let at = at.expect("a topic's name and a partition, of the origin");
            Origin::made_up(at, from.offset, self.timestamp, from.attempts)
        });
        let attempt = self.attempt.saturating_add(origin.as_ref().map_or(0, Origin::attempts));
        Message::new(record, attempt, self.cancellation).with_origin(origin)
    }
}

/// Calls a handler once, and gives what it gave. What a worker makes of that says [`TestWorker::run`].
///
/// # Errors
/// The handler's own.
///
/// # Panics
/// As [`TestMessage::build`], and where the handler does.
pub async fn run(handler: &impl Handler, message: TestMessage) -> Result<(), HandlerError> {
    handler.handle(message.build().delivery()).await
}

/// What a worker makes of one call of the handler.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The handler succeeded: the record counts as handled.
    Handled,
    /// The record is tried again on the same topic, after the wait of [`OnError`]; or it was to go to a topic that did not
    /// take it.
    Retry,
    /// The retry topic of this name has it; it counts as handled where it was.
    RetryTopic(String),
    /// It is a dead letter, and counts as handled.
    DeadLetter,
    /// It is given up, and counts as handled: [`Then::Skip`].
    Skipped,
    /// Its partition is paused at it, uncommitted: [`Then::PausePartition`].
    PartitionPaused,
    /// A [`crate::CircuitBreaker`] around the function is open: the record waits, and no attempt is counted.
    CircuitOpen,
    /// The handler failed after the message's cancellation: no attempt is counted, and the next owner of the partition reads
    /// the record again.
    ReadAgain,
}

/// What becomes of a record, without a broker: the settings of an [`crate::AgentBuilder`] that decide about it. A panic of
/// the handler is a failed call, as in a worker.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct TestWorker {
    on_error: OnError,
    mapping: Mapping,
    dead_letters: Option<DeadLetters>,
    retry_topics: Option<RetryTopics>,
}

impl TestWorker {
    /// As an agent that was told nothing: see [`OnError::default`].
    pub fn new() -> Self {
        Self::default()
    }

    /// As [`crate::AgentBuilder::on_error`]; [`OnError::default`] unless told otherwise.
    pub fn on_error(mut self, policy: OnError) -> Self {
        self.on_error = policy;
        self
    }

    /// As [`crate::AgentBuilder::map_errors`]; unless told otherwise, another try may succeed.
    pub fn map_errors(
        mut self,
        map: impl Fn(&(dyn Error + 'static)) -> Failure + Send + Sync + 'static,
    ) -> Self {
        self.mapping = Mapping::new(map);
        self
    }

    /// As [`crate::AgentBuilder::dead_letters`]; none unless told. They are sent by the publisher of [`DeadLetters::by`],
    /// such as a [`RecordingPublisher`], and nowhere without one.
    pub fn dead_letters(mut self, to: DeadLetters) -> Self {
        self.dead_letters = Some(to);
        self
    }

    /// As [`crate::AgentBuilder::retry_topics`]; none unless told. They are written by the publisher of
    /// [`RetryTopics::by`], and nowhere without one.
    pub fn retry_topics(mut self, topics: RetryTopics) -> Self {
        let sent = topics.has_publisher();
        self.retry_topics = Some(if sent { topics } else { topics.by(RecordingPublisher::default()) });
        self
    }

    /// Calls the handler once. Which try it is says [`TestMessage::attempt`].
    ///
    /// # Panics
    /// As [`TestMessage::build`].
    pub async fn run(&self, handler: &impl Handler, message: TestMessage) -> Outcome {
        let tries_here = message.attempt;
        let message = message.build();
        let call = AssertUnwindSafe(async { handler.handle(message.delivery()).await });
        let called = call.catch_unwind().await;
        let called = called.unwrap_or_else(|panic| Err(panicked("the handler", &*panic).into()));
        match called {
            Ok(()) => Outcome::Handled,
            Err(error) if error.source().is::<NotAdmitted>() => Outcome::CircuitOpen,
            Err(_) if message.cancellation().is_cancelled() => Outcome::ReadAgain,
            Err(error) => self.failed(&message, tries_here, &error).await,
        }
    }

    async fn failed(&self, message: &Message, tries_here: u32, error: &HandlerError) -> Outcome {
        let (record, origin, attempts) = (message.record(), message.delivery().origin(), message.attempt());
        let failure = self.mapping.failure(error);
        let policy = Policy {
            on_error: &self.on_error,
            retry_topics: self.retry_topics.as_ref(),
            dead_letters: self.dead_letters.as_ref(),
        };
        let then = match policy.next(failure, record.topic(), tries_here) {
            Next::Retry(_) => return Outcome::Retry,
            Next::RetryTopic(next) => {
                return match next.send(record, origin, &GroupId::from(GROUP), attempts, error).await {
                    Ok(()) => Outcome::RetryTopic(next.topic().to_owned()),
                    Err(refused) => untaken(&refused),
                };
            }
            Next::Then(then) => then,
        };
        match (then, &self.dead_letters) {
            (Then::Skip, _) => Outcome::Skipped,
            (Then::PausePartition, _) => Outcome::PartitionPaused,
            // An agent without a topic for them does not start.
            (Then::DeadLetter, None) => Outcome::DeadLetter,
            (Then::DeadLetter, Some(letters)) => {
                match letters.send(GROUP, record, origin, attempts, error).await {
                    Ok(()) => Outcome::DeadLetter,
                    Err(refused) => untaken(&refused),
                }
            }
        }
    }
}

fn untaken(refused: &PublishError) -> Outcome {
    if refused.is_for_good() { Outcome::PartitionPaused } else { Outcome::Retry }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{CircuitBreaker, Context, Json, Router};

    async fn by_number(Json(number): Json<u32>) -> Result<(), HandlerError> {
        match number {
            0 => Ok(()),
            1 => Err(HandlerError::from("the database does not respond")),
            2 => Err(HandlerError::permanent("no such order")),
            3 => Err(HandlerError::dead_letter("not an order")),
            _ => panic!("a bug"),
        }
    }

    fn message(topic: &str, number: u32) -> TestMessage {
        TestMessage::new(topic).json(&number)
    }

    fn policy(retries: u32, then: Then) -> OnError {
        OnError { retries, then, ..OnError::default() }
    }

    #[tokio::test]
    async fn outcome_follows_the_policy() {
        let router = Router::new(()).fallback(by_number);
        let letters = || DeadLetters::to("dlq");
        let skips = TestWorker::new().on_error(policy(1, Then::Skip));
        let cases = [
            (TestWorker::new(), 0, 1, Outcome::Handled),
            (TestWorker::new(), 1, 5, Outcome::Retry),
            (TestWorker::new(), 1, 6, Outcome::PartitionPaused),
            (TestWorker::new(), 2, 1, Outcome::PartitionPaused),
            (TestWorker::new(), 3, 1, Outcome::PartitionPaused),
            (TestWorker::new().dead_letters(letters()), 3, 1, Outcome::DeadLetter),
            (TestWorker::new().dead_letters(letters()), 2, 1, Outcome::PartitionPaused),
            (TestWorker::new().map_errors(|_| Failure::Permanent), 1, 1, Outcome::PartitionPaused),
            (skips.clone(), 1, 1, Outcome::Retry),
            (skips.clone(), 1, 2, Outcome::Skipped),
            (skips, 2, 1, Outcome::Skipped),
            (
                TestWorker::new().on_error(policy(5, Then::DeadLetter)).dead_letters(letters()),
                2,
                1,
                Outcome::DeadLetter,
            ),
        ];
        for (worker, number, attempt, outcome) in cases {
            let message = message("orders", number).attempt(attempt);
            assert_eq!(
                worker.run(&router, message).await,
                outcome,
                "{number} at attempt {attempt}: {worker:?}"
            );
        }
    }

    #[tokio::test]
    async fn panic_is_a_failed_call() {
        let router = Router::new(()).fallback(by_number);
        assert_eq!(TestWorker::new().run(&router, message("orders", 9)).await, Outcome::Retry);
        let publisher = RecordingPublisher::default();
        let worker = TestWorker::new()
            .on_error(policy(0, Then::DeadLetter))
            .dead_letters(DeadLetters::to("dlq").by(publisher.clone()));
        assert_eq!(worker.run(&router, message("orders", 9)).await, Outcome::DeadLetter);
        let sent = publisher.messages().remove(0);
        let error = sent.headers.iter().find(|(name, _)| name == "Flowdeck-Error").unwrap();
        assert_eq!(
            (sent.topic.as_str(), error.1.as_deref()),
            ("dlq", Some(&b"the handler panicked: a bug"[..]))
        );
        publisher.refuse(Some("the broker is away"));
        assert_eq!(worker.run(&router, message("orders", 9)).await, Outcome::Retry);
    }

    #[tokio::test]
    async fn record_goes_from_retry_topic_to_retry_topic() {
        let router = Router::new(()).fallback(by_number);
        let minute = Duration::from_secs(60);
        let topics = RetryTopics::new().topic("r1", minute).topic("r2", minute);
        let worker = TestWorker::new().on_error(policy(1, Then::Skip)).retry_topics(topics);
        for (topic, attempt, outcome) in [
            ("orders", 1, Outcome::Retry),
            ("orders", 2, Outcome::RetryTopic("r1".to_owned())),
            ("r1", 1, Outcome::Retry),
            ("r1", 2, Outcome::RetryTopic("r2".to_owned())),
            ("r2", 2, Outcome::Skipped),
        ] {
            let message = message(topic, 1).origin("orders", 0, 7, 2).attempt(attempt);
            assert_eq!(worker.run(&router, message).await, outcome, "{topic} at attempt {attempt}");
        }
        let permanent = message("orders", 2);
        assert_eq!(worker.run(&router, permanent).await, Outcome::Skipped);
    }

    #[tokio::test]
    async fn origin_is_told_to_the_function_of_its_topic() {
        async fn retried(context: Context) -> Result<(), HandlerError> {
            let origin = context.origin().ok_or("no origin")?;
            let place = (origin.topic().as_str(), origin.partition().get(), origin.offset());
            assert_eq!((context.topic().as_str(), place, context.attempt()), ("r1", ("orders", 2, 7), 4));
            Ok(())
        }
        let router = Router::new(()).topic("orders", retried);
        run(&router, TestMessage::new("r1").origin("orders", 2, 7, 3)).await.unwrap();
        assert!(run(&router, TestMessage::new("orders")).await.is_err());
    }

    #[tokio::test]
    async fn open_circuit_and_cancellation_count_no_attempt() {
        let breaker = CircuitBreaker::new(1, Duration::from_secs(60));
        let router = Router::new(()).fallback(by_number).layer(breaker);
        let worker = TestWorker::new();
        assert_eq!(worker.run(&router, message("orders", 1)).await, Outcome::Retry);
        assert_eq!(worker.run(&router, message("orders", 0)).await, Outcome::CircuitOpen);

        let (router, cancelled) = (Router::new(()).fallback(by_number), CancellationToken::new());
        cancelled.cancel();
        let last_try = message("orders", 1).attempt(6).cancellation(cancelled.clone());
        assert_eq!(worker.run(&router, last_try).await, Outcome::ReadAgain);
        let handled = message("orders", 0).cancellation(cancelled);
        assert_eq!(worker.run(&router, handled).await, Outcome::Handled);
    }
}
