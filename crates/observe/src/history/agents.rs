//! What the agents' reports tell of a group's history: another version of the service or of flowdeck-agent, and calls of
//! handlers that failed. Only agents that Kafka bears out are listened to.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use flowdeck_model::shown;
use flowdeck_model::view::AgentReport;
use flowdeck_model::{ConsumerName, GroupId};

use crate::sampling::sample::GroupData;
use crate::snapshot::ClusterSnapshot;
use crate::telemetry::trust::is_trusted;
use crate::telemetry::{GroupTelemetry, InstanceId, InstanceTelemetry, Report};

/// The label in which a service says its own version.
const VERSION_LABEL: &str = "version";
/// Consumers and versions that are remembered of a group.
const KEPT: usize = 16;
/// Of a version, in characters.
const VERSION_MAX: usize = 40;
/// Of a consumer's name.
const NAME_MAX: usize = 100;
/// One that was heard so soon after its process began has counted nothing that is older.
const BEGAN: Duration = Duration::from_secs(60);

#[derive(Debug, PartialEq, Eq)]
pub(super) enum AgentEvent {
    Deployment(String),
    /// So many since the last look.
    FailedCalls(u32),
}

/// What was known at the last look.
#[derive(Default)]
pub(super) struct Agents(HashMap<GroupId, Known>);

#[derive(Default)]
struct Known {
    /// Of each consumer, what ran when it was last heard.
    versions: BTreeMap<ConsumerName, BTreeSet<Versions>>,
    /// Counts of the agents that are heard.
    failed: HashMap<InstanceId, u64>,
}

/// Of a service that says its own, and of flowdeck-agent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Versions {
    service: Option<String>,
    agent: String,
}

impl Versions {
    fn of(report: &AgentReport) -> Self {
        let cut = |text: &str| shown::name(&text.chars().take(VERSION_MAX).collect::<String>());
        Self { service: report.labels.get(VERSION_LABEL).map(|text| cut(text)), agent: cut(&report.version) }
    }

    /// What differs from one that ran before.
    fn words(&self, before: &Self) -> String {
        match &self.service {
            Some(version) if self.service != before.service => {
                let was = before.service.as_ref().map(|was| format!(" after {was}")).unwrap_or_default();
                format!("version {version}{was}")
            }
            _ if self.agent == before.agent => "without a version of its own".to_owned(),
            _ => format!("flowdeck-agent {} after {}", self.agent, before.agent),
        }
    }
}

impl Agents {
    /// What happened since the last snapshot.
    pub(super) fn take(&mut self, cluster: &ClusterSnapshot) -> Vec<(GroupId, AgentEvent)> {
        // One that Kafka lists no more is forgotten; in one that lists nothing, the group comes back.
        self.0.retain(|id, _| cluster.group(id).is_some());
        let mut events = Vec::new();
        for (id, telemetry) in cluster.telemetry.groups.iter() {
            let Some((group, _)) = cluster.group(id) else { continue };
            if !self.0.contains_key(id) && !has_report(telemetry) {
                continue;
            }
            let known = self.0.entry(id.clone()).or_default();
            let found = known.take(cluster, group, telemetry);
            events.extend(found.into_iter().map(|event| (id.clone(), event)));
        }
        events
    }
}

fn has_report(telemetry: &GroupTelemetry) -> bool {
    telemetry.consumers.iter().flat_map(|consumer| &consumer.instances).any(|one| one.report.is_some())
}

