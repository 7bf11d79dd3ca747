//! Snapshots: one immutable, shared state of all clusters, from which every view is built. Made by
//! each cluster's actor, published under one version, read without waiting for anybody.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use flowdeck_model::view::{ClusterView, TopicPartitions};
use flowdeck_model::{GroupId, Timestamp, TopicName, Version};
use tokio::sync::{broadcast, watch};

use crate::holds::HoldIndex;
use crate::judging::{Beside, judge_group};
use crate::locked_up::Locked;
use crate::not_obeyed::NotObeying;
use crate::operations::OperationIndex;
use crate::sampling::sample::{GroupData, Sample};
use crate::settings::ClusterSettings;
use crate::telemetry::TelemetryIndex;
use crate::verdict_changes::{self, VerdictChange};

pub use crate::judging::Judged;

/// All clusters at one version.
pub struct Snapshot {
    pub version: Version,
    pub clusters: Vec<Arc<ClusterSnapshot>>,
}

pub struct ClusterSnapshot {
    pub settings: Arc<ClusterSettings>,
    pub view: ClusterView,
    pub sample: Arc<Sample>,
    /// Beside `sample.groups`, in the same order.
    pub judged: Vec<Judged>,
    pub telemetry: TelemetryIndex,
    pub holds: Arc<HoldIndex>,
    pub operations: Arc<OperationIndex>,
    pub repeated: HashSet<GroupId>,
    pub not_obeying: HashMap<GroupId, NotObeying>,
    pub locked_up: HashMap<GroupId, Vec<Locked>>,
    pub made_at: Timestamp,
}

impl ClusterSnapshot {
    /// Before the first refresh.
    pub fn empty(settings: Arc<ClusterSettings>, now: Timestamp, error: Option<String>) -> Self {
        let sample = Arc::new(Sample { error, ..Sample::default() });
        Self::compose(settings, sample, Parts::default(), now)
    }

    pub fn compose(
        settings: Arc<ClusterSettings>,
        sample: Arc<Sample>,
        parts: Parts,
        now: Timestamp,
    ) -> Self {
        let resumed = parts.controlled.operations.resumed();
        let before = parts.before.as_deref();
        let judged = sample
            .groups
            .iter()
            .map(|group| {
                let holds = parts.holds.group(&group.id);
                let telemetry = parts.telemetry.group(&group.id);
                let not_obeying = parts.controlled.not_obeying.get(&group.id);
                let locked_up = parts.controlled.locked_up.get(&group.id).map_or(&[][..], Vec::as_slice);
                let resumed = resumed.get(&group.id).copied();
                let before = before.and_then(|before| before.group(&group.id)).map(|(_, judged)| judged);
                let before = before.map_or(&[][..], |judged| &judged.findings);
                let beside = Beside {
                    holds,
                    telemetry,
                    not_obeying,
                    locked_up,
                    resumed,
                    proofs: &sample.proofs,
                    before,
                };
                judge_group(group, beside, &settings, now)
            })
            .collect();
        let mut notes = sample.notes.clone();
        notes.extend(parts.warnings);
        notes.extend(parts.controlled.warnings.iter().cloned());
        let view = ClusterView {
            name: settings.name.clone(),
            label: settings.label.clone(),
            colour: settings.colour,
            mode: settings.mode,
            as_of: sample.as_of,
            error: sample.error.clone(),
            brokers: sample.metadata.as_ref().and_then(|all| u32::try_from(all.brokers.len()).ok()),
            notes,
            capped: parts.telemetry.warnings.clone(),
        };
        let Parts { telemetry, holds, controlled, .. } = parts;
        let Controlled { operations, repeated, not_obeying, locked_up, .. } = controlled;
        Self {
            settings,
            view,
            sample,
            judged,
            telemetry,
            holds,
            operations,
            repeated,
            not_obeying,
            locked_up,
            made_at: now,
        }
    }

    pub fn group(&self, id: &GroupId) -> Option<(&GroupData, &Judged)> {
        let at = self.sample.groups.binary_search_by(|group| group.id.cmp(id)).ok()?;
        Some((self.sample.groups.get(at)?, self.judged.get(at)?))
    }

    pub fn groups(&self) -> impl Iterator<Item = (&GroupData, &Judged)> {
        self.sample.groups.iter().map(Arc::as_ref).zip(&self.judged)
    }
}

