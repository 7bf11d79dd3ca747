//! Snapshots: one immutable, shared state of all clusters, from which every view is built. Made by
//! each cluster's actor, published under one version, read without waiting for anybody.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use flowdeck_model::trend::is_draining;
use flowdeck_model::verdict::{Evidence, Judgement, judge};
use flowdeck_model::view::{ClusterView, TopicPartitions};
use flowdeck_model::{GroupId, Hold, Level, Timestamp, TopicName, Verdict, Version};
use tokio::sync::{broadcast, watch};

use crate::holds::HoldIndex;
use crate::holds::cover::holds_now;
use crate::not_obeyed::{self, NotObeying};
use crate::operations::OperationIndex;
use crate::sampling::sample::{GroupData, Sample};
use crate::settings::ClusterSettings;
use crate::telemetry::trust::is_trusted;
use crate::telemetry::{GroupTelemetry, InstanceTelemetry, TelemetryIndex};
use crate::verdict_changes::{self, VerdictChange};

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
    pub made_at: Timestamp,
}

/// What the rules say of a group.
pub struct Judged {
    pub verdict: Verdict,
    pub level: Level,
    pub why: Option<String>,
    pub severity: u8,
    pub stale: bool,
    /// `None` where nothing is known or it is too old.
    pub lag: Option<u64>,
    /// What waits at least, as `lag`.
    pub lag_at_least: Option<u64>,
    pub deleted_unread: u64,
    pub unknown_partitions: u32,
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
        let judged = sample
            .groups
            .iter()
            .map(|group| {
                let holds = parts.holds.group(&group.id);
                let telemetry = parts.telemetry.group(&group.id);
                let not_obeying = parts.controlled.not_obeying.get(&group.id);
                let resumed = resumed.get(&group.id).copied();
                let beside = Beside { holds, telemetry, not_obeying, resumed };
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
        let Controlled { operations, repeated, not_obeying, .. } = controlled;
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
}

/// What was done to the cluster, as its control tells it; empty where there is none.
#[derive(Default)]
pub struct Controlled {
    pub operations: Arc<OperationIndex>,
    /// Groups that external commands pause and resume again and again.
    pub repeated: HashSet<GroupId>,
    /// Instances that run what is held.
    pub not_obeying: HashMap<GroupId, NotObeying>,
    pub warnings: Vec<String>,
}

/// What is known of a group beside the brokers' numbers.
#[derive(Clone, Copy, Default)]
struct Beside<'a> {
    holds: &'a [Hold],
    telemetry: Option<&'a GroupTelemetry>,
    not_obeying: Option<&'a NotObeying>,
    /// When it was last resumed.
    resumed: Option<Timestamp>,
}

fn judge_group(group: &GroupData, beside: Beside<'_>, settings: &ClusterSettings, now: Timestamp) -> Judged {
    let stale = group.is_stale(now, settings.stale_after());
    let evidence = Evidence {
        kind: group.kind,
        members: group.members.as_ref().map(|members| u32::try_from(members.len()).unwrap_or(u32::MAX)),
        sum: group.sum,
        not_obeyed: beside.not_obeying.map(|all| not_obeyed::judge(all, now)),
        draining: is_draining(&group.lags),
        paused_by: paused_by(group, beside, now, settings),
        rebalance: crate::rebalance::of(group, beside.telemetry, now, settings.timing.heard_within),
        deleted_topics: group.deleted_topics.iter().map(|topic| topic.to_string()).collect(),
        stale: stale_words(group, stale, now),
    };
    let Judgement { verdict, level, why } = judge(&evidence, &settings.rules(&group.id));
    let known = (!stale).then_some(group.sum);
    Judged {
        verdict,
        level,
        why,
        severity: verdict.severity(level),
        stale,
        lag: known.and_then(|sum| sum.lag),
        lag_at_least: known.and_then(|sum| sum.at_least),
        deleted_unread: known.map_or(0, |sum| sum.deleted_unread),
        unknown_partitions: known.map_or_else(|| group.partition_count(), |sum| sum.unknown),
    }
}

fn stale_words(group: &GroupData, stale: bool, now: Timestamp) -> Option<String> {
    let error = group.error.as_ref();
    if let Some(error) = error.filter(|error| error.not_permitted) {
        return Some(error.words.clone());
    }
    match (group.as_of, error) {
        (Some(as_of), _) if stale => {
            let because = error.map(|error| format!(": {}", error.words)).unwrap_or_default();
            Some(format!("the last reading is {} s old{because}", now.since(as_of).as_secs()))
        }
        (None, Some(error)) => Some(error.words.clone()),
        _ => None,
    }
}

/// Owners of holds; else the application, where telemetry that may be believed lists paused
/// partitions since the last resume.
fn paused_by(
    group: &GroupData,
    beside: Beside<'_>,
    now: Timestamp,
    settings: &ClusterSettings,
) -> Vec<String> {
    let mut owners: Vec<String> = Vec::new();
    for hold in beside.holds.iter().filter(|hold| holds_now(hold, group, beside.telemetry)) {
        if !owners.contains(&hold.owner) {
            owners.push(hold.owner.clone());
        }
    }
    let says_paused = |instance: &InstanceTelemetry| {
        let said = |heard: Timestamp| beside.resumed.is_none_or(|resumed| heard > resumed);
        instance.heard_within(now, settings.timing.heard_within)
            && instance.topics.iter().any(|stream| !stream.paused.is_empty() && said(stream.heard))
            && is_trusted(group.listed(), instance, now)
    };
    let application =
        || beside.telemetry.is_some_and(|all| all.instances().any(|(_, instance)| says_paused(instance)));
    if owners.is_empty() && application() {
        owners.push("the application".to_owned());
    }
    owners
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
    use std::time::Duration;

    fn settings() -> Arc<ClusterSettings> {
        Arc::new(ClusterSettings::new("demo".parse().unwrap(), ClusterConfig::new("localhost:1")))
    }

    fn group() -> GroupData {
        GroupData {
            sum: flowdeck_model::verdict::LagSum { lag: Some(5), ..Default::default() },
            as_of: Some(Timestamp::from_millis(0)),
            ..GroupData::test("g")
        }
    }

    #[test]
    fn what_is_too_old_is_unknown() {
        let after = |seconds| Timestamp::from_millis(0).plus(Duration::from_secs(seconds));
        let fresh = judge_group(&group(), Beside::default(), &settings(), after(30));
        assert_eq!((fresh.verdict, fresh.lag), (Verdict::Ok, Some(5)));
        let old = judge_group(&group(), Beside::default(), &settings(), after(31));
        assert_eq!((old.verdict, old.lag), (Verdict::Unknown, None));
        assert_eq!(old.why.as_deref(), Some("the last reading is 31 s old"));
    }

    #[test]
    fn what_was_said_before_a_resume_is_no_pause_by_the_application() {
        let stream = crate::telemetry::TopicStream {
            topic: "t".parse().unwrap(),
            running: vec![],
            paused: vec![flowdeck_model::Partition::new(0).unwrap()],
            cut: 0,
            heard: Timestamp::from_millis(5_000),
            offset: 0,
        };
        let instance = InstanceTelemetry::test("i", vec![stream], Timestamp::from_millis(5_000));
        let consumers =
            vec![crate::telemetry::ConsumerTelemetry { name: "c".into(), instances: vec![instance] }];
        let telemetry = GroupTelemetry { consumers, unkept: 0 };
        for (resumed, want) in
            [(None, Verdict::Paused), (Some(4_000), Verdict::Paused), (Some(6_000), Verdict::Ok)]
        {
            let resumed = resumed.map(Timestamp::from_millis);
            let beside = Beside { telemetry: Some(&telemetry), resumed, ..Beside::default() };
            let judged = judge_group(&group(), beside, &settings(), Timestamp::from_millis(7_000));
            assert_eq!(judged.verdict, want, "{resumed:?}");
        }
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
