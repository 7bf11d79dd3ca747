//! A cluster's dead-letter topics, with how many letters came when.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use flowdeck_kafka::{Cause, Cluster, Deadline, OffsetSpec, ReadStart, Record, TopicMetadata};
use flowdeck_model::view::audit::LookKind;
use flowdeck_model::view::{DeadLetterShape, DeadLetterTopic, DeadLetterTopicsView, FoundBy};
use flowdeck_model::{Permission, PortError, Timestamp};
use futures::StreamExt as _;
use futures::future::BoxFuture;
use tokio::time::Instant;

use super::{BoundDeadLetters, Look, time_of};
use crate::clock;
use crate::core::ClusterHandle;
use crate::dead_letters::{LetterReading, origin};
use crate::ports::{allowed_payloads, topic};
use crate::snapshot::ClusterSnapshot;

/// Topics that are listed, and other topics of which the newest record is looked at.
const TOPICS_MAX: usize = 200;
const LOOKED_AT_MAX: usize = 200;
/// Partitions of which offsets are asked for.
const PARTITIONS_MAX: usize = 2_000;
/// All of it ends by then.
const TIME: Duration = Duration::from_secs(3);
const TIME_BY_SHAPE: Duration = Duration::from_secs(8);
/// Reads at a time; a cluster has four readers.
const AT_ONCE: usize = 3;
/// Of a record that is looked at.
const VALUE_MAX: usize = 64 * 1024;

impl BoundDeadLetters {
    pub(super) async fn list(
        &self,
        one: &ClusterSnapshot,
        handle: &ClusterHandle,
        by_shape: bool,
    ) -> Result<DeadLetterTopicsView, PortError> {
        let Some(metadata) = &one.sample.metadata else {
            let why = one.view.error.as_deref().unwrap_or("its first refresh is not over");
            return Err(Self::unavailable(
                &one.settings.name,
                format!("its topics are not known yet: {why}"),
            ));
        };
        let (kafka, _permit) = self.kafka(one, handle)?;
        let mut notes = Vec::new();
        let ours = metadata.topics.iter().filter(|found| !topic::is_internal(one, &found.name));
        let (mut found, others): (Vec<_>, Vec<_>) = ours
            .map(|found| (found, one.settings.dead_letters_by_name(&found.name)))
            .partition(|(_, by)| by.is_some());
        let until = Instant::now() + if by_shape { TIME_BY_SHAPE } else { TIME };
        let looked_at = match by_shape {
            true => {
                let others = others.into_iter().map(|(topic, _)| topic).collect();
                let mut looking = self.looking(handle, LookKind::DeadLetterTopics, None, "latest".to_owned());
                let (shaped, looked_at) = self.with_letters(one, kafka, others, until, &mut notes).await;
                looking.came_to(0, u64::from(looked_at));
                found.extend(shaped.into_iter().map(|topic| (topic, Some(FoundBy::Shape))));
                Some(looked_at)
            }
            false => None,
        };
        if found.len() > TOPICS_MAX {
            notes.push(format!("{TOPICS_MAX} of {} topics are listed", found.len()));
            found.truncate(TOPICS_MAX);
        }
        let listed: Vec<&TopicMetadata> = found.iter().map(|(topic, _)| *topic).collect();
        let counts = counts(kafka, &listed, until, &mut notes).await;
        let times = self.times(kafka, &listed, &counts, until).await;
        let topics = found.iter().zip(counts).zip(times).map(|(((topic, by), counts), (oldest, newest))| {
            DeadLetterTopic {
                topic: topic.name.as_ref().clone(),
                found_by: by.unwrap_or(FoundBy::Shape),
                partitions: u32::try_from(topic.partitions.len()).unwrap_or(u32::MAX),
                count: counts.all,
                last_hour: counts.last_hour,
                last_day: counts.last_day,
                oldest,
                newest,
                readers: self.readers(one, topic),
            }
        });
        let topics = topics.collect();
        Ok(DeadLetterTopicsView {
            now: clock::now(),
            cluster_info: one.view.clone(),
            topics,
            looked_at,
            notes,
        })
    }

    fn readers(&self, one: &ClusterSnapshot, topic: &TopicMetadata) -> u32 {
        let may = |group| self.actor.may(Permission::View, &one.settings.name, group);
        let readers = one.groups().filter(|(group, _)| group.reads(&topic.name) && may(&group.id));
        u32::try_from(readers.count()).unwrap_or(u32::MAX)
    }

    fn may_read(&self, one: &ClusterSnapshot, topic: &TopicMetadata) -> bool {
        one.settings.shows_payloads(&topic.name)
            && allowed_payloads(&self.actor, &one.settings.name, Some(one), &topic.name).is_ok()
    }

