//! Topics where failed records wait for their next try, so that they keep back no other.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use flowdeck_model::{GroupId, Partition, Timestamp, TopicName};
use flowdeck_protocol::wire::dead_letters::DeadLetter;
use flowdeck_protocol::wire::retries::{OWN, Retried, read_retried, retry_headers};

use crate::error::AgentError;
use crate::failure::HandlerError;
use crate::publish::{Outgoing, PublishError, Publisher};
use crate::record::Record;
use crate::shared::now;

/// Retry topics with their delays. A record that failed as often as [`crate::OnError::retries`] says goes to the first
/// one, is tried again there after its delay, goes to the second one if it fails again, and so on; after the last one
/// follows what [`crate::OnError::then`] says. It counts as handled where it was once the retry topic has it, so the
/// records behind it go on: the order of its key is not kept. Where a topic refuses the record itself, its partition is
/// paused as with [`crate::DeadLetters`].
///
/// The consumer reads the topics itself, in its own group; they must exist ([`crate::AgentBuilder::create_topics`]). The
/// function of a [`crate::Router`] is chosen by the topic where the record came from ([`crate::Context::origin`]).
///
/// A pause of the group or consumer covers its retry topics. While a topic or partition of the consumer's is paused, its
/// retry topics are too, whole: what waits there may come from it.
#[derive(Clone, Default)]
#[must_use]
pub struct RetryTopics {
    tiers: Vec<Tier>,
    publisher: Option<Arc<dyn Publisher>>,
}

#[derive(Debug, Clone)]
struct Tier {
    topic: String,
    delay: Duration,
}

impl fmt::Debug for RetryTopics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.tiers).finish()
    }
}

impl RetryTopics {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more, for what failed on the one before; none unless told.
    pub fn topic(mut self, topic: impl Into<String>, delay: Duration) -> Self {
        self.tiers.push(Tier { topic: topic.into(), delay });
        self
    }

    /// By what is written there; by a [`crate::KafkaPublisher`] of the agent's own configuration unless told otherwise.
    pub fn by(mut self, publisher: impl Publisher) -> Self {
        self.publisher = Some(Arc::new(publisher));
        self
    }

    /// By this, unless it is sent by something else already.
    pub(crate) fn or_by(self, publisher: &(impl Publisher + Clone)) -> Self {
        if self.has_publisher() { self } else { self.by(publisher.clone()) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.tiers.is_empty()
    }

    pub(crate) fn has_publisher(&self) -> bool {
        self.publisher.is_some()
    }

    /// Where the consumer reads beside its own topics.
    pub(crate) fn parse(&self, sources: &[TopicName], group: &GroupId) -> Result<Vec<TopicName>, AgentError> {
        let mut topics: Vec<TopicName> = vec![];
        for Tier { topic, .. } in &self.tiers {
            let name: TopicName = topic
                .parse()
                .map_err(|source| AgentError::Topic { topic: topic.chars().take(80).collect(), source })?;
            if sources.contains(&name) || topics.contains(&name) {
                return Err(AgentError::RetryTopicsLoop {
                    group: group.to_string(),
                    topic: name.to_string(),
                });
            }
            topics.push(name);
        }
        Ok(topics)
    }

    fn place(&self, topic: &TopicName) -> Option<usize> {
        self.tiers.iter().position(|tier| tier.topic == topic.as_str())
    }

    pub(crate) fn contains(&self, topic: &TopicName) -> bool {
        self.place(topic).is_some()
    }

    /// Of a record that an agent wrote to one of these topics.
    pub(crate) fn origin(&self, record: &Record, group: &GroupId) -> Option<Origin> {
        let tier = &self.tiers[self.place(record.topic())?];
        let last = |name: &str| record.headers().filter(|(key, _)| *key == name).last()?.1;
        let retried = read_retried(last)?;
        let elsewhere = retried.group != group.as_str();
        // Clocks may differ: nothing waits longer than its delay.
        let retry_at = retried.retry_at.min(now().plus(tier.delay));
        Some(Origin { retried, retry_at, elsewhere })
    }

    /// Where a record of this topic goes after its last try there.
    pub(crate) fn next(&self, topic: &TopicName) -> Option<NextTopic<'_>> {
        let tier = self.tiers.get(self.place(topic).map_or(0, |place| place + 1))?;
        Some(NextTopic { tier, publisher: self.publisher.as_deref()? })
    }
}

/// A retry topic for one record.
pub(crate) struct NextTopic<'a> {
    tier: &'a Tier,
    publisher: &'a dyn Publisher,
}

impl NextTopic<'_> {
    pub(crate) fn topic(&self) -> &str {
        &self.tier.topic
    }

    pub(crate) async fn send(
        &self,
        record: &Record,
        origin: Option<&Origin>,
        group: &GroupId,
        attempts: u32,
        error: &HandlerError,
    ) -> Result<(), PublishError> {
        let error = error.to_string();
        let added = retry_headers(
            &failed(group.as_str(), record, origin, attempts, &error),
            now().plus(self.tier.delay),
        );
        let added = added.into_iter().map(|(name, value)| (name.to_owned(), Some(value.into_bytes())));
        let message = Outgoing {
            topic: self.tier.topic.clone(),
            key: record.key().map(<[u8]>::to_vec),
            value: record.value().map(<[u8]>::to_vec),
            headers: own_headers(record, origin).chain(added).collect(),
        };
        self.publisher.publish(message).await
    }
}

/// The headers that the record had before the agent's.
pub(crate) fn own_headers<'a>(
    record: &'a Record,
    origin: Option<&'a Origin>,
) -> impl Iterator<Item = (String, Option<Vec<u8>>)> + 'a {
    let headers = record.headers().filter(move |(name, _)| origin.is_none() || !OWN.contains(name));
    headers.map(|(name, value)| (name.to_owned(), value.map(<[u8]>::to_vec)))
}

