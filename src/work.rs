//! What the server tells of the work behind it, beyond what the ports show: readiness, and numbers
//! for `/metrics`. It belongs to no actor: these paths carry no payloads, and are for machines.

use std::time::Duration;

use flowdeck_model::{ClusterName, GroupId, Partition, TopicName, Verdict};

/// One number about Flowdeck's own work.
#[derive(Debug, Clone, PartialEq)]
pub struct Number {
    /// Prometheus' name without `flowdeck_`, such as `refresh_seconds`.
    pub name: &'static str,
    pub help: &'static str,
    /// It only grows.
    pub counter: bool,
    pub labels: Vec<(&'static str, String)>,
    pub value: f64,
}

pub type LagVisitor<'a> = &'a mut dyn FnMut(&ClusterName, &GroupId, &TopicName, Partition, Option<u64>);

pub type GroupVisitor<'a> = &'a mut dyn FnMut(&ClusterName, &GroupId, &[Verdict], Option<Duration>);

pub trait Work: Send + Sync {
    /// Pages can be served.
    fn ready(&self) -> bool {
        true
    }

    /// Every partition of every group, with its lag in records; `None` where it is not known.
    fn lag(&self, _visit: LagVisitor<'_>) {}

    /// Every group that is counted, with all its verdicts, and its time lag where that is known.
    fn groups(&self, _visit: GroupVisitor<'_>) {}

    fn numbers(&self) -> Vec<Number> {
        vec![]
    }
}

/// For hosts and tests that have nothing to tell.
pub(crate) struct Silent;

impl Work for Silent {}
