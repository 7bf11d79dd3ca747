//! Offsets of the log itself: start, end, last stable, and by time. One batch for many partitions.

use std::collections::HashMap;

use flowdeck_model::{Partition, Timestamp};
use futures::{FutureExt, StreamExt};

use crate::error::{Acl, Cause};
use crate::ffi::codes;
use crate::ffi::partitions::PartitionList;
use crate::ffi::queue::Event;
use crate::{Cluster, Deadline, Topic};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffsetSpec {
    /// The log's first offset.
    Earliest,
    /// One past the last record (the high watermark).
    Latest,
    /// Where a `read_committed` consumer must stop (the last stable offset).
    LatestCommitted,
    /// The first record at or after this time; the end where there is none.
    At(Timestamp),
}

impl OffsetSpec {
    /// The wire's number, and whether transactions that are still open count as not written.
    pub(crate) fn wire(self) -> (i64, bool) {
        match self {
            Self::Earliest => (-2, false),
            Self::Latest => (-1, false),
            Self::LatestCommitted => (-1, true),
            Self::At(time) => (time.millis(), false),
        }
    }
}

/// Partitions in one call: librdkafka merges the answers of brokers in quadratic time.
const PARTITIONS_A_CALL: usize = 256;
/// librdkafka's "no offset".
const NOT_ANSWERED: i64 = -1001;
/// Calls at a time.
const CALLS: usize = 16;

impl Cluster {
    /// One answer for each partition, in the order asked. A partition that fails says so alone. Where
    /// no record is at or after a time, the answer is -1.
    pub async fn offsets(
        &self,
        partitions: &[(Topic, Partition)],
        spec: OffsetSpec,
        deadline: impl Into<Deadline>,
    ) -> Vec<Result<i64, Cause>> {
        let deadline = deadline.into();
        let mut answers = self.offsets_once(partitions, spec, deadline).await;
        let is_old = |answer: &Result<i64, Cause>| answer.as_ref().is_err_and(Cause::is_of_an_old_leader);
        let old: Vec<usize> = (0..answers.len()).filter(|place| is_old(&answers[*place])).collect();
        // librdkafka asks by the leaders that it remembers, and these errors do not make it look for them anew:
        // after a broker's restart all would fail until somebody reads the metadata.
        if old.is_empty() || self.metadata(deadline).await.is_err() {
            return answers;
        }
        let again: Vec<_> = old.iter().map(|place| partitions[*place].clone()).collect();
        for (place, answer) in old.into_iter().zip(self.offsets_once(&again, spec, deadline).await) {
            answers[place] = answer;
        }
        answers
    }

    async fn offsets_once(
        &self,
        partitions: &[(Topic, Partition)],
        spec: OffsetSpec,
        deadline: Deadline,
    ) -> Vec<Result<i64, Cause>> {
        // Boxed, or the compiler cannot tell that this future may be sent to another thread.
        let parts =
            partitions.chunks(PARTITIONS_A_CALL).map(|part| self.offsets_of(part, spec, deadline).boxed());
        let parts: Vec<_> = parts.collect();
        let answers: Vec<Vec<_>> = futures::stream::iter(parts).buffered(CALLS).collect().await;
        answers.into_iter().flatten().collect()
    }

    async fn offsets_of(
        &self,
        partitions: &[(Topic, Partition)],
        spec: OffsetSpec,
        deadline: Deadline,
    ) -> Vec<Result<i64, Cause>> {
        let (wire, read_committed) = spec.wire();
        let mut list = PartitionList::new(partitions.len());
        // The first place of each; a partition that is asked for twice is sent once.
        let mut places: HashMap<(&str, i32), usize> = HashMap::with_capacity(partitions.len());
        for (place, (topic, partition)) in partitions.iter().enumerate() {
            places.entry((topic.as_str(), partition.get())).or_insert_with(|| {
                list.add(topic.as_str(), partition.get(), wire);
                place
            });
        }
        let (expected, topics) = (partitions.to_vec(), partitions);
        let call = self.client().call(
            deadline,
            || Acl::topic("Describe", topics.first().map_or("*", |(topic, _)| topic.as_str())),
            |ask| {
                ask.offsets(&list, read_committed);
                Ok(())
            },
            move |event| Ok(by_place(event, &expected)),
        );
        let found = match call.await {
            Ok(found) => found,
            Err(cause) => return vec![Err(cause); partitions.len()],
        };
        let answer = |(topic, partition): &(Topic, Partition)| {
            let place = places.get(&(topic.as_str(), partition.get())).copied();
            match place.and_then(|place| found.get(place).copied().flatten()) {
                // Where a leader did not answer, librdkafka leaves its partitions without offset or error.
                Some((NOT_ANSWERED, codes::NO_ERROR)) => Err(Cause::Timeout),
                Some((offset, codes::NO_ERROR)) => Ok(offset),
                Some((_, code)) => Err(Cause::from_code(code, Acl::topic("Describe", topic.as_str()))),
                None => Err(Cause::UnknownTopic),
            }
        };
        partitions.iter().map(answer).collect()
    }
}

/// Offset and code for each place of `expected`, where the answer has one.
fn by_place(event: &Event, expected: &[(Topic, Partition)]) -> Vec<Option<(i64, i32)>> {
    let mut places: HashMap<(&[u8], i32), usize> = HashMap::with_capacity(expected.len());
    for (place, (topic, partition)) in expected.iter().enumerate() {
        places.entry((topic.as_str().as_bytes(), partition.get())).or_insert(place);
    }
    let mut found = vec![None; expected.len()];
    event.offsets(|row| {
        if let Some(&place) = places.get(&(row.topic.to_bytes(), row.partition)) {
            found[place] = Some((row.offset, row.code));
        }
    });
    found
}
