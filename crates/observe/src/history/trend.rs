//! A few numbers that show a lag's course: for a line in a table.

use flowdeck_model::{GroupId, Partition, Timestamp, TopicName};

use super::ring::Ring;
use super::series::Resolution;
use super::store::{Store, seconds};

/// Of groups: the last hour. Of partitions: the last 15 minutes. The newest is last and not over yet.
const POINTS: u32 = 30;

impl Store {
    /// The highest lag of every two minutes of the last hour; empty where nothing is known of it.
    pub fn group_trend(&self, group: &GroupId, now: Timestamp) -> Vec<Option<u64>> {
        let ring = self.series(group).map(|series| series.ring(Resolution::Minute));
        ring.map(|ring| course(ring, seconds(now) / Resolution::Minute.seconds(), 2)).unwrap_or_default()
    }

    /// The highest lag of every 30 s of the last 15 minutes; empty where it was not followed.
    pub fn partition_trend(
        &self,
        group: &GroupId,
        topic: &TopicName,
        partition: Partition,
        now: Timestamp,
    ) -> Vec<Option<u64>> {
        let ring = self.partition_ring(group, topic, partition, Resolution::Seconds10);
        ring.map(|ring| course(ring, seconds(now) / Resolution::Seconds10.seconds(), 3)).unwrap_or_default()
    }
}

fn course(ring: &Ring, newest: u32, each: u32) -> Vec<Option<u64>> {
    let last = newest / each;
    let of = |n: u32| (n * each..(n + 1) * each).filter_map(|step| ring.get(step).lag).max();
    let all: Vec<Option<u64>> = (last.saturating_sub(POINTS - 1)..=last).map(of).collect();
    if all.iter().all(Option::is_none) { Vec::new() } else { all }
}
