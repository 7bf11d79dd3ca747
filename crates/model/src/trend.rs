//! Which way a group's lag goes, from its last few lags: a group that drains a backlog is not called behind, and one
//! whose lag grows is told of before it is.

use std::time::Duration;

use crate::time::Timestamp;

/// Lags that are kept of a group, so far apart at least.
pub const KEPT: usize = 12;
pub const APART: Duration = Duration::from_millis(1_900);
/// Fewer tell nothing, and neither do those of a shorter time: consumers commit every 5 s.
const LEAST: usize = 6;
const SHORTEST: Duration = Duration::from_secs(10);
/// A lag that needs longer than this to be caught up is no catching up.
const SOON: Duration = Duration::from_secs(3_600);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Trend {
    Draining,
    #[default]
    Steady,
    Growing,
}

/// Lags as they were read, oldest first.
pub fn of(lags: &[(Timestamp, u64)]) -> Trend {
    match () {
        () if is_draining(lags) => Trend::Draining,
        () if is_growing(lags) => Trend::Growing,
        () => Trend::Steady,
    }
}

/// Of the last nine, thrice three: both the largest and the smallest of each three are above those before, and by a
/// twentieth in all. Between two commits a lag rises and then falls at once: three readings are longer than that.
fn is_growing(lags: &[(Timestamp, u64)]) -> bool {
    const READ: usize = 9;
    let Some(last) = lags.len().checked_sub(READ).map(|from| &lags[from..]) else { return false };
    if last[READ - 1].0.since(last[0].0) < SHORTEST {
        return false;
    }
    let largest = |part: &[(Timestamp, u64)]| part.iter().map(|(_, lag)| *lag).max().unwrap_or_default();
    let smallest = |part: &[(Timestamp, u64)]| part.iter().map(|(_, lag)| *lag).min().unwrap_or_default();
    let parts = [&last[..3], &last[3..6], &last[6..]];
    let rises = |two: &[&[(Timestamp, u64)]]| {
        largest(two[1]) > largest(two[0]) && smallest(two[1]) > smallest(two[0])
    };
    let (first, now) = (largest(parts[0]), largest(parts[2]));
    parts.windows(2).all(rises) && now - first >= first / 20
}

/// Lags as they were read, oldest first. Draining: of the newer half both the largest and the smallest are
/// below those of the older half (between two commits a lag rises), and at that pace nothing is left within an hour.
fn is_draining(lags: &[(Timestamp, u64)]) -> bool {
    let (Some((first, _)), Some((last, _))) = (lags.first(), lags.last()) else { return false };
    if lags.len() < LEAST || last.since(*first) < SHORTEST {
        return false;
    }
    let (older, newer) = lags.split_at(lags.len() / 2);
    let largest = |half: &[(Timestamp, u64)]| half.iter().map(|(_, lag)| *lag).max().unwrap_or_default();
    let smallest = |half: &[(Timestamp, u64)]| half.iter().map(|(_, lag)| *lag).min().unwrap_or_default();
    let (was, is) = (largest(older), largest(newer));
    if is >= was || smallest(newer) >= smallest(older) {
        return false;
    }
    // From the middle of one half to the middle of the other.
    let took = last.since(*first).as_millis() / 2;
    u128::from(is) * took <= u128::from(was - is) * SOON.as_millis()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One every `every` seconds.
    fn lags(every: i64, all: &[u64]) -> Vec<(Timestamp, u64)> {
        all.iter().zip(0..).map(|(lag, n)| (Timestamp::from_millis(n * every * 1_000), *lag)).collect()
    }

    #[test]
    fn a_lag_that_grows_is_growing() {
        for (what, every, all, want) in [
            ("grows", 2, &[1, 2, 3, 4, 5, 6, 7, 8, 9][..], true),
            ("grows between commits", 2, &[10, 30, 20, 30, 50, 40, 50, 70, 60], true),
            ("rises until the next commit", 2, &[10, 30, 50, 10, 30, 50, 10, 30, 50], false),
            ("stays", 2, &[900; 9], false),
            ("grew and stays", 2, &[100, 200, 300, 400, 400, 400, 400, 400, 400], false),
            (
                "by next to nothing",
                2,
                &[1_000, 1_000, 1_000, 1_001, 1_001, 1_001, 1_002, 1_002, 1_002],
                false,
            ),
            ("falls", 2, &[9, 8, 7, 6, 5, 4, 3, 2, 1], false),
            ("too few", 2, &[1, 2, 3, 4, 5, 6, 7, 8], false),
            ("too short a time", 1, &[1, 2, 3, 4, 5, 6, 7, 8, 9], false),
            ("the last nine count", 2, &[99, 99, 99, 1, 2, 3, 4, 5, 6, 7, 8, 9], true),
        ] {
            assert_eq!(of(&lags(every, all)) == Trend::Growing, want, "{what}");
        }
    }

    #[test]
    fn a_lag_that_falls_is_draining() {
        for (what, every, all, want) in [
            ("falls", 2, &[900, 800, 700, 600, 500, 400][..], true),
            ("falls in steps of a commit", 2, &[900, 950, 1_000, 500, 550, 600], true),
            ("is gone", 2, &[900, 800, 700, 0, 0, 0], true),
            ("grows", 2, &[400, 500, 600, 700, 800, 900], false),
            ("stays", 2, &[900, 900, 900, 900, 900, 900], false),
            ("rises and falls around one value", 2, &[900, 500, 900, 500, 900, 500], false),
            ("fell, and grows again", 2, &[900, 800, 700, 750, 850, 950], false),
            ("one dip", 2, &[900, 900, 900, 900, 100, 900], false),
            ("too slow to matter", 2, &[1_000_000, 999_999, 999_998, 999_997, 999_996, 999_995], false),
            ("too few", 2, &[900, 800, 700, 600, 500], false),
            ("too short a time", 1, &[900, 800, 700, 600, 500, 400], false),
            ("at long intervals", 60, &[900, 800, 700, 600, 500, 400], true),
            ("nothing", 2, &[], false),
            ("the largest numbers", 60, &[u64::MAX, u64::MAX, u64::MAX, 9, 8, 7], true),
        ] {
            assert_eq!(is_draining(&lags(every, all)), want, "{what}");
        }
    }
}
