//! Reads `flowdeck.samples` at the start, the newest minutes first, in the background: pages have what was read so far.
//! What another replica wrote while this one began is read a little later.

use std::sync::Arc;
use std::time::Duration;

use flowdeck_kafka::{Cause, Cluster, Deadline, Isolation, ReadOutcome, ReadRequest, ReadStart, Record};
use flowdeck_model::view::HistoryStorage;
use flowdeck_model::{Partition, Timestamp, TopicName};
use flowdeck_protocol::Headers;
use flowdeck_protocol::wire::{self, Minute, SampleRecord};
use tokio_util::sync::CancellationToken;

use super::History;
use super::restore::Restore;
use super::series::Resolution;
use super::store::seconds;
use crate::clock;
use crate::stats::ClusterStats;

/// As long as quarters of an hour are kept.
const KEPT_MINUTES: u32 = 7 * 24 * 60;
/// Of one read.
const RECORDS: usize = 500;
const BYTES: usize = 8 * 1024 * 1024;
const READ: Duration = Duration::from_secs(20);
/// Between two reads: a start must take no more of a broker, and of this process, than a share.
const PAUSE: Duration = Duration::from_millis(50);
/// After a failure.
const TRY_AGAIN: Duration = Duration::from_secs(5);
const TRY_SELDOM: Duration = Duration::from_secs(60);
/// The minute of the start was written by then, whoever did.
const START_IS_WRITTEN: Duration = Duration::from_secs(120);

/// One cluster's.
pub struct Replay {
    pub cluster: Cluster,
    pub topic: TopicName,
    pub history: History,
    pub stats: Arc<ClusterStats>,
}

fn minute_of(at: Timestamp) -> u32 {
    seconds(at) / Resolution::Minute.seconds()
}

impl Replay {
    /// Until all that is kept was read, or shutdown.
    pub async fn run(self, shutdown: CancellationToken) {
        self.history.lock().storage = HistoryStorage::Restoring;
        let work = async {
            let now = minute_of(clock::now());
            self.read_back_to(now.saturating_sub(KEPT_MINUTES)).await;
            self.history.lock().storage = HistoryStorage::Topic;
            tokio::time::sleep(START_IS_WRITTEN).await;
            self.read_back_to(now.saturating_sub(2)).await;
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = work => {}
        }
    }

    /// All minutes from this one on. A read that failed is tried again from where it was.
    async fn read_back_to(&self, oldest: u32) {
        let mut restore = Restore::default();
        let (mut start, mut before) = (ReadStart::Newest, None);
        loop {
            match read(&self.cluster, &self.topic, start.clone(), RECORDS, READ).await {
                Ok(outcome) => {
                    self.worked();
                    let reached = self.take(&mut restore, &outcome.records).await;
                    match next(&outcome) {
                        Some(offset) if reached.is_none_or(|minute| minute >= oldest) => {
                            // Nothing came in time.
                            let pause = if before == Some(offset) { TRY_AGAIN } else { PAUSE };
                            start = ReadStart::Before(vec![(Partition::FIRST, offset)]);
                            before = Some(offset);
                            tokio::time::sleep(pause).await;
                        }
                        _ => break,
                    }
                }
                // It is made when the cluster is seen first: then nothing is in it yet.
                Err(Cause::UnknownTopic) => break,
                Err(cause) => self.failed(&cause).await,
            }
        }
        restore.finish(&mut self.history.lock());
    }

    fn worked(&self) {
        let mut store = self.history.lock();
        store.problems.read = None;
        if store.storage == HistoryStorage::Memory {
            store.storage = HistoryStorage::Restoring;
        }
    }

    async fn failed(&self, cause: &Cause) {
        {
            let mut store = self.history.lock();
            store.problems.read = Some(format!("{} could not be read: {cause}", self.topic));
            store.storage = HistoryStorage::Memory;
        }
        let pause = if cause.may_pass() { TRY_AGAIN } else { TRY_SELDOM };
        tokio::time::sleep(pause).await;
    }

    /// The oldest minute among them.
    async fn take(&self, restore: &mut Restore, records: &[Record]) -> Option<u32> {
        let now = minute_of(clock::now());
        let mut oldest: Option<u32> = None;
        for record in records {
            let minute = match decode(record) {
                Ok(minute) => minute,
                Err(why) => {
                    self.stats.dropped(why);
                    continue;
                }
            };
            let number = minute_of(minute.at);
            // Nobody can have seen it: it would take the place of what was seen.
            if number > now {
                self.stats.dropped("future_sample");
                continue;
            }
            oldest = Some(oldest.map_or(number, |oldest| oldest.min(number)));
            restore.take(&mut self.history.lock(), number, minute.groups);
            tokio::task::yield_now().await;
        }
        oldest
    }
}

async fn read(
    cluster: &Cluster,
    topic: &TopicName,
    start: ReadStart,
    limit_records: usize,
    deadline: Duration,
) -> Result<ReadOutcome, Cause> {
    let request = ReadRequest {
        topic: topic.clone(),
        partitions: Some(vec![Partition::FIRST]),
        start,
        limit_records,
        limit_bytes: BYTES,
        max_value_bytes: wire::LONGEST,
        isolation: Isolation::ReadUncommitted,
        transactions: false,
        neighbours: false,
        deadline: Deadline::after(deadline),
    };
    let outcome = cluster.read(request, CancellationToken::new()).await.map_err(|error| error.cause)?;
    match outcome.partitions.first().and_then(|one| one.error.clone()) {
        Some(cause) => Err(cause),
        None => Ok(outcome),
    }
}

/// Before which offset to go on; `None`: there is nothing before.
fn next(outcome: &ReadOutcome) -> Option<i64> {
    let one = outcome.partitions.first()?;
    (one.from > one.start).then_some(one.from)
}

/// Else why not, as a constant for `/metrics`.
fn decode(record: &Record) -> Result<Minute, &'static str> {
    let is_cut = record.value.as_ref().is_some_and(|value| value.len() < record.value_size);
    if is_cut {
        return Err("too_long");
    }
    let headers: Headers<'_> = record.headers_with_values().collect();
    match wire::read_sample(&headers, record.value.as_deref()) {
        SampleRecord::Minute(minute) => Ok(minute),
        SampleRecord::NewerVersion | SampleRecord::UnknownType => Err("newer_sample_version"),
        SampleRecord::Malformed(_) => Err("malformed_sample"),
    }
}

/// The newest minute that was written, by its number since 1970; `None`: there is none, or none among the last records.
pub async fn newest_minute(
    cluster: &Cluster,
    topic: &TopicName,
    deadline: Duration,
) -> Result<Option<u32>, Cause> {
    let outcome = read(cluster, topic, ReadStart::Newest, 20, deadline).await?;
    let now = minute_of(clock::now());
    let minutes = outcome.records.iter().filter_map(|record| decode(record).ok());
    Ok(minutes.map(|minute| minute_of(minute.at)).filter(|minute| *minute <= now).max())
}
