//! Refreshes a cluster's groups, commits and log offsets at the interval of `pace`, with a cap on
//! requests in flight. It writes nothing, and nobody waits for it: what it read is published, a refresh that
//! failed leaves the old numbers with their age and its reason.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use flowdeck_kafka::{
    Cause, Cluster, Committed, Deadline, GroupDescription, ListedGroup, Metadata, Topic, TopicId,
};
use flowdeck_model::rate::Flow;
use flowdeck_model::{GroupId, GroupState, GroupType, Partition, Timestamp, TopicName};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::changes::{self, Changes, deleted_topics, names_to_ask, why_gone, with_lag};
use super::describe::Described;
use super::details::Details;
use super::failing::Failing;
use super::merge::{self, Commit, Reading};
use super::movement;
use super::pace::{Pace, Viewers};
use super::read_ends::ReadTo;
use super::sample::{GroupData, GroupError, Mark, Sample, Together, TopicRows, together};
use super::schedule::{self, Allowed};
use super::track::Track;
use super::verify::Proofs;
use super::watched::Watched;
use crate::clock;
use crate::history::History;
use crate::rebalance::{self, is_rebalancing};
use crate::settings::ClusterSettings;
use crate::stats::ClusterStats;

pub(crate) struct Sampler {
    pub(super) cluster: Cluster,
    pub(super) settings: Arc<ClusterSettings>,
    stats: Arc<ClusterStats>,
    out: watch::Sender<Arc<Sample>>,
    pace: Pace,
    described: Described,
    failing: Failing,
    pub(super) metadata: Option<(Instant, Arc<Metadata>)>,
    ids: HashMap<TopicName, TopicId>,
    /// How many partitions each of them has.
    counts: HashMap<TopicName, usize>,
    /// When the last refresh began that read commits.
    began: Option<Instant>,
    beside: Beside,
}

/// What tasks of their own read, at a pace of their own.
pub(crate) struct Beside {
    /// Groups of other kinds and missing rights, asked seldom.
    pub(crate) watched: watch::Receiver<Arc<Watched>>,
    pub(crate) proofs: watch::Receiver<Arc<Proofs>>,
    pub(crate) details: watch::Receiver<Arc<Details>>,
    /// Which groups matter most: those that are followed, and those that somebody looks at.
    pub(crate) viewers: Viewers,
    pub(crate) history: History,
}

