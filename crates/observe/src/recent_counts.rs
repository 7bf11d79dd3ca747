//! How often something happened lately, by kind: counted since it began, and forgotten once it is quiet. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use flowdeck_model::Timestamp;

#[derive(Debug)]
pub struct RecentCounts<K> {
    /// A kind is quiet after so long without one.
    quiet_after: Duration,
    counts: BTreeMap<K, (u64, Timestamp)>,
}

impl<K: Ord + Copy> RecentCounts<K> {
    pub fn new(quiet_after: Duration) -> Self {
        Self { quiet_after, counts: BTreeMap::new() }
    }

    /// Says whether it begins.
    pub fn add(&mut self, kind: K, now: Timestamp) -> bool {
        self.counts.retain(|_, (_, last)| now.since(*last) <= self.quiet_after);
        let (count, last) = self.counts.entry(kind).or_insert((0, now));
        (*count, *last) = (*count + 1, now);
        *count == 1
    }

    pub fn lately(&self, now: Timestamp) -> impl Iterator<Item = (K, u64)> {
        let lately = self.counts.iter().filter(move |(_, (_, last))| now.since(*last) <= self.quiet_after);
        lately.map(|(kind, (count, _))| (*kind, *count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quiet_is_forgotten_and_begins_again() {
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1_000);
        let mut counts = RecentCounts::new(Duration::from_secs(60));
        assert!(counts.add("a", at(0)));
        assert!(!counts.add("a", at(1)));
        assert!(counts.add("b", at(30)));
        let lately = |counts: &RecentCounts<&'static str>, now| counts.lately(at(now)).collect::<Vec<_>>();
        assert_eq!(lately(&counts, 60), [("a", 2), ("b", 1)]);
        assert_eq!(lately(&counts, 62), [("b", 1)]);
        assert!(counts.add("a", at(62)));
        assert_eq!(lately(&counts, 62), [("a", 1), ("b", 1)]);
    }
}
