//! The names of danielqsj/kafka_exporter; `kafka_brokers` is with the numbers of clusters.

use std::fmt;

use super::super::series::Series;
use super::{Words, offset};
use crate::work::Figures;

const WORDS: Words = Words { group: "consumergroup", topic: "topic", partition: "partition" };

pub(super) fn sums(figures: &dyn Figures, series: &mut Series<'_, '_>) -> fmt::Result {
    let members = ("kafka_consumergroup_members", "Members of the group");
    WORDS.members(figures, series, members)?;
    let lag = ("kafka_consumergroup_lag_sum", "Lag of the group on the topic");
    WORDS.group_topic_sum(figures, series, lag, |one| one.lag)?;
    let sum = ("kafka_consumergroup_current_offset_sum", "Sum of the committed offsets");
    WORDS.group_topic_sum(figures, series, sum, |one| offset(one.committed))?;
    let partitions = ("kafka_topic_partitions", "Partitions of the topic");
    WORDS.topic_sum(figures, series, partitions, |_| Some(1))
}

pub(super) fn partitions(figures: &dyn Figures, series: &mut Series<'_, '_>) -> fmt::Result {
    let lag = ("kafka_consumergroup_lag", "Lag of the group on the partition");
    WORDS.group_partition(figures, series, lag, |one| one.lag)?;
    let committed = ("kafka_consumergroup_current_offset", "Committed offset");
    WORDS.group_partition(figures, series, committed, |one| offset(one.committed))?;
    let end = ("kafka_topic_partition_current_offset", "End offset");
    WORDS.topic_partition(figures, series, end, |one| offset(one.end))?;
    let start = ("kafka_topic_partition_oldest_offset", "Start offset");
    WORDS.topic_partition(figures, series, start, |one| offset(one.start))?;
    let leader = ("kafka_topic_partition_leader", "Id of the broker that leads the partition");
    WORDS.topic_partition(figures, series, leader, |one| one.leader.and_then(|id| u64::try_from(id).ok()))?;
    let preferred = ("kafka_topic_partition_leader_is_preferred", "1 if the first replica leads");
    WORDS.topic_partition(figures, series, preferred, |one| {
        Some(u64::from(one.leader.is_some() && one.leader.as_ref() == one.replicas.first()))
    })?;
    let replicas = ("kafka_topic_partition_replicas", "Replicas of the partition");
    WORDS.topic_partition(figures, series, replicas, |one| Some(one.replicas.len() as u64))?;
    let in_sync = ("kafka_topic_partition_in_sync_replica", "Replicas that are in sync");
    WORDS.topic_partition(figures, series, in_sync, |one| Some(one.in_sync.len() as u64))?;
    let under = ("kafka_topic_partition_under_replicated_partition", "1 if replicas are not in sync");
    WORDS.topic_partition(figures, series, under, |one| {
        Some(u64::from(one.in_sync.len() < one.replicas.len()))
    })
}