impl Sampler {
    pub(crate) fn new(
        cluster: Cluster,
        settings: Arc<ClusterSettings>,
        stats: Arc<ClusterStats>,
        out: watch::Sender<Arc<Sample>>,
        pace: Pace,
        beside: Beside,
    ) -> Self {
        let described = Described::default();
        Self {
            cluster,
            settings,
            stats,
            out,
            pace,
            described,
            failing: Failing::default(),
            metadata: None,
            ids: HashMap::new(),
            counts: HashMap::new(),
            began: None,
            beside,
        }
    }

    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        loop {
            let started = Instant::now();
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.refresh() => {}
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.pace.next(started) => {}
            }
        }
    }

    async fn refresh(&mut self) {
        let started = Instant::now();
        let result = self.read(started).await;
        let took = started.elapsed();
        self.stats.refreshed(took, result.is_ok());
        let sample = match result {
            Ok(sample) => Sample { took, ..sample },
            Err(error) => {
                tracing::warn!(cluster = %self.settings.name, %error, "refresh failed");
                self.keep_old(error)
            }
        };
        self.out.send_replace(Arc::new(sample));
    }

    /// The old numbers, with the reason why there are no newer ones.
    fn keep_old(&self, error: String) -> Sample {
        let old = self.out.borrow();
        Sample {
            as_of: old.as_of,
            error: Some(error),
            groups: old.groups.clone(),
            metadata: old.metadata.clone(),
            metadata_at: old.metadata_at,
            racks: Arc::clone(&old.racks),
            ends: Arc::clone(&old.ends),
            stable_ends: Arc::clone(&old.stable_ends),
            proofs: Arc::clone(&old.proofs),
            details: Arc::clone(&old.details),
            notes: self.beside.watched.borrow().notes.clone(),
            took: old.took,
        }
    }

    async fn read(&mut self, started: Instant) -> Result<Sample, String> {
        let old = Arc::clone(&self.out.borrow());
        let allowed =
            Allowed::of(self.settings.requests_per_second, self.began.map(|before| started - before));
        let asked = clock::now();
        let listing = self.cluster.list_groups(self.deadline()).await;
        let listing = listing.map_err(|error| error.with_cause())?;
        self.refresh_metadata(false).await;
        let watched = Arc::clone(&self.beside.watched.borrow());
        let election = GroupId::from(self.settings.writer_id.as_str());
        let listed = listed_groups(listing.groups, &listing.errors, &watched, &old, &election);
        let began = clock::now();
        let commits = self.read_groups(&listed, &old, allowed, asked).await;
        self.began = Some(started);
        if let Some(cause) = all_failed(&commits) {
            return Err(format!("could not read committed offsets: {cause}"));
        }
        if self.names_unknown_topic(&commits) {
            self.refresh_metadata(true).await;
        }
        let read: Vec<Commits> =
            listed.iter().zip(commits).map(|(group, commits)| self.group_read(group, commits)).collect();
        let mut ends = self.read_ends(&listed, &read, &old).await?;
        let readers = self.beside.viewers.readers_of_committed();
        let mut stable = self.read_stable_ends(&listed, &read, (&ends, &readers), &old).await;
        let changes = self.changes(&listed, &read, &old).await;
        ends.forget(&changes.recreated);
        stable.forget(&changes.recreated);
        let ends = ReadTo { all: Arc::new(ends), stable: Arc::new(stable), readers };
        let groups: Vec<Arc<GroupData>> = listed
            .into_iter()
            .zip(read)
            .map(|(listed, read)| self.group(listed, read, &old, &ends, &changes, began))
            .collect();
        let mut notes = watched.notes.clone();
        notes.extend(schedule::behind(&groups, self.settings.requests_per_second, began));
        notes.extend(
            listing.errors.iter().map(|cause| format!("a broker's part of the groups is missing: {cause}")),
        );
        Ok(Sample {
            as_of: Some(began),
            error: None,
            groups,
            metadata: self.metadata.as_ref().map(|(_, metadata)| Arc::clone(metadata)),
            metadata_at: self.metadata.as_ref().map(|(at, _)| clock::now().minus(at.elapsed())),
            racks: Arc::clone(&watched.racks),
            ends: ends.all,
            stable_ends: ends.stable,
            proofs: Arc::clone(&self.beside.proofs.borrow()),
            details: Arc::clone(&self.beside.details.borrow()),
            notes,
            took: Duration::ZERO,
        })
    }

    pub(super) fn deadline(&self) -> Deadline {
        Deadline::after(self.settings.call_deadline)
    }

    /// Old metadata stays where there is none newer: groups do not depend on it.
    async fn refresh_metadata(&mut self, now: bool) {
        let fresh = self.metadata.as_ref().is_some_and(|(at, _)| at.elapsed() < self.settings.metadata_every);
        if fresh && !now {
            return;
        }
        match self.cluster.metadata(self.deadline()).await {
            Ok(metadata) => self.metadata = Some((Instant::now(), metadata)),
            Err(error) => {
                tracing::warn!(cluster = %self.settings.name, error = error.with_cause(), "metadata not read");
            }
        }
    }

    /// Commits and descriptions, together within the cap.
    async fn read_groups(
        &mut self,
        listed: &[ListedGroup],
        old: &Sample,
        allowed: Allowed,
        asked: Timestamp,
    ) -> Vec<Commits> {
        let deadline = self.deadline();
        let cap = (self.settings.in_flight / 2).max(1);
        let groups = listed.iter().filter(|group| group.kind.has_lag()).count();
        let most = allowed.descriptions(groups).min(self.settings.describe_per_cycle);
        let wanted = self.described.choose(listed, most, asked);
        let ids = self.to_read(listed, old, allowed.commits(wanted.len()), asked);
        self.stats.asked_groups(ids.len() as u64, wanted.len() as u64);
        let mut answers: Vec<Result<Vec<TopicRows>, Cause>> =
            ids.iter().map(|_| Err(Cause::Cancelled)).collect();
        let committed = self.cluster.committed(&ids, cap, deadline, |index, answer| {
            if let Some(slot) = answers.get_mut(index) {
                *slot = answer.map(|rows| merge::compact(rows.into_iter().map(commit).collect()));
            }
        });
        let describe = self.cluster.describe_groups(&wanted, cap, deadline);
        let ((), descriptions) = tokio::join!(committed, describe);
        self.described.learn(listed, descriptions, asked);
        self.failing.learn(listed, ids.iter().zip(&answers), asked);
        let mut answers: HashMap<GroupId, Result<Vec<TopicRows>, Cause>> =
            ids.into_iter().zip(answers).collect();
        listed
            .iter()
            .map(|group| match group.kind {
                GroupType::Other | GroupType::Flowdeck => Commits::Read(Vec::new()),
                _ => answers.remove(&group.id).map_or(Commits::NotAsked, Commits::from),
            })
            .collect()
    }

    /// The groups whose commits are asked for now.
    fn to_read(&self, listed: &[ListedGroup], old: &Sample, most: usize, now: Timestamp) -> Vec<GroupId> {
        let mut looked = self.beside.viewers.followed();
        looked.extend(self.beside.history.lock().viewed_groups(now));
        schedule::choose(listed, (old, &self.failing), &looked, most, now)
    }

    fn names_unknown_topic(&self, commits: &[Commits]) -> bool {
        let Some((at, metadata)) = &self.metadata else { return false };
        // A topic that is gone for good must not make every refresh ask again.
        let is_new = |topic: &TopicName| metadata.topic(topic).is_none();
        at.elapsed() > self.settings.refresh
            && (commits.iter().filter_map(Commits::rows).flatten().any(|rows| is_new(&rows.topic))
                || self.described.assigned().any(is_new))
    }

    /// With the partitions that the group reads and never committed.
    fn group_read(&self, listed: &ListedGroup, commits: Commits) -> Commits {
        let rows = match commits {
            Commits::Read(rows) => rows,
            Commits::Failed(_) => return commits,
            // What it was refused for counts until it is asked again.
            Commits::NotAsked => {
                return self.failing.refusal(&listed.id).map_or(Commits::NotAsked, Commits::Failed);
            }
        };
        let described = self.described.get(&listed.id);
        let members = described.and_then(|group| group.members.as_deref());
        let reading = Reading::of(listed.simple, members);
        Commits::Read(merge::with_uncommitted(rows, reading, members.unwrap_or_default(), self))
    }

    pub(super) fn partitions_of(&self, topic: &TopicName) -> Option<(Topic, Vec<Partition>)> {
        let (_, metadata) = self.metadata.as_ref()?;
        let topic = metadata.topic(topic)?;
        Some((Arc::clone(&topic.name), topic.partitions.iter().map(|one| one.partition).collect()))
    }

    /// What became of the topics that groups read. Asked after the ends, so that a topic that was made anew or
    /// deleted between commits and ends is noticed in the same refresh.
    async fn changes(&mut self, listed: &[ListedGroup], read: &[Commits], old: &Sample) -> Changes {
        let names = names_to_ask(listed, read, old);
        if names.is_empty() {
            return Changes::default();
        }
        let answers = self.cluster.topic_ids(&names, self.deadline()).await.unwrap_or_else(|error| {
            tracing::debug!(cluster = %self.settings.name, error = error.with_cause(), "topic ids not read");
            HashMap::new()
        });
        let unknown = |topic: &TopicName| matches!(answers.get(topic), Some(Err(Cause::UnknownTopic)));
        // The list is older, or that broker is behind: the newest list decides.
        if names.iter().any(|topic| unknown(topic) && self.lists(topic)) {
            self.refresh_metadata(true).await;
        }
        let mut changes = Changes::default();
        for topic in &names {
            let answer = answers.get(topic);
            if let Some(Ok(id)) = answer {
                let former = self.ids.insert(topic.clone(), *id);
                if former.is_some_and(|former| former != *id) {
                    changes.recreated.insert(topic.clone());
                }
            } else if self.metadata.is_some() && !self.lists(topic) {
                changes.gone.insert(topic.clone(), why_gone(answer));
            }
            let Some((_, partitions)) = self.partitions_of(topic) else { continue };
            let before = self.counts.insert(topic.clone(), partitions.len()).unwrap_or(partitions.len());
            if partitions.len() > before && !changes.recreated.contains(topic) {
                changes.added.insert(topic.clone(), partitions.len() - before);
            }
        }
        // Names that no group reads any more are forgotten, so that the table follows the cluster.
        if self.ids.len() > names.len() * 2 + 1_000 {
            let kept: HashSet<&TopicName> = names.iter().collect();
            self.ids.retain(|topic, _| kept.contains(topic));
            self.counts.retain(|topic, _| kept.contains(topic));
        }
        changes
    }

    fn lists(&self, topic: &TopicName) -> bool {
        self.metadata.as_ref().is_some_and(|(_, metadata)| metadata.topic(topic).is_some())
    }

    fn group(
        &self,
        listed: ListedGroup,
        read: Commits,
        old: &Sample,
        ends: &ReadTo,
        changes: &Changes,
        began: Timestamp,
    ) -> Arc<GroupData> {
        let former = old.group(&listed.id);
        let described = self.described.get(&listed.id);
        let kind = described.map_or(listed.kind, |group| group.kind(listed.kind));
        let state = listed.state.or(described.and_then(|group| group.state));
        let members = described.and_then(|group| group.members.clone());
        let members_at = described.and_then(|group| group.members_at);
        let members_since = described.and_then(|group| group.members_since);
        let describe_error = described.and_then(|group| group.error.clone());
        let (rows, ends, as_of, error) = match (read, former) {
            (Commits::NotAsked, Some(former)) => {
                let is_concerned = former.rows.iter().any(|rows| changes.concern(rows.topic.as_ref()));
                let rows = if is_concerned {
                    let mut rows = former.rows.to_vec();
                    merge::mark_gone(&mut rows, &changes.gone);
                    merge::settle(rows, Some(&former.rows), &changes.recreated, began)
                } else {
                    Arc::clone(&former.rows)
                };
                (rows, Arc::clone(&former.ends), former.as_of, describe_error)
            }
            (Commits::NotAsked, None) => (Vec::new().into(), Arc::clone(&ends.all), None, describe_error),
            (Commits::Read(mut rows), _) => {
                merge::mark_gone(&mut rows, &changes.gone);
                let former = former.map(|former| &former.rows);
                let rows = merge::settle(rows, former, &changes.recreated, began);
                let ends = ends.of(self.reads_committed(&ends.readers, &listed.id), &rows);
                (rows, ends, Some(began), describe_error)
            }
            (Commits::Failed(cause), Some(former)) => {
                (Arc::clone(&former.rows), Arc::clone(&former.ends), former.as_of, Some(group_error(&cause)))
            }
            (Commits::Failed(cause), None) => {
                (Vec::new().into(), Arc::clone(&ends.all), None, Some(group_error(&cause)))
            }
        };
        let deleted_topics = deleted_topics(&rows, former, changes);
        let owned = members.as_deref().unwrap_or_default();
        let read_now = as_of == Some(began);
        let changed = former
            .filter(|former| read_now && former.as_of.is_some())
            .map(|former| changes::sentences(former, &rows, &ends, changes))
            .unwrap_or_default();
        let watched_since = former.and_then(|former| former.watched_since).or(as_of);
        let mut flow =
            former.filter(|former| former.watched_since.is_some()).map(|former| former.flow.clone());
        let mut last_commit = former.and_then(|former| former.last_commit);
        let moved = former
            .filter(|_| read_now && flow.is_some())
            .map(|former| movement::between(former, &rows, &ends, &changes.recreated, began));
        let read = moved.as_ref().map(|moved| (moved, &rows[..]));
        let mut track =
            former.map(|former| Track::next(former, members.as_deref(), read, began)).unwrap_or_default();
        if let (Some(moved), Some(before)) = (&moved, &flow) {
            flow = Some(before.counted(began, moved.written, moved.committed));
            last_commit = if moved.commits { Some(began) } else { last_commit };
        }
        let lags = former.map_or_else(|| Arc::from([]), |former| Arc::clone(&former.lags));
        let interesting = watched_since.filter(|_| !owned.is_empty());
        let Together { sum, time_lag, waits, hottest } =
            together(&rows, &ends, interesting, &self.beside.proofs.borrow());
        let lags = if read_now { with_lag(&lags, owned, former, sum, began) } else { lags };
        let lower = match former {
            Some(former) => former.lower.clone(),
            None => listed.id.as_str().to_lowercase().into_boxed_str(),
        };
        let state = state.unwrap_or(GroupState::RebalancingOrUnknown);
        let since = former.and_then(|former| former.rebalancing_since);
        let before = former.and_then(|former| match since {
            Some(_) => former.members_before.clone(),
            None => former.members.clone(),
        });
        let rebalancing_since = is_rebalancing(kind, state, owned).then(|| since.unwrap_or(began));
        let seen = (rebalancing_since, members_since);
        let before_that = former.map(|former| (former.rebalancing_since, former.members_since));
        if let Some(at) = before_that.and_then(|before| rebalance::began(before, seen)) {
            track = track.rebalanced(at);
        }
        Arc::new(GroupData {
            id: listed.id,
            lower,
            kind,
            state,
            members,
            members_at,
            members_since,
            rows,
            ends,
            sum,
            time_lag,
            flow: flow.unwrap_or_else(|| Flow::new(began)),
            last_commit,
            watched_since,
            track,
            waits: waits.into(),
            hottest,
            deleted_topics,
            changed: changed.into(),
            lags,
            rebalancing_since,
            members_before: before.filter(|_| rebalancing_since.is_some()),
            as_of,
            error,
        })
    }
}

