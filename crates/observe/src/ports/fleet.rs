//! The fleet port: filters, sorts and pages over the published snapshot. It never waits for Kafka,
//! but for one topic's offsets and configuration.

use std::sync::Arc;

use async_trait::async_trait;
use flowdeck_model::error::ResourceKind;
use flowdeck_model::query::{GroupFilter, GroupsQuery};
use flowdeck_model::rate::Drain;
use flowdeck_model::verdict::Finding;
use flowdeck_model::view::{
    AgentsView, BrokersView, ClusterView, FleetView, FlowView, GroupRow, GroupView, HistoryView,
    TelemetryView, TopicView, TopicsView, VerdictCount,
};
use flowdeck_model::{
    Actor, ClusterName, Fleet, FleetQuery, GroupId, GroupType, HistoryQuery, Level, Permission, PortError,
    Timestamp, TopicName, Verdict, Version,
};

use super::order::{Ranked, compare};
use super::{agents, allowed, brokers, cluster_of, group, telemetry, topic};
use crate::clock;
use crate::core::Core;
use crate::history;
use crate::sampling::sample::GroupData;
use crate::snapshot::{ClusterSnapshot, Judged};

pub struct BoundFleet {
    core: Arc<Core>,
    actor: Actor,
}

impl BoundFleet {
    pub fn new(core: Arc<Core>, actor: Actor) -> Self {
        Self { core, actor }
    }

    fn with_trend(&self, row: GroupRow, now: Timestamp) -> GroupRow {
        let handle = self.core.clusters.iter().find(|handle| handle.settings.name == row.cluster);
        let trend = handle.map(|handle| handle.history.lock().group_trend(&row.group, now));
        GroupRow { lag_trend: trend.unwrap_or_default(), ..row }
    }

    fn select(&self, query: &FleetQuery, filter: &GroupFilter) -> Result<FleetView, PortError> {
        let snapshot = self.core.publisher.current();
        let mut clusters: Vec<&Arc<ClusterSnapshot>> =
            snapshot.clusters.iter().filter(|one| self.sees(&one.settings.name)).collect();
        if let Some(name) = &query.cluster {
            super::allowed_on_cluster(&self.actor, Permission::View, name)?;
            clusters.retain(|one| &one.settings.name == name);
            if clusters.is_empty() {
                return Err(PortError::not_found(ResourceKind::Cluster, name.as_str()));
            }
        }
        self.core.viewed(&clusters);
        let found = find(&clusters, query, filter, &self.actor);
        let mut counts = [0u32; Verdict::WORST_FIRST.len()];
        let mut lag: Option<u64> = None;
        let mut unknown_partitions = 0;
        // Flowdeck's own are shown, and nobody's to judge.
        let judged = |hit: &&Hit<'_>| hit.group.kind != GroupType::Flowdeck;
        let ignored = found.iter().filter(|hit| hit.judged.ignored).count();
        let found: Vec<Hit<'_>> =
            found.into_iter().filter(|hit| hit.judged.ignored == query.ignored).collect();
        for hit in found.iter().filter(judged) {
            counts[place(hit.judged.verdict)] += 1;
            unknown_partitions += u64::from(hit.judged.unknown_partitions);
            if let Some(more) = hit.judged.lag_at_least {
                lag = Some(lag.unwrap_or(0).saturating_add(more));
            }
        }
        let mut rows: Vec<&Hit<'_>> = found
            .iter()
            .filter(|hit| {
                query.verdicts.is_empty() || (judged(hit) && query.verdicts.contains(&hit.judged.verdict))
            })
            .collect();
        rows.sort_by(|a, b| compare(&a.ranked(), &b.ranked(), &query.sort));
        let total = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        let now = clock::now();
        let groups = rows
            .into_iter()
            .skip(query.offset as usize)
            .take(query.limit as usize)
            .map(|hit| self.with_trend(group_row(hit.cluster, hit.group, hit.judged), now))
            .collect();
        Ok(FleetView {
            version: snapshot.version,
            now,
            total,
            partial: clusters.iter().any(|one| one.view.as_of.is_none() || one.view.error.is_some()),
            clusters: clusters.iter().map(|one| one.view.clone()).collect(),
            counts: Verdict::WORST_FIRST
                .into_iter()
                .map(|verdict| VerdictCount { verdict, groups: counts[place(verdict)] })
                .collect(),
            ignored: u32::try_from(ignored).unwrap_or(u32::MAX),
            lag,
            unknown_partitions,
            groups,
        })
    }

