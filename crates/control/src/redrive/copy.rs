//! One dead letter as a re-drive sees it: whether it is asked for, where it goes, and its copy. Pure.

use bytes::Bytes;
use flowdeck_kafka::{NewRecord, Record};
use flowdeck_model::redrive::{NotCopied, RecordPlace, RedriveRequest, RedriveTarget};
use flowdeck_model::{CommandId, GroupId, Partition, TopicName};
use flowdeck_observe::dead_letters::{LetterReading, error_key, origin};
use flowdeck_payload::{HeaderList, NoOriginal, dead_letter, original};
use flowdeck_protocol::wire::{REDRIVE_GROUP, REDRIVE_ID};

/// A copy that is not written yet.
pub(super) struct Copy {
    pub(super) place: RecordPlace,
    pub(super) record: NewRecord,
    /// The group that gave up on it, as far as the record says.
    pub(super) failed: Option<GroupId>,
}

impl Copy {
    /// About what it takes in a batch of Kafka's.
    pub(super) fn size(&self) -> usize {
        const AROUND: usize = 80;
        let headers = self.record.headers.iter();
        let headers: usize =
            headers.map(|(name, value)| name.len() + value.as_ref().map_or(0, Bytes::len) + 4).sum();
        let length = |part: &Option<Bytes>| part.as_ref().map_or(0, Bytes::len);
        AROUND + length(&self.record.key) + length(&self.record.value) + headers
    }
}

pub(super) fn place(record: &Record) -> RecordPlace {
    RecordPlace { partition: record.partition, offset: record.offset }
}

/// Whether the request asks for it: judged by what a reader sees, as pages list it.
pub(super) fn is_asked_for(record: &Record, request: &RedriveRequest, reading: &LetterReading) -> bool {
    let query = request.records.query();
    if query.original.is_none() && query.error.is_none() {
        return true;
    }
    let origin = origin(record, reading);
    let error = origin.error.as_deref().map(error_key);
    query.matches(origin.original_topic.as_deref(), error.as_deref())
}

