//! Where records go whose handler failed for good.

use std::fmt;
use std::sync::Arc;

use crate::failure::HandlerError;
use crate::publish::{Outgoing, PublishError, Publisher};
use crate::record::Record;
use crate::retry_topics::{Origin, failed, own_headers};

/// The topic of dead letters, and what is written there: the record as it was, its key included, with the headers
/// `Flowdeck-Original-Topic`, `-Partition`, `-Offset`, `-Timestamp` and `-Group`, `Flowdeck-Error`, `Flowdeck-Attempts` and
/// `Flowdeck-Failed-At`. The record counts as handled once Kafka has the dead letter; where Kafka does not take it,
/// the handler is tried again after a while. Where the topic refuses the record itself, for its size for example, no other
/// try would help: its partition is paused as by [`crate::Then::PausePartition`], and the last failures say why.
#[derive(Clone)]
pub struct DeadLetters {
    topic: String,
    convex: bool,
    publisher: Option<Arc<dyn Publisher>>,
}

impl fmt::Debug for DeadLetters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadLetters").field("topic", &self.topic).field("convex", &self.convex).finish()
    }
}

impl DeadLetters {
    /// The topic must exist: the agent creates none.
    pub fn to(topic: impl Into<String>) -> Self {
        Self { topic: topic.into(), convex: false, publisher: None }
    }

    /// The value becomes Convex's JSON: `{OriginalTopic, OriginalMessage, ErrorMessage, FailedAt}`; unless told it is the
    /// record's own. The headers are the same.
    #[must_use]
    pub fn convex(mut self) -> Self {
        self.convex = true;
        self
    }

    /// By what it is sent; by a [`crate::KafkaPublisher`] of the agent's own configuration unless told otherwise.
    #[must_use]
    pub fn by(mut self, publisher: impl Publisher) -> Self {
        self.publisher = Some(Arc::new(publisher));
        self
    }

    /// By this, unless it is sent by something else already.
    pub(crate) fn or_by(self, publisher: &(impl Publisher + Clone)) -> Self {
        if self.has_publisher() { self } else { self.by(publisher.clone()) }
    }

    pub(crate) fn topic(&self) -> &str {
        &self.topic
    }

    pub(crate) fn has_publisher(&self) -> bool {
        self.publisher.is_some()
    }

    /// `attempts`: how often the handler was called.
    pub(crate) async fn send(
        &self,
        group: &str,
        record: &Record,
        origin: Option<&Origin>,
        attempts: u32,
        error: &HandlerError,
    ) -> Result<(), PublishError> {
        let Some(publisher) = &self.publisher else { return Ok(()) };
        publisher.publish(self.message(group, record, origin, attempts, &error.to_string())).await
    }

    fn message(
        &self,
        group: &str,
        record: &Record,
        origin: Option<&Origin>,
        attempts: u32,
        error: &str,
    ) -> Outgoing {
        let letter = failed(group, record, origin, attempts, error);
        let added = letter.headers().into_iter();
        let added = added.map(|(name, value)| (name.to_owned(), Some(value.into_bytes())));
        let value = record.value();
        Outgoing {
            topic: self.topic.clone(),
            key: record.key().map(<[u8]>::to_vec),
            value: if self.convex { Some(letter.convex(value)) } else { value.map(<[u8]>::to_vec) },
            headers: own_headers(record, origin).chain(added).collect(),
        }
    }
}
