//! Topics: the list from the snapshot; one topic with fresh offsets and configuration, 1.5 s at most,
//! else with what the snapshot has.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use flowdeck_kafka::{Cause, Deadline, OffsetSpec, PartitionMetadata, TopicMetadata};
use flowdeck_model::error::ResourceKind;
use flowdeck_model::lag::trace;
use flowdeck_model::rate::{Rate, Windows};
use flowdeck_model::verdict::{LagSum, sum};
use flowdeck_model::view::{
    ConfigRow, DecodersView, ReaderRow, TopicPartitionRow, TopicRow, TopicView, TopicsView,
};
use flowdeck_model::{Actor, GroupId, PartitionReading, Permission, PortError, TimeLag, TopicName, Version};

use crate::clock;
use crate::core::ClusterHandle;
use crate::settings::ConfiguredDecoder;
use crate::snapshot::ClusterSnapshot;

/// Kafka has so long to answer before the page shows what it has.
pub(super) const FRESH: Duration = Duration::from_millis(1_500);

pub(super) fn list(version: Version, cluster: &ClusterSnapshot, actor: &Actor) -> TopicsView {
    let read = read_by(cluster, actor);
    let topics = cluster.sample.metadata.iter().flat_map(|metadata| &metadata.topics);
    let topics = topics.map(|topic| {
        let groups = read.get(&*topic.name).map(Vec::as_slice).unwrap_or_default();
        let mut named: Vec<_> = groups.iter().collect();
        named.sort_by(|a, b| (b.1.at_least, a.0).cmp(&(a.1.at_least, b.0)));
        let total = together(groups.iter().map(|(_, sum)| sum));
        TopicRow {
            topic: topic.name.as_ref().clone(),
            partitions: count(topic.partitions.len()),
            replication: topic.partitions.first().map_or(0, |one| count(one.replicas.len())),
            readers: count(groups.len()),
            groups: named.into_iter().take(ROW_GROUPS_MAX).map(|(group, _)| (*group).clone()).collect(),
            lag: total.lag,
            lag_at_least: total.at_least,
            unknown_partitions: total.unknown,
            internal: is_internal(cluster, &topic.name),
        }
    });
    TopicsView { version, now: clock::now(), cluster_info: cluster.view.clone(), topics: topics.collect() }
}

/// In a row of the list.
const ROW_GROUPS_MAX: usize = 20;

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The groups that read each topic and that the actor may see, with what waits for each on it.
fn read_by<'a>(
    cluster: &'a ClusterSnapshot,
    actor: &Actor,
) -> HashMap<&'a TopicName, Vec<(&'a GroupId, LagSum)>> {
    let mut read: HashMap<&TopicName, Vec<(&GroupId, LagSum)>> = HashMap::new();
    for (group, judged) in cluster.groups() {
        if !actor.may(Permission::View, &cluster.settings.name, &group.id) {
            continue;
        }
        let mut readings: Vec<PartitionReading> = Vec::new();
        let mut all = group.readings(judged.stale).peekable();
        for rows in group.rows.iter() {
            readings.clear();
            while let Some((_, _, reading)) = all.next_if(|(topic, _, _)| **topic == rows.topic) {
                readings.push(reading);
            }
            read.entry(&rows.topic).or_default().push((&group.id, sum(&readings)));
        }
    }
    read
}

fn together<'a>(sums: impl Iterator<Item = &'a LagSum>) -> LagSum {
    let more = |a: Option<u64>, b: Option<u64>| match (a, b) {
        (Some(a), Some(b)) => Some(a.saturating_add(b)),
        (a, b) => a.or(b),
    };
    sums.fold(LagSum::default(), |all, one| LagSum {
        lag: more(all.lag, one.lag),
        at_least: more(all.at_least, one.at_least),
        unknown: all.unknown.saturating_add(one.unknown),
        ..all
    })
}

pub(super) async fn view(
    version: Version,
    cluster: &ClusterSnapshot,
    handle: &ClusterHandle,
    actor: &Actor,
    name: &TopicName,
) -> Result<TopicView, PortError> {
    let metadata = known(cluster, name)?;
    let mut notes = Vec::new();
    let mut as_of = cluster.view.as_of;
    let old = cluster.sample.ends.topic(name);
    let mut rows: Vec<TopicPartitionRow> = metadata
        .partitions
        .iter()
        .map(|one| {
            let log = old.and_then(|log| log.partition(one.partition));
            row(one, log.and_then(|log| log.start), log.and_then(|log| log.end))
        })
        .collect();
    let mut config = Vec::new();
    if let Some(kafka) = &handle.cluster {
        let deadline = Deadline::after(FRESH);
        let asked: Vec<_> =
            metadata.partitions.iter().map(|one| (Arc::clone(&metadata.name), one.partition)).collect();
        let began = clock::now();
        let (starts, ends, configs) = tokio::join!(
            kafka.offsets(&asked, OffsetSpec::Earliest, deadline),
            kafka.offsets(&asked, OffsetSpec::Latest, deadline),
            kafka.topic_config(name, deadline)
        );
        match fresh(&mut rows, &starts, &ends) {
            None => as_of = Some(began),
            Some(cause) if old.is_some() => notes.push(format!("offsets are from the last refresh: {cause}")),
            Some(cause) => {
                as_of = None;
                notes.push(format!("offsets could not be read: {cause}"));
            }
        }
        match configs {
            Ok(entries) => {
                config = entries
                    .into_iter()
                    .map(|(name, entry)| ConfigRow { name, value: entry.value, default: entry.default })
                    .collect();
            }
            Err(error) => notes.push(error.with_cause()),
        }
    }
    Ok(TopicView {
        version,
        now: clock::now(),
        cluster_info: cluster.view.clone(),
        topic: name.clone(),
        as_of,
        partitions: rows,
        written: written(cluster, metadata),
        readers: readers(cluster, actor, name),
        config,
        decoders: decoders(cluster, name),
        notes,
    })
}