impl merge::Topics for Sampler {
    fn partitions(&self, topic: &TopicName) -> Option<Vec<Partition>> {
        self.partitions_of(topic).map(|(_, partitions)| partitions)
    }
}

/// What a refresh read of one group's commits.
pub(super) enum Commits {
    Read(Vec<TopicRows>),
    Failed(Cause),
    /// It was not its turn: what was read before counts.
    NotAsked,
}

impl From<Result<Vec<TopicRows>, Cause>> for Commits {
    fn from(answer: Result<Vec<TopicRows>, Cause>) -> Self {
        answer.map_or_else(Self::Failed, Self::Read)
    }
}

impl Commits {
    fn rows(&self) -> Option<&[TopicRows]> {
        match self {
            Self::Read(rows) => Some(rows),
            Self::Failed(_) | Self::NotAsked => None,
        }
    }

    /// As they were read last; `None` where that failed now.
    pub(super) fn newest<'a>(&'a self, group: &GroupId, old: &'a Sample) -> Option<&'a [TopicRows]> {
        match self {
            Self::Read(rows) => Some(rows),
            Self::Failed(_) => None,
            Self::NotAsked => old.group(group).map(|former| &former.rows[..]),
        }
    }
}

pub(super) fn group_error(cause: &Cause) -> GroupError {
    GroupError { words: cause.to_string(), not_permitted: matches!(cause, Cause::NotPermitted(_)) }
}

