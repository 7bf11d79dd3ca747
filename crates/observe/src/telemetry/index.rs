//! Telemetry as views and rules read it: by group, immutable, shared between snapshots.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use flowdeck_model::view::{AgentReport, ConsumerStatus, InstanceHolds, InstanceKind};
use flowdeck_model::{ConsumerName, GroupId, Incarnation, InstanceName, Partition, Timestamp, TopicName};

use super::trust::MEMBER_FOR;

#[derive(Debug, Default, Clone)]
pub struct TelemetryIndex {
    pub groups: Arc<HashMap<GroupId, Arc<GroupTelemetry>>>,
    /// What was not taken in; in words, with numbers, for whoever looks at the cluster.
    pub warnings: Vec<String>,
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct GroupTelemetry {
    /// Sorted by name.
    pub consumers: Vec<ConsumerTelemetry>,
    /// Instances that are heard and have no place.
    pub unkept: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerTelemetry {
    pub name: ConsumerName,
    /// Sorted by pair of admin topics, then by name.
    pub instances: Vec<InstanceTelemetry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceTelemetry {
    /// Which pair of admin topics it was heard on: commands go to the same.
    pub pair: usize,
    pub instance: InstanceName,
    pub agent: bool,
    pub incarnation: Option<Incarnation>,
    pub ambiguous: bool,
    /// Another incarnation under the same name was heard since, and this one was not.
    pub superseded: bool,
    pub workers: Option<u32>,
    /// What it says of the holds, where it is an agent.
    pub holds: Option<InstanceHolds>,
    /// What an agent last reported of itself.
    pub report: Option<Report>,
    /// It subscribes to a pattern: of those partitions its telemetry tells nothing.
    pub pattern: Option<String>,
    pub status: ConsumerStatus,
    /// Sorted by topic.
    pub topics: Vec<TopicStream>,
    /// Since when it lists any partition.
    pub listing_since: Option<Timestamp>,
    /// It listed one since it is heard.
    pub has_listed: bool,
    /// There was no space for some of what it lists.
    pub left_out: bool,
    /// When Kafka last listed a member that owned what it said.
    pub member_at: Option<Timestamp>,
    /// By Flowdeck's clock.
    pub first_heard: Timestamp,
    pub last_heard: Timestamp,
}

/// Of one agent, shared between snapshots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// By Flowdeck's clock.
    pub heard: Timestamp,
    pub of: Arc<AgentReport>,
}

/// Whom an instance is, by what it says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct InstanceId {
    pub consumer: Option<ConsumerName>,
    pub instance: InstanceName,
    pub incarnation: Option<Incarnation>,
}

impl InstanceId {
    pub fn of(consumer: &ConsumerName, instance: &InstanceTelemetry) -> Self {
        Self {
            consumer: Some(consumer.clone()),
            instance: instance.instance.clone(),
            incarnation: instance.incarnation,
        }
    }
}

/// What an instance last said of one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicStream {
    pub topic: TopicName,
    /// Sorted, as the paused ones.
    pub running: Vec<Partition>,
    pub paused: Vec<Partition>,
    /// Partitions that it lists beyond those that are read.
    pub cut: u64,
    pub heard: Timestamp,
    /// Of the telemetry record.
    pub offset: i64,
}

#[cfg(any(test, feature = "testing"))]
impl InstanceTelemetry {
    /// One of KafkaFlow's, heard since the beginning.
    pub fn test(name: &str, topics: Vec<TopicStream>, heard: Timestamp) -> Self {
        let began = Timestamp::from_millis(0);
        Self {
            pair: 0,
            instance: name.into(),
            agent: false,
            incarnation: None,
            ambiguous: false,
            superseded: false,
            workers: None,
            holds: None,
            report: None,
            pattern: None,
            status: ConsumerStatus::Running,
            topics,
            left_out: false,
            listing_since: Some(began),
            has_listed: true,
            member_at: None,
            first_heard: began,
            last_heard: heard,
        }
    }
}

impl InstanceTelemetry {
    pub fn kind(&self) -> InstanceKind {
        if self.agent { InstanceKind::Agent } else { InstanceKind::KafkaFlow }
    }

    pub fn heard_within(&self, now: Timestamp, span: Duration) -> bool {
        !self.superseded && now.since(self.last_heard) <= span
    }

    pub fn stream(&self, topic: &TopicName) -> Option<&TopicStream> {
        let at = self.topics.binary_search_by(|stream| stream.topic.cmp(topic)).ok()?;
        self.topics.get(at)
    }

    pub fn lists(&self, topic: &TopicName, partition: Partition) -> bool {
        self.stream(topic).is_some_and(|stream| {
            [&stream.running, &stream.paused].iter().any(|list| list.binary_search(&partition).is_ok())
        })
    }

    /// Kafka bore out what it says, when it was last heard or not long before.
    pub fn is_member(&self) -> bool {
        self.member_at.is_some_and(|at| self.last_heard.since(at) <= MEMBER_FOR)
    }
}

impl TelemetryIndex {
    pub fn group(&self, group: &GroupId) -> Option<&GroupTelemetry> {
        self.groups.get(group).map(Arc::as_ref)
    }

    /// Groups all of whose agents tell that they read committed records only.
    pub fn readers_of_committed(&self) -> HashSet<GroupId> {
        let readers = self.groups.iter().filter(|(_, group)| {
            let mut told =
                group.instances().filter_map(|(_, one)| one.report.as_ref()?.of.read_committed).peekable();
            told.peek().is_some() && told.all(|reads_committed| reads_committed)
        });
        readers.map(|(id, _)| id.clone()).collect()
    }

    /// Every group in which a consumer of this name is heard.
    pub fn groups_of(&self, consumer: &ConsumerName) -> Vec<&GroupId> {
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
    pub fn consumer(&self, name: &ConsumerName) -> Option<&ConsumerTelemetry> {
        self.consumers.iter().find(|consumer| &consumer.name == name)
    }

    pub fn instances(&self) -> impl Iterator<Item = (&ConsumerName, &InstanceTelemetry)> {
        self.consumers
            .iter()
            .flat_map(|consumer| consumer.instances.iter().map(move |instance| (&consumer.name, instance)))
    }

    /// Who says that it owns the partition. Where several do, one that Kafka bears out; of those the one that
    /// was heard last.
    pub fn owner(
        &self,
        topic: &TopicName,
        partition: Partition,
    ) -> Option<(&ConsumerName, &InstanceTelemetry)> {
        self.instances()
            .filter(|(_, instance)| !instance.superseded && instance.lists(topic, partition))
            .max_by_key(|(_, instance)| (instance.is_member(), instance.last_heard))
    }
}
