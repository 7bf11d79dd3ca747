//! Records that come to what a group reads, and records that it commits: counted since it is watched, as rates over
//! 1, 5 and 15 minutes, and what follows for the time that its lag needs to drain.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

const MINUTE: Duration = Duration::from_secs(60);
/// Counts of the last minute are kept so far apart, older ones a minute.
const APART: Duration = Duration::from_secs(10);
/// Older counts are of no use.
const KEPT: Duration = Duration::from_secs(16 * 60);
/// A clock that goes back by no more was set a little, and its counts still follow each other.
const MOMENT: Duration = Duration::from_secs(1);
/// From so much time on there is a rate.
const SHORTEST: Duration = Duration::from_secs(10);

/// Both counts at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Count {
    at: Timestamp,
    written: u64,
    committed: u64,
}

/// What came in and what was committed since the group is watched. Cheap to clone: the counts of the last minutes are
/// shared, and there are two of them for a group of which nothing moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    now: Count,
    /// Oldest first, each before `now`.
    before: Arc<[Count]>,
}

impl Flow {
    pub fn new(at: Timestamp) -> Self {
        Self { now: Count { at, written: 0, committed: 0 }, before: Arc::from([]) }
    }

    /// Records that came since it is watched.
    pub fn written(&self) -> u64 {
        self.now.written
    }

    /// Records that were committed since it is watched; what is committed again after a rewind counts again.
    pub fn committed(&self) -> u64 {
        self.now.committed
    }

    /// When it was counted last.
    pub fn at(&self) -> Timestamp {
        self.now.at
    }

    /// With what came and what was committed since the last count. Where the clock was set back, rates begin anew: those
    /// of a time that lies ahead would stay as they are until it comes.
    pub fn counted(&self, at: Timestamp, written: u64, committed: u64) -> Self {
        let now = Count {
            at,
            written: self.now.written.saturating_add(written),
            committed: self.now.committed.saturating_add(committed),
        };
        if at > self.now.at {
            return Self { now, before: self.kept(at) };
        }
        if self.now.at.since(at) > MOMENT {
            return Self { now, before: Arc::from([]) };
        }
        Self { now: Count { at: self.now.at, ..now }, before: Arc::clone(&self.before) }
    }

    /// `now` joins the former counts where it is far enough from the last of them.
    fn kept(&self, at: Timestamp) -> Arc<[Count]> {
        let same = |one: &Count| (one.written, one.committed) == (self.now.written, self.now.committed);
        let mut counts = match &self.before[..] {
            [.., last] if self.now.at.since(last.at) < APART => return Arc::clone(&self.before),
            // Nothing moved since the last two: the second of them moves on.
            [rest @ .., one, two] if same(one) && same(two) => [rest, &[*one]].concat(),
            all => all.to_vec(),
        };
        counts.push(self.now);
        let mut kept: Vec<Count> = Vec::with_capacity(counts.len());
        for (n, one) in counts.iter().enumerate() {
            let last = n + 1 == counts.len();
            // A count is needed as long as the next one is not old enough to begin a window.
            let useless = counts.get(n + 1).is_some_and(|next| at.since(next.at) > KEPT);
            let near = kept.last().is_some_and(|before| one.at.since(before.at) < MINUTE);
            let dense = at.since(one.at) <= MINUTE + APART;
            if !useless && (last || dense || !near) {
                kept.push(*one);
            }
        }
        kept.into()
    }

    /// `None`: watched for too short a time.
    pub fn rates(&self) -> (Windows, Windows) {
        let over = |window: Duration, shorter: Duration| self.over(window, shorter);
        let (one, five, fifteen) =
            (over(MINUTE, SHORTEST), over(MINUTE * 5, MINUTE), over(MINUTE * 15, MINUTE * 5));
        let windows = |of: fn(&(Rate, Rate)) -> Rate| Windows {
            one_minute: one.as_ref().map(of),
            five_minutes: five.as_ref().map(of),
            fifteen_minutes: fifteen.as_ref().map(of),
        };
        (windows(|both| both.0), windows(|both| both.1))
    }

    /// Over the window, or over all that is known where that is more than the next shorter window.
    fn over(&self, window: Duration, shorter: Duration) -> Option<(Rate, Rate)> {
        let first = self.before.first()?;
        let began = Timestamp::from_millis(self.now.at.millis() - window.as_millis() as i64).max(first.at);
        let took = self.now.at.since(began);
        if took < shorter || (took == shorter && shorter != SHORTEST) {
            return None;
        }
        let then = self.at_time(began);
        Some((
            Rate::of(self.now.written - then.written.min(self.now.written), took),
            Rate::of(self.now.committed - then.committed.min(self.now.committed), took),
        ))
    }

