//! Telemetry as views and rules read it: by group, immutable, shared between snapshots.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use flowdeck_model::view::{InstanceHolds, InstanceKind};
use flowdeck_model::{ConsumerName, GroupId, Incarnation, InstanceName, Partition, Timestamp, TopicName};

#[derive(Debug, Default, Clone)]
pub(crate) struct TelemetryIndex {
    pub(crate) groups: Arc<HashMap<GroupId, Arc<GroupTelemetry>>>,
    /// Records or instances were dropped; in words, for whoever looks at the cluster.
    pub(crate) warning: Option<String>,
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct GroupTelemetry {
    /// Sorted by name.
    pub(crate) consumers: Vec<ConsumerTelemetry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConsumerTelemetry {
    pub(crate) name: ConsumerName,
    pub(crate) instances: Vec<InstanceTelemetry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InstanceTelemetry {
    /// Which pair of admin topics it was heard on: commands go to the same.
    pub(crate) pair: usize,
    pub(crate) instance: InstanceName,
    pub(crate) agent: bool,
    pub(crate) incarnation: Option<Incarnation>,
    pub(crate) ambiguous: bool,
    /// Another incarnation under the same name was heard since, and this one was not.
    pub(crate) superseded: bool,
    pub(crate) workers: Option<u32>,
    /// What it says of the holds, where it is an agent.
    pub(crate) holds: Option<InstanceHolds>,
    /// It subscribes to a pattern: of those partitions its telemetry tells nothing.
    pub(crate) pattern: bool,
    /// Sorted by topic.
    pub(crate) topics: Vec<TopicStream>,
    /// By Flowdeck's clock.
    pub(crate) first_heard: Timestamp,
    pub(crate) last_heard: Timestamp,
}

/// What an instance last said of one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TopicStream {
    pub(crate) topic: TopicName,
    pub(crate) running: Vec<Partition>,
    pub(crate) paused: Vec<Partition>,
    pub(crate) heard: Timestamp,
    /// Of the telemetry record.
    pub(crate) offset: i64,
}

impl InstanceTelemetry {
    pub(crate) fn kind(&self) -> InstanceKind {
        if self.agent { InstanceKind::Agent } else { InstanceKind::KafkaFlow }
    }

    pub(crate) fn heard_within(&self, now: Timestamp, span: Duration) -> bool {
        !self.superseded && now.since(self.last_heard) <= span
    }

    pub(crate) fn stream(&self, topic: &TopicName) -> Option<&TopicStream> {
        self.topics.iter().find(|stream| &stream.topic == topic)
    }

    pub(crate) fn lists(&self, topic: &TopicName, partition: Partition) -> bool {
        self.stream(topic)
            .is_some_and(|stream| stream.running.contains(&partition) || stream.paused.contains(&partition))
    }
}

impl TelemetryIndex {
    pub(crate) fn group(&self, group: &GroupId) -> Option<&GroupTelemetry> {
        self.groups.get(group).map(Arc::as_ref)
    }

    /// Every group in which a consumer of this name is heard.
    pub(crate) fn groups_of(&self, consumer: &ConsumerName) -> Vec<&GroupId> {
        let mut groups: Vec<&GroupId> = self
            .groups
            .iter()
            .filter(|(_, group)| group.consumer(consumer).is_some())
            .map(|(id, _)| id)
            .collect();
        groups.sort();
        groups
    }
}

impl GroupTelemetry {
    pub(crate) fn consumer(&self, name: &ConsumerName) -> Option<&ConsumerTelemetry> {
        self.consumers.iter().find(|consumer| &consumer.name == name)
    }

    pub(crate) fn instances(&self) -> impl Iterator<Item = (&ConsumerName, &InstanceTelemetry)> {
        self.consumers
            .iter()
            .flat_map(|consumer| consumer.instances.iter().map(move |instance| (&consumer.name, instance)))
    }

    /// Who says that it owns the partition; the one that was heard last, where several do.
    pub(crate) fn owner(
        &self,
        topic: &TopicName,
        partition: Partition,
    ) -> Option<(&ConsumerName, &InstanceTelemetry)> {
        self.instances()
            .filter(|(_, instance)| !instance.superseded && instance.lists(topic, partition))
            .max_by_key(|(_, instance)| instance.last_heard)
    }
}
