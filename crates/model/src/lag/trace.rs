//! When a partition's log passed which end offset: a few points of (time, end offset), from which the age of any
//! record is interpolated. One trace serves all groups that read the partition.

use std::time::Duration;

use crate::time::Timestamp;

/// Points that a trace keeps.
pub const POINTS_MAX: usize = 16;

/// The log's end at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    pub at: Timestamp,
    /// One past the last offset.
    pub end: i64,
}

/// How old the record at an offset is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    /// There is no such record yet.
    NotWritten,
    /// Between two points that are so far apart at most.
    Estimate(Duration),
    /// It was there before the first point.
    AtLeast(Duration),
}

impl Age {
    pub fn duration(self) -> Duration {
        match self {
            Self::NotWritten => Duration::ZERO,
            Self::Estimate(age) | Self::AtLeast(age) => age,
        }
    }
}

/// The points with the newest reading, oldest first; times and ends never fall. What was read before `last` and is
/// the same at `now` is one point that lasts: on a quiet topic nothing is added.
///
/// Where there are too many, the one goes whose absence changes an age least, compared with that age: near now the
/// points are dense, further back they are sparse.
pub fn with(points: &[Point], last: Option<Point>, now: Point) -> Option<Vec<Point>> {
    let newest = points.last().copied();
    if newest.is_some_and(|newest| newest.end == now.end) {
        return None;
    }
    if newest.is_none_or(|newest| now.end < newest.end || now.at < newest.at) {
        // A log that became shorter is another log: nothing of the former one says when its records came.
        return Some(vec![now]);
    }
    let mut all = points.to_vec();
    // Since when the end was as before is known; until when tells when the next records came at the earliest.
    let quiet =
        last.filter(|last| newest.is_some_and(|newest| last.end == newest.end && last.at > newest.at));
    all.extend(quiet.filter(|last| last.at < now.at));
    all.push(now);
    while all.len() > POINTS_MAX {
        all.remove(least_needed(&all, now.at));
    }
    Some(all)
}

fn least_needed(points: &[Point], now: Timestamp) -> usize {
    let inner = points.windows(3).enumerate().map(|(at, three)| (at + 1, error_without(three, now)));
    inner.min_by_key(|(_, error)| *error).map_or(0, |(at, _)| at)
}

/// By how many thousandths of its age a record at the middle point would be wrong without it.
fn error_without(three: &[Point], now: Timestamp) -> u64 {
    let &[before, middle, after] = three else { return 0 };
    let without = between(before, after, middle.end);
    let error = without.since(middle.at).max(middle.at.since(without)).as_millis();
    let age = now.since(middle.at).as_millis() + 1_000;
    u64::try_from(error * 1_000 / age).unwrap_or(u64::MAX)
}

/// When the log's end passed `end`, on the line from one point to the other.
fn between(from: Point, to: Point, end: i64) -> Timestamp {
    let all = i128::from(to.end) - i128::from(from.end);
    let part = (i128::from(end) - i128::from(from.end)).clamp(0, all.max(0));
    let span = i128::try_from(to.at.since(from.at).as_millis()).unwrap_or(i128::MAX);
    let millis = if all <= 0 { span } else { span * part / all };
    from.at.plus(Duration::from_millis(u64::try_from(millis).unwrap_or_default()))
}

/// The age at `now` of the record at `offset`, where the log's end is `end` at that time.
pub fn age(points: &[Point], end: i64, offset: i64, now: Timestamp) -> Option<Age> {
    if offset >= end {
        return Some(Age::NotWritten);
    }
    // The record was there once the end was beyond its offset.
    let passed = offset.saturating_add(1);
    let first = points.first()?;
    if passed <= first.end {
        return Some(Age::AtLeast(now.since(first.at)));
    }
    let to = points.iter().position(|point| point.end >= passed)?;
    // The last point at which the record was not there.
    let (from, to) = (points[to - 1], points[to]);
    Some(Age::Estimate(now.since(between(from, to, passed))))
}

/// Records that came in the time before `now`; `None` where the trace does not go back so far.
pub fn came_within(points: &[Point], end: i64, window: Duration, now: Timestamp) -> Option<u64> {
    let since = Timestamp::from_millis(now.millis() - i64::try_from(window.as_millis()).unwrap_or(i64::MAX));
    let newest = points.last()?;
    if points.first()?.at > since {
        return None;
    }
    let then = match points.windows(2).find(|two| two[1].at > since) {
        Some(two) => ends_at(two[0], two[1], since),
        None => newest.end,
    };
    u64::try_from(end.saturating_sub(then)).ok()
}

fn ends_at(from: Point, to: Point, at: Timestamp) -> i64 {
    let span = to.at.since(from.at).as_millis().max(1);
    let part = at.since(from.at).as_millis().min(span);
    let more = i128::from(to.end) - i128::from(from.end);
    let part = more * i128::try_from(part).unwrap_or_default() / i128::try_from(span).unwrap_or(1);
    from.end.saturating_add(i64::try_from(part).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