    /// On the line between the counts around it.
    fn at_time(&self, at: Timestamp) -> Count {
        let mut from = self.before.first().copied().unwrap_or(self.now);
        for to in self.before.iter().copied().chain([self.now]) {
            if to.at >= at {
                let span = to.at.since(from.at).as_millis().max(1);
                let part = at.since(from.at).as_millis();
                let line = |from: u64, to: u64| {
                    let more = u128::from(to.saturating_sub(from)) * part / span;
                    from.saturating_add(u64::try_from(more).unwrap_or(u64::MAX))
                };
                return Count {
                    at,
                    written: line(from.written, to.written),
                    committed: line(from.committed, to.committed),
                };
            }
            from = to;
        }
        self.now
    }
}

/// Records a second, exact to a thousandth.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = f64, example = 12.5))]
#[serde(from = "f64", into = "f64")]
pub struct Rate(u64);

impl Rate {
    pub fn of(records: u64, time: Duration) -> Self {
        let millis = time.as_millis().max(1);
        Self(u64::try_from(u128::from(records) * 1_000_000 / millis).unwrap_or(u64::MAX))
    }

    pub fn of_thousandths(thousandths: u64) -> Self {
        Self(thousandths)
    }

    pub fn thousandths(self) -> u64 {
        self.0
    }

    pub fn per_second(self) -> f64 {
        self.0 as f64 / 1_000.0
    }
}

/// `0.41`, `12.5`, `1,204`; what is not 0 never looks like 0.
impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (whole, rest) = (self.0 / 1_000, self.0 % 1_000);
        match self.0 {
            0 => f.write_str("0"),
            1..10 => f.write_str("< 0.01"),
            10..1_000 => write!(f, "0.{:02}", rest / 10),
            1_000..100_000 => write!(f, "{whole}.{}", rest / 100),
            _ => f.write_str(&crate::shown::exact(whole)),
        }
    }
}

impl From<f64> for Rate {
    fn from(per_second: f64) -> Self {
        // A cast of a float saturates, and what is no number becomes 0.
        Self((per_second * 1_000.0).round() as u64)
    }
}

impl From<Rate> for f64 {
    fn from(rate: Rate) -> Self {
        rate.per_second()
    }
}

/// Records a second over the last 1, 5 and 15 minutes; null where Flowdeck has not watched for long enough.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Windows {
    #[serde(rename = "1m")]
    pub one_minute: Option<Rate>,
    #[serde(rename = "5m")]
    pub five_minutes: Option<Rate>,
    #[serde(rename = "15m")]
    pub fifteen_minutes: Option<Rate>,
}

impl Windows {
    fn each(&self) -> [Option<Rate>; 3] {
        [self.one_minute, self.five_minutes, self.fifteen_minutes]
    }
}

/// How long a lag takes to drain if rates stay as they were over the last 1, 5 or 15 minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Drain {
    /// At the best of the three rates; null: never at any of them.
    pub soonest_seconds: Option<u64>,
    /// At the worst of them; null: never at that one.
    pub latest_seconds: Option<u64>,
}

impl Drain {
    /// `None`: nothing waits, or there is no rate yet.
    pub fn of(lag: u64, written: &Windows, committed: &Windows) -> Option<Self> {
        if lag == 0 {
            return None;
        }
        let pairs = written.each().into_iter().zip(committed.each());
        let rates = pairs.filter_map(|(written, committed)| Some((written?, committed?)));
        let seconds = |(written, committed): (Rate, Rate)| {
            let net = committed.0.checked_sub(written.0).filter(|net| *net > 0)?;
            Some((u128::from(lag) * 1_000).div_ceil(u128::from(net)).try_into().unwrap_or(u64::MAX))
        };
        let all: Vec<Option<u64>> = rates.map(seconds).collect();
        if all.is_empty() {
            return None;
        }
        let latest_seconds = if all.contains(&None) { None } else { all.iter().flatten().max().copied() };
        Some(Self { soonest_seconds: all.iter().flatten().min().copied(), latest_seconds })
    }
}

#[cfg(test)]
mod tests;
