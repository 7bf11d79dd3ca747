//! What the service tells of itself: whether there is something to show, numbers for `/metrics`, capabilities.

use std::time::Duration;

use flowdeck_kafka::{Capabilities, Cluster, Deadline};
use flowdeck_model::{ClusterName, Timestamp};

use crate::core::Core;
use crate::not_obeyed;
use crate::ports::brokers::Health;
use crate::stats::Stats;

/// Whether there is something to show, and of when.
#[derive(Debug, Clone)]
pub struct ReadyView {
    pub clusters: Vec<ClusterReady>,
    /// Every cluster was read, or tried, at least once: pages can be served.
    pub first_snapshot: bool,
}

#[derive(Debug, Clone)]
pub struct ClusterReady {
    pub name: ClusterName,
    pub as_of: Option<Timestamp>,
    pub error: Option<String>,
}

impl Core {
    pub fn ready(&self) -> ReadyView {
        let snapshot = self.publisher.current();
        let clusters: Vec<ClusterReady> = snapshot
            .clusters
            .iter()
            .map(|one| ClusterReady {
                name: one.settings.name.clone(),
                as_of: one.view.as_of,
                error: one.view.error.clone(),
            })
            .collect();
        let first_snapshot = clusters.iter().all(|one| one.as_of.is_some() || one.error.is_some());
        ReadyView { clusters, first_snapshot }
    }

    pub fn stats(&self) -> Stats {
        let snapshot = self.publisher.current();
        let numbers = self.clusters.iter().zip(&snapshot.clusters).map(|(handle, one)| {
            let groups = one.sample.groups.len() as u64;
            let partitions = one.sample.groups.iter().map(|group| u64::from(group.partition_count())).sum();
            let mut numbers =
                handle.stats.read(handle.settings.name.clone(), groups, partitions, one.holds.count() as u64);
            let unanswered = handle.cluster.as_ref().map_or(0, Cluster::unanswered);
            numbers.as_of = one.view.as_of;
            numbers.oldest_reading = one.sample.groups.iter().filter_map(|group| group.as_of).min();
            numbers.brokers = one.view.brokers;
            numbers.health = one.sample.metadata.as_deref().map(Health::of);
            numbers.locked_up = one.locked_up.values().map(|all| all.len() as u64).sum();
            numbers.pauses_not_obeyed = not_obeyed::numbers(one.not_obeying.values());
            numbers.queue_depth.push(("broker_requests", unanswered as u64));
            numbers
        });
        Stats { clusters: numbers.collect() }
    }

    /// What the cluster offers; `None` where no such cluster is configured or it cannot be reached at all.
    pub async fn capabilities(&self, cluster: &ClusterName, deadline: Duration) -> Option<Capabilities> {
        let handle = self.clusters.iter().find(|one| &one.settings.name == cluster)?;
        Some(handle.cluster.as_ref()?.capabilities(Deadline::after(deadline)).await)
    }
}