    fn sees(&self, cluster: &ClusterName) -> bool {
        self.actor.may_on_cluster(Permission::View, cluster)
    }
}

#[async_trait]
impl Fleet for BoundFleet {
    fn clusters(&self) -> Vec<ClusterView> {
        let snapshot = self.core.publisher.current();
        let seen = snapshot.clusters.iter().filter(|one| self.sees(&one.settings.name));
        seen.map(|one| one.view.clone()).collect()
    }

    fn fleet(&self, query: &FleetQuery) -> Result<FleetView, PortError> {
        self.select(query, &GroupFilter::default())
    }

    fn groups(&self, query: &GroupsQuery) -> Result<FleetView, PortError> {
        self.select(&query.fleet, &query.filter)
    }

    fn group(&self, cluster: &ClusterName, id: &GroupId) -> Result<GroupView, PortError> {
        let snapshot = self.core.publisher.current();
        allowed(&self.actor, Permission::View, cluster, id)?;
        let (one, handle) = cluster_of(&self.core, &snapshot, cluster)?;
        let Some((data, judged)) = one.group(id) else {
            // Nobody knows whether it is there.
            sampled(&one)?;
            return Err(PortError::not_found(ResourceKind::Group, id.to_string()));
        };
        let now = clock::now();
        let mut view = group::view(snapshot.version, &one, data, judged, now);
        let mut history = handle.history.lock();
        history.viewed(id, now);
        view.row.lag_trend = history.group_trend(id, now);
        let mut trends = history.partition_trends(id, now);
        for row in &mut view.partitions {
            row.lag_trend = trends.remove(&(&row.topic, row.partition)).unwrap_or_default();
        }
        drop(trends);
        drop(history);
        Ok(view)
    }

    fn agents(&self, cluster: &ClusterName, id: &GroupId) -> Result<AgentsView, PortError> {
        let snapshot = self.core.publisher.current();
        allowed(&self.actor, Permission::View, cluster, id)?;
        let (one, _) = cluster_of(&self.core, &snapshot, cluster)?;
        let Some((data, _)) = one.group(id) else {
            sampled(&one)?;
            return Err(PortError::not_found(ResourceKind::Group, id.to_string()));
        };
        let payloads = self.actor.may(Permission::ReadPayloads, cluster, id);
        Ok(agents::view(snapshot.version, &one, data, payloads, clock::now()))
    }

    fn history(
        &self,
        cluster: &ClusterName,
        id: &GroupId,
        query: &HistoryQuery,
    ) -> Result<HistoryView, PortError> {
        let snapshot = self.core.publisher.current();
        allowed(&self.actor, Permission::View, cluster, id)?;
        let (one, handle) = cluster_of(&self.core, &snapshot, cluster)?;
        let found = history::view(&handle.history.lock(), &one, id, query, clock::now());
        found.ok_or_else(|| PortError::not_found(ResourceKind::Group, id.to_string()))
    }

    fn telemetry(&self, cluster: &ClusterName) -> Result<TelemetryView, PortError> {
        let snapshot = self.core.publisher.current();
        super::allowed_on_cluster(&self.actor, Permission::View, cluster)?;
        let (one, _) = cluster_of(&self.core, &snapshot, cluster)?;
        sampled(&one)?;
        Ok(telemetry::view(&one, &self.actor))
    }

    fn topics(&self, cluster: &ClusterName) -> Result<TopicsView, PortError> {
        let snapshot = self.core.publisher.current();
        super::allowed_on_cluster(&self.actor, Permission::View, cluster)?;
        let (one, _) = cluster_of(&self.core, &snapshot, cluster)?;
        Ok(topic::list(snapshot.version, &one, &self.actor))
    }

