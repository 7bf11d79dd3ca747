//! The rules, one function each: what of the evidence makes a verdict, and the sentence that shows it.

use std::time::Duration;

use super::sum::counted;
use super::{
    Evidence, Finding, GroupType, Level, NotObeyed, Proof, REBALANCES_WITHIN, Rules, Verdict, hysteresis,
    lock_up, names,
};
use crate::lag::{Precision, TimeLag, Unknown};
use crate::shown;
use crate::time::Timestamp;
use crate::trend::Trend;

/// A bound of a time lag that is smaller says nothing yet: the group's first commit may bring a better one.
const BOUND_TELLS: Duration = Duration::from_secs(10);
/// A verdict that applies is left at so many percent of its limit only.
const LEAVES_AT: u32 = 80;

/// All that apply, the headline first; never empty. `before`: what was said last time.
pub fn judge(evidence: &Evidence, rules: &Rules, before: &[Finding]) -> Vec<Finding> {
    let only = |verdict, why| hysteresis::settle(vec![Raw::new(verdict, why)], before, evidence, rules);
    if let Some(stale) = &evidence.stale {
        return only(Verdict::Unknown, Some(stale.clone()));
    }
    if evidence.kind == GroupType::Other {
        return only(Verdict::Unknown, Some("other, not a consumer group: it has no lag".to_owned()));
    }
    if evidence.kind == GroupType::Flowdeck {
        return only(Verdict::Ok, None);
    }
    let group = Group { evidence, rules, before };
    let all: [fn(&Group<'_>) -> Option<Raw>; 21] = [
        losing_data,
        locked_up,
        rebalance_stuck,
        pause_not_obeyed,
        stopped,
        stalled,
        paused_by_application,
        rewound,
        falling_behind,
        rebalancing_too_often,
        hot_partition,
        slow_instance,
        no_active_members,
        behind,
        paused,
        never_committed,
        unknown,
        surplus_instances,
        catching_up,
        assigned_by_hand,
        inactive,
    ];
    let found = all.into_iter().filter_map(|rule| rule(&group)).collect();
    hysteresis::settle(found, before, evidence, rules)
}

/// What a rule says, before it is compared with what was said last time.
pub(super) struct Raw {
    pub(super) verdict: Verdict,
    pub(super) level: Level,
    /// Where the evidence tells it.
    pub(super) since: Option<Timestamp>,
    pub(super) why: Option<String>,
}

impl Raw {
    fn new(verdict: Verdict, why: Option<String>) -> Self {
        Self { verdict, level: verdict.level(), since: None, why }
    }

    fn since(self, since: Timestamp) -> Self {
        Self { since: Some(since), ..self }
    }

    fn at(self, level: Level) -> Self {
        Self { level, ..self }
    }
}

struct Group<'a> {
    evidence: &'a Evidence,
    rules: &'a Rules,
    before: &'a [Finding],
}

impl Group<'_> {
    fn no_members(&self) -> bool {
        self.evidence.members == Some(0)
    }

    fn was(&self, verdict: Verdict) -> bool {
        self.before.iter().any(|one| one.verdict == verdict)
    }

    /// Above the limit of time; of records where the time is not known. What applies already is left a little
    /// below the limit.
    fn exceeds(&self, verdict: Verdict, limit: Duration) -> bool {
        let percent = if self.was(verdict) { LEAVES_AT } else { 100 };
        let waits = self.evidence.free.at_least.unwrap_or_default();
        let by_records =
            || u128::from(waits) * 100 > u128::from(self.rules.allowed_lag) * u128::from(percent);
        exceeds(self.evidence.time_lag, limit * percent / 100).unwrap_or_else(by_records)
    }

    /// By hand or by members: somebody reads.
    fn is_read(&self) -> bool {
        !self.no_members() || self.evidence.by_hand
    }
}

/// `None`: the time lag is not known well enough.
fn exceeds(lag: Option<TimeLag>, limit: Duration) -> Option<bool> {
    let lag = lag?;
    let time = Duration::from_millis(lag.millis);
    match lag.precision {
        _ if time > limit => Some(true),
        Precision::Exact | Precision::Estimate => Some(false),
        Precision::AtLeast if time < BOUND_TELLS => Some(false),
        Precision::AtLeast => None,
    }
}

