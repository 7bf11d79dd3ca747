//! What is read of the groups that somebody looks at, and of no others: where the last stable offset of their partitions
//! is, and the configuration by which records and offsets are deleted.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use flowdeck_kafka::{Cause, Cluster, ConfigEntry, Deadline, OffsetSpec, ReadRequest, ReadStart, Topic};
use flowdeck_model::{Partition, Timestamp};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::sample::Sample;
use crate::clock;
use crate::history::History;
use crate::settings::ClusterSettings;

/// From one look to the next.
const EVERY: Duration = Duration::from_secs(4);
/// Groups at a time, those that were looked at last; of all of them so many partitions and topics.
const GROUPS: usize = 20;
const PARTITIONS: usize = 1_000;
const TOPICS: usize = 100;
/// Configurations that are asked for in one look, and for how long an answer counts.
const CONFIGS: usize = 16;
const CONFIG_COUNTS: Duration = Duration::from_secs(300);
/// First records of open transactions that are read in one look.
const OPEN: usize = 4;
const READ_FOR: Duration = Duration::from_millis(1_500);

/// One partition of a topic.
type Place = (Topic, Partition);

#[derive(Debug, Default, Clone)]
pub struct Details {
    /// Of partitions in which a transaction was open.
    pub open: HashMap<Place, Open>,
    /// Partitions whose last stable offset is their end.
    pub settled: HashSet<Place>,
    pub retention: HashMap<Topic, Result<Retention, Cause>>,
    /// For how long the offsets of a group without members are kept.
    pub offsets_retention: Option<Result<Duration, Cause>>,
}

/// A transaction that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open {
    /// Where a consumer with `read_committed` stops.
    pub stable: i64,
    /// The log's end at that time.
    pub end: i64,
    /// When the transaction's first record was written; else since when it is seen.
    pub since: Timestamp,
}

/// By what records of a topic are deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// `None`: not by their age.
    pub time: Option<Duration>,
    /// By the size of the log, too.
    pub by_size: bool,
}

impl Retention {
    fn of(config: &std::collections::BTreeMap<String, ConfigEntry>) -> Self {
        let value = |name: &str| config.get(name).and_then(|entry| entry.value.as_deref());
        let deletes = value("cleanup.policy").is_none_or(|policy| policy.contains("delete"));
        // -1: for ever.
        let number = |name: &str| value(name).and_then(|text| text.parse::<u64>().ok()).filter(|_| deletes);
        Self {
            time: number("retention.ms").map(Duration::from_millis),
            by_size: number("retention.bytes").is_some(),
        }
    }
}

/// The task of one cluster.
pub(crate) struct Look {
    pub(crate) cluster: Cluster,
    pub(crate) settings: Arc<ClusterSettings>,
    pub(crate) samples: watch::Receiver<Arc<Sample>>,
    pub(crate) history: History,
    pub(crate) out: watch::Sender<Arc<Details>>,
}

#[derive(Default)]
struct Asked {
    topics: HashMap<Topic, Instant>,
    offsets: Option<Instant>,
}