/// The copy, or why there is none. Whether its target takes it is not looked at.
pub(super) fn copy(record: &Record, request: &RedriveRequest, id: CommandId) -> Result<Copy, NotCopied> {
    let headers: Vec<(&str, Option<&[u8]>)> =
        record.headers.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect();
    let headers: &HeaderList<'_> = &headers;
    let value = record.value.as_deref();
    let letter = dead_letter(headers, value);
    let from = letter.topic.as_deref().and_then(|name| name.parse::<TopicName>().ok());
    let (topic, partition) = match &request.to {
        RedriveTarget::Topic(topic) => (topic.clone(), None),
        RedriveTarget::Original | RedriveTarget::OriginalFor(_) => {
            let partition = letter.partition.and_then(Partition::new);
            (from.ok_or(NotCopied::OriginalUnknown)?, partition)
        }
    };
    let is_whole = |part: &Option<Bytes>, size: usize| part.as_ref().map_or(0, Bytes::len) == size;
    if !is_whole(&record.value, record.value_size) || !is_whole(&record.key, record.key_size) {
        return Err(NotCopied::TooLarge);
    }
    let original = match original(headers, value) {
        Ok(original) => original,
        Err(NoOriginal::KafkaFlowRetry | NoOriginal::Cut) => return Err(NotCopied::NoOriginal),
    };
    let mut copied: Vec<(String, Option<Bytes>)> = original
        .headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.map(Bytes::copy_from_slice)))
        .collect();
    copied.push((REDRIVE_ID.to_owned(), Some(Bytes::from(id.to_string()))));
    let mut failed = letter.group.as_deref().map(GroupId::from);
    if let RedriveTarget::OriginalFor(group) = &request.to {
        copied.push((REDRIVE_GROUP.to_owned(), Some(Bytes::from(group.to_string()))));
        failed = Some(group.clone());
    }
    Ok(Copy {
        place: place(record),
        record: NewRecord {
            topic,
            partition,
            key: record.key.clone(),
            value: original.value.map(|value| Bytes::from(value.into_owned())),
            headers: copied,
        },
        failed,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use flowdeck_kafka::Transaction;
    use flowdeck_model::redrive::RedriveRecords;

    use super::*;

    fn request(to: RedriveTarget) -> RedriveRequest {
        RedriveRequest {
            topic: "orders.dlq".parse().unwrap(),
            records: RedriveRecords::Matching { original: None, error: None, ends: vec![] },
            to,
            rate: 100,
            other_groups: false,
            reason: "INC-1".to_owned(),
        }
    }

    fn record(headers: &[(&str, &str)], value: Option<&str>) -> Record {
        let value = value.map(|value| Bytes::copy_from_slice(value.as_bytes()));
        Record {
            topic: Arc::new("orders.dlq".parse().unwrap()),
            partition: Partition::new(0).unwrap(),
            offset: 7,
            timestamp: None,
            key: Some(Bytes::from_static(b"k")),
            key_size: 1,
            value_size: value.as_ref().map_or(0, Bytes::len),
            value,
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), Some(Bytes::copy_from_slice(value.as_bytes()))))
                .collect(),
            transaction: Transaction::Unknown,
        }
    }

    const LETTER: [(&str, &str); 5] = [
        ("trace", "t-1"),
        ("Flowdeck-Original-Topic", "orders"),
        ("Flowdeck-Original-Partition", "2"),
        ("Flowdeck-Original-Group", "billing"),
        ("Flowdeck-Error", "no card"),
    ];

    fn texts(copy: &Copy) -> Vec<(String, String)> {
        let text = |value: &Option<Bytes>| String::from_utf8(value.clone().unwrap().to_vec()).unwrap();
        copy.record.headers.iter().map(|(name, value)| (name.clone(), text(value))).collect()
    }

    #[test]
    fn copy_is_the_original_with_the_redrives_id() {
        let id = CommandId::random();
        let made = copy(&record(&LETTER, Some("{}")), &request(RedriveTarget::Original), id).unwrap();
        assert_eq!((made.record.topic.as_str(), made.record.partition), ("orders", Partition::new(2)));
        assert_eq!(
            (made.record.key.as_deref(), made.record.value.as_deref()),
            (Some(&b"k"[..]), Some(&b"{}"[..]))
        );
        assert_eq!(
            texts(&made),
            [("trace".to_owned(), "t-1".to_owned()), ("Flowdeck-Redrive-Id".to_owned(), id.to_string())]
        );
        assert_eq!(made.failed, Some("billing".into()));
        let tombstone = copy(&record(&LETTER, None), &request(RedriveTarget::Original), id).unwrap();
        assert_eq!(tombstone.record.value, None);
        let one =
            copy(&record(&LETTER, None), &request(RedriveTarget::OriginalFor("ledger".into())), id).unwrap();
        assert_eq!(texts(&one).last().unwrap(), &("Flowdeck-Redrive-Group".to_owned(), "ledger".to_owned()));
        assert_eq!(one.failed, Some("ledger".into()));
        let retry = RedriveTarget::Topic("orders.retry".parse().unwrap());
        let one = copy(&record(&LETTER, None), &request(retry), id).unwrap();
        assert_eq!((one.record.topic.as_str(), one.record.partition), ("orders.retry", None));
    }

    #[test]
    fn what_cannot_be_copied_says_why() {
        let id = CommandId::random();
        let refused =
            |headers: &[(&str, &str)], to| copy(&record(headers, Some("1")), &request(to), id).err();
        let retry = || RedriveTarget::Topic("orders.retry".parse().unwrap());
        let kafkaflow = [("Kafka-Flow-Retry-Durable-Queue-Id", "1")];
        for (headers, to, want) in [
            (&[][..], RedriveTarget::Original, Some(NotCopied::OriginalUnknown)),
            (
                &[("Flowdeck-Original-Topic", "no/topic")],
                RedriveTarget::Original,
                Some(NotCopied::OriginalUnknown),
            ),
            (&kafkaflow, RedriveTarget::Original, Some(NotCopied::OriginalUnknown)),
            (&kafkaflow, retry(), Some(NotCopied::NoOriginal)),
            // Bytes as they are, where it is said to where.
            (&[("other", "x")], retry(), None),
        ] {
            assert_eq!(refused(headers, to), want, "{headers:?}");
        }
        let cut = Record { value_size: 900, ..record(&LETTER, Some("{}")) };
        assert_eq!(copy(&cut, &request(RedriveTarget::Original), id).err(), Some(NotCopied::TooLarge));
    }
}
