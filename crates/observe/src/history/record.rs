//! Fills the history from what is published. A group whose reading failed leaves a gap.

use std::sync::Arc;
use std::time::Duration;

use flowdeck_model::rate::Rate;
use flowdeck_model::{GroupId, Lag, Level, Timestamp};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::History;
use super::agents::{AgentEvent, Agents};
use super::series::Resolution;
use super::store::{PartitionRead, Store, seconds};
use crate::rebalance;
use crate::sampling::sample::{GroupData, PartitionData, Sample};
use crate::snapshot::{ClusterSnapshot, Judged, Snapshot};

/// Groups that are written under one lock.
const AT_ONCE: usize = 250;
/// A group whose page was asked for is followed by partition so long.
const VIEWED: Duration = Duration::from_secs(60);
/// Partitions of one group that are followed: those with the most lag.
const PARTITIONS: usize = 400;

/// Until shutdown, or until nothing is published any more. `histories`: of the clusters, in their order.
pub async fn record(
    mut snapshots: watch::Receiver<Arc<Snapshot>>,
    histories: Vec<History>,
    shutdown: CancellationToken,
) {
    let mut recorders: Vec<Recorder> = histories.iter().map(|_| Recorder::default()).collect();
    loop {
        let current = Arc::clone(&snapshots.borrow_and_update());
        for ((cluster, history), recorder) in current.clusters.iter().zip(&histories).zip(&mut recorders) {
            recorder.take(cluster, history).await;
        }
        drop(current);
        tokio::select! {
            () = shutdown.cancelled() => return,
            changed = snapshots.changed() => if changed.is_err() { return },
        }
    }
}

#[derive(Default)]
struct Recorder {
    /// The newest that was taken.
    last: Option<Arc<Sample>>,
    /// The first one of the step that is not over, from which rates are reckoned.
    reference: Option<Arc<Sample>>,
    agents: Agents,
}

/// Groups that are listed no more, and those that were not before.
fn came_and_went(before: &Sample, now: &Sample, at: Timestamp, history: &History) {
    let has_lag = |group: &&Arc<GroupData>| group.kind.has_lag();
    let other = |one: &Sample, than: &Sample| -> Vec<GroupId> {
        let missing = one.groups.iter().filter(has_lag).filter(|group| than.group(&group.id).is_none());
        missing.map(|group| group.id.clone()).collect()
    };
    let (gone, new) = (other(before, now), other(now, before));
    let mut store = history.lock();
    for group in gone {
        store.changed(&group, seconds(at), "The group is gone: it was deleted, or its last offset expired");
    }
    for group in new {
        let again = store.series(&group).is_some();
        let words = if again { "The group was created anew" } else { "The group was created" };
        store.changed(&group, seconds(at), words);
    }
}

fn step_of(sample: &Sample) -> Option<u32> {
    sample.as_of.map(|at| seconds(at) / Resolution::Seconds10.seconds())
}

impl Recorder {
    async fn take(&mut self, cluster: &ClusterSnapshot, history: &History) {
        let sample = &cluster.sample;
        let Some(as_of) = sample.as_of else { return };
        // Published again, or a refresh that failed and brought nothing.
        if self.last.as_ref().is_some_and(|last| last.as_of == Some(as_of)) {
            return;
        }
        if let Some(last) = self.last.as_deref().filter(|last| last.as_of.is_some()) {
            came_and_went(last, sample, as_of, history);
        }
        for (group, what) in self.agents.take(cluster) {
            let at = seconds(cluster.made_at);
            match what {
                AgentEvent::Deployment(words) => history.lock().deployed(&group, at, &words),
                AgentEvent::FailedCalls(count) => history.lock().calls_failed(&group, at, count),
            }
        }
        let is_new_step = self.reference.as_deref().and_then(step_of) != step_of(sample);
        let before = self.last.as_deref();
        let reference = self.reference.as_deref().filter(|_| is_new_step);
        let groups: Vec<(&GroupData, &Judged)> = cluster.groups().collect();
        for some in groups.chunks(AT_ONCE) {
            {
                let mut store = history.lock();
                for (group, judged) in some.iter().filter(|(group, _)| group.as_of == Some(as_of)) {
                    let old = |sample: Option<&Sample>| sample.and_then(|one| one.group(&group.id)).cloned();
                    let seen =
                        Seen { group, level: judged.level, before: old(before), reference: old(reference) };
                    write(&mut store, &seen);
                }
            }
            tokio::task::yield_now().await;
        }
        if is_new_step {
            self.reference = Some(Arc::clone(sample));
        }
        self.last = Some(Arc::clone(sample));
    }
}

