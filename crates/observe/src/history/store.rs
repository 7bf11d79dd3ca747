//! The series of a cluster's groups, and of some partitions, within a bound. Pure: it has no clock.

use std::collections::HashMap;
use std::ops::Range;

use flowdeck_kafka::Topic;
use flowdeck_model::view::HistoryStorage;
use flowdeck_model::{GroupId, Partition, Timestamp, TopicName};

use super::ring::{Point, Ring};
use super::series::{Resolution, Series};

#[derive(Debug, Clone, Copy)]
pub struct StoreLimits {
    pub groups: usize,
    pub partitions: usize,
}

impl Default for StoreLimits {
    fn default() -> Self {
        Self { groups: 12_000, partitions: 2_000 }
    }
}

/// A group that was not read for so long may make place for another, in seconds.
const IDLE: u32 = 15 * 60;
/// A group whose partitions were not read for so long is not followed any more, in seconds.
const FOLLOWED: u32 = 5 * 60;
/// After a search for one in vain, in seconds.
const SEARCH_AGAIN: u32 = 60;

pub struct Store {
    limits: StoreLimits,
    groups: HashMap<GroupId, Series>,
    partitions: HashMap<GroupId, Partitions>,
    partition_count: usize,
    /// As `full_until`, of partitions.
    partitions_full_until: u32,
    /// Before this second there is no place, and none is searched for.
    full_until: u32,
    /// Groups whose page somebody looked at of late, and when.
    pub(super) views: HashMap<GroupId, Timestamp>,
    pub storage: HistoryStorage,
    /// Why minutes could not be read from the topic, or written to it, when that was last tried.
    pub problems: Problems,
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Problems {
    pub read: Option<String>,
    pub write: Option<String>,
}

/// The partitions of one group.
#[derive(Default)]
struct Partitions {
    series: HashMap<(Topic, Partition), PartitionSeries>,
    /// When they were last written, in seconds.
    written: u32,
}

/// One reading of a partition.
pub(super) struct PartitionRead<'a> {
    pub(super) topic: &'a Topic,
    pub(super) partition: Partition,
    pub(super) lag: Option<u64>,
    pub(super) time_lag_millis: Option<u64>,
}

struct PartitionSeries {
    seconds: Ring,
    minutes: Ring,
}

impl Default for Store {
    fn default() -> Self {
        Self::new(StoreLimits::default())
    }
}

pub(super) fn seconds(at: Timestamp) -> u32 {
    u32::try_from(at.millis() / 1_000).unwrap_or(u32::MAX)
}

impl Store {
    pub fn new(limits: StoreLimits) -> Self {
        Self {
            limits,
            groups: HashMap::new(),
            partitions: HashMap::new(),
            partition_count: 0,
            partitions_full_until: 0,
            full_until: 0,
            views: HashMap::new(),
            storage: HistoryStorage::Memory,
            problems: Problems::default(),
        }
    }

    pub(super) fn series(&self, group: &GroupId) -> Option<&Series> {
        self.groups.get(group)
    }

    /// What was read of a group: the step has the highest lag of all its readings.
    pub(super) fn read(&mut self, group: &GroupId, at: u32, lag: Option<u64>, time_lag_millis: Option<u64>) {
        let step = at / Resolution::Seconds10.seconds();
        self.change(group, step, |point| Point {
            lag: point.lag.max(lag),
            time_lag_millis: point.time_lag_millis.max(time_lag_millis),
            ..point
        });
    }

    /// The rates of these steps, in thousandths of a record a second.
    pub(super) fn flowed(&mut self, group: &GroupId, steps: Range<u32>, input: u64, output: u64) {
        let kept = u32::try_from(Resolution::Seconds10.kept()).unwrap_or(u32::MAX);
        for step in steps.start.max(steps.end.saturating_sub(kept))..steps.end {
            self.change(group, step, |point| Point {
                input_milli: Some(input),
                output_milli: Some(output),
                ..point
            });
        }
    }

    fn change(&mut self, group: &GroupId, step: u32, change: impl FnOnce(Point) -> Point) {
        let second = step.saturating_mul(Resolution::Seconds10.seconds());
        let Some(series) = self.series_mut(group, second) else { return };
        let point = change(series.ring(Resolution::Seconds10).get(step));
        series.set(step, point);
    }

    pub(super) fn rebalanced(&mut self, group: &GroupId, at: u32) {
        if let Some(series) = self.groups.get_mut(group) {
            series.rebalanced(at);
        }
    }

