//! The dead letters of a re-drive, batch by batch and in order: of each partition from the log's start to the end that
//! the request names, or those that it selects.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use flowdeck_kafka::{Cluster, Deadline, Isolation, ReadEnd, ReadOutcome, ReadRequest, ReadStart, Record};
use flowdeck_model::redrive::{RecordPlace, RedriveRecords};
use flowdeck_model::{Partition, TopicName};
use tokio_util::sync::CancellationToken;

/// Keys, values and headers of a batch: what a producer can hold, with space for one large record.
const BYTES: usize = 4 * 1024 * 1024;
/// Larger records than Kafka's brokers usually take.
const VALUE_MAX: usize = 64 * 1024 * 1024;
const TIME: Duration = Duration::from_secs(10);
/// Selected records that lie so near each other are read at once.
const SPAN: i64 = 500;

pub(super) struct Letters {
    cluster: Cluster,
    topic: TopicName,
    stop: CancellationToken,
    left: Left,
    /// Of what was asked for.
    total: u64,
}

enum Left {
    Selected(VecDeque<RecordPlace>),
    /// Where each partition's read is, and where it ends.
    Matching(BTreeMap<Partition, (i64, i64)>),
}

#[derive(Default)]
pub(super) struct Batch {
    pub(super) records: Vec<Record>,
    /// Selected, and not there any more.
    pub(super) deleted: u64,
}

impl Letters {
    pub(super) fn new(
        cluster: Cluster,
        topic: TopicName,
        records: &RedriveRecords,
        starts: &BTreeMap<Partition, i64>,
        stop: CancellationToken,
    ) -> Self {
        let left = match records {
            RedriveRecords::Selected(places) => {
                let mut places = places.clone();
                places.sort_unstable();
                places.dedup();
                Left::Selected(places.into())
            }
            RedriveRecords::Matching { ends, .. } => Left::Matching(
                ends.iter()
                    .map(|end| {
                        let start = starts.get(&end.partition).copied().unwrap_or(0);
                        (end.partition, (start.min(end.offset), end.offset))
                    })
                    .collect(),
            ),
        };
        let mut letters = Self { cluster, topic, stop, left, total: 0 };
        letters.total = letters.remaining();
        letters
    }

    fn remaining(&self) -> u64 {
        match &self.left {
            Left::Selected(places) => places.len() as u64,
            Left::Matching(parts) => {
                parts.values().map(|(at, end)| u64::try_from(end - at).unwrap_or(0)).sum()
            }
        }
    }

    pub(super) fn percent(&self) -> u8 {
        let done = self.total - self.remaining().min(self.total);
        u8::try_from(done * 100 / self.total.max(1)).unwrap_or(100).min(if self.is_over() { 100 } else { 99 })
    }

    pub(super) fn is_over(&self) -> bool {
        self.remaining() == 0
    }

    /// The next ones, at most `most` records. Nothing more: an empty batch that leaves `is_over`.
    pub(super) async fn next(&mut self, most: usize) -> Result<Batch, String> {
        match &mut self.left {
            Left::Selected(places) => {
                let places = near(places, most);
                self.selected(places).await
            }
            Left::Matching(_) => self.matching(most).await,
        }
    }

    async fn selected(&mut self, places: Vec<RecordPlace>) -> Result<Batch, String> {
        let Some(first) = places.first().copied() else { return Ok(Batch::default()) };
        let (mut at, last) = (first.offset, places.last().map_or(first.offset, |last| last.offset));
        let mut records = vec![];
        while at <= last {
            let most = usize::try_from(last - at + 1).unwrap_or(1);
            let outcome = self.read(vec![first.partition], ReadStart::Offset(at), most).await?;
            records.extend(
                outcome
                    .records
                    .into_iter()
                    .filter(|record| places.iter().any(|place| place.offset == record.offset)),
            );
            let Some(part) = outcome.partitions.first() else { break };
            match outcome.end {
                // Up to the log's end, or past what retention deleted.
                ReadEnd::Complete => break,
                _ if part.next <= at => return Err("no record was read in time".to_owned()),
                _ => at = part.next,
            }
        }
        let deleted = (places.len() - records.len().min(places.len())) as u64;
        Ok(Batch { records, deleted })
    }

