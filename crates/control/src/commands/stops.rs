//! Holds by stop: which KafkaFlow consumers they keep stopped, who of them Kafka still lists, when a stop is sent again,
//! and the commits that are kept meanwhile. Telemetry cannot tell a stopped consumer from an idle one. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use flowdeck_kafka::Member;
use flowdeck_model::verdict::sum;
use flowdeck_model::view::{InstanceKind, OffsetChange, OffsetTarget};
use flowdeck_model::{
    Action, ConsumerName, GroupId, Hold, HoldBy, HoldId, InstanceState, PartitionReading, Target, Timestamp,
    TopicName, Via,
};
use flowdeck_observe::HoldDefault;
use flowdeck_observe::telemetry::GroupTelemetry;
use flowdeck_observe::telemetry::matching::instance_of;

use super::kafkaflow::kafkaflow_instances;
use super::lifecycle::{Seen, committed};
use super::plan::Facts;
use super::resend::LEAST;
use super::{Command, Tracked};

/// Records that wait, from which on a pause may find the workers' buffers full: KafkaFlow's usual buffer of one worker.
const BACKLOG: u64 = 100;
/// Between sends while the same members are listed: KafkaFlow's workers have 30 s to finish.
const AGAIN: [Duration; 2] = [Duration::from_secs(3), Duration::from_secs(10)];
const AGAIN_LATER: Duration = Duration::from_secs(15);
/// Commits that are kept of one hold.
const KEPT_MAX: usize = 2_000;

/// Whether any hold keeps the consumer stopped.
pub(crate) fn is_stopped(holds: &[Hold], group: &GroupId, consumer: &ConsumerName) -> bool {
    holds.iter().any(|hold| hold.stops(group, consumer))
}

/// Whether the hold of this pause is one by stop.
pub(crate) fn is_by_stop(command: &Command, seen: Seen<'_>) -> bool {
    let own = HoldId::from(command.id);
    command.action == Action::Pause && seen.holds.iter().any(|hold| hold.id == own && hold.by == HoldBy::Stop)
}

/// How a pause is kept for which the request does not say it.
pub(crate) fn default_by(target: &Target, facts: &Facts<'_>, telemetry: Option<&GroupTelemetry>) -> HoldBy {
    let is_whole = target.topics.is_empty();
    let has_kafkaflow = kafkaflow_instances(target, telemetry, facts).next().is_some();
    // By KafkaFlow's own contract a pause is a pause.
    if !is_whole || !has_kafkaflow || facts.via == Via::KafkaFlow {
        return HoldBy::Pause;
    }
    match facts.hold_by {
        HoldDefault::Pause => HoldBy::Pause,
        HoldDefault::Stop => HoldBy::Stop,
        HoldDefault::Backlog if has_backlog(target, facts, telemetry) => HoldBy::Stop,
        HoldDefault::Backlog => HoldBy::Pause,
    }
}

/// Also where it is not known whether anything waits.
fn has_backlog(target: &Target, facts: &Facts<'_>, telemetry: Option<&GroupTelemetry>) -> bool {
    let own = target.consumer.as_ref().map(|name| topics_of(name, telemetry));
    let reads = |topic: &TopicName| own.as_ref().is_none_or(|own| own.contains(topic));
    let all = facts.group.into_iter().flat_map(|group| group.readings(false));
    let readings: Vec<PartitionReading> =
        all.filter(|(topic, _, _)| reads(topic)).map(|(_, _, reading)| reading).collect();
    let sum = sum(&readings);
    sum.at_least.is_some_and(|lag| lag >= BACKLOG) || (sum.lag.is_none() && !readings.is_empty())
}

pub(crate) fn topics_of<'a>(
    name: &ConsumerName,
    telemetry: Option<&'a GroupTelemetry>,
) -> BTreeSet<&'a TopicName> {
    let consumer = telemetry.and_then(|group| group.consumer(name));
    let instances = consumer.into_iter().flat_map(|one| &one.instances);
    instances.flat_map(|one| &one.topics).map(|stream| &stream.topic).collect()
}

/// KafkaFlow consumers in the scope that telemetry has shown, with the pairs of admin topics that they are heard on: also
/// those that are silent, since a process of theirs may come back.
pub(crate) fn consumers(
    target: &Target,
    telemetry: Option<&GroupTelemetry>,
) -> BTreeSet<(usize, ConsumerName)> {
    let all = telemetry.into_iter().flat_map(GroupTelemetry::instances);
    all.filter(|(_, one)| one.kind() == InstanceKind::KafkaFlow)
        .filter(|(name, _)| target.consumer.as_ref().is_none_or(|wanted| wanted == *name))
        .map(|(name, one)| (one.pair, name.clone()))
        .collect()
}

/// Members that are, or may be, of the consumer: one that nobody speaks for may be any.
pub(crate) fn of_consumer<'a>(
    members: &'a [Member],
    consumer: &'a ConsumerName,
    telemetry: Option<&'a GroupTelemetry>,
) -> impl Iterator<Item = &'a Member> {
    members.iter().filter(move |member| match telemetry.and_then(|all| instance_of(all, member)) {
        Some((name, instance)) => instance.kind() == InstanceKind::KafkaFlow && name == consumer,
        None => true,
    })
}

/// What Kafka last told of the group's members, and when it was asked.
pub(crate) fn members(seen: Seen<'_>) -> Option<(&[Member], Timestamp)> {
    let listed = seen.group.and_then(|group| Some((group.members.as_deref()?, group.members_at?)));
    let watched = seen.held.and_then(|held| held.rebalances.last()).map(|last| (&*last.members, last.at));
    listed.into_iter().chain(watched).max_by_key(|(_, at)| *at)
}

