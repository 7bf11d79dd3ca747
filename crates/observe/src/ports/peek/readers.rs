//! Where the groups are that read a record's partition.

use flowdeck_model::view::RecordReader;
use flowdeck_model::{
    Actor, ClusterName, MessagesQuery, Partition, Permission, TopicName, query::From as Start,
};

use crate::snapshot::ClusterSnapshot;

/// Groups that are listed for one record.
const READERS_MAX: usize = 200;

/// Of the one record that is opened; those that the actor may view.
pub(super) fn of(
    all: &ClusterSnapshot,
    actor: &Actor,
    name: &ClusterName,
    topic: &TopicName,
    query: &MessagesQuery,
) -> Vec<RecordReader> {
    let (Some(partition), Start::Offset(offset), true) = (query.partition, &query.from, query.full) else {
        return vec![];
    };
    let mut readers: Vec<RecordReader> = all
        .groups()
        .filter(|(group, _)| actor.may(Permission::View, name, &group.id))
        .filter_map(|(group, _)| {
            let committed = committed(group, topic, partition)?;
            Some(RecordReader { group: group.id.clone(), committed, is_past: committed > *offset })
        })
        .take(READERS_MAX)
        .collect();
    readers.sort_by(|one, other| (one.is_past, &one.group).cmp(&(other.is_past, &other.group)));
    readers
}

fn committed(
    group: &crate::sampling::sample::GroupData,
    topic: &TopicName,
    partition: Partition,
) -> Option<i64> {
    let rows = group.rows.iter().find(|rows| rows.topic.as_ref() == topic)?;
    rows.partition(partition)?.committed()
}