fn losing_data(group: &Group<'_>) -> Option<Raw> {
    let deleted = group.evidence.sum.deleted_unread;
    let were = if deleted == 1 { "was" } else { "were" };
    let why = || format!("{} {were} deleted", counted(deleted, "unread record"));
    (deleted > 0).then(|| Raw::new(Verdict::LosingData, Some(why())))
}

fn locked_up(group: &Group<'_>) -> Option<Raw> {
    let locked = group.evidence.locked_up.as_ref()?;
    let lasted = group.evidence.now.since(locked.since);
    let level = if lasted >= lock_up::CRITICAL { Level::Critical } else { Level::Warning };
    Some(Raw::new(Verdict::LockedUp, Some(locked.words.clone())).at(level).since(locked.since))
}

fn rebalance_stuck(group: &Group<'_>) -> Option<Raw> {
    let rebalance = group.evidence.rebalance.as_ref()?;
    let limits = group.rules.rebalancing;
    if rebalance.lasted < limits.warning.min(limits.critical) {
        return None;
    }
    let level = if rebalance.lasted >= limits.critical { Level::Critical } else { Level::Warning };
    let why = format!("for at least {} s: {}", rebalance.lasted.as_secs(), rebalance.who);
    Some(Raw::new(Verdict::RebalanceStuck, Some(why)).at(level))
}

fn pause_not_obeyed(group: &Group<'_>) -> Option<Raw> {
    let NotObeyed { proven, words } = group.evidence.not_obeyed.as_ref()?;
    let verdict = if *proven { Verdict::PauseNotObeyed } else { Verdict::PauseUnconfirmed };
    Some(Raw::new(verdict, Some(words.clone())))
}

fn stopped(group: &Group<'_>) -> Option<Raw> {
    let stopped = group.evidence.stopped?;
    if !group.no_members() || group.evidence.by_hand || group.evidence.wholly_held {
        return None;
    }
    let why = match (stopped.came, group.evidence.free.at_least.unwrap_or_default()) {
        (0, 0) => return None,
        (0, lag) => format!("its last member left; lag {}", counted(lag, "record")),
        (came, _) => format!("its last member left; {} came since", counted(came, "record")),
    };
    Some(Raw::new(Verdict::Stopped, Some(why)).since(stopped.since))
}

fn stalled(group: &Group<'_>) -> Option<Raw> {
    let stall = group.evidence.stall.as_ref()?;
    if group.no_members() || group.evidence.wholly_held || group.evidence.rebalance.is_some() {
        return None;
    }
    let (proof, level) = match stall.proof {
        Proof::Record(_) => ("a record waits there", Level::Critical),
        Proof::NotVerified => ("not verified by a read", Level::Warning),
        Proof::NoRecord => return None,
    };
    let of = match (stall.partitions, group.evidence.partitions) {
        (_, 1) => "no commit moves: ".to_owned(),
        (n, all) if n >= all => "no commit of any partition moves: ".to_owned(),
        (1, _) => "1 partition does not move: ".to_owned(),
        (n, _) => format!("{} partitions do not move: ", shown::exact(n.into())),
    };
    let owner = stall.owner.as_ref().map(|owner| format!(" with {}", shown::name(owner))).unwrap_or_default();
    let place = format!("{} partition {} at offset {}", stall.topic, stall.partition, stall.committed);
    Some(
        Raw::new(Verdict::Stalled, Some(format!("{of}{place}{owner}, {proof}"))).at(level).since(stall.since),
    )
}

fn paused_by_application(group: &Group<'_>) -> Option<Raw> {
    let why = || "by the application, without a hold of Flowdeck".to_owned();
    let applies = group.evidence.paused_by_application && group.evidence.paused_by.is_empty();
    applies.then(|| Raw::new(Verdict::PausedByApplication, Some(why())))
}

fn rewound(group: &Group<'_>) -> Option<Raw> {
    let rewind = group.evidence.rewind.as_ref()?;
    if group.evidence.now.since(rewind.at) > group.rules.rewound {
        return None;
    }
    let others = match rewind.partitions.saturating_sub(1) {
        0 => String::new(),
        n => format!(", and {} too", counted(n.into(), "other partition")),
    };
    let why = format!(
        "{} partition {} went back from offset {} to {}{others}",
        rewind.topic, rewind.partition, rewind.from, rewind.to
    );
    Some(Raw::new(Verdict::Rewound, Some(why)).since(rewind.at))
}