fn commit(row: Committed) -> Commit {
    let (offset, mark) = match row.offset() {
        Ok(offset) => (offset, Mark::Fine),
        Err(Cause::NotPermitted(_)) => (None, Mark::NotPermitted),
        Err(_) => (None, Mark::Failed),
    };
    Commit { topic: row.topic, partition: row.partition, offset, mark }
}

/// The reason, where not one group's commits could be read and asking again may help.
fn all_failed(commits: &[Commits]) -> Option<&Cause> {
    let mut first = None;
    for answer in commits {
        match answer {
            Commits::NotAsked => {}
            // Groups of other kinds answer with nothing, without being asked.
            Commits::Read(rows) if rows.is_empty() => {}
            Commits::Read(_) => return None,
            Commits::Failed(cause) if !cause.may_pass() => return None,
            Commits::Failed(cause) => first = first.or(Some(cause)),
        }
    }
    first
}

/// What there is: the listing, groups of other kinds, and, where a broker's part of the listing is
/// missing, the groups that were there before. Sorted by id, each once.
fn listed_groups(
    listed: Vec<ListedGroup>,
    errors: &[Cause],
    watched: &Watched,
    old: &Sample,
    election: &GroupId,
) -> Vec<ListedGroup> {
    let mut all: BTreeMap<GroupId, ListedGroup> = BTreeMap::new();
    for group in &watched.others {
        let other = ListedGroup { id: group.clone(), kind: GroupType::Other, state: None, simple: false };
        all.insert(group.clone(), other);
    }
    if !errors.is_empty() {
        for former in &old.groups {
            let id = former.id.clone();
            // Its former state is no news: nobody told it now, and it proves nothing.
            let group = ListedGroup { id: id.clone(), kind: former.kind, state: None, simple: false };
            all.insert(id, group);
        }
    }
    all.extend(listed.into_iter().map(|group| (group.id.clone(), group)));
    if let Some(election) = all.get_mut(election) {
        election.kind = GroupType::Flowdeck;
    }
    all.into_values().collect()
}