impl Known {
    fn take(
        &mut self,
        cluster: &ClusterSnapshot,
        group: &GroupData,
        telemetry: &GroupTelemetry,
    ) -> Vec<AgentEvent> {
        let now = cluster.made_at;
        let is_heard = |one: &&InstanceTelemetry| {
            !one.superseded
                && now.since(one.last_heard) <= cluster.settings.timing.heard_within
                && is_trusted(group.listed(), one, now)
        };
        let (mut events, mut failed, mut count) = (Vec::new(), HashMap::new(), 0u64);
        for consumer in &telemetry.consumers {
            let heard = consumer.instances.iter().filter(is_heard);
            let (mut running, mut new) = (BTreeSet::new(), BTreeSet::new());
            for (instance, report) in heard.filter_map(|one| Some((one, one.report.as_ref()?))) {
                let id = InstanceId::of(&consumer.name, instance);
                let now = report.of.counts.failed;
                let before = self.failed.get(&id).copied();
                running.insert(Versions::of(&report.of));
                // One that fell silent and comes back is no deployment.
                if before.is_none() {
                    new.insert(Versions::of(&report.of));
                }
                let before = before.or_else(|| is_new(instance, report).then_some(0));
                count = count.saturating_add(now.saturating_sub(before.unwrap_or(now)));
                failed.insert(id, now);
            }
            events.extend(self.deployments(&consumer.name, running, new));
        }
        // Those that fell silent keep their counts while they are known: they may come back.
        let all = telemetry
            .consumers
            .iter()
            .flat_map(|consumer| consumer.instances.iter().map(|one| InstanceId::of(&consumer.name, one)));
        for id in all {
            if let Some(count) = self.failed.get(&id) {
                failed.entry(id).or_insert(*count);
            }
        }
        self.failed = failed;
        if count > 0 {
            events.push(AgentEvent::FailedCalls(u32::try_from(count).unwrap_or(u32::MAX)));
        }
        events
    }

    /// `new`: of agents that were not heard before.
    fn deployments(
        &mut self,
        consumer: &ConsumerName,
        running: BTreeSet<Versions>,
        new: BTreeSet<Versions>,
    ) -> Vec<AgentEvent> {
        if running.is_empty() {
            return vec![];
        }
        let Some(before) = self.versions.get_mut(consumer) else {
            if self.versions.len() < KEPT {
                self.versions.insert(consumer.clone(), running.into_iter().take(KEPT).collect());
            }
            return vec![];
        };
        let words = new.difference(before).filter_map(|one| Some(one.words(before.last()?)));
        let name = shown::name(&consumer.as_str().chars().take(NAME_MAX).collect::<String>());
        let events = words.map(|words| AgentEvent::Deployment(format!("Deployment of {name}: {words}")));
        let events = events.take(KEPT).collect();
        *before = running.into_iter().take(KEPT).collect();
        events
    }
}

