//! Which of the records of several partitions are shown, and in which order. Pure.
//!
//! A record's own time cannot order it: producers' clocks differ, go back and lie, and a partition's
//! order is that of its offsets. So each record has a key: the greatest plausible time of it and of the
//! records before it in what was read. Within a partition keys never decrease with the offset, so that
//! merging by key never breaks a partition's order, and a partition's last record is placed beside what was
//! written just before it, whatever its own time says.

use std::collections::VecDeque;

use flowdeck_model::Partition;

use super::Record;

/// How far a producer's clock may be ahead of ours for its times to count.
const SKEW_MILLIS: i64 = 5 * 60 * 1_000;

/// What records are ordered by across partitions. `None`, the least: no plausible time was seen yet.
pub(super) type Key = Option<i64>;

/// One partition's records that were read, in the order of offsets and without a hole between them.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) partition: Partition,
    pub(super) records: VecDeque<Record>,
    /// The key of what was read before the first record and is not kept.
    pub(super) before: Key,
}

/// From which end records are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Newest,
    Oldest,
}

/// The key after a record with this time. `now`: the time of the read, in milliseconds.
pub(super) fn key_after(before: Key, millis: Option<i64>, now: i64) -> Key {
    before.max(millis.filter(|millis| (0..=now.saturating_add(SKEW_MILLIS)).contains(millis)))
}

impl Lane {
    pub(super) fn new(partition: Partition) -> Self {
        Self { partition, records: VecDeque::new(), before: None }
    }

    fn keys(&self, now: i64) -> Vec<Key> {
        let mut key = self.before;
        let keys = self.records.iter().map(|record| {
            key = key_after(key, record.millis(), now);
            key
        });
        keys.collect()
    }
}

/// The lanes (by their places) from which the first `most` records come, one entry for each record.
pub(super) fn order(lanes: &[Lane], side: Side, most: usize, now: i64) -> Vec<usize> {
    let keys: Vec<Vec<Key>> = lanes.iter().map(|lane| lane.keys(now)).collect();
    let mut taken = vec![0usize; lanes.len()];
    let mut order = Vec::new();
    while order.len() < most {
        let head = |place: usize| {
            let (keys, taken) = (&keys[place], taken[place]);
            let at = match side {
                Side::Newest => keys.len().checked_sub(taken + 1)?,
                Side::Oldest => taken,
            };
            // Where no time is known at all, partitions take turns.
            keys.get(at)
                .map(|key| (*key, if key.is_none() { taken } else { 0 }, lanes[place].partition, place))
        };
        let heads = (0..lanes.len()).filter_map(head);
        let next = match side {
            Side::Newest => {
                heads.min_by_key(|&(key, turn, partition, _)| (std::cmp::Reverse(key), turn, partition))
            }
            Side::Oldest => heads.min_by_key(|&(key, turn, partition, _)| (key, turn, partition)),
        };
        let Some((_, _, _, place)) = next else { break };
        taken[place] += 1;
        order.push(place);
    }
    order
}

