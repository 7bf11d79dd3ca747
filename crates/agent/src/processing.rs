//! How long calls of the handler take: counts in buckets, one set for each worker, read by the control thread.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use flowdeck_model::view::ProcessingTimes;

/// Up to here each microsecond has a bucket; above, each doubling has eight.
const EXACT: usize = 16;
const PER_DOUBLING: usize = 8;
/// Of the longest time that is told apart: 2³⁷ µs, more than a day.
const DOUBLINGS: usize = 33;
const BUCKETS: usize = EXACT + DOUBLINGS * PER_DOUBLING;
/// Reports tell of so long.
const WINDOW: Duration = Duration::from_secs(60);
const PARTS_MAX: usize = 64;

/// Of one worker: it alone counts.
#[derive(Debug)]
pub(crate) struct Histogram(Box<[AtomicU32]>);

impl Default for Histogram {
    fn default() -> Self {
        Self((0..BUCKETS).map(|_| AtomicU32::new(0)).collect())
    }
}

impl Histogram {
    pub(crate) fn add(&self, took: Duration) {
        if let Some(count) = self.0.get(bucket(took)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Adds what was counted since the last call to `into`.
    pub(crate) fn take(&self, into: &mut Counted) {
        for (count, sum) in self.0.iter().zip(&mut into.0) {
            if count.load(Ordering::Relaxed) > 0 {
                *sum += u64::from(count.swap(0, Ordering::Relaxed));
            }
        }
    }
}

fn bucket(took: Duration) -> usize {
    let micros = usize::try_from(took.as_micros()).unwrap_or(usize::MAX);
    if micros < EXACT {
        return micros;
    }
    let doubling = micros.ilog2() as usize;
    let eighth = (micros >> (doubling - 3)) % PER_DOUBLING;
    (EXACT + (doubling - 4) * PER_DOUBLING + eighth).min(BUCKETS - 1)
}

/// The longest time of a bucket, in microseconds.
fn longest(bucket: usize) -> u64 {
    let Some(above) = bucket.checked_sub(EXACT) else { return bucket as u64 };
    let (doubling, eighth) = (above / PER_DOUBLING + 4, above % PER_DOUBLING);
    (((PER_DOUBLING + eighth + 1) as u64) << (doubling - 3)) - 1
}

/// Calls by how long they took.
#[derive(Debug, Clone)]
pub(crate) struct Counted(Vec<u64>);

impl Default for Counted {
    fn default() -> Self {
        Self(vec![0; BUCKETS])
    }
}

/// What was counted in the last minute.
#[derive(Debug, Default)]
pub(crate) struct Window {
    /// Since when each was counted.
    parts: VecDeque<(Instant, Counted)>,
}

impl Window {
    /// What was counted from `since` to now.
    pub(crate) fn add(&mut self, since: Instant, counted: Counted, now: Instant) {
        self.parts.push_back((since, counted));
        let old = |since: Instant| now.saturating_duration_since(since) > WINDOW;
        while self.parts.len() > PARTS_MAX || (self.parts.len() > 1 && old(self.parts[0].0)) {
            self.parts.pop_front();
        }
    }

    pub(crate) fn times(&self, now: Instant) -> Option<ProcessingTimes> {
        let since = self.parts.front()?.0;
        let mut sum = Counted::default();
        for (_, part) in &self.parts {
            for (sum, count) in sum.0.iter_mut().zip(&part.0) {
                *sum += count;
            }
        }
        let calls: u64 = sum.0.iter().sum();
        let last = sum.0.iter().rposition(|count| *count > 0)?;
        let at = |percent: u64| {
            let mut left = (calls * percent).div_ceil(100).max(1);
            let found = sum.0.iter().position(|count| {
                let here = *count >= left;
                left = left.saturating_sub(*count);
                here
            });
            longest(found.unwrap_or(last))
        };
        let seconds = now.saturating_duration_since(since).as_secs_f64().round().max(1.0);
        Some(ProcessingTimes {
            seconds: seconds as u32,
            calls,
            p50_micros: at(50),
            p95_micros: at(95),
            p99_micros: at(99),
            max_micros: longest(last),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_at_most_an_eighth_too_high() {
        for micros in (0..2_000).chain([5_000, 123_456, 10_000_000, 86_400_000_000]) {
            let told = longest(bucket(Duration::from_micros(micros)));
            assert!(told >= micros && told - micros <= micros / 8, "{micros}: {told}");
        }
        let endless = longest(bucket(Duration::MAX));
        assert_eq!(endless, longest(BUCKETS - 1));
    }

    #[test]
    fn percentiles_are_of_the_last_minute_and_of_all_workers() {
        let (began, mut window) = (Instant::now(), Window::default());
        assert_eq!(window.times(began), None);
        let workers = [Histogram::default(), Histogram::default()];
        let count = |from: u64, to: u64| {
            for millis in from..to {
                workers[(millis % 2) as usize].add(Duration::from_millis(millis));
            }
            let mut counted = Counted::default();
            workers.iter().for_each(|worker| worker.take(&mut counted));
            counted
        };
        let at = |seconds| began + Duration::from_secs(seconds);
        window.add(at(0), count(900, 1_000), at(5));
        window.add(at(5), count(1, 101), at(64));
        let both = window.times(at(64)).unwrap();
        assert_eq!((both.calls, both.seconds), (100, 59), "the first is older than a minute");
        assert!((50_000..57_000).contains(&both.p50_micros), "{both:?}");
        assert!((95_000..107_000).contains(&both.p95_micros), "{both:?}");
        assert!((99_000..112_000).contains(&both.p99_micros), "{both:?}");
        assert!((100_000..113_000).contains(&both.max_micros), "{both:?}");
        window.add(at(64), count(0, 0), at(200));
        assert_eq!(window.times(at(200)), None, "nothing ended lately");
    }
}