/// Both ages are by one clock each.
fn is_new(instance: &InstanceTelemetry, report: &Report) -> bool {
    let Some(began) = report.of.started_at else { return false };
    report.of.at.since(began) <= report.heard.since(instance.first_heard) + BEGAN
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use flowdeck_kafka::{ClusterConfig, Member};
    use flowdeck_model::{Partition, Timestamp};
    use serde_json::json;

    use super::*;
    use crate::sampling::sample::Sample;
    use crate::settings::ClusterSettings;
    use crate::snapshot::Parts;
    use crate::telemetry::{ConsumerTelemetry, TelemetryIndex, TopicStream};

    struct Told {
        name: &'static str,
        version: Option<&'static str>,
        failed: u64,
        owns: i32,
    }

    fn told(name: &'static str, version: impl Into<Option<&'static str>>, failed: u64) -> Told {
        let owns = i32::try_from(name.len() % 2).unwrap();
        Told { name, version: version.into(), failed, owns }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1_000)
    }

    fn partition(number: i32) -> Partition {
        Partition::new(number).unwrap()
    }

    /// `began` is the second in which its process did.
    fn instance(told: &Told, second: i64, began: i64) -> InstanceTelemetry {
        // Another version is another process.
        let life = told.version.and_then(|version| version.chars().last()).unwrap_or('9');
        let labels = told.version.map_or(json!({}), |version| json!({ "version": version }));
        let report: AgentReport = serde_json::from_value(json!({
            "at": at(second), "startedAt": at(began), "version": "0.1.0", "labels": labels,
            "counts": { "failed": told.failed },
        }))
        .unwrap();
        let stream = TopicStream {
            topic: "t".parse().unwrap(),
            running: vec![partition(told.owns)],
            paused: vec![],
            cut: 0,
            heard: at(second),
            offset: 0,
        };
        InstanceTelemetry {
            agent: true,
            incarnation: Some(
                format!("00000000-0000-4000-8000-0000000000{}{life}", told.owns).parse().unwrap(),
            ),
            first_heard: at(began + 1),
            report: Some(Report { heard: at(second), of: Arc::new(report) }),
            ..InstanceTelemetry::test(told.name, vec![stream], at(second))
        }
    }

    /// Whose members own partitions 0 and 1.
    fn snapshot(second: i64, instances: Vec<InstanceTelemetry>) -> ClusterSnapshot {
        let topic: flowdeck_kafka::Topic = Arc::new("t".parse().unwrap());
        let member = |number: i32| Member {
            member_id: format!("m{number}"),
            client_id: "c".into(),
            host: "/h".into(),
            group_instance_id: None,
            assignment: vec![(Arc::clone(&topic), partition(number))],
            target_assignment: None,
        };
        let group = GroupData {
            members: Some(Arc::from([member(0), member(1)])),
            members_at: Some(at(second)),
            as_of: Some(at(second)),
            ..GroupData::test("g")
        };
        let consumer = ConsumerTelemetry { name: "worker".into(), instances };
        let telemetry = GroupTelemetry { consumers: vec![consumer], unkept: 0 };
        let groups = HashMap::from([("g".into(), Arc::new(telemetry))]);
        let telemetry = TelemetryIndex { groups: Arc::new(groups), warnings: vec![] };
        let settings = ClusterSettings::new("demo".parse().unwrap(), ClusterConfig::new("localhost:1"));
        let groups = [group].into_iter().map(Arc::new).collect();
        let sample = Arc::new(Sample { as_of: Some(at(second)), groups, ..Sample::default() });
        let parts = Parts { telemetry, ..Parts::default() };
        ClusterSnapshot::compose(Arc::new(settings), sample, parts, at(second))
    }

    fn words(events: Vec<(GroupId, AgentEvent)>) -> Vec<String> {
        let words = |event| match event {
            AgentEvent::Deployment(words) => words,
            AgentEvent::FailedCalls(count) => count.to_string(),
        };
        events.into_iter().map(|(_, event)| words(event)).collect()
    }

    #[test]
    fn a_version_that_did_not_run_before_is_a_deployment() {
        let mut agents = Agents::default();
        let mut take = |second, all: &[Told]| {
            let all = all.iter().map(|one| instance(one, second, second - 1)).collect();
            words(agents.take(&snapshot(second, all)))
        };
        let none: [String; 0] = [];
        assert_eq!(take(100, &[told("a", "1.0", 0), told("bb", "1.0", 0)]), none, "what runs at first");
        assert_eq!(
            take(110, &[told("a", "1.1", 0), told("bb", "1.0", 0)]),
            ["Deployment of worker: version 1.1 after 1.0"]
        );
        assert_eq!(take(120, &[told("a", "1.1", 0), told("bb", "1.1", 0)]), none, "the rollout goes on");
        assert_eq!(take(130, &[]), none, "nobody is heard");
        assert_eq!(take(140, &[told("a", "1.0", 0)]), ["Deployment of worker: version 1.0 after 1.1"]);
        let other = Told { owns: 7, ..told("c", "6.6", 900) };
        assert_eq!(take(150, &[told("a", "1.0", 0), other]), none, "it owns nothing of what it says");
        assert_eq!(take(160, &[told("a", None, 0)]), ["Deployment of worker: without a version of its own"]);
    }

    #[test]
    fn calls_that_failed_since_the_last_look_are_counted() {
        let mut agents = Agents::default();
        let mut take = |second, told: &Told, began| {
            words(agents.take(&snapshot(second, vec![instance(told, second, began)])))
        };
        let none: [String; 0] = [];
        let mut old = instance(&told("a", "1", 40), 1_000, 0);
        old.first_heard = at(995);
        let mut first = Agents::default();
        assert_eq!(words(first.take(&snapshot(1_000, vec![old]))), none, "it counted before it was heard");
        assert_eq!(take(1_005, &told("a", "1", 3), 1_000), ["3"], "it began a moment ago");
        assert_eq!(take(1_010, &told("a", "1", 10), 1_000), ["7"]);
        assert_eq!(take(1_020, &told("a", "1", 10), 1_000), none);
        assert_eq!(take(1_030, &told("bb", "1", 2), 1_025), ["2"], "another process");
        assert_eq!(take(1_040, &told("bb", "1", u64::MAX), 1_025), [u32::MAX.to_string()]);
    }

    #[test]
    fn a_report_names_what_differs() {
        let versions = |service: Option<&str>, agent: &str| Versions {
            service: service.map(str::to_owned),
            agent: agent.to_owned(),
        };
        let words = versions(None, "0.2.0").words(&versions(None, "0.1.0"));
        assert_eq!(words, "flowdeck-agent 0.2.0 after 0.1.0");
        let words = versions(Some("1"), "0.2.0").words(&versions(None, "0.1.0"));
        assert_eq!(words, "version 1");
    }
}