/// For the describe table's tests and its reader alike.
pub(super) type Description = Result<GroupDescription, Cause>;

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(id: &str) -> ListedGroup {
        ListedGroup {
            id: id.into(),
            kind: GroupType::Classic,
            state: Some(GroupState::Stable),
            simple: false,
        }
    }

    fn old(ids: &[&str]) -> Sample {
        let group = |id: &&str| Arc::new(GroupData { state: GroupState::Empty, ..GroupData::test(id) });
        Sample { groups: ids.iter().map(group).collect(), ..Sample::default() }
    }

    #[test]
    fn groups_vanish_only_when_a_complete_listing_says_so() {
        let names = |all: Vec<ListedGroup>| all.into_iter().map(|g| g.id.to_string()).collect::<Vec<_>>();
        let watched = Watched { others: vec!["share".into()], ..Watched::default() };
        let complete = listed_groups(vec![listed("b")], &[], &watched, &old(&["a", "b"]), &"b".into());
        assert_eq!(names(complete), ["b", "share"]);
        let partial =
            listed_groups(vec![listed("b")], &[Cause::Timeout], &watched, &old(&["a", "b"]), &"w".into());
        assert_eq!(partial[0].state, None, "what it was is not told as what it is");
        assert_eq!(names(partial), ["a", "b", "share"]);
    }

    #[test]
    fn one_group_that_answers_makes_a_refresh() {
        let rows = || Commits::Read(merge::compact(vec![]));
        let some = || {
            Commits::Read(merge::compact(vec![Commit {
                topic: Arc::new("t".parse().unwrap()),
                partition: Partition::new(0).unwrap(),
                offset: Some(1),
                mark: Mark::Fine,
            }]))
        };
        assert!(all_failed(&[]).is_none());
        assert!(all_failed(&[Commits::NotAsked, Commits::Failed(Cause::Timeout)]).is_some());
        assert!(all_failed(&[rows(), Commits::Failed(Cause::Timeout)]).is_some());
        assert!(all_failed(&[some(), Commits::Failed(Cause::Timeout)]).is_none());
        assert!(
            all_failed(&[Commits::Failed(Cause::Timeout), Commits::Failed(Cause::UnknownTopic)]).is_none()
        );
    }
}
