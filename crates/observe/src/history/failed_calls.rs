//! Calls of handlers that failed, by the minute: what agents counted.

use std::collections::VecDeque;
use std::ops::Range;

use super::series::Resolution;

/// Minutes with a failure that are kept of a group; the oldest goes.
const KEPT: usize = 128;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FailedMinute {
    /// Of the first failure.
    second: u32,
    count: u32,
}

/// Oldest first, one a minute.
#[derive(Default)]
pub(super) struct FailedCalls(VecDeque<FailedMinute>);

/// Minutes with failures that are near to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Episode {
    /// Of the first failure.
    pub(super) from: u32,
    /// From the first minute to the end of the last one.
    pub(super) minutes: u32,
    pub(super) count: u64,
}

fn minute(second: u32) -> u32 {
    second / Resolution::Minute.seconds()
}

impl FailedCalls {
    pub(super) fn add(&mut self, second: u32, count: u32) {
        match self.0.back_mut() {
            Some(last) if minute(last.second) == minute(second) => {
                last.count = last.count.saturating_add(count);
            }
            _ => {
                if self.0.len() == KEPT {
                    self.0.pop_front();
                }
                self.0.push_back(FailedMinute { second, count });
            }
        }
    }

    /// Of a minute that may be known already, or a part of it: the higher count is of more of it.
    pub(super) fn restore(&mut self, second: u32, count: u32) {
        let at = self.0.partition_point(|known| minute(known.second) < minute(second));
        let is_known = self.0.get(at).is_some_and(|known| minute(known.second) == minute(second));
        if is_known {
            let known = &mut self.0[at];
            *known = FailedMinute { second: known.second.min(second), count: known.count.max(count) };
        } else if self.0.len() < KEPT {
            self.0.insert(at, FailedMinute { second, count });
        }
    }

    /// The second of the first failure within these, and how many there were.
    pub(super) fn within(&self, seconds: Range<u32>) -> Option<(u32, u32)> {
        let found = self.0.iter().find(|known| seconds.contains(&known.second))?;
        Some((found.second, found.count))
    }

    /// Of these seconds. Those that are at most `apart` minutes from the one before are one.
    pub(super) fn episodes(&self, seconds: Range<u32>, apart: u32) -> Vec<Episode> {
        let mut all: Vec<Episode> = Vec::new();
        for one in self.0.iter().filter(|one| seconds.contains(&one.second)) {
            let joins = all.last_mut().filter(|last| {
                minute(one.second).saturating_sub(minute(last.from) + last.minutes - 1) <= apart
            });
            match joins {
                Some(last) => {
                    last.minutes = minute(one.second) - minute(last.from) + 1;
                    last.count += u64::from(one.count);
                }
                None => all.push(Episode { from: one.second, minutes: 1, count: one.count.into() }),
            }
        }
        all
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<FailedMinute>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds_and_counts(all: &FailedCalls, apart: u32) -> Vec<(u32, u32, u64)> {
        all.episodes(0..u32::MAX, apart).into_iter().map(|one| (one.from, one.minutes, one.count)).collect()
    }

    #[test]
    fn minutes_that_are_near_to_each_other_are_one_episode() {
        let mut failed = FailedCalls::default();
        for (second, count) in [(610, 2), (650, 1), (665, 4), (960, 1), (1_900, 7)] {
            failed.add(second, count);
        }
        assert_eq!(seconds_and_counts(&failed, 5), [(610, 7, 8), (1_900, 1, 7)]);
        assert_eq!(seconds_and_counts(&failed, 4), [(610, 2, 7), (960, 1, 1), (1_900, 1, 7)]);
        assert_eq!(failed.episodes(660..700, 5), [Episode { from: 665, minutes: 1, count: 4 }]);
        assert_eq!(failed.within(600..660), Some((610, 3)));
        assert_eq!(failed.within(720..780), None);
    }

    #[test]
    fn a_minute_that_is_restored_counts_once() {
        let mut failed = FailedCalls::default();
        failed.add(650, 1);
        for _ in 0..2 {
            failed.restore(610, 3);
            failed.restore(300, 9);
            failed.restore(700, 2);
        }
        assert_eq!(seconds_and_counts(&failed, 1), [(300, 1, 9), (610, 2, 5)]);
        for at in 0..1_000 {
            failed.add(60_000 + at * 60, 1);
        }
        failed.restore(10, 1);
        assert_eq!(failed.0.len(), KEPT);
    }
}
