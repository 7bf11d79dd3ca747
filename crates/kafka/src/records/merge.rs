//! Which of the records of several partitions are shown, and in which order. Pure.

use std::collections::VecDeque;

use flowdeck_model::Partition;

use super::Record;

/// Newest first: later times first, and within one partition higher offsets first.
pub(super) fn newest_first(records: &mut [Record]) {
    records.sort_by(|a, b| {
        let time = b.millis().cmp(&a.millis());
        time.then_with(|| a.partition.cmp(&b.partition)).then_with(|| b.offset.cmp(&a.offset))
    });
}

/// Of records that stand newest first, keeps `most`, and of those what fits in `bytes`, but always one.
/// Tells how many bytes stay.
pub(super) fn fit(records: &mut Vec<Record>, most: usize, bytes: usize) -> usize {
    records.truncate(most);
    let mut kept = 0;
    let fits = records.iter().position(|record| {
        let more = kept + record.kept();
        let over = kept > 0 && more > bytes;
        if !over {
            kept = more;
        }
        over
    });
    records.truncate(fits.unwrap_or(records.len()));
    kept
}

/// What the oldest record of a partition that was read so far tells about reading further back in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reached {
    /// More offsets lie before those that were read.
    pub(super) more: bool,
    /// The oldest time that was read; `None`: no record was found.
    pub(super) oldest: Option<i64>,
}

/// Whether a partition may hold records that belong to the newest `most`. `times` are the times found
/// so far in all partitions, newest first.
pub(super) fn needs_more(reached: Reached, times: &[i64], most: usize) -> bool {
    if !reached.more {
        return false;
    }
    let Some(cutoff) = most.checked_sub(1).and_then(|last| times.get(last)) else {
        // Too few were found yet.
        return most > 0;
    };
    // Before its oldest record stand older ones, by its producers' clocks.
    reached.oldest.is_none_or(|oldest| oldest > *cutoff)
}

/// Merges partitions' records, each in the order of offsets, by time, oldest first, and stops at `most`
/// records or `bytes` (but takes at least one). A partition's own order is never broken, so that what
/// is left of each can be read on from its first record.
pub(super) fn oldest_first(
    partitions: &mut [(Partition, VecDeque<Record>)],
    most: usize,
    bytes: usize,
) -> (Vec<Record>, usize) {
    let (mut merged, mut kept) = (Vec::new(), 0);
    while merged.len() < most {
        let heads = partitions.iter_mut().filter(|(_, records)| !records.is_empty());
        let first =
            heads.min_by_key(|(partition, records)| (records.front().map(Record::millis), *partition));
        let Some((_, records)) = first else { break };
        let Some(size) = records.front().map(Record::kept) else { break };
        if !merged.is_empty() && kept + size > bytes {
            break;
        }
        kept += size;
        merged.extend(records.pop_front());
    }
    (merged, kept)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::{RecordTime, TimeKind};

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
        }
    }

    fn places(records: &[Record]) -> Vec<(i32, i64)> {
        records.iter().map(|record| (record.partition.get(), record.offset)).collect()
    }

    #[test]
    fn the_newest_come_first() {
        let mut records =
            vec![record(0, 1, 5, 1), record(1, 9, 7, 1), record(0, 2, 7, 1), record(0, 3, 7, 1)];
        newest_first(&mut records);
        assert_eq!(places(&records), [(0, 3), (0, 2), (1, 9), (0, 1)]);
    }

    #[test]
    fn one_record_always_fits() {
        for (sizes, most, bytes, stay) in [
            (vec![10, 10, 10], 2, 100, 2),
            (vec![10, 10, 10], 9, 20, 2),
            (vec![10, 10], 9, 5, 1),
            (vec![], 9, 5, 0),
        ] {
            let mut records: Vec<_> = sizes.iter().map(|&size| record(0, 0, 0, size)).collect();
            let kept = fit(&mut records, most, bytes);
            assert_eq!((records.len(), kept), (stay, stay * 10), "{sizes:?} {most} {bytes}");
        }
    }

    #[test]
    fn a_partition_is_read_further_back_only_where_it_can_matter() {
        let cases = [
            (false, None, vec![], 3, false),
            (true, None, vec![9, 8, 7], 3, true),
            (true, Some(9), vec![9], 3, true),
            (true, Some(7), vec![9, 8, 7], 3, false),
            (true, Some(8), vec![9, 8, 7], 3, true),
            (true, Some(1), vec![9, 8, 7, 1], 3, false),
            (true, None, vec![], 0, false),
        ];
        for (more, oldest, times, most, want) in cases {
            assert_eq!(
                needs_more(Reached { more, oldest }, &times, most),
                want,
                "{more} {oldest:?} {times:?}"
            );
        }
    }

    #[test]
    fn merging_never_breaks_a_partitions_order() {
        // Partition 0's clock goes backwards.
        let zero = VecDeque::from([record(0, 1, 50, 1), record(0, 2, 10, 1), record(0, 3, 60, 1)]);
        let one = VecDeque::from([record(1, 1, 20, 1), record(1, 2, 55, 1)]);
        let number = |n| Partition::new(n).unwrap();
        let mut partitions = vec![(number(0), zero), (number(1), one)];
        let (merged, kept) = oldest_first(&mut partitions, 4, 100);
        assert_eq!(places(&merged), [(1, 1), (0, 1), (0, 2), (1, 2)]);
        assert_eq!(kept, 4);
        assert_eq!(partitions[0].1.front().map(|left| left.offset), Some(3));
    }
}