/// Known where each partition's end was seen for long enough: those that groups read are.
fn written(cluster: &ClusterSnapshot, topic: &TopicMetadata) -> Windows {
    let ends = &cluster.sample.ends;
    let logs = ends.topic(&topic.name);
    let over = |minutes: u64| {
        let window = Duration::from_secs(60 * minutes);
        let came = topic.partitions.iter().map(|one| {
            let log = logs?.partition(one.partition)?;
            trace::came_within(&log.trace, log.end?, window, ends.read_at)
        });
        let came: Option<u64> = came.sum();
        came.map(|came| Rate::of(came, window))
    };
    if topic.partitions.is_empty() {
        return Windows::default();
    }
    Windows { one_minute: over(1), five_minutes: over(5), fifteen_minutes: over(15) }
}

fn decoders(cluster: &ClusterSnapshot, name: &TopicName) -> DecodersView {
    let configured = cluster.settings.topic(name);
    let named = |one: &Option<ConfiguredDecoder>| one.as_ref().map(|one| one.name.clone());
    DecodersView {
        names: cluster.settings.decoders.names(),
        key: configured.and_then(|topic| named(&topic.key)),
        value: configured.and_then(|topic| named(&topic.value)),
    }
}

/// Kafka's own, Flowdeck's or KafkaFlow's; not an application's.
pub(super) fn is_internal(cluster: &ClusterSnapshot, name: &TopicName) -> bool {
    name.as_str().starts_with("__") || cluster.settings.is_own_topic(name)
}

/// The topic in the known metadata: a topic that is not there is never asked for.
pub(super) fn known<'a>(
    cluster: &'a ClusterSnapshot,
    name: &TopicName,
) -> Result<&'a TopicMetadata, PortError> {
    let Some(metadata) = &cluster.sample.metadata else {
        let why = cluster.view.error.as_deref().unwrap_or("its first refresh is not over");
        let detail = format!("its topics are not known yet: {why}");
        return Err(PortError::Unavailable { cluster: cluster.settings.name.clone(), detail });
    };
    metadata.topic(name).ok_or_else(|| PortError::not_found(ResourceKind::Topic, name.as_str()))
}

fn row(partition: &PartitionMetadata, start: Option<i64>, end: Option<i64>) -> TopicPartitionRow {
    TopicPartitionRow {
        partition: partition.partition,
        leader: partition.leader,
        replicas: partition.replicas.clone(),
        in_sync: partition.isr.clone(),
        start,
        end,
    }
}

/// Puts in what was read; the first reason where something was not.
fn fresh(
    rows: &mut [TopicPartitionRow],
    starts: &[Result<i64, Cause>],
    ends: &[Result<i64, Cause>],
) -> Option<Cause> {
    let mut failed = None;
    for ((row, start), end) in rows.iter_mut().zip(starts).zip(ends) {
        match (start, end) {
            (Ok(start), Ok(end)) => (row.start, row.end) = (Some(*start), Some(*end)),
            (Err(cause), _) | (_, Err(cause)) => failed = failed.or_else(|| Some(cause.clone())),
        }
    }
    failed
}

fn readers(cluster: &ClusterSnapshot, actor: &Actor, name: &TopicName) -> Vec<ReaderRow> {
    let mut rows = Vec::new();
    for (group, judged) in cluster.groups() {
        if !group.reads(name) || !actor.may(Permission::View, &cluster.settings.name, &group.id) {
            continue;
        }
        let of_topic = || group.partitions(judged.stale).filter(|one| one.topic.as_ref() == name);
        let readings: Vec<_> = of_topic().map(|one| one.reading).collect();
        let total = sum(&readings);
        let ages =
            of_topic().filter_map(|one| one.proven_time_lag(&cluster.sample.proofs, group.ends.read_at));
        let time_lag = ages.reduce(TimeLag::worse);
        rows.push(ReaderRow {
            group: group.id.clone(),
            verdict: judged.verdict,
            level: judged.level,
            lag: total.lag,
            lag_at_least: total.at_least,
            unknown_partitions: total.unknown,
            time_lag: time_lag.filter(|_| !judged.stale),
            members: group.members.as_ref().and_then(|all| u32::try_from(all.len()).ok()),
        });
    }
    rows
}
