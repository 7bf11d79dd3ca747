//! From what is known of a group to the evidence of its verdicts, and the verdicts.

mod instances;
mod pauses;
mod stall;

use flowdeck_model::lag::trace;
use flowdeck_model::rate::Rate;
use flowdeck_model::trend::{self, Trend};
use flowdeck_model::verdict::{Evidence, Finding, Hot, judge};
use flowdeck_model::{Hold, Level, TimeLag, Timestamp, Verdict};
use std::time::Duration;

use crate::locked_up::{self, Locked};
use crate::not_obeyed::{self, NotObeying};
use crate::sampling::sample::GroupData;
use crate::sampling::verify::Proofs;
use crate::settings::ClusterSettings;
use crate::telemetry::GroupTelemetry;

/// What the rules say of a group.
pub struct Judged {
    /// The first of `findings`.
    pub verdict: Verdict,
    pub level: Level,
    pub why: Option<String>,
    /// All that apply; never empty.
    pub findings: Vec<Finding>,
    pub severity: u8,
    /// It matches a pattern of groups that are not counted.
    pub ignored: bool,
    pub stale: bool,
    /// `None` where nothing is known or it is too old.
    pub lag: Option<u64>,
    /// What waits at least, as `lag`.
    pub lag_at_least: Option<u64>,
    pub time_lag: Option<TimeLag>,
    pub deleted_unread: u64,
    pub unknown_partitions: u32,
}

/// What is known of a group beside the brokers' numbers.
#[derive(Clone, Copy)]
pub(crate) struct Beside<'a> {
    pub(crate) holds: &'a [Hold],
    pub(crate) telemetry: Option<&'a GroupTelemetry>,
    pub(crate) not_obeying: Option<&'a NotObeying>,
    pub(crate) locked_up: &'a [Locked],
    /// When it was last resumed.
    pub(crate) resumed: Option<Timestamp>,
    pub(crate) proofs: &'a Proofs,
    /// What was said last time.
    pub(crate) before: &'a [Finding],
}

pub(crate) fn judge_group(
    group: &GroupData,
    beside: Beside<'_>,
    settings: &ClusterSettings,
    now: Timestamp,
) -> Judged {
    let stale = group.is_stale(now, settings.stale_after());
    let rules = settings.rules(&group.id);
    let pauses = pauses::of(group, beside, now, settings.timing.heard_within);
    let is_held = !pauses.owners.is_empty();
    let (written, committed) = group.flow.rates();
    let evidence = Evidence {
        members: group.members.as_ref().map(|members| u32::try_from(members.len()).unwrap_or(u32::MAX)),
        sum: group.sum,
        free: pauses.free,
        time_lag: pauses.time_lag,
        partitions: group.partition_count(),
        // The lag of what is held grows as it should.
        trend: if is_held { Trend::Steady } else { trend::of(&group.lags) },
        rates: written.one_minute.zip(committed.one_minute),
        stall: stall::of(group, beside, &rules),
        hot: hot(group, written.one_minute).filter(|_| !is_held),
        slow: instances::slow(group, beside, &rules).filter(|_| !is_held),
        surplus: instances::surplus(group, now),
        rebalances: group.track.rebalances(now),
        wholly_held: pauses.whole,
        stopped_by_hold: is_held && pauses::stop_kafkaflow(beside),
        paused_since: pauses.since,
        paused_by: pauses.owners,
        paused_by_application: pauses.by_application,
        not_obeyed: beside.not_obeying.map(|all| not_obeyed::judge(all, now)),
        locked_up: locked_up::judge(beside.locked_up, beside.holds),
        rebalance: crate::rebalance::of(group, beside.telemetry, now, settings.timing.heard_within),
        stopped: group.track.stopped(group.flow.written()),
        rewind: group.track.rewind.as_deref().cloned(),
        by_hand: group.track.is_by_hand(now),
        deleted_topics: group.deleted_topics.iter().map(|topic| topic.to_string()).collect(),
        stale: stale_words(group, stale, now),
        ..Evidence::new(group.kind, now)
    };
    let findings = judge(&evidence, &rules, beside.before);
    let headline = findings.first();
    let (verdict, level) = headline.map_or((Verdict::Ok, Level::Ok), |one| (one.verdict, one.level));
    let known = (!stale).then_some(group.sum);
    Judged {
        verdict,
        level,
        why: headline.and_then(|one| one.evidence.clone()),
        severity: verdict.severity(level),
        ignored: settings.ignores(&group.id, now),
        stale,
        lag: known.and_then(|sum| sum.lag),
        lag_at_least: known.and_then(|sum| sum.at_least),
        time_lag: group.time_lag.filter(|_| !stale),
        deleted_unread: known.map_or(0, |sum| sum.deleted_unread),
        unknown_partitions: known.map_or_else(|| group.partition_count(), |sum| sum.unknown),
        findings,
    }
}

/// The share of the lag and of the records that came lately.
fn hot(group: &GroupData, written: Option<Rate>) -> Option<Hot> {
    const WINDOW: Duration = Duration::from_secs(60);
    const SHORTEST: Duration = Duration::from_secs(10);
    let hottest = group.hottest.as_ref()?;
    let written = written.filter(|rate| *rate > Rate::default())?;
    let log = group.ends.topic(&hottest.topic)?.partition(hottest.partition)?;
    let traced = group.ends.read_at.since(log.trace.first()?.at);
    let window = traced.min(WINDOW);
    if window < SHORTEST {
        return None;
    }
    let came = trace::came_within(&log.trace, log.end?, window, group.ends.read_at)?;
    let rates = (Rate::of(came, window).per_second() * 1_000.0, written.per_second() * 1_000.0);
    Some(Hot {
        topic: hottest.topic.as_ref().clone(),
        partition: hottest.partition,
        time_lag: hottest.time_lag,
        lag: hottest.lag,
        of_lag: percent(hottest.lag.into(), group.sum.lag.unwrap_or_default().into()),
        of_records: percent(rates.0 as u128, rates.1 as u128),
        partitions: group.partition_count(),
    })
}

fn percent(part: u128, whole: u128) -> u8 {
    u8::try_from((part * 100 / whole.max(1)).min(100)).unwrap_or(100)
}

fn stale_words(group: &GroupData, stale: bool, now: Timestamp) -> Option<String> {
    let error = group.error.as_ref();
    if let Some(error) = error.filter(|error| error.not_permitted) {
        return Some(error.words.clone());
    }
    match (group.as_of, error) {
        (Some(as_of), _) if stale => {
            let because = error.map(|error| format!(": {}", error.words)).unwrap_or_default();
            Some(format!("the last reading is {} s old{because}", now.since(as_of).as_secs()))
        }
        (None, Some(error)) => Some(error.words.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
