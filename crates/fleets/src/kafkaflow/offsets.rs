//! Which offsets may be committed: a partition's records end in any order, so its commit is the
//! first one that has not ended. What a worker drops stays unended, and so uncommitted.

use std::collections::{BTreeSet, HashMap};

use super::flow::Place;

#[derive(Debug, Default)]
pub(super) struct Offsets(HashMap<Place, Progress>);

#[derive(Debug, Default)]
struct Progress {
    open: BTreeSet<i64>,
    /// One after the last record that was taken in.
    next: i64,
    committed: i64,
}

impl Progress {
    fn commit(&self) -> i64 {
        self.open.first().copied().unwrap_or(self.next)
    }
}

impl Offsets {
    pub(super) fn begin(&mut self, place: &Place, offset: i64) {
        let progress = match self.0.get_mut(place) {
            Some(progress) => progress,
            None => {
                self.0.entry(place.clone()).or_insert(Progress { committed: offset, ..Progress::default() })
            }
        };
        progress.open.insert(offset);
        progress.next = offset + 1;
    }

    pub(super) fn end(&mut self, place: &Place, offset: i64) {
        if let Some(progress) = self.0.get_mut(place) {
            progress.open.remove(&offset);
        }
    }

    /// What has moved since it was committed last.
    pub(super) fn to_commit(&self) -> Vec<(Place, i64)> {
        let moved = self.0.iter().filter(|(_, progress)| progress.commit() > progress.committed);
        moved.map(|(place, progress)| (place.clone(), progress.commit())).collect()
    }

    pub(super) fn committed(&mut self, offsets: &[(Place, i64)]) {
        for (place, offset) in offsets {
            if let Some(progress) = self.0.get_mut(place) {
                progress.committed = *offset;
            }
        }
    }

    /// The offset that was committed last; `None` before the first record.
    pub(super) fn position(&self, place: &Place) -> Option<i64> {
        self.0.get(place).map(|progress| progress.committed)
    }

    pub(super) fn forget(&mut self, places: &BTreeSet<Place>) {
        self.0.retain(|place, _| !places.contains(place));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_waits_for_the_first_that_has_not_ended() {
        let place = ("t".to_owned(), 0);
        let mut offsets = Offsets::default();
        for offset in [5, 6, 9] {
            offsets.begin(&place, offset);
        }
        offsets.end(&place, 6);
        assert_eq!(offsets.to_commit(), vec![]);
        offsets.end(&place, 5);
        assert_eq!(offsets.to_commit(), vec![(place.clone(), 9)]);
        offsets.committed(&[(place.clone(), 9)]);
        assert_eq!(offsets.to_commit(), vec![]);
        offsets.end(&place, 9);
        assert_eq!(offsets.to_commit(), vec![(place.clone(), 10)]);
        assert_eq!(offsets.position(&place), Some(9));
    }
}
