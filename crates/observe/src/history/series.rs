//! One group's history: three rings of ever longer steps, and what happened.

use std::collections::VecDeque;

use super::failed_calls::FailedCalls;
use super::ring::{Point, Ring};
use super::told::Told;

/// The steps of a ring: how long each is, in seconds, and how many are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution {
    /// For 15 minutes.
    Seconds10,
    /// For 6 hours.
    Minute,
    /// For 7 days.
    Minutes15,
}

impl Resolution {
    /// The finest first.
    pub const ALL: [Self; 3] = [Self::Seconds10, Self::Minute, Self::Minutes15];

    pub const fn seconds(self) -> u32 {
        match self {
            Self::Seconds10 => 10,
            Self::Minute => 60,
            Self::Minutes15 => 900,
        }
    }

    pub(super) const fn kept(self) -> usize {
        match self {
            Self::Seconds10 => 90,
            Self::Minute => 360,
            Self::Minutes15 => 672,
        }
    }
}

/// Events that are kept of a group; the oldest goes.
const EVENTS: usize = 64;

pub(super) struct Series {
    rings: [Ring; 3],
    /// Seconds since 1970 at which a rebalance began, oldest first.
    rebalances: VecDeque<u32>,
    /// What became of it and its topics.
    pub(super) changes: Told,
    pub(super) deployments: Told,
    pub(super) failed_calls: FailedCalls,
    /// When something was last written to it.
    pub(super) written: u32,
}

impl Series {
    pub(super) fn new() -> Self {
        Self {
            rings: Resolution::ALL.map(|one| Ring::new(one.kept())),
            rebalances: VecDeque::new(),
            changes: Told::default(),
            deployments: Told::default(),
            failed_calls: FailedCalls::default(),
            written: 0,
        }
    }

    pub(super) fn ring(&self, resolution: Resolution) -> &Ring {
        &self.rings[resolution as usize]
    }

    /// What is known of the step now, in place of what was: the longer steps follow.
    pub(super) fn set(&mut self, step: u32, point: Point) {
        let second = step.saturating_mul(Resolution::Seconds10.seconds());
        self.written = self.written.max(second);
        self.rings[0].set(step, point);
        self.fold(Resolution::Seconds10, Resolution::Minute, second);
        self.fold(Resolution::Minute, Resolution::Minutes15, second);
    }

    /// What is known from elsewhere: the highest of both, and rates where there are none.
    pub(super) fn restore(&mut self, resolution: Resolution, step: u32, point: Point) {
        let ring = &mut self.rings[resolution as usize];
        let known = ring.get(step);
        ring.set(
            step,
            Point {
                lag: known.lag.max(point.lag),
                time_lag_millis: known.time_lag_millis.max(point.time_lag_millis),
                input_milli: known.input_milli.or(point.input_milli),
                output_milli: known.output_milli.or(point.output_milli),
            },
        );
    }

    /// A quarter of an hour whose minutes were restored: of these, where they are all kept.
    pub(super) fn restore_quarter(&mut self, step: u32, point: Point) {
        let second = step.saturating_mul(Resolution::Minutes15.seconds());
        if self.ring(Resolution::Minute).keeps(second / Resolution::Minute.seconds()) {
            self.fold(Resolution::Minute, Resolution::Minutes15, second);
        } else {
            self.restore(Resolution::Minutes15, step, point);
        }
    }

    /// The highest lag that was known of the step stays: a part of it may have been restored.
    fn fold(&mut self, from: Resolution, to: Resolution, second: u32) {
        let step = second / to.seconds();
        let parts = to.seconds() / from.seconds();
        let first = step * parts;
        let ring = self.ring(from);
        let point = Point::fold((first..first + parts).map(|part| ring.get(part)));
        let ring = &mut self.rings[to as usize];
        let known = ring.get(step);
        let (lag, time_lag_millis) =
            (point.lag.max(known.lag), point.time_lag_millis.max(known.time_lag_millis));
        ring.set(step, Point { lag, time_lag_millis, ..point });
    }

    pub(super) fn rebalanced(&mut self, second: u32) {
        if self.rebalances.len() == EVENTS {
            self.rebalances.pop_front();
        }
        self.rebalances.push_back(second);
    }

    /// One that may be known already; the oldest are left out where there is no place.
    pub(super) fn restore_rebalance(&mut self, second: u32) {
        let at = self.rebalances.partition_point(|known| *known < second);
        if self.rebalances.len() < EVENTS && self.rebalances.get(at) != Some(&second) {
            self.rebalances.insert(at, second);
        }
    }

    pub(super) fn rebalances(&self) -> impl Iterator<Item = u32> + '_ {
        self.rebalances.iter().copied()
    }

    pub(super) fn bytes(&self) -> usize {
        let rings: usize = self.rings.iter().map(Ring::bytes).sum();
        rings + size_of::<Self>() - size_of_val(&self.rings)
            + self.rebalances.capacity() * size_of::<u32>()
            + self.changes.bytes()
            + self.deployments.bytes()
            + self.failed_calls.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(lag: u64, input: u64) -> Point {
        Point { lag: Some(lag), input_milli: Some(input), ..Point::default() }
    }

    #[test]
    fn longer_steps_follow_the_short_ones() {
        let mut series = Series::new();
        // From 00:00:00 on, a step every 10 s for two hours: the lag is the step's number.
        for step in 0..720 {
            series.set(step, point(step.into(), 2_000));
        }
        assert_eq!(series.ring(Resolution::Seconds10).get(719), point(719, 2_000));
        assert_eq!(series.ring(Resolution::Seconds10).oldest(), Some(630));
        assert_eq!(series.ring(Resolution::Minute).get(0), point(5, 2_000));
        assert_eq!(series.ring(Resolution::Minute).get(119), point(719, 2_000));
        assert_eq!(series.ring(Resolution::Minutes15).get(0), point(89, 2_000));
        assert_eq!(series.ring(Resolution::Minutes15).get(7), point(719, 2_000));
    }

    #[test]
    fn a_step_that_is_written_again_counts_once() {
        let mut series = Series::new();
        series.set(6, point(5, 1_000));
        series.set(6, point(9, 3_000));
        assert_eq!(series.ring(Resolution::Minute).get(1), point(9, 3_000));
        assert_eq!(series.ring(Resolution::Minutes15).get(0), point(9, 3_000));
    }
}
