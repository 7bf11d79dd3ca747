//! What the members of a group have of its lag and of its records, one compared with the others.

use std::time::Duration;

use flowdeck_kafka::Member;
use flowdeck_model::lag::{Precision, trace};
use flowdeck_model::verdict::{Rules, Slow, Surplus};
use flowdeck_model::{GroupState, Lag, TimeLag, Timestamp};

use super::{Beside, percent};
use crate::sampling::sample::{GroupData, PartitionData};
use crate::telemetry::matching::{instance_of, member_words};

/// Records of the last minute are compared, or of as much of it as was seen.
const WINDOW: Duration = Duration::from_secs(60);
const SHORTEST: Duration = Duration::from_secs(10);
/// Members that came just now may get their partitions still.
const SETTLED: Duration = Duration::from_secs(30);

#[derive(Default)]
struct Share {
    lag: u64,
    came: u64,
    time_lag: Option<TimeLag>,
}

impl Share {
    fn add(&mut self, one: &PartitionData<'_>, read_at: Timestamp) -> Option<()> {
        if let Lag::Known(lag) = one.reading.lag() {
            self.lag = self.lag.saturating_add(lag);
        }
        if let Some(more) = one.time_lag(read_at) {
            self.time_lag = Some(self.time_lag.map_or(more, |worst| worst.worse(more)));
        }
        let log = one.log?;
        let traced = read_at.since(log.trace.first()?.at).min(WINDOW);
        if traced < SHORTEST {
            return None;
        }
        self.came = self.came.saturating_add(trace::came_within(&log.trace, log.end?, traced, read_at)?);
        Some(())
    }
}

/// `None` too where what comes to a partition is not known yet.
pub(super) fn slow(group: &GroupData, beside: Beside<'_>, rules: &Rules) -> Option<Slow> {
    let members = owners(group);
    // Of most groups nothing is late: their partitions need no look.
    if members.len() < 2 || !may_be_late(group, rules) {
        return None;
    }
    let mut shares: Vec<Share> = members.iter().map(|_| Share::default()).collect();
    let owner_of: std::collections::HashMap<_, usize> = members
        .iter()
        .enumerate()
        .flat_map(|(at, member)| member.assignment.iter().map(move |(topic, one)| ((topic, *one), at)))
        .collect();
    for one in group.partitions(false) {
        let Some(at) = owner_of.get(&(one.topic, one.commit.partition)) else { continue };
        shares[*at].add(&one, group.ends.read_at)?;
    }
    let came: u64 = shares.iter().map(|share| share.came).sum();
    let (at, most) = shares.iter().enumerate().max_by_key(|(_, share)| share.lag)?;
    let lag: u64 = shares.iter().map(|share| share.lag).sum();
    let member = members[at];
    let instance = beside.telemetry.and_then(|telemetry| instance_of(telemetry, member));
    Some(Slow {
        instance: instance.map_or_else(|| member_words(member), |(_, one)| one.instance.to_string()),
        time_lag: most.time_lag,
        lag: most.lag,
        of_lag: percent(most.lag.into(), lag.into()),
        of_records: percent(most.came.into(), came.into()),
        instances: u32::try_from(members.len()).unwrap_or(u32::MAX),
    })
}

fn may_be_late(group: &GroupData, rules: &Rules) -> bool {
    let is_early = |lag: TimeLag| {
        lag.precision != Precision::AtLeast && Duration::from_millis(lag.millis) <= rules.falling_behind
    };
    group.sum.at_least.unwrap_or_default() > 0 && !group.time_lag.is_some_and(is_early)
}

fn owners(group: &GroupData) -> Vec<&Member> {
    let members = group.members.as_deref().unwrap_or_default();
    members.iter().filter(|member| !member.assignment.is_empty()).collect()
}

/// Each partition has one owner, so that more members than partitions leave some without.
pub(super) fn surplus(group: &GroupData, now: Timestamp) -> Option<Surplus> {
    let members = group.members.as_deref()?;
    let is_settled = group.state == GroupState::Stable
        && group.rebalancing_since.is_none()
        && group.members_since.is_some_and(|since| now.since(since) >= SETTLED);
    let partitions: usize = members.iter().map(|member| member.assignment.len()).sum();
    let idle = members.iter().filter(|member| member.assignment.is_empty()).count();
    if !is_settled || idle == 0 || partitions == 0 || partitions >= members.len() {
        return None;
    }
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Some(Surplus { idle: count(idle), members: count(members.len()), partitions: count(partitions) })
}