    async fn topic(&self, cluster: &ClusterName, name: &TopicName) -> Result<TopicView, PortError> {
        let snapshot = self.core.publisher.current();
        super::allowed_on_cluster(&self.actor, Permission::View, cluster)?;
        let (one, handle) = cluster_of(&self.core, &snapshot, cluster)?;
        topic::view(snapshot.version, &one, handle, &self.actor, name).await
    }

    async fn brokers(&self, cluster: &ClusterName) -> Result<BrokersView, PortError> {
        let snapshot = self.core.publisher.current();
        super::allowed_on_cluster(&self.actor, Permission::View, cluster)?;
        let (one, handle) = cluster_of(&self.core, &snapshot, cluster)?;
        let found = match &handle.cluster {
            Some(kafka) => handle.offers.of(kafka, topic::FRESH).await,
            None => None,
        };
        Ok(brokers::view(snapshot.version, &one, found.as_deref()))
    }

    fn version(&self) -> Version {
        self.core.publisher.current().version
    }

    async fn changed(&self, seen: Version) -> Version {
        let mut snapshots = self.core.publisher.subscribe();
        match snapshots.wait_for(|snapshot| snapshot.version != seen).await {
            Ok(snapshot) => snapshot.version,
            // The publisher lives as long as this port.
            Err(_) => self.version(),
        }
    }
}

fn sampled(cluster: &ClusterSnapshot) -> Result<(), PortError> {
    if cluster.view.as_of.is_some() {
        return Ok(());
    }
    let why = cluster.view.error.as_deref().unwrap_or("its first refresh is not over");
    let detail = format!("nothing is known of its groups yet: {why}");
    Err(PortError::Unavailable { cluster: cluster.settings.name.clone(), detail })
}

struct Hit<'a> {
    cluster: &'a ClusterSnapshot,
    group: &'a GroupData,
    judged: &'a Judged,
}

impl<'a> Hit<'a> {
    fn ranked(&self) -> Ranked<'a> {
        Ranked {
            severity: self.judged.severity,
            lag: self.judged.lag_at_least,
            time_lag: self.judged.time_lag.map(|lag| lag.millis),
            members: members(self.group),
            as_of: self.group.as_of,
            cluster: &self.cluster.settings.name,
            group: &self.group.id,
        }
    }
}

fn place(verdict: Verdict) -> usize {
    Verdict::WORST_FIRST.iter().position(|one| *one == verdict).unwrap_or(0)
}

fn members(group: &GroupData) -> Option<u32> {
    group.members.as_ref().map(|members| u32::try_from(members.len()).unwrap_or(u32::MAX))
}

/// Groups that the actor may see and the search matches.
fn find<'a>(
    clusters: &[&'a Arc<ClusterSnapshot>],
    query: &FleetQuery,
    filter: &GroupFilter,
    actor: &Actor,
) -> Vec<Hit<'a>> {
    let needle = query.search.trim().to_lowercase();
    let mut hits = Vec::new();
    for cluster in clusters {
        let name = &cluster.settings.name;
        let whole_cluster = needle.is_empty()
            || name.as_str().to_lowercase().contains(&needle)
            || cluster.settings.label.to_lowercase().contains(&needle);
        // Topics are few and named by many groups: each is looked at once.
        let topics = if whole_cluster { Default::default() } else { topics_that_match(cluster, &needle) };
        for (group, judged) in cluster.groups() {
            let matches = whole_cluster
                || group.lower.contains(&needle)
                || (!topics.is_empty() && group.rows.iter().any(|rows| topics.contains(rows.topic.as_ref())))
                || has_label(cluster, group, &needle);
            let of_kind = query.kinds.is_empty() || query.kinds.contains(&group.kind);
            if matches
                && of_kind
                && passes(cluster, group, filter)
                && actor.may(Permission::View, name, &group.id)
            {
                hits.push(Hit { cluster, group, judged });
            }
        }
    }
    hits
}

