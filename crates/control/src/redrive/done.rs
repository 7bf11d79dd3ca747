//! Offsets of a topic that are in the ledger, as ranges: dead letters are mostly re-driven in a row.

use std::collections::{BTreeMap, HashMap};

use flowdeck_model::Partition;
use flowdeck_model::redrive::RecordPlace;

#[derive(Debug, Default)]
pub(super) struct Offsets {
    /// From the first offset of a range to the one after its last.
    ranges: HashMap<Partition, BTreeMap<i64, i64>>,
}

impl Offsets {
    pub(super) fn insert(&mut self, place: RecordPlace) {
        let ranges = self.ranges.entry(place.partition).or_default();
        let (mut from, mut to) = (place.offset, place.offset + 1);
        if let Some((&start, &end)) = ranges.range(..=place.offset).next_back() {
            if place.offset < end {
                return;
            }
            if end == place.offset {
                ranges.remove(&start);
                from = start;
            }
        }
        if let Some(end) = ranges.remove(&to) {
            to = end;
        }
        ranges.insert(from, to);
    }

    pub(super) fn contains(&self, place: RecordPlace) -> bool {
        let ranges = self.ranges.get(&place.partition);
        let last = ranges.and_then(|ranges| ranges.range(..=place.offset).next_back());
        last.is_some_and(|(_, end)| place.offset < *end)
    }

    pub(super) fn ranges(&self) -> usize {
        self.ranges.values().map(BTreeMap::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn offsets_are_as_a_set(given in prop::collection::vec((0..3i32, 0..60i64), 0..200)) {
            let place = |partition, offset| RecordPlace { partition: Partition::new(partition).unwrap(), offset };
            let mut offsets = Offsets::default();
            for &(partition, offset) in &given {
                offsets.insert(place(partition, offset));
            }
            for partition in 0..3 {
                for offset in 0..60 {
                    prop_assert_eq!(offsets.contains(place(partition, offset)), given.contains(&(partition, offset)));
                }
            }
            let mut sorted = given;
            sorted.sort_unstable();
            sorted.dedup();
            let gaps = sorted.windows(2).filter(|two| two[0].0 != two[1].0 || two[0].1 + 1 != two[1].1).count();
            prop_assert_eq!(offsets.ranges(), if sorted.is_empty() { 0 } else { gaps + 1 });
        }
    }
}
