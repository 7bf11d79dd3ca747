//! Minutes that were written to `flowdeck.samples`: what a store gives of one, and how it takes them in again. A
//! restored minute never takes the place of what was read here.

use std::collections::HashMap;
use std::ops::Range;

use flowdeck_model::GroupId;
use flowdeck_protocol::wire::{GroupMinute, MinuteEvent, MinuteEventKind};

use super::ring::Point;
use super::series::{Resolution, Series};
use super::store::Store;

const SECONDS: u32 = Resolution::Minute.seconds();
const MINUTES_IN_QUARTER: u32 = Resolution::Minutes15.seconds() / SECONDS;

impl Store {
    /// What is known of a minute, by its number since 1970, of every group of which something is.
    pub fn minute(&self, minute: u32) -> Vec<GroupMinute> {
        let (first, past) =
            (minute.saturating_mul(SECONDS), minute.saturating_add(1).saturating_mul(SECONDS));
        let known = self.all_series().filter_map(|(group, series)| {
            let point = series.ring(Resolution::Minute).get(minute);
            let events = events(series, first..past);
            (!point.is_empty() || !events.is_empty()).then(|| GroupMinute {
                group: group.clone(),
                lag: point.lag,
                time_lag_millis: point.time_lag_millis,
                input_milli: point.input_milli,
                output_milli: point.output_milli,
                events,
            })
        });
        known.collect()
    }
}

/// Rebalances last: of many, some are left out.
fn events(series: &Series, seconds: Range<u32>) -> Vec<MinuteEvent> {
    let deployments =
        series.deployments.iter().map(|(at, words)| (at, MinuteEventKind::Deployment(words.to_owned())));
    let failed = series.failed_calls.within(seconds.clone());
    let failed = failed.map(|(at, count)| (at, MinuteEventKind::FailedCalls(count)));
    let changes = series.changes.iter().map(|(at, words)| (at, MinuteEventKind::Change(words.to_owned())));
    let rebalances = series.rebalances().map(|at| (at, MinuteEventKind::Rebalance));
    let all = deployments.chain(failed).chain(changes).chain(rebalances);
    let within = all.filter(|(at, _)| seconds.contains(at)).filter_map(|(at, what)| {
        let second = u8::try_from(at - seconds.start).ok()?;
        Some(MinuteEvent { second, what })
    });
    within.collect()
}

/// Takes in minutes, best newest first: a quarter of an hour is added up while its minutes come.
#[derive(Default)]
pub struct Restore {
    quarter: u32,
    groups: HashMap<GroupId, Sum>,
}

/// A group's minutes of the quarter.
#[derive(Default)]
struct Sum {
    /// The minutes that came, as bits: one that comes twice counts once.
    minutes: u16,
    points: Point,
    input: Mean,
    output: Mean,
}

#[derive(Default)]
struct Mean {
    sum: u64,
    count: u64,
}

impl Mean {
    fn add(&mut self, value: Option<u64>) {
        if let Some(value) = value {
            self.sum = self.sum.saturating_add(value);
            self.count += 1;
        }
    }

    fn value(&self) -> Option<u64> {
        self.sum.checked_div(self.count)
    }
}

impl Restore {
    pub fn take(&mut self, store: &mut Store, minute: u32, groups: Vec<GroupMinute>) {
        let quarter = minute / MINUTES_IN_QUARTER;
        if quarter != self.quarter {
            self.finish(store);
            self.quarter = quarter;
        }
        let bit = 1u16 << (minute % MINUTES_IN_QUARTER);
        for one in groups {
            let point = Point {
                lag: one.lag,
                time_lag_millis: one.time_lag_millis,
                input_milli: one.input_milli,
                output_milli: one.output_milli,
            };
            let Some(series) = store.series_to_restore(&one.group) else { continue };
            series.restore(Resolution::Minute, minute, point);
            let first = minute.saturating_mul(SECONDS);
            for MinuteEvent { second, what } in one.events {
                let at = first.saturating_add(second.into());
                match what {
                    MinuteEventKind::Rebalance => series.restore_rebalance(at),
                    MinuteEventKind::Change(words) => series.changes.restore(at, &words),
                    MinuteEventKind::Deployment(words) => series.deployments.restore(at, &words),
                    MinuteEventKind::FailedCalls(count) => series.failed_calls.restore(at, count),
                }
            }
            let sum = self.groups.entry(one.group).or_default();
            sum.points.lag = sum.points.lag.max(point.lag);
            sum.points.time_lag_millis = sum.points.time_lag_millis.max(point.time_lag_millis);
            if sum.minutes & bit == 0 {
                sum.input.add(point.input_milli);
                sum.output.add(point.output_milli);
            }
            sum.minutes |= bit;
        }
    }

