//! kminion's names (v2), of its namespace `kminion`.

use std::collections::BTreeMap;
use std::fmt;

use super::super::series::Series;
use super::{Name, Words, offset};
use crate::work::Figures;

const WORDS: Words = Words { group: "group_id", topic: "topic_name", partition: "partition_id" };

pub(super) fn sums(figures: &dyn Figures, series: &mut Series<'_, '_>) -> fmt::Result {
    info(figures, series)?;
    let members = ("kminion_kafka_consumer_group_members", "Members of the group");
    WORDS.members(figures, series, members)?;
    let lag = ("kminion_kafka_consumer_group_topic_lag", "Lag of the group on the topic");
    WORDS.group_topic_sum(figures, series, lag, |one| one.lag)?;
    let sum = ("kminion_kafka_consumer_group_topic_offset_sum", "Sum of the committed offsets");
    WORDS.group_topic_sum(figures, series, sum, |one| offset(one.committed))?;
    topics(figures, series)?;
    let high = ("kminion_kafka_topic_high_water_mark_sum", "Sum of the partitions' end offsets");
    WORDS.topic_sum(figures, series, high, |one| offset(one.end))?;
    let low = ("kminion_kafka_topic_low_water_mark_sum", "Sum of the partitions' start offsets");
    WORDS.topic_sum(figures, series, low, |one| offset(one.start))
}

pub(super) fn partitions(figures: &dyn Figures, series: &mut Series<'_, '_>) -> fmt::Result {
    let lag = ("kminion_kafka_consumer_group_topic_partition_lag", "Lag of the group on the partition");
    WORDS.group_partition(figures, series, lag, |one| one.lag)?;
    let high = ("kminion_kafka_topic_partition_high_water_mark", "End offset");
    WORDS.topic_partition(figures, series, high, |one| offset(one.end))?;
    let low = ("kminion_kafka_topic_partition_low_water_mark", "Start offset");
    WORDS.topic_partition(figures, series, low, |one| offset(one.start))
}

fn info(figures: &dyn Figures, series: &mut Series<'_, '_>) -> fmt::Result {
    let help = "1 if the group is in the state Stable, else 0";
    series.family("kminion_kafka_consumer_group_info", help, |family| {
        let mut group = Name::default();
        figures.groups(&mut |one| {
            let state = one.state.label();
            let labels = [
                ("cluster", one.cluster.as_str()),
                (WORDS.group, group.of(one.group.as_str())),
                ("state", state),
            ];
            family.put(&labels, u32::from(state == "Stable"));
        });
    })
}

fn topics(figures: &dyn Figures, series: &mut Series<'_, '_>) -> fmt::Result {
    let mut all: BTreeMap<(String, String), (u32, usize)> = BTreeMap::new();
    figures.topics(&mut |one| {
        let key = (one.cluster.to_string(), one.topic.to_string());
        all.entry(key).or_insert((0, one.replicas.len())).0 += 1;
    });
    let help = "1: a topic with the number of its partitions, and of the replicas of the first of them";
    series.family("kminion_kafka_topic_info", help, |family| {
        for ((cluster, topic), (partitions, replicas)) in &all {
            let (partitions, replicas) = (partitions.to_string(), replicas.to_string());
            let labels = [
                ("cluster", cluster.as_str()),
                (WORDS.topic, topic),
                ("partition_count", &partitions),
                ("replication_factor", &replicas),
            ];
            family.put(&labels, 1_u32);
        }
    })
}