fn falling_behind(group: &Group<'_>) -> Option<Raw> {
    let grows = group.evidence.trend == Trend::Growing && group.is_read() && !group.evidence.wholly_held;
    if !grows || !group.exceeds(Verdict::FallingBehind, group.rules.falling_behind) {
        return None;
    }
    let why = match group.evidence.rates.filter(|(written, committed)| written > committed) {
        Some((written, committed)) => format!("{written} records/s come, {committed} are committed"),
        None => "its lag grows".to_owned(),
    };
    Some(Raw::new(Verdict::FallingBehind, Some(why)))
}

fn hot_partition(group: &Group<'_>) -> Option<Raw> {
    /// With fewer a partition has most of the lag by chance.
    const PARTITIONS: u32 = 3;
    let hot = group.evidence.hot.as_ref().filter(|hot| hot.partitions >= PARTITIONS)?;
    let late = exceeds(hot.time_lag, group.rules.falling_behind).unwrap_or(hot.lag > group.rules.allowed_lag);
    let concentrated = hot.of_lag >= group.rules.hot_share && hot.of_records >= 50;
    if !late || !concentrated || !group.is_read() || group.evidence.wholly_held {
        return None;
    }
    let place = format!("{} partition {}", hot.topic, hot.partition);
    let why = format!("{place} has {} % of the lag and gets {} % of the records", hot.of_lag, hot.of_records);
    Some(Raw::new(Verdict::HotPartition, Some(why)))
}

/// Of the partitions of the instance none needs to be hot; where one is, that says more.
fn slow_instance(group: &Group<'_>) -> Option<Raw> {
    let slow = group.evidence.slow.as_ref().filter(|slow| slow.instances >= 2)?;
    let late =
        exceeds(slow.time_lag, group.rules.falling_behind).unwrap_or(slow.lag > group.rules.allowed_lag);
    // Half as much again as its part is no more than others get.
    let its_part = u32::from(slow.of_records) * slow.instances <= 150;
    if !late || slow.of_lag < group.rules.hot_share || !its_part {
        return None;
    }
    if group.evidence.wholly_held || group.evidence.stall.is_some() || hot_partition(group).is_some() {
        return None;
    }
    let why = format!(
        "{} has {} % of the lag and gets {} % of the records, as one of {} instances",
        shown::name(&slow.instance),
        slow.of_lag,
        slow.of_records,
        slow.instances
    );
    Some(Raw::new(Verdict::SlowInstance, Some(why)))
}

fn rebalancing_too_often(group: &Group<'_>) -> Option<Raw> {
    let seen = group.evidence.rebalances;
    let why = || {
        format!(
            "at least {} in the last {}",
            counted(seen.into(), "rebalance"),
            shown::span(REBALANCES_WITHIN)
        )
    };
    (seen > group.rules.rebalances).then(|| Raw::new(Verdict::RebalancingTooOften, Some(why())))
}

fn surplus_instances(group: &Group<'_>) -> Option<Raw> {
    let surplus = group.evidence.surplus?;
    let have = if surplus.idle == 1 { "has" } else { "have" };
    let why = format!(
        "{} of {} {have} no partition: there are {} to be given",
        shown::exact(surplus.idle.into()),
        counted(surplus.members.into(), "member"),
        counted(surplus.partitions.into(), "partition")
    );
    Some(Raw::new(Verdict::SurplusInstances, Some(why)))
}

fn no_active_members(group: &Group<'_>) -> Option<Raw> {
    let evidence = group.evidence;
    if !group.no_members() || evidence.by_hand || evidence.wholly_held || evidence.free.is_caught_up() {
        return None;
    }
    let waits = evidence.free.at_least.filter(|lag| *lag > 0);
    let why = evidence.free.reasons(|_| true).or_else(|| Some(format!("lag {}", counted(waits?, "record"))));
    Some(Raw::new(Verdict::NoActiveMembers, why))
}

