//! A record as a handler sees it: owned, and free of the client library's types.

use flowdeck_model::{Partition, Timestamp, TopicName};
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};

/// One partition of one topic.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Tp {
    pub(crate) topic: TopicName,
    pub(crate) partition: Partition,
}

impl Tp {
    /// `None` for what Kafka never hands out: a name that is no topic's, a negative number.
    pub(crate) fn parse(topic: &str, partition: i32) -> Option<Self> {
        Some(Self { topic: topic.parse().ok()?, partition: Partition::new(partition)? })
    }
}

/// A record that Kafka delivered.
#[derive(Debug, Clone)]
pub struct Record {
    at: Tp,
    offset: i64,
    timestamp: Option<Timestamp>,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Record {
    pub fn topic(&self) -> &TopicName {
        &self.at.topic
    }

    pub fn partition(&self) -> Partition {
        self.at.partition
    }

    pub fn offset(&self) -> i64 {
        self.offset
    }

    /// The producer's or the broker's time, as the topic's `message.timestamp.type` says.
    pub fn timestamp(&self) -> Option<Timestamp> {
        self.timestamp
    }

    pub fn key(&self) -> Option<&[u8]> {
        self.key.as_deref()
    }

    /// `None` for a tombstone.
    pub fn value(&self) -> Option<&[u8]> {
        self.value.as_deref()
    }

    /// All headers in their order; a name may stand more than once.
    pub fn headers(&self) -> impl Iterator<Item = (&str, Option<&[u8]>)> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_deref()))
    }

    /// The value of the first header of that name.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers().find(|(other, _)| *other == name).and_then(|(_, value)| value)
    }

    pub(crate) fn at(&self) -> &Tp {
        &self.at
    }

    pub(crate) fn from_kafka(message: &BorrowedMessage<'_>) -> Option<Self> {
        let headers = message.headers().map(|headers| {
            headers.iter().map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec))).collect()
        });
        Some(Self {
            at: Tp::parse(message.topic(), message.partition())?,
            offset: message.offset(),
            timestamp: message.timestamp().to_millis().map(Timestamp::from_millis),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: headers.unwrap_or_default(),
        })
    }

    #[cfg(test)]
    pub(crate) fn test(topic: &str, partition: i32, offset: i64) -> Self {
        Self {
            at: Tp::parse(topic, partition).unwrap(),
            offset,
            timestamp: None,
            key: None,
            value: None,
            headers: vec![],
        }
    }
}