    pub(super) fn changed(&mut self, group: &GroupId, at: u32, words: &str) {
        if let Some(series) = self.series_mut(group, at) {
            series.changes.push(at, words);
        }
    }

    pub(super) fn deployed(&mut self, group: &GroupId, at: u32, words: &str) {
        if let Some(series) = self.series_mut(group, at) {
            series.deployments.push(at, words);
        }
    }

    pub(super) fn calls_failed(&mut self, group: &GroupId, at: u32, count: u32) {
        if let Some(series) = self.series_mut(group, at) {
            series.failed_calls.add(at, count);
        }
    }

    /// `None`: there is no place for it.
    pub(super) fn series_mut(&mut self, group: &GroupId, now: u32) -> Option<&mut Series> {
        if !self.groups.contains_key(group) {
            if !self.make_place(now) {
                return None;
            }
            self.groups.insert(group.clone(), Series::new());
        }
        self.groups.get_mut(group)
    }

    pub(super) fn all_series(&self) -> impl Iterator<Item = (&GroupId, &Series)> {
        self.groups.iter()
    }

    /// What is restored makes no other group go, and goes first itself: the group may be gone.
    pub(super) fn series_to_restore(&mut self, group: &GroupId) -> Option<&mut Series> {
        if !self.groups.contains_key(group) {
            if self.groups.len() >= self.limits.groups {
                return None;
            }
            self.groups.insert(group.clone(), Series::new());
        }
        self.groups.get_mut(group)
    }

    /// The one that was not written for the longest time goes.
    fn make_place(&mut self, now: u32) -> bool {
        if self.groups.len() < self.limits.groups {
            return true;
        }
        if now < self.full_until {
            return false;
        }
        let oldest = self.groups.iter().min_by_key(|(_, series)| series.written);
        match oldest.filter(|(_, series)| now.saturating_sub(series.written) > IDLE) {
            Some((id, _)) => {
                let id = id.clone();
                self.groups.remove(&id);
                true
            }
            None => {
                self.full_until = now.saturating_add(SEARCH_AGAIN);
                false
            }
        }
    }

    /// Nothing is known of this group since there are too many.
    pub(super) fn is_full_without(&self, group: &GroupId) -> bool {
        self.groups.len() >= self.limits.groups && !self.groups.contains_key(group)
    }

    /// What was read of partitions of a group whose partitions are followed now.
    pub(super) fn read_partitions<'a>(
        &mut self,
        group: &GroupId,
        at: u32,
        read: impl IntoIterator<Item = PartitionRead<'a>>,
    ) {
        let mut is_full = false;
        for one in read {
            let place = (Topic::clone(one.topic), one.partition);
            let known = self.partitions.get(group).is_some_and(|all| all.series.contains_key(&place));
            is_full = is_full || (!known && !self.make_place_for_partition(group, at));
            if is_full && !self.partitions.contains_key(group) {
                return;
            }
            if is_full && !known {
                continue;
            }
            let all = self.partitions.entry(group.clone()).or_default();
            all.written = all.written.max(at);
            let before = all.series.len();
            let series = all.series.entry(place).or_insert_with(PartitionSeries::new);
            series.read(at / Resolution::Seconds10.seconds(), one.lag, one.time_lag_millis);
            self.partition_count += all.series.len() - before;
        }
    }

    /// The partitions of the group that was followed the longest time ago go, never the group's own. Groups that are followed
    /// all the time do not make place for each other, or none of them would have a history; but for one that somebody looks
    /// at those do at which nobody does.
    fn make_place_for_partition(&mut self, group: &GroupId, at: u32) -> bool {
        let is_viewed = self.is_viewed(group, at);
        while self.partition_count >= self.limits.partitions {
            if at < self.partitions_full_until && !is_viewed {
                return false;
            }
            let may_go = |(id, all): &(&GroupId, &Partitions)| {
                let left = at.saturating_sub(all.written) > FOLLOWED;
                *id != group && (left || (is_viewed && !self.is_viewed(id, at)))
            };
            let oldest = self.partitions.iter().filter(may_go).min_by_key(|(_, all)| all.written);
            let Some((oldest, _)) = oldest else {
                self.partitions_full_until = at.saturating_add(SEARCH_AGAIN);
                return false;
            };
            let oldest = oldest.clone();
            let gone = self.partitions.remove(&oldest).map_or(0, |all| all.series.len());
            self.partition_count -= gone;
        }
        true
    }

    /// The fine rings of the partitions that are followed.
    pub(super) fn partition_rings(
        &self,
        group: &GroupId,
    ) -> impl Iterator<Item = (&TopicName, Partition, &Ring)> {
        let all = self.partitions.get(group).into_iter().flat_map(|all| &all.series);
        all.map(|((topic, partition), series)| (topic.as_ref(), *partition, &series.seconds))
    }

    pub(super) fn partition_ring(
        &self,
        group: &GroupId,
        topic: &TopicName,
        partition: Partition,
        resolution: Resolution,
    ) -> Option<&Ring> {
        let series = &self.partitions.get(group)?.series;
        let (_, found) = series.iter().find(|((t, p), _)| t.as_ref() == topic && *p == partition)?;
        match resolution {
            Resolution::Seconds10 => Some(&found.seconds),
            Resolution::Minute => Some(&found.minutes),
            Resolution::Minutes15 => None,
        }
    }

    /// What it takes of memory: names, tables and rings.
    pub fn bytes(&self) -> usize {
        let groups = self.groups.capacity() * size_of::<(GroupId, Series)>();
        let series: usize = self
            .groups
            .iter()
            .map(|(id, series)| id.as_str().len() + series.bytes() - size_of::<Series>())
            .sum();
        let partitions: usize = self
            .partitions
            .values()
            .flat_map(|all| all.series.values())
            .map(|one| one.seconds.bytes() + one.minutes.bytes() + size_of::<(Topic, Partition)>())
            .sum();
        groups + series + partitions
    }
}