/// Takes `most` records, and of those what fits in `bytes`, but always one. What is left of a partition
/// lies beyond what was taken of it. Tells how many bytes were taken.
pub(super) fn take(
    lanes: &mut [Lane],
    side: Side,
    most: usize,
    bytes: usize,
    now: i64,
) -> (Vec<Record>, usize) {
    let (mut merged, mut kept) = (Vec::new(), 0);
    for place in order(lanes, side, most, now) {
        let records = &mut lanes[place].records;
        let head = match side {
            Side::Newest => records.back(),
            Side::Oldest => records.front(),
        };
        let Some(size) = head.map(Record::kept) else { break };
        if !merged.is_empty() && kept + size > bytes {
            break;
        }
        kept += size;
        merged.extend(match side {
            Side::Newest => records.pop_back(),
            Side::Oldest => records.pop_front(),
        });
    }
    (merged, kept)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::{RecordTime, TimeKind};

    const NOW: i64 = 1_795_270_137_123;
    const DAY: i64 = 86_400_000;
    const YEAR: i64 = 365 * DAY;

    fn record(partition: i32, offset: i64, millis: i64, size: usize) -> Record {
        Record {
            topic: Arc::new("t".parse().unwrap()),
            partition: Partition::new(partition).unwrap(),
            offset,
            timestamp: Some(RecordTime { millis, kind: TimeKind::Created }),
            key: None,
            key_size: 0,
            value: Some(Bytes::from(vec![0; size])),
            value_size: size,
            headers: vec![],
            transaction: crate::Transaction::Unknown,
        }
    }

    /// A lane whose offsets begin at 0.
    fn lane(partition: i32, times: impl IntoIterator<Item = i64>) -> Lane {
        let records = times.into_iter().zip(0..).map(|(millis, offset)| record(partition, offset, millis, 1));
        Lane { records: records.collect(), ..Lane::new(Partition::new(partition).unwrap()) }
    }

    fn places(records: &[Record]) -> Vec<(i32, i64)> {
        records.iter().map(|record| (record.partition.get(), record.offset)).collect()
    }

    fn taken(lanes: &mut [Lane], side: Side, most: usize) -> Vec<(i32, i64)> {
        places(&take(lanes, side, most, 1_000_000, NOW).0)
    }

    #[test]
    fn newest_has_the_newest_offsets_of_a_partition_whose_last_times_are_old() {
        // 30 records of yesterday, and then 5 with last year's time.
        let times = (0..30).map(|n| NOW - DAY + n).chain((0..5).map(|n| NOW - YEAR + n));
        let newest = taken(&mut [lane(0, times)], Side::Newest, 8);
        assert_eq!(newest, (27..=34).rev().map(|offset| (0, offset)).collect::<Vec<_>>());
    }

    #[test]
    fn newest_over_partitions_has_the_last_offsets_of_each_beside_what_came_before_them() {
        let yesterday = |n: i64| NOW - DAY + n;
        let late = (0..100).map(yesterday).chain((0..5).map(|n| NOW - YEAR + n));
        let mut lanes = [lane(0, (0..100).map(yesterday)), lane(1, (0..100).map(yesterday)), lane(2, late)];
        let newest = taken(&mut lanes, Side::Newest, 50);
        // Of partitions 0 and 1 the last record has the time of partition 2's record 99, and of 100 to 104.
        let mut want = vec![(0, 99), (1, 99)];
        want.extend((99..=104).rev().map(|offset| (2, offset)));
        want.extend((85..=98).rev().flat_map(|offset| [(0, offset), (1, offset), (2, offset)]));
        assert_eq!(newest, want);
    }

    #[test]
    fn an_absurd_time_lifts_no_partition() {
        for absurd in [i64::MAX, NOW * 1_000, NOW + YEAR, -7, i64::MIN] {
            let mut lanes = [lane(0, [NOW - 50, absurd, NOW - 40]), lane(1, [NOW - 45, NOW - 20])];
            let newest = taken(&mut lanes, Side::Newest, 9);
            assert_eq!(newest, [(1, 1), (0, 2), (1, 0), (0, 1), (0, 0)], "{absurd}");
            let mut lanes = [lane(0, [NOW - 50, absurd, NOW - 40]), lane(1, [NOW - 45, NOW - 20])];
            let oldest = taken(&mut lanes, Side::Oldest, 9);
            assert_eq!(oldest, [(0, 0), (0, 1), (1, 0), (0, 2), (1, 1)], "{absurd}");
        }
    }

    #[test]
    fn partitions_take_turns_where_no_time_is_plausible() {
        let mut lanes = [lane(0, [i64::MAX; 3]), lane(1, [i64::MAX; 3])];
        assert_eq!(taken(&mut lanes, Side::Newest, 4), [(0, 2), (1, 2), (0, 1), (1, 1)]);
    }

    #[test]
    fn oldest_first_keeps_a_partitions_order_where_its_clock_goes_back() {
        let mut lanes = [lane(0, [50, 10, 60]), lane(1, [20, 55])];
        assert_eq!(taken(&mut lanes, Side::Oldest, 4), [(1, 0), (0, 0), (0, 1), (1, 1)]);
        assert_eq!(lanes[0].records.front().map(|left| left.offset), Some(2));
    }

    #[test]
    fn what_was_read_before_counts() {
        let late = Lane { before: Some(90), ..lane(0, [10, 20]) };
        assert_eq!(taken(&mut [late, lane(1, [80])], Side::Newest, 3), [(0, 1), (0, 0), (1, 0)]);
    }

    #[test]
    fn one_record_always_fits() {
        for (sizes, most, bytes, stay) in [
            (vec![10, 10, 10], 2, 100, 2),
            (vec![10, 10, 10], 9, 20, 2),
            (vec![10, 10], 9, 5, 1),
            (vec![], 9, 5, 0),
        ] {
            for side in [Side::Newest, Side::Oldest] {
                let records =
                    sizes.iter().zip(0..).map(|(&size, offset)| record(0, offset, 0, size)).collect();
                let mut lanes = [Lane { records, ..Lane::new(Partition::new(0).unwrap()) }];
                let (merged, kept) = take(&mut lanes, side, most, bytes, NOW);
                assert_eq!((merged.len(), kept), (stay, stay * 10), "{sizes:?} {most} {bytes}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_partition_is_reordered_and_none_has_a_hole(
            times in prop::collection::vec(prop::collection::vec(prop_oneof![0..NOW, any::<i64>()], 0..20), 1..5),
            most in 0usize..60,
        ) {
            for side in [Side::Newest, Side::Oldest] {
                let mut lanes: Vec<_> =
                    times.iter().zip(0..).map(|(times, partition)| lane(partition, times.iter().copied())).collect();
                let all: usize = times.iter().map(Vec::len).sum();
                let merged = taken(&mut lanes, side, most);
                prop_assert_eq!(merged.len(), most.min(all));
                for (lane, times) in lanes.iter().zip(&times) {
                    let mut own: Vec<i64> = merged
                        .iter()
                        .filter(|(partition, _)| *partition == lane.partition.get())
                        .map(|(_, offset)| *offset)
                        .collect();
                    let left = lane.records.iter().map(|record| record.offset);
                    let whole: Vec<i64> = match side {
                        Side::Newest => { own.reverse(); left.chain(own).collect() }
                        Side::Oldest => own.into_iter().chain(left).collect(),
                    };
                    prop_assert_eq!(whole, (0..times.len() as i64).collect::<Vec<_>>());
                }
            }
        }
    }
}
