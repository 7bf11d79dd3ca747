//! A record as a handler sees it: owned, and free of the client library's types.

use std::sync::Arc;

use flowdeck_model::{Partition, Timestamp, TopicName};
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};

/// One partition of one topic.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TopicPartition {
    pub(crate) topic: TopicName,
    pub(crate) partition: Partition,
}

impl TopicPartition {
    /// `None` for what Kafka never hands out: a name that is no topic's, a negative number.
    pub(crate) fn parse(topic: &str, partition: i32) -> Option<Self> {
        Some(Self { topic: topic.parse().ok()?, partition: Partition::new(partition)? })
    }
}

/// A record that Kafka delivered.
#[derive(Debug, Clone)]
pub struct Record {
    at: Arc<TopicPartition>,
    offset: i64,
    timestamp: Option<Timestamp>,
    /// The key, and then the value.
    bytes: Vec<u8>,
    key_length: Option<usize>,
    value_length: Option<usize>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Record {
    /// Where it lies.
    pub fn topic(&self) -> &TopicName {
        &self.at.topic
    }

    /// Where it lies.
    pub fn partition(&self) -> Partition {
        self.at.partition
    }

    /// Where it lies.
    pub fn offset(&self) -> i64 {
        self.offset
    }

    /// The producer's or the broker's time, as the topic's `message.timestamp.type` says.
    pub fn timestamp(&self) -> Option<Timestamp> {
        self.timestamp
    }

    /// `None` where it was sent without one.
    pub fn key(&self) -> Option<&[u8]> {
        self.bytes.get(..self.key_length?)
    }

    /// `None` for a tombstone.
    pub fn value(&self) -> Option<&[u8]> {
        self.bytes.get(self.key_length.unwrap_or(0)..)?.get(..self.value_length?)
    }

    /// All headers in their order; a name may occur more than once.
    pub fn headers(&self) -> impl Iterator<Item = (&str, Option<&[u8]>)> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_deref()))
    }

    /// The value of the first header of that name.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers().find(|(other, _)| *other == name).and_then(|(_, value)| value)
    }

    /// As [`crate::Context::correlation_id`].
    pub(crate) fn correlation_id(&self) -> Option<&str> {
        let named = |name: &str| {
            let letters: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
            ["correlationid", "xcorrelationid", "cecorrelationid"]
                .iter()
                .any(|one| letters.eq_ignore_ascii_case(one))
        };
        let mut headers = self.headers().filter(|(name, _)| named(name));
        headers.find_map(|(_, value)| std::str::from_utf8(value?).ok())
    }

    /// Of the W3C header `traceparent`: `00-<trace id>-<parent id>-<flags>`.
    pub(crate) fn trace_id(&self) -> Option<&str> {
        let header = std::str::from_utf8(self.header("traceparent")?).ok()?;
        let id = header.split('-').nth(1)?;
        (id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(id)
    }

    pub(crate) fn at(&self) -> &Arc<TopicPartition> {
        &self.at
    }

    /// To be filled.
    pub(crate) fn empty(at: &Arc<TopicPartition>) -> Self {
        Self {
            at: Arc::clone(at),
            offset: 0,
            timestamp: None,
            bytes: vec![],
            key_length: None,
            value_length: None,
            headers: vec![],
        }
    }

    /// Becomes this record of its partition, in the memory that it has.
    pub(crate) fn fill(&mut self, message: &BorrowedMessage<'_>) {
        self.offset = message.offset();
        self.timestamp = message.timestamp().to_millis().map(Timestamp::from_millis);
        let (key, value) = (message.key(), message.payload());
        self.bytes.clear();
        self.bytes.extend_from_slice(key.unwrap_or_default());
        self.bytes.extend_from_slice(value.unwrap_or_default());
        (self.key_length, self.value_length) = (key.map(<[u8]>::len), value.map(<[u8]>::len));
        self.headers.clear();
        if let Some(headers) = message.headers() {
            let owned = headers.iter().map(|one| (one.key.to_owned(), one.value.map(<[u8]>::to_vec)));
            self.headers.extend(owned);
        }
    }

    /// How much memory its bytes have.
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Of a test.
    pub(crate) fn made_up(
        at: TopicPartition,
        offset: i64,
        timestamp: Option<Timestamp>,
        key: Option<Vec<u8>>,
        value: Option<Vec<u8>>,
        headers: Vec<(String, Option<Vec<u8>>)>,
    ) -> Self {
        let (key_length, value_length) = (key.as_ref().map(Vec::len), value.as_ref().map(Vec::len));
        let bytes = [key.unwrap_or_default(), value.unwrap_or_default()].concat();
        Self { at: Arc::new(at), offset, timestamp, bytes, key_length, value_length, headers }
    }

    #[cfg(test)]
    pub(crate) fn test_keyed(topic: &str, partition: i32, offset: i64, key: Option<&[u8]>) -> Self {
        let (bytes, key_length) = (key.unwrap_or_default().to_vec(), key.map(<[u8]>::len));
        Self { bytes, key_length, ..Self::test(topic, partition, offset) }
    }

    #[cfg(test)]
    pub(crate) fn test(topic: &str, partition: i32, offset: i64) -> Self {
        Self { offset, ..Self::empty(&Arc::new(TopicPartition::parse(topic, partition).unwrap())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_and_value_are_apart_and_each_may_be_absent_or_empty() {
        let record = |key: Option<&str>, value: Option<&str>| {
            let bytes = [key.unwrap_or_default(), value.unwrap_or_default()].concat().into_bytes();
            let (key_length, value_length) = (key.map(str::len), value.map(str::len));
            Record { bytes, key_length, value_length, ..Record::test("t", 0, 0) }
        };
        for key in [None, Some(""), Some("key")] {
            for value in [None, Some(""), Some("a value")] {
                let record = record(key, value);
                assert_eq!(
                    (record.key(), record.value()),
                    (key.map(str::as_bytes), value.map(str::as_bytes))
                );
            }
        }
    }
}
