//! A few numbers that show a lag's course: for a line in a table.

use std::collections::HashMap;

use flowdeck_model::{GroupId, Partition, Timestamp, TopicName};

use super::ring::Ring;
use super::series::Resolution;
use super::store::{Store, seconds};

/// Of the last 15 minutes. The newest is last and not over yet.
const POINTS: u32 = 30;
/// Of the finest steps.
const EACH: u32 = 3;

impl Store {
    /// The highest lag of every 30 s; empty where nothing is known of it.
    pub fn group_trend(&self, group: &GroupId, now: Timestamp) -> Vec<Option<u64>> {
        let ring = self.series(group).map(|series| series.ring(Resolution::Seconds10));
        ring.map(|ring| course(ring, now)).unwrap_or_default()
    }

    /// The same of the partitions that are followed.
    pub fn partition_trends(
        &self,
        group: &GroupId,
        now: Timestamp,
    ) -> HashMap<(&TopicName, Partition), Vec<Option<u64>>> {
        let rings = self.partition_rings(group);
        rings.map(|(topic, partition, ring)| ((topic, partition), course(ring, now))).collect()
    }
}

fn course(ring: &Ring, now: Timestamp) -> Vec<Option<u64>> {
    let last = seconds(now) / Resolution::Seconds10.seconds() / EACH;
    let of = |n: u32| (n * EACH..(n + 1) * EACH).filter_map(|step| ring.get(step).lag).max();
    let all: Vec<Option<u64>> = (last.saturating_sub(POINTS - 1)..=last).map(of).collect();
    if all.iter().all(Option::is_none) { Vec::new() } else { all }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trend_ends_now_and_has_the_peaks() {
        let mut store = Store::default();
        let group: GroupId = "g".into();
        let at = |halves: u32| 1_795_270_080 + halves * 30;
        let now = |halves| Timestamp::from_millis(i64::from(at(halves)) * 1_000);
        assert!(store.group_trend(&group, now(0)).is_empty());
        for (second, lag) in [(0, 5), (10, 900), (60, 7)] {
            store.read(&group, at(0) + second, Some(lag), None);
        }
        let trend = store.group_trend(&group, now(2));
        assert_eq!(trend.len(), 30);
        assert_eq!(trend[27..], [Some(900), None, Some(7)]);
        assert!(store.group_trend(&group, now(120)).is_empty());
    }
}