/// What is said of a failed record: where it lay first.
pub(crate) fn failed<'a>(
    group: &'a str,
    record: &'a Record,
    origin: Option<&'a Origin>,
    attempts: u32,
    error: &'a str,
) -> DeadLetter<'a> {
    let lies = (record.topic(), record.partition(), record.offset(), record.timestamp());
    let (topic, partition, offset, timestamp) =
        origin.map_or(lies, |it| (it.topic(), it.partition(), it.offset(), it.timestamp()));
    DeadLetter { topic, partition, offset, timestamp, group, error, attempts, failed_at: now() }
}

/// Where a record lay before it failed and was written to a retry topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    retried: Retried,
    retry_at: Timestamp,
    elsewhere: bool,
}

impl Origin {
    /// Where it lay first.
    pub fn topic(&self) -> &TopicName {
        &self.retried.topic
    }

    /// Where it lay first.
    pub fn partition(&self) -> Partition {
        self.retried.partition
    }

    /// Where it lay first.
    pub fn offset(&self) -> i64 {
        self.retried.offset
    }

    /// As it was there.
    pub fn timestamp(&self) -> Option<Timestamp> {
        self.retried.timestamp
    }

    /// Of a test: its time has come.
    pub(crate) fn made_up(
        at: crate::record::TopicPartition,
        offset: i64,
        timestamp: Option<Timestamp>,
        attempts: u32,
    ) -> Self {
        let (topic, partition, retry_at) = (at.topic, at.partition, now());
        let retried =
            Retried { topic, partition, offset, timestamp, attempts, retry_at, group: String::new() };
        Self { retried, retry_at, elsewhere: false }
    }

    /// How often the handler was called for it before it came here.
    pub(crate) fn attempts(&self) -> u32 {
        self.retried.attempts
    }

    /// Another group's: nothing is to be done with it.
    pub(crate) fn is_of_another_group(&self) -> bool {
        self.elsewhere
    }

    /// How long it still has to wait; `None`: not any more.
    pub(crate) fn wait(&self) -> Option<Duration> {
        let wait = self.retry_at.since(now());
        (!wait.is_zero()).then_some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::TopicPartition;
    use crate::testing::RecordingPublisher;

    fn record(topic: &str, headers: Vec<(String, Option<Vec<u8>>)>) -> Record {
        let at = TopicPartition::parse(topic, 1).unwrap();
        Record::made_up(
            at,
            7,
            Some(Timestamp::from_millis(5)),
            Some(b"k".to_vec()),
            Some(b"v".to_vec()),
            headers,
        )
    }

    #[tokio::test]
    async fn a_record_goes_from_topic_to_topic_and_its_origin_stays() {
        let (publisher, group) = (RecordingPublisher::default(), GroupId::from("g"));
        let minute = Duration::from_secs(60);
        let retries = RetryTopics::new().topic("r1", minute).topic("r2", 10 * minute).by(publisher.clone());
        let first = record("t", vec![("own".into(), Some(b"x".to_vec()))]);
        assert_eq!(retries.origin(&first, &group), None);
        let error = HandlerError::from("no");
        retries.next(first.topic()).unwrap().send(&first, None, &group, 3, &error).await.unwrap();
        let sent = publisher.messages().remove(0);
        assert_eq!(
            (sent.topic.as_str(), &sent.key, &sent.value),
            ("r1", &Some(b"k".to_vec()), &Some(b"v".to_vec()))
        );

        let second = record("r1", sent.headers);
        let origin = retries.origin(&second, &group).unwrap();
        let place = (origin.topic().as_str(), origin.partition().get(), origin.offset(), origin.attempts());
        assert_eq!(place, ("t", 1, 7, 3));
        assert!(origin.wait().is_some_and(|wait| wait <= minute && wait > minute / 2));
        assert!(retries.origin(&second, &GroupId::from("other")).unwrap().is_of_another_group());
        retries.next(second.topic()).unwrap().send(&second, Some(&origin), &group, 6, &error).await.unwrap();

        let sent = publisher.messages().remove(1);
        let named = |name: &str| sent.headers.iter().filter(|(key, _)| key == name).count();
        assert_eq!((sent.topic.as_str(), sent.headers.len(), named("own")), ("r2", 10, 1));
        let third = record("r2", sent.headers);
        let origin = retries.origin(&third, &group).unwrap();
        assert_eq!((origin.topic().as_str(), origin.attempts()), ("t", 6));
        assert!(retries.next(third.topic()).is_none(), "it was the last one");
    }

    #[test]
    fn what_no_agent_wrote_there_is_a_record_as_any() {
        let retries = RetryTopics::new().topic("r1", Duration::from_secs(60));
        assert_eq!(retries.origin(&record("r1", vec![]), &"g".into()), None);
    }

    #[test]
    fn a_retry_topic_is_none_of_the_consumers_own() {
        let topics = |names: &[&str]| {
            let retries = names.iter().fold(RetryTopics::new(), |all, name| all.topic(*name, Duration::ZERO));
            retries.parse(&["t".parse().unwrap()], &"g".into())
        };
        assert_eq!(topics(&["r1", "r2"]).unwrap().len(), 2);
        assert!(matches!(topics(&["t"]), Err(AgentError::RetryTopicsLoop { .. })));
        assert!(matches!(topics(&["r1", "r1"]), Err(AgentError::RetryTopicsLoop { .. })));
        assert!(matches!(topics(&["a/b"]), Err(AgentError::Topic { .. })));
    }
}