/// One group's reading, and those before it.
struct Seen<'a> {
    group: &'a GroupData,
    level: Level,
    before: Option<Arc<GroupData>>,
    /// Of the step before, where this reading begins another one.
    reference: Option<Arc<GroupData>>,
}

fn write(store: &mut Store, seen: &Seen<'_>) {
    let group = seen.group;
    let Some(at) = group.as_of.map(seconds) else { return };
    if !group.kind.has_lag() {
        return;
    }
    let time_lag = group.time_lag.map(|lag| lag.millis);
    store.read(&group.id, at, group.sum.at_least.or(group.sum.lag), time_lag);
    for words in group.changed.iter() {
        store.changed(&group.id, at, words);
    }
    if let Some(began) = seen.before.as_ref().and_then(|before| rebalance(before, group)) {
        store.rebalanced(&group.id, began);
    }
    if seen.level >= Level::Warning || store.is_viewed(&group.id, at) {
        write_partitions(store, group, at);
    }
    if let Some(reference) = &seen.reference {
        write_flow(store, reference, group);
    }
}

/// In seconds.
fn rebalance(before: &GroupData, now: &GroupData) -> Option<u32> {
    let seen = |one: &GroupData| (one.rebalancing_since, one.members_since);
    rebalance::began(seen(before), seen(now)).map(seconds)
}

fn write_partitions(store: &mut Store, group: &GroupData, at: u32) {
    let mut rows: Vec<_> = group.partitions(false).map(|one| (lag(&one), one)).collect();
    if rows.len() > PARTITIONS {
        rows.sort_by_key(|(lag, _)| std::cmp::Reverse(*lag));
        rows.truncate(PARTITIONS);
    }
    let read = rows.iter().map(|(lag, one)| PartitionRead {
        topic: one.topic,
        partition: one.commit.partition,
        lag: *lag,
        time_lag_millis: one.time_lag(group.ends.read_at).map(|lag| lag.millis),
    });
    store.read_partitions(&group.id, at, read);
}

fn lag(one: &PartitionData<'_>) -> Option<u64> {
    match one.reading.lag() {
        Lag::Known(lag) => Some(lag),
        Lag::Unknown(_) => one.reading.is_empty_and_untouched().then_some(0),
    }
}

fn write_flow(store: &mut Store, before: &GroupData, now: &GroupData) {
    // Counts of a group that went away and came back have begun anew.
    if before.watched_since != now.watched_since || before.watched_since.is_none() {
        return;
    }
    let (from, to) = (before.flow.at(), now.flow.at());
    if from >= to {
        return;
    }
    let each = Resolution::Seconds10.seconds();
    let steps = seconds(from) / each..seconds(to) / each;
    let rate = |before: u64, now: u64| Rate::of(now.saturating_sub(before), to.since(from)).thousandths();
    let input = rate(before.flow.written(), now.flow.written());
    let output = rate(before.flow.committed(), now.flow.committed());
    store.flowed(&now.id, steps, input, output);
}

impl Store {
    /// Somebody looks at the group's page.
    pub fn viewed(&mut self, group: &GroupId, at: flowdeck_model::Timestamp) {
        self.views.retain(|_, viewed| at.since(*viewed) < VIEWED);
        self.views.insert(group.clone(), at);
    }

    /// Those that somebody looks at, the newest first.
    pub fn viewed_groups(&self, now: flowdeck_model::Timestamp) -> Vec<GroupId> {
        let mut viewed: Vec<_> = self.views.iter().filter(|(_, at)| now.since(**at) < VIEWED).collect();
        viewed.sort_by(|(a, first), (b, second)| second.cmp(first).then_with(|| a.cmp(b)));
        viewed.into_iter().map(|(id, _)| id.clone()).collect()
    }