    /// What was added up of the last quarter.
    pub fn finish(&mut self, store: &mut Store) {
        for (group, sum) in self.groups.drain() {
            let Some(series) = store.series_to_restore(&group) else { continue };
            let point =
                Point { input_milli: sum.input.value(), output_milli: sum.output.value(), ..sum.points };
            series.restore_quarter(self.quarter, point);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::store::StoreLimits;

    /// A whole quarter of an hour since 1970.
    const QUARTER: u32 = 1_994_744;
    const MINUTE: u32 = QUARTER * MINUTES_IN_QUARTER;

    fn id() -> GroupId {
        "g".into()
    }

    fn minute(lag: u64, input: u64) -> Vec<GroupMinute> {
        vec![GroupMinute {
            group: id(),
            lag: Some(lag),
            time_lag_millis: Some(lag * 10),
            input_milli: Some(input),
            output_milli: None,
            events: vec![],
        }]
    }

    fn get(store: &Store, resolution: Resolution, step: u32) -> Point {
        store.series(&id()).map(|series| series.ring(resolution).get(step)).unwrap_or_default()
    }

    #[test]
    fn another_store_gets_the_same() {
        let mut first = Store::default();
        for second in (0..3 * 3_600).step_by(10) {
            first.read(&id(), MINUTE * 60 + second, Some(second.into()), Some(7));
            let step = (MINUTE * 60 + second) / 10;
            first.flowed(&id(), step..step + 1, u64::from(second), 3);
        }
        first.rebalanced(&id(), MINUTE * 60 + 77);
        first.deployed(&id(), MINUTE * 60 + 70, "Deployment of w: version 2");
        first.calls_failed(&id(), MINUTE * 60 + 80, 12);
        first.changed(&id(), MINUTE * 60 + 90, "The group was created");
        let (mut second, mut restore) = (Store::default(), Restore::default());
        for at in (MINUTE..MINUTE + 180).rev() {
            restore.take(&mut second, at, first.minute(at));
        }
        restore.finish(&mut second);
        for at in MINUTE..MINUTE + 180 {
            assert_eq!(get(&second, Resolution::Minute, at), get(&first, Resolution::Minute, at), "{at}");
        }
        for at in QUARTER..QUARTER + 12 {
            assert_eq!(
                get(&second, Resolution::Minutes15, at),
                get(&first, Resolution::Minutes15, at),
                "{at}"
            );
        }
        let rebalances: Vec<u32> = second.series(&id()).unwrap().rebalances().collect();
        assert_eq!(rebalances, [MINUTE * 60 + 77]);
        assert_eq!(second.minute(MINUTE + 1), first.minute(MINUTE + 1));
        assert_eq!(second.minute(MINUTE + 1)[0].events.len(), 4);
    }

    #[test]
    fn a_quarter_of_days_ago_has_the_highest_lag_and_the_mean_rate() {
        let (mut store, mut restore) = (Store::default(), Restore::default());
        // Read here now: minutes of days ago have no place any more.
        store.read(&id(), MINUTE * 60, Some(1), None);
        let old = MINUTE - 3 * 1_440;
        for (at, lag, input) in [(1, 900, 4_000), (0, 5, 2_000), (0, 5, 2_000)] {
            restore.take(&mut store, old + at, minute(lag, input));
        }
        assert_eq!(get(&store, Resolution::Minutes15, old / 15), Point::default(), "not over yet");
        restore.take(&mut store, old - 1, minute(3, 1_000));
        let quarter = get(&store, Resolution::Minutes15, old / 15);
        assert_eq!((quarter.lag, quarter.input_milli), (Some(900), Some(3_000)));
        assert_eq!(get(&store, Resolution::Minute, old), Point::default());
        restore.finish(&mut store);
        assert_eq!(get(&store, Resolution::Minutes15, old / 15 - 1).lag, Some(3));
    }

    #[test]
    fn what_was_read_here_stays() {
        let (mut store, mut restore) = (Store::default(), Restore::default());
        store.read(&id(), MINUTE * 60 + 30, Some(70), None);
        let step = (MINUTE * 60 + 30) / 10;
        store.flowed(&id(), step..step + 1, 8_000, 0);
        // Before its start another replica saw a higher lag, and the minute before.
        restore.take(&mut store, MINUTE, minute(900, 1_000));
        restore.take(&mut store, MINUTE - 1, minute(50, 1_000));
        restore.finish(&mut store);
        let own = get(&store, Resolution::Minute, MINUTE);
        assert_eq!((own.lag, own.input_milli), (Some(900), Some(8_000)));
        assert_eq!(get(&store, Resolution::Minute, MINUTE - 1).lag, Some(50));
        // The next reading keeps it, too.
        store.read(&id(), MINUTE * 60 + 40, Some(71), None);
        assert_eq!(get(&store, Resolution::Minute, MINUTE).lag, Some(900));
        assert_eq!(get(&store, Resolution::Minutes15, QUARTER).lag, Some(900));
    }

    #[test]
    fn groups_that_are_gone_take_no_place_of_those_that_are_there() {
        let limits = StoreLimits { groups: 2, partitions: 1 };
        let (mut store, mut restore) = (Store::new(limits), Restore::default());
        store.read(&id(), MINUTE * 60, Some(1), None);
        let of = |name: &str| vec![GroupMinute { group: name.into(), ..minute(5, 1).remove(0) }];
        restore.take(&mut store, MINUTE - 1, of("gone"));
        restore.take(&mut store, MINUTE - 1, of("invented"));
        restore.finish(&mut store);
        assert!(store.series(&"gone".into()).is_some() && store.series(&"invented".into()).is_none());
        store.read(&"new".into(), MINUTE * 60 + 1, Some(1), None);
        assert!(store.series(&"new".into()).is_some() && store.series(&"gone".into()).is_none());
        assert!(store.series(&id()).is_some());
    }
}