/// What comes beside the brokers' numbers.
#[derive(Default)]
pub struct Parts {
    pub telemetry: TelemetryIndex,
    pub holds: Arc<HoldIndex>,
    /// Why a topic cannot be followed, and what cannot be read.
    pub warnings: Vec<String>,
    pub controlled: Controlled,
    /// What was said last time: verdicts last from one snapshot to the next.
    pub before: Option<Arc<ClusterSnapshot>>,
}

/// What was done to the cluster, as its control tells it; empty where there is none.
#[derive(Default)]
pub struct Controlled {
    pub operations: Arc<OperationIndex>,
    /// Groups that external commands pause and resume again and again.
    pub repeated: HashSet<GroupId>,
    /// Instances that run what is held.
    pub not_obeying: HashMap<GroupId, NotObeying>,
    /// KafkaFlow instances that are locked up.
    pub locked_up: HashMap<GroupId, Vec<Locked>>,
    pub warnings: Vec<String>,
}

/// Partitions of several topics, grouped and sorted.
pub fn by_topic<'a>(
    partitions: impl Iterator<Item = (&'a TopicName, flowdeck_model::Partition)>,
) -> Vec<TopicPartitions> {
    let mut topics: std::collections::BTreeMap<&TopicName, Vec<flowdeck_model::Partition>> =
        Default::default();
    for (topic, partition) in partitions {
        topics.entry(topic).or_default().push(partition);
    }
    topics
        .into_iter()
        .map(|(topic, mut partitions)| {
            partitions.sort_unstable();
            TopicPartitions { topic: topic.clone(), partitions }
        })
        .collect()
}

/// Where snapshots are published. The epoch is random for each process.
pub struct Publisher {
    current: watch::Sender<Arc<Snapshot>>,
    verdict_changes: broadcast::Sender<VerdictChange>,
}

impl Publisher {
    pub fn new(clusters: Vec<Arc<ClusterSnapshot>>) -> Self {
        let (epoch, _) = uuid::Uuid::new_v4().as_u64_pair();
        let version = Version { epoch: (epoch >> 32) as u32, n: 0 };
        let current = watch::Sender::new(Arc::new(Snapshot { version, clusters }));
        Self { current, verdict_changes: broadcast::Sender::new(verdict_changes::WAITING) }
    }

    pub fn publish(&self, at: usize, cluster: ClusterSnapshot) {
        self.tell_changes(at, &cluster);
        let cluster = Arc::new(cluster);
        self.current.send_modify(|snapshot| {
            let mut clusters = snapshot.clusters.clone();
            if let Some(place) = clusters.get_mut(at) {
                *place = cluster;
            }
            let version = Version { epoch: snapshot.version.epoch, n: snapshot.version.n + 1 };
            *snapshot = Arc::new(Snapshot { version, clusters });
        });
    }

    /// Where nobody listens nothing is compared.
    fn tell_changes(&self, at: usize, cluster: &ClusterSnapshot) {
        if self.verdict_changes.receiver_count() == 0 {
            return;
        }
        let before = self.current();
        let changes = before.clusters.get(at).map(|before| verdict_changes::between(before, cluster));
        for change in changes.into_iter().flatten() {
            let _ = self.verdict_changes.send(change);
        }
    }

    /// Every change of a group's verdict from now on.
    pub fn verdict_changes(&self) -> broadcast::Receiver<VerdictChange> {
        self.verdict_changes.subscribe()
    }

    pub fn current(&self) -> Arc<Snapshot> {
        Arc::clone(&self.current.borrow())
    }

    pub fn subscribe(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.current.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flowdeck_kafka::ClusterConfig;

    fn settings() -> Arc<ClusterSettings> {
        Arc::new(ClusterSettings::new("demo".parse().unwrap(), ClusterConfig::new("localhost:1")))
    }

    #[test]
    fn every_publication_is_another_version() {
        let now = Timestamp::from_millis(0);
        let empty = || ClusterSnapshot::empty(settings(), now, None);
        let publisher = Publisher::new(vec![Arc::new(empty())]);
        let first = publisher.current().version;
        publisher.publish(0, empty());
        let second = publisher.current().version;
        assert_eq!((second.epoch, second.n), (first.epoch, first.n + 1));
    }
}