/// That Kafka, asked after the command, lists none of the consumer's members.
pub(crate) fn evidence(tracked: &mut Tracked, consumer: &ConsumerName, seen: Seen<'_>) {
    let Some((members, _)) = members(seen).filter(|(_, asked)| *asked > tracked.since) else { return };
    let left = of_consumer(members, consumer, seen.telemetry).count();
    if left == 0 {
        let joined = tracked.joined.as_ref().map(|joined| format!("{joined}; ")).unwrap_or_default();
        let detail = format!("{joined}stopped: Kafka lists none of the consumer's members");
        tracked.become_(InstanceState::FetchStopped, Some(detail), seen.now);
    } else if tracked.state.is_done() {
        tracked.deadline = seen.now.plus(seen.timing.restart_deadline);
        let detail = "Kafka lists a member again: it is stopped again".to_owned();
        tracked.become_(InstanceState::Waiting, Some(detail), seen.now);
    } else if tracked.state == InstanceState::Waiting {
        tracked.detail = Some("Kafka still lists its member".to_owned());
    }
}

/// When a stop was last sent, and to whom.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Stops {
    last: Option<Timestamp>,
    /// The members that Kafka listed then.
    members: BTreeSet<String>,
    /// So often since another member came.
    sends: usize,
}

impl Stops {
    /// `listed`: those that are still there, as Kafka told after the last send.
    pub(crate) fn is_due(&mut self, listed: BTreeSet<String>, began: Timestamp, now: Timestamp) -> bool {
        let last = self.last.unwrap_or(began);
        let is_new = self.last.is_some() && !listed.is_subset(&self.members);
        let wait = match AGAIN.get(self.sends) {
            _ if is_new => LEAST,
            Some(wait) => *wait,
            None => AGAIN_LATER,
        };
        if now.since(last) < wait {
            return false;
        }
        self.sends = if is_new { 0 } else { self.sends + 1 };
        self.last = Some(now);
        self.members = listed;
        true
    }
}

/// The consumers that a hold keeps stopped and that Kafka lists a member of: to be stopped now.
pub(crate) fn again(command: &mut Command, seen: Seen<'_>) -> BTreeSet<(usize, ConsumerName)> {
    let target = command.target.clone();
    let since = command.stops.last.unwrap_or(command.began());
    let Some((members, _)) = members(seen).filter(|(_, asked)| *asked > since) else {
        return BTreeSet::new();
    };
    let mut left = BTreeSet::new();
    let mut wanted = consumers(&target, seen.telemetry);
    wanted.retain(|(_, consumer)| {
        let mut of = of_consumer(members, consumer, seen.telemetry).peekable();
        let is_there = of.peek().is_some() && is_stopped(seen.holds, &target.group, consumer);
        left.extend(of.filter(|_| is_there).map(|member| member.member_id.clone()));
        is_there
    });
    let began = command.began();
    if wanted.is_empty() || !command.stops.is_due(left, began, seen.now) {
        return BTreeSet::new();
    }
    wanted
}

/// While it is stopped its commits are remembered: Kafka deletes those of a group without members after a while.
pub(crate) fn keep_commits(command: &mut Command, seen: Seen<'_>) {
    let target = command.target.clone();
    let is_own = |one: &&Tracked| {
        one.kind == InstanceKind::KafkaFlow
            && one.key.consumer.as_ref().is_some_and(|name| is_stopped(seen.holds, &target.group, name))
    };
    let mut own = command.instances.iter().filter(is_own).peekable();
    let read_at = seen.group.and_then(|group| group.as_of);
    if own.peek().is_none()
        || !own.all(|one| one.state == InstanceState::FetchStopped && read_at.is_some_and(|at| at > one.at))
    {
        return;
    }
    let topics = target.consumer.as_ref().map(|name| topics_of(name, seen.telemetry));
    let reads = |topic: &TopicName| topics.as_ref().is_none_or(|own| own.contains(topic));
    let known = command.offsets.drain(..).filter_map(|one| Some(((one.topic, one.partition), one.from?)));
    let mut kept: BTreeMap<_, i64> = known.collect();
    for ((topic, partition), reading) in committed(&target, seen.group) {
        let Some(from) = reading.committed.filter(|_| target.names(&topic) && reads(&topic)) else {
            continue;
        };
        kept.insert((topic, partition), from);
    }
    let kept = kept.into_iter().take(KEPT_MAX);
    let kept = kept.map(|((topic, partition), from)| OffsetChange {
        topic,
        partition,
        from: Some(from),
        to: OffsetTarget::Kept,
    });
    command.offsets = kept.collect();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::tests::at;

    fn ids(all: &[&str]) -> BTreeSet<String> {
        all.iter().map(|one| (*one).to_owned()).collect()
    }

    /// At which seconds a stop is sent, looked at every second.
    fn sends(stops: &mut Stops, listed: &[&str], from: i64, to: i64) -> Vec<i64> {
        (from..=to).filter(|second| stops.is_due(ids(listed), at(0), at(*second))).collect()
    }

    #[test]
    fn a_joiner_is_stopped_at_once_and_one_that_finishes_its_work_is_given_time() {
        let mut stops = Stops::default();
        assert_eq!(sends(&mut stops, &["a"], 0, 45), [3, 13, 28, 43]);
        // Another member.
        assert_eq!(sends(&mut stops, &["b"], 46, 60), [46, 49, 59]);
        assert_eq!(sends(&mut stops, &["b", "c"], 61, 62), [61]);
    }
}