impl Look {
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        let mut asked = Asked::default();
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.look(&mut asked) => {}
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(EVERY.max(self.settings.refresh)) => {}
            }
        }
    }

    async fn look(&self, asked: &mut Asked) {
        let viewed = self.history.lock().viewed_groups(clock::now());
        if viewed.is_empty() {
            return;
        }
        let sample = Arc::clone(&self.samples.borrow());
        let mut details = Details::clone(&self.out.borrow());
        let groups: Vec<_> = viewed.iter().take(GROUPS).filter_map(|id| sample.group(id)).collect();
        let mut places: Vec<Place> = groups
            .iter()
            .flat_map(|group| group.partitions(false))
            .filter(|one| one.reading.refused.is_none() && one.reading.end.is_some())
            .map(|one| (Topic::clone(one.topic), one.commit.partition))
            .collect();
        places.sort_unstable();
        places.dedup();
        places.truncate(PARTITIONS);
        self.stable(&places, &mut details).await;
        let mut topics: Vec<Topic> = places.into_iter().map(|(topic, _)| topic).collect();
        topics.dedup();
        topics.truncate(TOPICS);
        self.configs(&topics, asked, &mut details).await;
        self.offsets_retention(&sample, asked, &mut details).await;
        self.out.send_replace(Arc::new(details));
    }

    fn deadline(&self) -> Deadline {
        Deadline::after(self.settings.call_deadline)
    }

    /// The end is asked for first: what is written between the two answers never looks like an open transaction.
    async fn stable(&self, places: &[Place], details: &mut Details) {
        let ends = self.cluster.offsets(places, OffsetSpec::Latest, self.deadline()).await;
        let stable = self.cluster.offsets(places, OffsetSpec::LatestCommitted, self.deadline()).await;
        let before = std::mem::take(&mut details.open);
        details.settled.clear();
        let mut reads = 0;
        for ((place, end), stable) in places.iter().zip(ends).zip(stable) {
            let (Ok(end), Ok(stable)) = (end, stable) else { continue };
            if stable >= end {
                details.settled.insert(place.clone());
                continue;
            }
            let since = match before.get(place).filter(|open| open.stable == stable) {
                Some(open) => open.since,
                None if reads < OPEN => {
                    reads += 1;
                    let now = clock::now();
                    self.written_at(place, stable).await.filter(|at| *at <= now).unwrap_or(now)
                }
                None => continue,
            };
            details.open.insert(place.clone(), Open { stable, end, since });
        }
    }

    /// The record at the last stable offset is the first of the transaction that is open the longest.
    async fn written_at(&self, (topic, partition): &Place, offset: i64) -> Option<Timestamp> {
        let (start, deadline) = (ReadStart::Offset(offset), Deadline::after(READ_FOR));
        let request = ReadRequest::first(topic, *partition, start, deadline);
        let outcome = self.cluster.read(request, CancellationToken::new()).await.ok()?;
        let first = outcome.records.first().filter(|record| record.offset == offset)?;
        first.timestamp?.at()
    }

    async fn configs(&self, topics: &[Topic], asked: &mut Asked, details: &mut Details) {
        let now = Instant::now();
        asked.topics.retain(|_, at| now.duration_since(*at) < CONFIG_COUNTS);
        details.retention.retain(|topic, _| asked.topics.contains_key(topic));
        let new: Vec<Topic> =
            topics.iter().filter(|topic| !asked.topics.contains_key(*topic)).take(CONFIGS).cloned().collect();
        let reads = new.into_iter().map(|topic| async move {
            let read = self.cluster.topic_config(&topic, self.deadline()).await;
            (topic, read.map(|config| Retention::of(&config)).map_err(|error| error.cause))
        });
        for (topic, read) in futures::future::join_all(reads).await {
            // What may pass is asked for again in the next look.
            if !read.as_ref().is_err_and(Cause::may_pass) {
                asked.topics.insert(Topic::clone(&topic), now);
                details.retention.insert(topic, read);
            }
        }
    }

    async fn offsets_retention(&self, sample: &Sample, asked: &mut Asked, details: &mut Details) {
        let now = Instant::now();
        if asked.offsets.is_some_and(|at| now.duration_since(at) < CONFIG_COUNTS) {
            return;
        }
        let broker = sample.metadata.as_ref().and_then(|all| all.brokers.first());
        let Some(broker) = broker.map(|broker| broker.id) else { return };
        let read = self.cluster.broker_config(broker, self.deadline()).await.map_err(|error| error.cause);
        let minutes = read.map(|config| {
            let entry = config.get("offsets.retention.minutes").and_then(|entry| entry.value.clone());
            entry.and_then(|text| text.parse::<u64>().ok())
        });
        details.offsets_retention = match minutes {
            Ok(Some(minutes)) => Some(Ok(Duration::from_secs(minutes.saturating_mul(60)))),
            // A managed cluster may hide it.
            Ok(None) => None,
            Err(cause) if cause.may_pass() => return,
            Err(cause) => Some(Err(cause)),
        };
        asked.offsets = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retention_is_by_age_where_records_are_deleted_at_all() {
        let of = |policy: &str, ms: &str, bytes: &str| {
            let entry = |name: &str, value: &str| {
                let value = Some(value.to_owned());
                (name.to_owned(), ConfigEntry { value, default: true, own: false, sensitive: false })
            };
            let all =
                [entry("cleanup.policy", policy), entry("retention.ms", ms), entry("retention.bytes", bytes)];
            let Retention { time, by_size } = Retention::of(&all.into_iter().collect());
            (time.map(|time| time.as_millis()), by_size)
        };
        assert_eq!(of("delete", "3600000", "-1"), (Some(3_600_000), false));
        assert_eq!(of("compact,delete", "3600000", "1000"), (Some(3_600_000), true));
        assert_eq!(of("delete", "-1", "-1"), (None, false));
        assert_eq!(of("compact", "3600000", "1000"), (None, false));
    }
}
