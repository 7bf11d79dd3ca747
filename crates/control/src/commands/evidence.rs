//! Evidence: what KafkaFlow's telemetry and the group's commits prove about a command. Partition lists
//! of telemetry received after it, never `status` and never `sentAt`; for a resume a commit that moves.

use std::collections::HashSet;
use std::time::Duration;

use flowdeck_model::InstanceState;
use flowdeck_model::view::{InstanceKind, SentRecord};

use super::lifecycle::{Seen, settle};
use super::scope::streams;
use super::{Command, Tracked};
use super::{left, stops};
use crate::kinds;
use flowdeck_observe::telemetry::InstanceId;
use flowdeck_observe::telemetry::matching::{instance_of, member_words};
use flowdeck_observe::telemetry::trust::is_trusted;
use flowdeck_observe::telemetry::{GroupTelemetry, InstanceTelemetry, TopicStream};

impl Seen<'_> {
    /// The newest of `sent` that shares its partition with the pair's telemetry: there, what has a
    /// lower offset was said before the command.
    fn told_at(&self, pair: usize, sent: &[SentRecord]) -> Option<i64> {
        let (topic, partition) = &self.admin_topics.get(pair)?.telemetry;
        let same = |record: &&SentRecord| &record.topic == topic && record.partition == *partition;
        sent.iter().filter(same).map(|record| record.offset).max()
    }
}

/// Looks at what is known now; says whether the command changed. `retired`: what it asked for was
/// undone since, so what instances do now says nothing of it.
pub(crate) fn observe(command: &mut Command, seen: Seen<'_>, retired: bool) -> bool {
    // What is known in between must not be lost, and is shown.
    let between = |command: &Command, one: &Tracked| {
        let anew = (one.anew.left_at, one.anew.proven_at, one.anew.moved.len(), one.detail.clone());
        let is_kept = command.action.kind().is_for_consumer() || command.heal.is_some();
        (is_kept || command.by_stop.is_some()).then_some(anew)
    };
    let shape = |command: &Command| -> Vec<_> {
        command.instances.iter().map(|one| (one.state, one.at, one.moved, between(command, one))).collect()
    };
    let before = (command.state, shape(command));
    if command.sent_at.is_some() || command.restored {
        let mut instances = std::mem::take(&mut command.instances);
        let members = left::Members::default();
        for tracked in &mut instances {
            observe_one(command, tracked, &members, seen, retired);
        }
        drop_doubles(&mut instances, seen);
        command.instances = instances;
    }
    settle(command, seen);
    before != (command.state, shape(command))
}

fn observe_one(
    command: &Command,
    tracked: &mut Tracked,
    members: &left::Members,
    seen: Seen<'_>,
    retired: bool,
) {
    // It was told nothing, so what it does is no evidence.
    if tracked.kind == InstanceKind::KafkaFlow && tracked.state == InstanceState::NotControllable {
        return;
    }
    if !retired && tracked.kind == InstanceKind::KafkaFlow {
        kinds::of(command.action).kafka_evidence(command, tracked, seen);
    }
    if !retired
        && tracked.kind == InstanceKind::KafkaFlow
        && !kinds::of(command.action).is_by_members(command, tracked, seen)
        && let Some(instance) = find(tracked, seen.telemetry)
    {
        match (no_evidence(command, instance, seen), kinds::of(command.action)) {
            (Some(why), _) => tracked.detail = Some(why.to_owned()),
            (None, _) if !is_fresh(command, tracked, instance, seen) => {}
            (None, kind) => kind.evidence(command, tracked, instance, seen),
        }
    }
    in_time(command, tracked, members, seen);
}

/// Plain members that turned out to be one of the instances.
fn drop_doubles(instances: &mut Vec<Tracked>, seen: Seen<'_>) {
    let is_plain = |tracked: &Tracked| {
        tracked.kind == InstanceKind::Member && tracked.state == InstanceState::NotControllable
    };
    if !instances.iter().any(is_plain) {
        return;
    }
    let keys: HashSet<InstanceId> = instances.iter().map(|one| one.key.clone()).collect();
    instances.retain(|tracked| !(is_plain(tracked) && is_another(tracked, &keys, seen)));
}

/// What it owns was not told when the command was given, and is told now. That instance answers for itself.
fn is_another(tracked: &Tracked, keys: &HashSet<InstanceId>, seen: Seen<'_>) -> bool {
    let (Some(group), Some(telemetry)) = (seen.group, seen.telemetry) else { return false };
    let listed = group.members.as_deref().unwrap_or_default();
    let mut namesakes =
        listed.iter().filter(|member| member_words(member) == tracked.key.instance.as_str()).peekable();
    let speaks = |member| {
        instance_of(telemetry, member).is_some_and(|(consumer, instance)| {
            instance.last_heard > tracked.since && keys.contains(&InstanceId::of(consumer, instance))
        })
    };
    namesakes.peek().is_some() && namesakes.all(speaks)
}

/// An instance that was heard again, and goes silent so soon after it started anew, did not survive it.
const CRASHED_WITHIN: Duration = Duration::from_secs(30);