/// One whose value holds the words.
fn has_label(cluster: &ClusterSnapshot, group: &GroupData, needle: &str) -> bool {
    if cluster.settings.labels_of.is_empty() {
        return false;
    }
    cluster.settings.labels(&group.id).values.values().any(|value| value.to_lowercase().contains(needle))
}

fn passes(cluster: &ClusterSnapshot, group: &GroupData, filter: &GroupFilter) -> bool {
    let state = filter.state.is_none_or(|state| state == group.state);
    let topic = filter.topic.as_ref().is_none_or(|topic| group.reads(topic));
    if !state || !topic {
        return false;
    }
    let paused = |paused: bool| paused == (group::paused_partitions(cluster, group) > 0);
    if !filter.paused.is_none_or(paused) {
        return false;
    }
    if filter.labels.is_empty() {
        return true;
    }
    let labels = cluster.settings.labels(&group.id).values;
    filter.labels.iter().all(|(name, wanted)| {
        labels.get(name).is_some_and(|value| wanted.is_empty() || value.eq_ignore_ascii_case(wanted))
    })
}

fn topics_that_match<'a>(
    cluster: &'a ClusterSnapshot,
    needle: &str,
) -> std::collections::HashSet<&'a TopicName> {
    let mut seen = std::collections::HashSet::new();
    let all = cluster.sample.groups.iter().flat_map(|group| group.rows.iter());
    all.map(|rows| rows.topic.as_ref())
        .filter(|topic| seen.insert(*topic))
        .filter(|topic| topic.as_str().to_lowercase().contains(needle))
        .collect()
}

pub(crate) fn flow(group: &GroupData, judged: &Judged) -> FlowView {
    let (written, committed) = match judged.stale {
        true => Default::default(),
        false => group.flow.rates(),
    };
    FlowView {
        written,
        committed,
        drain: judged
            .lag
            .and_then(|lag| Drain::of(lag, &written, &committed))
            .filter(|drain| is_worth_saying(*drain, judged)),
        last_commit: group.last_commit,
        watched_since: group.watched_since,
    }
}

/// A small lag that stays as it is needs no time to drain: "never" would read as an alarm.
fn is_worth_saying(drain: Drain, judged: &Judged) -> bool {
    let is_late = |one: &Finding| one.level >= Level::Warning || one.verdict == Verdict::Paused;
    drain.latest_seconds.is_some() || judged.findings.iter().any(is_late)
}

pub(super) fn group_row(cluster: &ClusterSnapshot, group: &GroupData, judged: &Judged) -> GroupRow {
    let holds = cluster.holds.group(&group.id);
    GroupRow {
        cluster: cluster.settings.name.clone(),
        group: group.id.clone(),
        kind: group.kind,
        state: group.state,
        verdict: judged.verdict,
        level: judged.level,
        why: judged.why.clone(),
        // When it applied last is for the rules alone: the rows of two snapshots would never be the same.
        verdicts: judged.findings.iter().map(|one| Finding { last: None, ..one.clone() }).collect(),
        ignored: judged.ignored,
        lag: judged.lag,
        lag_at_least: judged.lag_at_least,
        deleted_unread: judged.deleted_unread,
        unknown_partitions: judged.unknown_partitions,
        time_lag: judged.time_lag,
        // Of the history, which is read where the rows are shown.
        lag_trend: Vec::new(),
        flow: flow(group, judged),
        rebalancing_since: group.rebalancing_since,
        members: members(group),
        topics: group
            .rows
            .iter()
            .take(flowdeck_model::view::fleet::ROW_TOPICS_MAX)
            .map(|rows| rows.topic.as_ref().clone())
            .collect(),
        topic_count: u32::try_from(group.rows.len()).unwrap_or(u32::MAX),
        partition_count: group.partition_count(),
        paused_partitions: group::paused_partitions(cluster, group),
        holds: holds.to_vec(),
        as_of: group.as_of,
        labels: cluster.settings.labels(&group.id),
    }
}