impl PartitionSeries {
    fn new() -> Self {
        Self {
            seconds: Ring::new(Resolution::Seconds10.kept()),
            minutes: Ring::new(Resolution::Minute.kept()),
        }
    }

    fn read(&mut self, step: u32, lag: Option<u64>, time_lag_millis: Option<u64>) {
        let point = self.seconds.get(step);
        let highest = Point {
            lag: point.lag.max(lag),
            time_lag_millis: point.time_lag_millis.max(time_lag_millis),
            ..point
        };
        self.seconds.set(step, highest);
        let minute = step / 6;
        let folded = Point::fold((minute * 6..minute * 6 + 6).map(|part| self.seconds.get(part)));
        self.minutes.set(minute, folded);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn id(n: usize) -> GroupId {
        format!("prod-eu.orders.consumer-group-{n:06}").into()
    }

    fn topic() -> Topic {
        Arc::new("orders".parse().unwrap())
    }

    #[test]
    fn ten_thousand_groups_take_at_most_150_mb() {
        let mut store = Store::default();
        for n in 0..10_000 {
            store.read(&id(n), 1_795_270_130, Some(n as u64), Some(5));
            store.rebalanced(&id(n), 1_795_270_130);
        }
        for n in 0..3_000 {
            read_partitions(&mut store, n, 1_795_270_130, &[0]);
        }
        assert_eq!(store.partition_count, 2_000);
        let megabytes = store.bytes() / 1_000_000;
        assert!((100..150).contains(&megabytes), "{megabytes} MB");
        // Nothing grows with time.
        let before = store.bytes();
        for second in (0..7 * 86_400).step_by(600) {
            store.read(&id(0), 1_795_270_130 + second, Some(1), None);
            store.rebalanced(&id(0), 1_795_270_130 + second);
        }
        assert!(store.bytes() - before < 1_000);
    }

    #[test]
    fn ten_thousand_groups_that_are_restored_take_as_much() {
        let (mut store, mut restore) = (Store::default(), crate::history::Restore::default());
        const MINUTE: u32 = 1_795_270_080 / 60;
        for back in (0..7 * 1_440).step_by(1_009) {
            let groups = (0..10_000).map(|n| flowdeck_protocol::wire::GroupMinute {
                group: id(n),
                lag: Some(5),
                time_lag_millis: Some(5),
                input_milli: Some(1),
                output_milli: None,
                events: vec![flowdeck_protocol::wire::MinuteEvent {
                    second: 7,
                    what: flowdeck_protocol::wire::MinuteEventKind::Rebalance,
                }],
            });
            restore.take(&mut store, MINUTE - back, groups.collect());
        }
        restore.finish(&mut store);
        let megabytes = store.bytes() / 1_000_000;
        assert!((100..150).contains(&megabytes), "{megabytes} MB");
    }

    /// A lag for each 10 s of each group; some are not known.
    fn lag_of(group: usize, step: u32) -> Option<u64> {
        let hash = (u64::from(step) + group as u64 * 7_919).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
        (!hash.is_multiple_of(11)).then_some(hash % 100_000)
    }

    #[test]
    fn a_day_of_readings_is_kept_as_it_was_and_takes_no_more_than_its_first_hour() {
        const GROUPS: usize = 40;
        const DAY: u32 = 8_640;
        const FIRST: u32 = 179_527_680;
        let mut store = Store::default();
        let mut first_hour = 0;
        for step in FIRST..FIRST + DAY {
            for group in 0..GROUPS {
                store.read(&id(group), step * 10, lag_of(group, step), Some(5));
                store.flowed(&id(group), step..step + 1, 1_000, 2_000);
            }
            if step == FIRST + 360 {
                first_hour = store.bytes();
            }
        }
        assert_eq!(store.bytes(), first_hour);
        let (first, last) = (FIRST, FIRST + DAY - 1);
        for (resolution, parts) in
            [(Resolution::Seconds10, 1), (Resolution::Minute, 6), (Resolution::Minutes15, 90)]
        {
            let kept = u32::try_from(resolution.kept()).unwrap().min(DAY / parts);
            for (group, back) in (0..GROUPS).flat_map(|group| (0..kept).map(move |back| (group, back))) {
                let step = last / parts - back;
                let read = (step * parts).max(first)..((step + 1) * parts).min(last + 1);
                let highest = read.filter_map(|step| lag_of(group, step)).max();
                let kept = store.series(&id(group)).unwrap().ring(resolution).get(step);
                assert_eq!(kept.lag, highest, "{resolution:?}, step {step} of group {group}");
            }
        }
    }

    #[test]
    fn a_group_that_is_not_read_any_more_makes_place() {
        let mut store = Store::new(StoreLimits { groups: 2, partitions: 1 });
        store.read(&id(0), 1_000, Some(1), None);
        store.read(&id(1), 2_000, Some(1), None);
        store.read(&id(1), 1_000 + IDLE, Some(1), None);
        store.read(&id(2), 1_000 + IDLE, Some(1), None);
        assert!(store.is_full_without(&id(2)), "both are read");
        store.read(&id(2), 1_000 + IDLE + SEARCH_AGAIN, Some(1), None);
        assert!(store.series(&id(0)).is_none() && store.series(&id(2)).is_some());
    }

    #[test]
    fn partitions_that_were_followed_the_longest_time_ago_make_place() {
        let mut store = Store::new(StoreLimits { groups: 9, partitions: 2 });
        read_partitions(&mut store, 0, 1_000, &[0]);
        read_partitions(&mut store, 1, 2_000, &[0, 1, 2]);
        assert_eq!((partitions(&store, 0), partitions(&store, 1)), (0, 2));
        assert_eq!(store.partition_count, 2, "a group does not drive out its own");
    }

    #[test]
    fn groups_that_are_followed_do_not_drive_out_each_other() {
        let mut store = Store::new(StoreLimits { groups: 9, partitions: 2 });
        for second in 1_000..1_000 + 3 * SEARCH_AGAIN {
            read_partitions(&mut store, 0, second, &[0, 1]);
            read_partitions(&mut store, 1, second, &[0]);
        }
        assert_eq!((partitions(&store, 0), partitions(&store, 1)), (2, 0));
        // Somebody looks at the second one.
        let now = 1_000 + 3 * SEARCH_AGAIN;
        store.viewed(&id(1), Timestamp::from_millis(i64::from(now) * 1_000));
        read_partitions(&mut store, 1, now, &[0]);
        read_partitions(&mut store, 0, now, &[0, 1]);
        assert_eq!((partitions(&store, 0), partitions(&store, 1)), (1, 1));
        // And neither at it nor at its lag any more.
        let later = now + FOLLOWED + SEARCH_AGAIN;
        read_partitions(&mut store, 0, later, &[0, 1]);
        assert_eq!((partitions(&store, 0), partitions(&store, 1)), (2, 0));
    }

    fn read_partitions(store: &mut Store, group: usize, at: u32, partitions: &[i32]) {
        let topic = topic();
        let read = partitions.iter().map(|partition| PartitionRead {
            topic: &topic,
            partition: Partition::new(*partition).unwrap(),
            lag: Some(7),
            time_lag_millis: None,
        });
        store.read_partitions(&id(group), at, read);
    }

    /// How many of the group are kept.
    fn partitions(store: &Store, group: usize) -> usize {
        store.partition_rings(&id(group)).count()
    }
}
