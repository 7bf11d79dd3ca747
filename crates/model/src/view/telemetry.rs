//! The consumers of a cluster as their telemetry tells of them: for KafkaFlow's own HTTP contracts, which know groups,
//! consumers and assignments.

use crate::names::{ConsumerName, GroupId, InstanceName, Partition};
use crate::time::Timestamp;

/// One status for a whole consumer, which its telemetry repeats with each of its topics: it does not tell which
/// partitions are paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConsumerStatus {
    Stopped,
    Running,
    PartiallyRunning,
    Paused,
    /// A number that KafkaFlow v4 does not define.
    Other(i32),
}

impl ConsumerStatus {
    /// KafkaFlow's own rule: from whether any partition is running and any is paused.
    pub fn of(any_running: bool, any_paused: bool) -> Self {
        match (any_running, any_paused) {
            (true, true) => Self::PartiallyRunning,
            (true, false) => Self::Running,
            (false, true) => Self::Paused,
            (false, false) => Self::Stopped,
        }
    }
}

/// Groups without telemetry are absent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TelemetryView {
    /// Sorted by name.
    pub groups: Vec<GroupTelemetryView>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupTelemetryView {
    pub group: GroupId,
    /// Sorted by name.
    pub consumers: Vec<ConsumerTelemetryView>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerTelemetryView {
    pub name: ConsumerName,
    /// As the instance says that was heard last.
    pub workers: u32,
    /// Over all instances.
    pub status: ConsumerStatus,
    /// Sorted by topic and instance.
    pub assignments: Vec<AssignmentView>,
}

/// One topic of one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssignmentView {
    /// A topic, or the pattern of a subscription to one.
    pub topic: String,
    pub instance: InstanceName,
    pub status: ConsumerStatus,
    pub workers: u32,
    pub running: Vec<Partition>,
    pub paused: Vec<Partition>,
    /// By Flowdeck's clock.
    pub heard: Timestamp,
    /// From the brokers: of the partitions listed here whose lag is known, in records.
    pub lag: u64,
}