    /// Of these topics those whose newest record says that it is a dead letter, and how many were looked at.
    async fn with_letters<'a>(
        &self,
        one: &ClusterSnapshot,
        kafka: &Cluster,
        topics: Vec<&'a TopicMetadata>,
        until: Instant,
        notes: &mut Vec<String>,
    ) -> (Vec<&'a TopicMetadata>, u32) {
        let all = topics.len();
        let readable: Vec<_> = topics.into_iter().filter(|topic| self.may_read(one, topic)).collect();
        let mut reads: Vec<BoxFuture<'_, Option<(&TopicMetadata, bool)>>> = vec![];
        for topic in readable.into_iter().take(LOOKED_AT_MAX) {
            reads.push(Box::pin(async move {
                let newest = self.record(kafka, topic, ReadStart::Newest, until).await?;
                let reading = LetterReading::new(&one.settings, &topic.name);
                let is_letter = |record| origin(record, &reading).shape != DeadLetterShape::Unknown;
                Some((topic, newest.as_ref().is_some_and(is_letter)))
            }));
        }
        let read: Vec<_> = futures::stream::iter(reads).buffered(AT_ONCE).collect().await;
        let read: Vec<_> = read.into_iter().flatten().collect();
        let looked_at = u32::try_from(read.len()).unwrap_or(u32::MAX);
        let found = read.into_iter().filter(|(_, is_letter)| *is_letter).map(|(topic, _)| topic).collect();
        if (looked_at as usize) < all {
            notes.push(format!("{looked_at} of {all} other topics were looked at: those whose records may be read, within {} s", TIME_BY_SHAPE.as_secs()));
        }
        (found, looked_at)
    }

    /// The first record of a read. `None`: it was not read in time; `Some(None)`: there is none.
    async fn record(
        &self,
        kafka: &Cluster,
        topic: &TopicMetadata,
        start: ReadStart,
        until: Instant,
    ) -> Option<Option<Record>> {
        let time = until.saturating_duration_since(Instant::now()).min(Duration::from_millis(1_500));
        if time.is_zero() {
            return None;
        }
        let look = Look { partitions: None, start, records: 1, bytes: 1024 * 1024, value: VALUE_MAX, time };
        let outcome = look.read(&self.core, kafka, &topic.name).await.ok()?;
        Some(outcome.records.into_iter().next())
    }

    /// Of each topic's oldest and newest record. A record's time is none of its payload.
    async fn times(
        &self,
        kafka: &Cluster,
        topics: &[&TopicMetadata],
        counts: &[Counts],
        until: Instant,
    ) -> Vec<(Option<Timestamp>, Option<Timestamp>)> {
        let mut reads: Vec<BoxFuture<'_, (Option<Timestamp>, Option<Timestamp>)>> = vec![];
        for (topic, counts) in topics.iter().zip(counts) {
            let is_empty = counts.all.is_none_or(|all| all == 0);
            reads.push(Box::pin(async move {
                if is_empty {
                    return (None, None);
                }
                let time = |record: Option<Option<Record>>| record.flatten().as_ref().and_then(time_of);
                let oldest = self.record(kafka, topic, ReadStart::Earliest, until).await;
                (time(oldest), time(self.record(kafka, topic, ReadStart::Newest, until).await))
            }));
        }
        futures::stream::iter(reads).buffered(AT_ONCE).collect().await
    }
}

#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    all: Option<u64>,
    last_hour: Option<u64>,
    last_day: Option<u64>,
}

/// The span of offsets of each topic, and since two times.
async fn counts(
    kafka: &Cluster,
    topics: &[&TopicMetadata],
    until: Instant,
    notes: &mut Vec<String>,
) -> Vec<Counts> {
    let mut asked: Vec<_> = topics
        .iter()
        .flat_map(|topic| topic.partitions.iter().map(|one| (Arc::clone(&topic.name), one.partition)))
        .collect();
    if asked.len() > PARTITIONS_MAX {
        notes.push(format!(
            "records of the first {PARTITIONS_MAX} of {} partitions were counted",
            asked.len()
        ));
        asked.truncate(PARTITIONS_MAX);
    }
    let deadline = Deadline::after(until.saturating_duration_since(Instant::now()));
    let ago = |seconds| OffsetSpec::At(clock::now().minus(Duration::from_secs(seconds)));
    let (starts, ends, hour, day) = tokio::join!(
        kafka.offsets(&asked, OffsetSpec::Earliest, deadline),
        kafka.offsets(&asked, OffsetSpec::Latest, deadline),
        kafka.offsets(&asked, ago(3_600), deadline),
        kafka.offsets(&asked, ago(86_400), deadline),
    );
    let mut sums: HashMap<_, Counts> = HashMap::new();
    for (at, (topic, _)) in asked.iter().enumerate() {
        let sum = sums.entry(topic).or_insert(Counts { all: Some(0), last_hour: Some(0), last_day: Some(0) });
        sum.all = add(sum.all, &starts[at], &ends[at]);
        sum.last_hour = add(sum.last_hour, &since(&hour[at], &ends[at]), &ends[at]);
        sum.last_day = add(sum.last_day, &since(&day[at], &ends[at]), &ends[at]);
    }
    if let Some(cause) = starts.iter().chain(&ends).find_map(|answer| answer.as_ref().err()) {
        notes.push(format!("not all records could be counted: {cause}"));
    }
    topics.iter().map(|topic| sums.get(&topic.name).copied().unwrap_or_default()).collect()
}

/// Where no record is as late, the log's end.
fn since(at: &Result<i64, Cause>, end: &Result<i64, Cause>) -> Result<i64, Cause> {
    match at {
        Ok(offset) if *offset < 0 => end.clone(),
        answer => answer.clone(),
    }
}

fn add(sum: Option<u64>, from: &Result<i64, Cause>, to: &Result<i64, Cause>) -> Option<u64> {
    let (Ok(from), Ok(to)) = (from, to) else { return None };
    Some(sum? + u64::try_from(to - from).unwrap_or(0))
}