    async fn matching(&mut self, most: usize) -> Result<Batch, String> {
        let Left::Matching(parts) = &self.left else { return Ok(Batch::default()) };
        // One partition after the other: what is read beyond a batch would be read again.
        let open = parts.iter().find(|(_, (at, end))| at < end);
        let Some((partition, at)) = open.map(|(partition, (at, _))| (*partition, *at)) else {
            return Ok(Batch::default());
        };
        let outcome = self.read(vec![partition], ReadStart::Offset(at), most).await?;
        let Left::Matching(parts) = &mut self.left else { return Ok(Batch::default()) };
        let mut moved = false;
        for part in &outcome.partitions {
            let Some((at, end)) = parts.get_mut(&part.partition) else { continue };
            // A log that ends before is not the one of the request any more.
            let next = if part.next >= part.end { *end } else { part.next.min(*end) };
            moved |= next > *at;
            *at = next.max(*at);
        }
        if !moved && outcome.records.is_empty() {
            return Err("no record was read in time".to_owned());
        }
        let is_wanted =
            |record: &Record| parts.get(&record.partition).is_some_and(|(_, end)| record.offset < *end);
        let records = outcome.records.into_iter().filter(is_wanted).collect();
        Ok(Batch { records, deleted: 0 })
    }

    async fn read(
        &self,
        partitions: Vec<Partition>,
        start: ReadStart,
        most: usize,
    ) -> Result<ReadOutcome, String> {
        let request = ReadRequest {
            topic: self.topic.clone(),
            partitions: Some(partitions),
            start,
            limit_records: most,
            limit_bytes: BYTES,
            max_value_bytes: VALUE_MAX,
            isolation: Isolation::ReadCommitted,
            neighbours: false,
            transactions: false,
            deadline: Deadline::after(TIME),
        };
        let outcome = self.cluster.read(request, self.stop.child_token()).await;
        let outcome = outcome.map_err(|error| error.with_cause())?;
        match outcome.partitions.iter().find_map(|part| Some((part.partition, part.error.as_ref()?))) {
            Some((partition, cause)) => Err(format!("{} partition {partition}: {cause}", self.topic)),
            None if outcome.end == ReadEnd::Cancelled => Err("shutting down".to_owned()),
            None => Ok(outcome),
        }
    }
}

/// Takes those off that are read at once: of one partition, near each other.
fn near(places: &mut VecDeque<RecordPlace>, most: usize) -> Vec<RecordPlace> {
    let mut taken: Vec<RecordPlace> = vec![];
    while let Some(next) = places.front().copied() {
        let fits = taken.first().is_none_or(|first| {
            first.partition == next.partition && next.offset - first.offset < SPAN && taken.len() < most
        });
        if !fits {
            break;
        }
        taken.push(next);
        places.pop_front();
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selected_records_are_taken_by_partition_and_nearness() {
        let place = |partition, offset| RecordPlace { partition: Partition::new(partition).unwrap(), offset };
        let mut places: VecDeque<_> =
            [place(0, 1), place(0, 3), place(0, 900), place(1, 901), place(1, 902)].into();
        let mut taken = vec![];
        while !places.is_empty() {
            taken.push(near(&mut places, 10).iter().map(|place| place.offset).collect::<Vec<_>>());
        }
        assert_eq!(taken, [vec![1, 3], vec![900], vec![901, 902]]);
        let mut places: VecDeque<_> = (0..5).map(|offset| place(0, offset)).collect();
        assert_eq!((near(&mut places, 2).len(), places.len()), (2, 3));
    }
}