    pub(super) fn is_viewed(&self, group: &GroupId, at: u32) -> bool {
        self.views
            .get(group)
            .is_some_and(|viewed| u64::from(at.saturating_sub(seconds(*viewed))) < VIEWED.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flowdeck_kafka::{ClusterConfig, Topic};
    use flowdeck_model::lag::Precision;
    use flowdeck_model::rate::Flow;
    use flowdeck_model::verdict::LagSum;
    use flowdeck_model::{Partition, TimeLag, TopicName};

    use crate::sampling::sample::{CommitRow, Ends, LogRow, Mark, TopicRows};
    use crate::settings::ClusterSettings;
    use crate::snapshot::Parts;

    /// With one partition of topic `t`; the time lag in seconds is the lag. `(written, committed)` since 0.
    fn group(id: &str, at: i64, lag: u64, (written, committed): (u64, u64)) -> GroupData {
        let topic: Topic = Arc::new("t".parse().unwrap());
        let zero = Partition::new(0).unwrap();
        let now = Timestamp::from_millis(at * 1_000);
        let row = CommitRow { partition: zero, mark: Mark::Fine, moved: 0, offset: 0 };
        let log = LogRow::new(zero, None, Some(0), Some(lag as i64));
        GroupData {
            sum: LagSum { lag: Some(lag), at_least: Some(lag), ..LagSum::default() },
            time_lag: Some(TimeLag { millis: lag * 1_000, precision: Precision::Estimate }),
            flow: Flow::new(Timestamp::from_millis(0)).counted(now, written, committed),
            watched_since: Some(Timestamp::from_millis(0)),
            ends: Arc::new(Ends::test([(Arc::clone(&topic), log)])),
            rows: Arc::from([TopicRows { topic, rows: Box::from([row]) }]),
            as_of: Some(now),
            ..GroupData::test(id)
        }
    }

    fn snapshot(at: i64, groups: Vec<GroupData>) -> ClusterSnapshot {
        let settings = ClusterSettings::new("demo".parse().unwrap(), ClusterConfig::new("localhost:1"));
        let now = Timestamp::from_millis(at * 1_000);
        let groups = groups.into_iter().map(Arc::new).collect();
        let sample = Arc::new(Sample { as_of: Some(now), groups, ..Sample::default() });
        ClusterSnapshot::compose(Arc::new(settings), sample, Parts::default(), now)
    }

    async fn taken(all: Vec<(i64, Vec<GroupData>)>) -> History {
        let (history, mut recorder) = (History::default(), Recorder::default());
        for (at, groups) in all {
            recorder.take(&snapshot(at, groups), &history).await;
        }
        history
    }

    fn point(history: &History, step: u32) -> super::super::Point {
        history.lock().series(&"g".into()).unwrap().ring(Resolution::Seconds10).get(step)
    }

    #[tokio::test]
    async fn a_step_has_the_highest_lag_and_the_rates_of_its_time() {
        let history = taken(vec![
            (100, vec![group("g", 100, 50, (0, 0))]),
            (104, vec![group("g", 104, 90, (40, 0))]),
            (108, vec![group("g", 108, 30, (40, 60))]),
            (112, vec![group("g", 112, 14, (48, 84))]),
        ])
        .await;
        let first = point(&history, 10);
        // 90 s, cut off.
        assert_eq!((first.lag, first.time_lag_millis), (Some(90), Some(89_984)));
        // 48 and 84 records in 12 s.
        assert_eq!((first.input_milli, first.output_milli), (Some(4_000), Some(7_000)));
        assert_eq!((point(&history, 11).lag, point(&history, 11).input_milli), (Some(14), None));
    }

    #[tokio::test]
    async fn what_was_not_read_is_a_gap() {
        let old = || vec![group("g", 100, 10, (0, 0))];
        let history =
            taken(vec![(100, old()), (110, old()), (120, old()), (130, vec![group("g", 130, 37, (30, 3))])])
                .await;
        assert_eq!([10, 11, 12, 13].map(|step| point(&history, step).lag), [Some(10), None, None, Some(37)]);
        // What flowed meanwhile is known all the same.
        assert_eq!([10, 12].map(|step| point(&history, step).input_milli), [Some(1_000), Some(1_000)]);
    }

    #[tokio::test]
    async fn partitions_are_followed_while_somebody_looks() {
        let history = taken(vec![(100, vec![group("g", 100, 5, (0, 0))])]).await;
        let topic: TopicName = "t".parse().unwrap();
        let zero = Partition::new(0).unwrap();
        let lag = |history: &History| {
            let store = history.lock();
            let ring = store.partition_ring(&"g".into(), &topic, zero, Resolution::Seconds10);
            ring.map(|ring| ring.get(11).lag)
        };
        assert_eq!(lag(&history), None);
        history.lock().viewed(&"g".into(), Timestamp::from_millis(105_000));
        let mut recorder = Recorder::default();
        recorder.take(&snapshot(110, vec![group("g", 110, 7, (0, 0))]), &history).await;
        assert_eq!(lag(&history), Some(Some(7)));
    }

    #[test]
    fn a_rebalance_is_seen_by_its_state_or_by_other_members() {
        let at = |second: i64| Some(Timestamp::from_millis(second * 1_000));
        let seen = |rebalancing, members| GroupData {
            rebalancing_since: rebalancing,
            members_since: members,
            ..GroupData::test("g")
        };
        for (before, now, want) in [
            (seen(None, at(5)), seen(None, at(5)), None),
            (seen(None, at(5)), seen(at(7), at(5)), Some(7)),
            (seen(at(7), at(5)), seen(None, at(9)), None),
            (seen(None, at(5)), seen(None, at(9)), Some(9)),
            (seen(None, None), seen(None, at(9)), None),
        ] {
            assert_eq!(rebalance(&before, &now), want);
        }
    }
}