fn behind(group: &Group<'_>) -> Option<Raw> {
    let evidence = group.evidence;
    let applies = group.is_read() && !evidence.wholly_held && evidence.trend != Trend::Draining;
    if !applies || !group.exceeds(Verdict::Behind, group.rules.behind) {
        return None;
    }
    let time = evidence.time_lag.filter(|lag| Duration::from_millis(lag.millis) > group.rules.behind);
    let why = match (time, evidence.free.at_least) {
        (Some(lag), _) => {
            let at_least = if lag.precision == Precision::AtLeast { "at least " } else { "" };
            let age = shown::span(Duration::from_millis(lag.millis));
            let allowed = shown::span(group.rules.behind);
            Some(format!("the oldest record that waits is {at_least}{age} old ({allowed} are allowed)"))
        }
        (None, Some(lag)) if lag > group.rules.allowed_lag => {
            let allowed = shown::exact(group.rules.allowed_lag);
            Some(format!(
                "lag {} ({allowed} are allowed where its time is not known)",
                counted(lag, "record")
            ))
        }
        _ => None,
    };
    Some(Raw::new(Verdict::Behind, why))
}

fn paused(group: &Group<'_>) -> Option<Raw> {
    let by = &group.evidence.paused_by;
    let how = if group.evidence.stopped_by_hold { "; its KafkaFlow consumers are kept stopped" } else { "" };
    if by.is_empty() {
        return None;
    }
    let lasted = group.evidence.paused_since.map(|since| group.evidence.now.since(since));
    let forgotten = lasted.filter(|lasted| *lasted >= group.rules.paused);
    let long = forgotten.map(|lasted| format!(", for {}", shown::span(lasted))).unwrap_or_default();
    let level = if forgotten.is_some() { Level::Warning } else { Verdict::Paused.level() };
    Some(Raw::new(Verdict::Paused, Some(format!("by {}{how}{long}", names(by)))).at(level))
}

fn never_committed(group: &Group<'_>) -> Option<Raw> {
    let why = group.evidence.sum.reasons(|why| why == Unknown::NeverCommitted)?;
    Some(Raw::new(Verdict::NeverCommitted, Some(why)))
}

/// Where a lag is not known; what has a verdict of its own is none of it.
fn unknown(group: &Group<'_>) -> Option<Raw> {
    let Evidence { sum, deleted_topics, .. } = group.evidence;
    let other = |why| !matches!(why, Unknown::NeverCommitted | Unknown::OutOfRange);
    if let Some(reasons) = sum.reasons(other) {
        let loud = [
            Unknown::AheadOfLog,
            Unknown::Truncated,
            Unknown::CommitGone,
            Unknown::Recreated,
            Unknown::TopicDeleted,
        ];
        let level = if loud.into_iter().any(|why| sum.has(why)) { Level::Warning } else { Level::Info };
        return Some(Raw::new(Verdict::Unknown, Some(reasons)).at(level));
    }
    if sum.lag.is_some() || sum.unknown > 0 {
        return None;
    }
    if deleted_topics.is_empty() {
        let why = "Kafka has no committed offset and no assigned partition of it".to_owned();
        return Some(Raw::new(Verdict::Unknown, Some(why)));
    }
    let (topics, were) = if deleted_topics.len() == 1 { ("topic", "was") } else { ("topics", "were") };
    let why = format!("{topics} {} {were} deleted", names(deleted_topics));
    Some(Raw::new(Verdict::Unknown, Some(why)).at(Level::Warning))
}

fn catching_up(group: &Group<'_>) -> Option<Raw> {
    let applies = group.evidence.trend == Trend::Draining && group.is_read();
    let late = applies && group.exceeds(Verdict::CatchingUp, group.rules.behind);
    late.then(|| Raw::new(Verdict::CatchingUp, Some("its lag is decreasing".to_owned())))
}

fn assigned_by_hand(group: &Group<'_>) -> Option<Raw> {
    let why = || "commits move though Kafka lists no member".to_owned();
    (group.no_members() && group.evidence.by_hand).then(|| Raw::new(Verdict::AssignedByHand, Some(why())))
}

fn inactive(group: &Group<'_>) -> Option<Raw> {
    let applies = group.no_members() && !group.evidence.by_hand && group.evidence.sum.is_caught_up();
    applies.then(|| Raw::new(Verdict::Inactive, None))
}
