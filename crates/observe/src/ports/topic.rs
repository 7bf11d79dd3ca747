//! Topics: the list from the snapshot; one topic with fresh offsets and configuration, 1.5 s at most,
//! else with what the snapshot has.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use flowdeck_kafka::{Cause, Deadline, OffsetSpec, PartitionMetadata, TopicMetadata};
use flowdeck_model::error::ResourceKind;
use flowdeck_model::verdict::sum;
use flowdeck_model::view::{
    ConfigRow, DecodersView, ReaderRow, TopicPartitionRow, TopicRow, TopicView, TopicsView,
};
use flowdeck_model::{Actor, Permission, PortError, TopicName, Version};

use crate::clock;
use crate::core::ClusterHandle;
use crate::settings::ConfiguredDecoder;
use crate::snapshot::ClusterSnapshot;

/// Kafka has so long to answer before the page shows what it has.
const FRESH: Duration = Duration::from_millis(1_500);

pub(super) fn list(version: Version, cluster: &ClusterSnapshot, actor: &Actor) -> TopicsView {
    let mut readers: HashMap<&TopicName, u32> = HashMap::new();
    for (group, _) in cluster.groups() {
        if !actor.may(Permission::View, &cluster.settings.name, &group.id) {
            continue;
        }
        for rows in group.rows.iter() {
            *readers.entry(&rows.topic).or_default() += 1;
        }
    }
    let topics = cluster.sample.metadata.iter().flat_map(|metadata| &metadata.topics);
    let topics = topics.map(|topic| TopicRow {
        topic: topic.name.as_ref().clone(),
        partitions: u32::try_from(topic.partitions.len()).unwrap_or(u32::MAX),
        replication: topic.partitions.first().map_or(0, |one| u32::try_from(one.replicas.len()).unwrap_or(0)),
        readers: readers.get(&*topic.name).copied().unwrap_or(0),
        internal: is_internal(cluster, &topic.name),
    });
    TopicsView { version, now: clock::now(), cluster_info: cluster.view.clone(), topics: topics.collect() }
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
        readers: readers(cluster, actor, name),
        config,
        decoders: decoders(cluster, name),
        notes,
    })
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
        let readings: Vec<_> = group
            .readings(judged.stale)
            .filter(|(topic, _, _)| topic.as_ref() == name)
            .map(|(_, _, reading)| reading)
            .collect();
        let total = sum(&readings);
        rows.push(ReaderRow {
            group: group.id.clone(),
            verdict: judged.verdict,
            level: judged.level,
            lag: total.lag,
            lag_at_least: total.at_least,
            unknown_partitions: total.unknown,
            members: group.members.as_ref().and_then(|all| u32::try_from(all.len()).ok()),
        });
    }
    rows
}
