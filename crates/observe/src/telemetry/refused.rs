//! What of the admin topics is not taken in, in numbers for whoever looks at the cluster.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::time::Duration;

use flowdeck_model::shown::exact;
use flowdeck_model::{GroupId, Timestamp};

use crate::recent_counts::RecentCounts;

/// What was refused is spoken of for so long.
const WARN_FOR: Duration = Duration::from_secs(120);
/// Instances without a place that are counted; from then on it is "at least".
const COUNTED_MAX: usize = 50_000;

/// Records that were refused, by reason.
pub(crate) struct Refused(RecentCounts<&'static str>);

impl Default for Refused {
    fn default() -> Self {
        Self(RecentCounts::new(WARN_FOR))
    }
}

impl Refused {
    pub(crate) fn add(&mut self, why: &'static str, at: Timestamp) {
        self.0.add(why, at);
    }

    pub(crate) fn warning(&self, now: Timestamp) -> Option<String> {
        let each = self.0.lately(now).map(|(why, count)| format!("{} ({why})", exact(count)));
        let each: Vec<String> = each.collect();
        if each.is_empty() {
            return None;
        }
        Some(format!("Records on the admin topic were not taken in lately: {}.", each.join(", ")))
    }
}

/// Instances that are heard and have no place, each once: by a hash of its names, in a bounded number.
#[derive(Default)]
pub(crate) struct OverflowInstances {
    /// Of groups that Kafka lists under their names, all others under none.
    groups: HashMap<Option<GroupId>, HashMap<u64, Timestamp>>,
    count: usize,
    /// Since the start.
    total: u64,
    /// When one was not counted.
    beyond: Option<Timestamp>,
    hasher: RandomState,
}

impl OverflowInstances {
    pub(crate) fn hash(&self, names: &impl Hash) -> u64 {
        self.hasher.hash_one(names)
    }

    /// `group`: where Kafka lists it.
    pub(crate) fn add(&mut self, group: Option<&GroupId>, hash: u64, at: Timestamp) {
        let group = group.cloned();
        let was_counted = group.is_some() && self.forget(&None, hash);
        if let Some(heard) = self.groups.get_mut(&group).and_then(|all| all.get_mut(&hash)) {
            *heard = at;
            return;
        }
        self.total += u64::from(!was_counted);
        if self.count >= COUNTED_MAX {
            self.beyond = Some(at);
            return;
        }
        self.groups.entry(group).or_default().insert(hash, at);
        self.count += 1;
    }

    /// It has a place now.
    pub(crate) fn remove(&mut self, group: &GroupId, hash: u64) {
        if self.count == 0 {
            return;
        }
        for key in [Some(group.clone()), None] {
            self.forget(&key, hash);
        }
    }

    /// Whether it was there.
    fn forget(&mut self, key: &Option<GroupId>, hash: u64) -> bool {
        let Some(all) = self.groups.get_mut(key) else { return false };
        let removed = all.remove(&hash).is_some();
        self.count -= usize::from(removed);
        if all.is_empty() {
            self.groups.remove(key);
        }
        removed
    }

    /// Forgets who was silent for so long; the groups of which one was.
    pub(crate) fn expire(&mut self, now: Timestamp, after: Duration) -> Vec<GroupId> {
        let mut changed = Vec::new();
        self.groups.retain(|group, all| {
            let before = all.len();
            all.retain(|_, heard| now.since(*heard) <= after);
            self.count -= before - all.len();
            if all.len() != before {
                changed.extend(group.clone());
                all.shrink_to_fit();
            }
            !all.is_empty()
        });
        self.beyond = self.beyond.filter(|at| now.since(*at) <= after);
        changed
    }

    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    pub(crate) fn of(&self, group: &GroupId) -> usize {
        self.groups.get(&Some(group.clone())).map_or(0, HashMap::len)
    }

    pub(crate) fn warning(&self, bounds: &str) -> Option<String> {
        if self.count == 0 {
            return None;
        }
        let least = if self.beyond.is_some() { "At least " } else { "" };
        Some(format!(
            "{least}{} more {} heard than are kept ({bounds}). No page shows them. Whoever may write to the admin \
             topic can claim to be an instance; those that Kafka lists as members are kept first.",
            exact(self.count as u64),
            if self.count == 1 { "instance is" } else { "instances are" },
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    #[test]
    fn each_instance_counts_once_and_for_as_long_as_it_is_heard() {
        let mut unkept = OverflowInstances::default();
        let g: GroupId = "g".into();
        for (seconds, name) in [(0, "a"), (1, "b"), (2, "a")] {
            let hash = unkept.hash(&name);
            unkept.add(Some(&g), hash, at(seconds));
        }
        let other = unkept.hash(&"c");
        unkept.add(None, other, at(0));
        assert_eq!((unkept.of(&g), unkept.count), (2, 3));
        let b = unkept.hash(&"b");
        unkept.remove(&g, b);
        assert_eq!((unkept.of(&g), unkept.count), (1, 2));
        assert_eq!(unkept.expire(at(11), Duration::from_secs(10)), []);
        assert_eq!((unkept.of(&g), unkept.count), (1, 1));
        assert_eq!(unkept.expire(at(13), Duration::from_secs(10)), [g]);
        assert_eq!((unkept.warning(""), unkept.total()), (None, 3));
    }

    #[test]
    fn the_count_has_a_bound_and_says_so() {
        let mut unkept = OverflowInstances::default();
        for n in 0..COUNTED_MAX + 9 {
            let hash = unkept.hash(&n);
            unkept.add(None, hash, at(0));
        }
        assert!(unkept.warning("4 in all").unwrap().starts_with("At least 50,000 more instances are heard"));
    }

    #[test]
    fn reasons_are_told_with_their_counts_until_it_is_quiet() {
        let mut refused = Refused::default();
        for _ in 0..1_200 {
            refused.add("a name is too long", at(0));
        }
        refused.add("malformed", at(100));
        let words = refused.warning(at(100)).unwrap();
        assert!(words.ends_with(": 1,200 (a name is too long), 1 (malformed)."), "{words}");
        assert!(refused.warning(at(130)).unwrap().ends_with(": 1 (malformed)."));
        assert_eq!(refused.warning(at(300)), None);
    }
}
