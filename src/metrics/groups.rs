//! Groups: one series of each name a group, but for what has several values. What is not known has no series.

use std::fmt;
use std::time::Duration;

use flowdeck_model::{Level, Verdict};

use super::label;
use super::series::{Family, Series, Value};
use super::snake_case;
use crate::work::{Figures, GroupFigures};

pub(super) fn write(figures: &dyn Figures, series: &mut Series<'_, '_>) -> fmt::Result {
    for (name, help, value) in ONE_EACH {
        series.family(name, help, |family| {
            counted(figures, |one| {
                let Some(value) = value(one) else { return };
                let (cluster, group) = names(one);
                family.put(&[("cluster", cluster), ("group", &group)], value);
            });
        })?;
    }
    let help = "1: the verdict that is said first of a group, one series a group";
    series.family("flowdeck_group_verdict", help, |family| {
        counted(figures, |one| verdicts(family, one, 1));
    })?;
    let help = "1 for each verdict that applies to a group, but for `ok`";
    series.family("flowdeck_group_finding", help, |family| {
        counted(figures, |one| verdicts(family, one, usize::MAX));
    })
}

type Read = fn(&GroupFigures<'_>) -> Option<Value>;

const ONE_EACH: &[(&str, &str, Read)] = &[
    ("flowdeck_group_lag_records", "Lag of the partitions whose lag is known", |one| {
        one.lag.map(Value::from)
    }),
    ("flowdeck_lag_unknown_partitions", "Partitions whose lag is not known", |one| {
        Some(one.unknown_partitions.into())
    }),
    (
        "flowdeck_group_time_lag_seconds",
        "Age of the oldest record that waits, as far as it is known",
        |one| one.time_lag.map(seconds),
    ),
    ("flowdeck_group_written_records_per_second", "Records that come to it, over the last minute", |one| {
        one.written.map(|rate| Value::Real(rate.per_second()))
    }),
    ("flowdeck_group_committed_records_per_second", "Records that it commits, over the last minute", |one| {
        one.committed.map(|rate| Value::Real(rate.per_second()))
    }),
    (
        "flowdeck_group_drain_seconds",
        "Until nothing waits, at the worst of the rates of the last 1, 5 and 15 minutes; +Inf: never",
        drain,
    ),
    ("flowdeck_group_deleted_unread_records", "Records that were deleted before it read them", |one| {
        Some(one.deleted_unread.into())
    }),
    ("flowdeck_group_members", "Members, as Kafka lists them", |one| one.members.map(Value::from)),
    ("flowdeck_group_paused_partitions", "Partitions that a hold covers", |one| {
        Some(one.paused_partitions.into())
    }),
    ("flowdeck_group_pause_age_seconds", "Since the oldest hold of a group", |one| {
        one.pause_age.map(seconds)
    }),
    (
        "flowdeck_group_pause_overdue_seconds",
        "Since the first planned end of a hold that is still in force; 0 before it",
        |one| one.pause_overdue.map(seconds),
    ),
];

fn seconds(time: Duration) -> Value {
    Value::Real(time.as_secs_f64())
}

fn drain(one: &GroupFigures<'_>) -> Option<Value> {
    match (one.lag, one.drain) {
        (Some(0), _) => Some(Value::Real(0.0)),
        (_, drain) => {
            drain.map(|drain| Value::Real(drain.latest_seconds.map_or(f64::INFINITY, |s| s as f64)))
        }
    }
}

fn counted(figures: &dyn Figures, mut visit: impl FnMut(&GroupFigures<'_>)) {
    figures.groups(&mut |one| {
        if one.counted {
            visit(one);
        }
    });
}

fn names<'a>(one: &GroupFigures<'a>) -> (&'a str, String) {
    (one.cluster.as_str(), label::value(one.group.as_str()))
}

fn verdicts(family: &mut Family<'_>, one: &GroupFigures<'_>, most: usize) {
    let (cluster, group) = names(one);
    for finding in one.findings.iter().take(most) {
        if most > 1 && finding.verdict == Verdict::Ok {
            continue;
        }
        let verdict = snake_case(finding.verdict.key());
        let labels =
            [("cluster", cluster), ("group", &group), ("verdict", &verdict), ("level", level(finding.level))];
        family.put(&labels, 1_u32);
    }
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Ok => "ok",
        Level::Info => "info",
        Level::Warning => "warning",
        Level::Critical => "critical",
    }
}