/// `NoResponse` once its time is over. One that left has nothing to resume; of a pause that is no evidence,
/// since a process that Kafka lost may still run what it has.
fn in_time(command: &Command, tracked: &mut Tracked, members: &left::Members, seen: Seen<'_>) {
    if tracked.state == InstanceState::Waiting && seen.now > tracked.deadline {
        let detail = tracked.detail.clone();
        let detail = detail.or_else(|| left::silence(find(tracked, seen.telemetry), tracked.since));
        tracked.become_(InstanceState::NoResponse, detail, seen.now);
    }
    let kind = kinds::of(command.action);
    if kind.starts_anew() {
        went_silent(tracked, seen);
    }
    // Its consumers are told to leave: a member that nobody spoke for in time may be one of them.
    if tracked.state == InstanceState::NotControllable && stops::is_by_stop(command, seen) {
        if let Some(left) = left::member(tracked, seen) {
            tracked.become_(InstanceState::NothingToDo, Some(left), seen.now);
        }
        return;
    }
    // One that was kept stopped is no member until it has started.
    if !kind.is_done_by_leaving() || command.starts() {
        return;
    }
    let left = match tracked.state {
        InstanceState::NoResponse => left::words(tracked, find(tracked, seen.telemetry), members, seen),
        InstanceState::NotControllable => left::member(tracked, seen),
        _ => None,
    };
    if left.is_some() {
        tracked.become_(InstanceState::NothingToDo, left, seen.now);
    }
}

/// Silence within seconds of a start: a process that crashed or hung, whatever it said before.
fn went_silent(tracked: &mut Tracked, seen: Seen<'_>) {
    let is_awaited = matches!(
        tracked.state,
        InstanceState::Waiting | InstanceState::Acknowledged | InstanceState::NoResponse
    );
    if !is_awaited || tracked.kind != InstanceKind::KafkaFlow || tracked.is_silent {
        return;
    }
    let Some(last) = find(tracked, seen.telemetry).map(|one| one.last_heard) else { return };
    let began = if tracked.state == InstanceState::Acknowledged { tracked.at } else { tracked.since };
    let silent = seen.now.since(last);
    let soon = tracked.state != InstanceState::Acknowledged || last.since(began) <= CRASHED_WITHIN;
    if silent <= seen.timing.heard_within || !soon {
        return;
    }
    tracked.is_silent = true;
    let after = match last.since(tracked.since).as_secs() {
        _ if last <= tracked.since => "since the command".to_owned(),
        seconds => format!("{seconds} s after the command"),
    };
    let detail = format!("silent {after}: its process crashed or hung, or was ended");
    tracked.become_(InstanceState::NoResponse, Some(detail), seen.now);
}

/// Why nothing that this instance says can be evidence.
fn no_evidence(command: &Command, instance: &InstanceTelemetry, seen: Seen<'_>) -> Option<&'static str> {
    if instance.ambiguous {
        return Some("ambiguous: two processes speak under one name");
    }
    if instance.left_out {
        return Some("it lists more than is kept of it");
    }
    let lists = |stream: &TopicStream| !stream.running.is_empty() || !stream.paused.is_empty();
    let believed = || seen.group.is_none_or(|group| is_trusted(group.listed(), instance, seen.now));
    if streams(&command.target, instance).any(lists) && !believed() {
        return Some("Kafka lists no member that owns what it says");
    }
    let silent_pattern = instance.pattern.is_some() && streams(&command.target, instance).next().is_none();
    silent_pattern.then_some("it subscribes to a pattern, and its telemetry tells no partitions of it")
}

/// Everything that the instance says of the scope was said after the command.
fn is_fresh(command: &Command, tracked: &Tracked, instance: &InstanceTelemetry, seen: Seen<'_>) -> bool {
    let kind = kinds::of(command.action);
    let told_at = seen.told_at(instance.pair, kind.counts_from(command));
    instance.last_heard > tracked.since
        && streams(&command.target, instance)
            .all(|one| one.heard > tracked.since && told_at.is_none_or(|offset| one.offset > offset))
}

fn find<'a>(tracked: &Tracked, telemetry: Option<&'a GroupTelemetry>) -> Option<&'a InstanceTelemetry> {
    let all = &telemetry?.consumer(tracked.key.consumer.as_ref()?)?.instances;
    let name = &tracked.key.instance;
    // Of a thousand that are looked for among a thousand, each has to be found at once.
    let namesakes = (0..=all.last()?.pair).flat_map(|pair| {
        let from = all.partition_point(|one| (one.pair, &one.instance) < (pair, name));
        all[from..].iter().take_while(move |one| one.pair == pair && &one.instance == name)
    });
    namesakes.filter(|one| one.incarnation == tracked.key.incarnation).max_by_key(|one| one.last_heard)
}

/// Why an instance that owns nothing may get something yet, or is no member.
pub(crate) fn why_without(instance: &InstanceTelemetry, seen: Seen<'_>) -> Option<&'static str> {
    left::why_without(instance, seen)
}

/// Nothing to do, but where that is only so for the moment, or where the group has lost the instance.
pub(crate) fn owns_nothing(tracked: &mut Tracked, instance: &InstanceTelemetry, seen: Seen<'_>) {
    match left::why_without(instance, seen) {
        Some(why) => tracked.detail = Some(why.to_owned()),
        None => {
            tracked.become_(InstanceState::NothingToDo, None, seen.now);
        }
    }
}
