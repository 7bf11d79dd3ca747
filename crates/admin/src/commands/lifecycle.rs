//! A command's life after its records are written: who is expected to obey, what counts as evidence,
//! when an instance is silent, when it is sent again. Pure: `now` is an argument.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use flowdeck_kafka::Member;
use flowdeck_model::command::outcome;
use flowdeck_model::view::{InstanceKind, SentRecord};
use flowdeck_model::{
    Action, CommandState, ConsumerName, Hold, InstanceName, InstanceState, Partition, PartitionReading, Target,
    Timestamp, TopicName,
};
use flowdeck_protocol::wire::Ack;

use super::scope::{listening, names, streams};
use super::{Command, Tracked, TrackedKey, plan};
use crate::cluster::sample::GroupData;
use crate::settings::{AdminTopics, Timing};
use crate::telemetry::matching::{instance_of, member_words};
use crate::telemetry::{GroupTelemetry, InstanceTelemetry};

/// Instances that one command tracks: acks could claim any number.
const TRACKED_MAX: usize = 1_000;

/// What the brokers and the instances tell of the command's group.
#[derive(Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub(crate) telemetry: Option<&'a GroupTelemetry>,
    pub(crate) group: Option<&'a GroupData>,
    /// Of the command's group, all that stand.
    pub(crate) holds: &'a [Hold],
    pub(crate) timing: &'a Timing,
    pub(crate) admin_topics: &'a [AdminTopics],
    pub(crate) now: Timestamp,
}

/// Everybody who is expected to answer, and the plain members that cannot.
pub(crate) fn expected(command: &Command, seen: Seen<'_>) -> Vec<Tracked> {
    let heard = listening(&command.target, seen.telemetry, seen.now, seen.timing.heard_within);
    let mut all: Vec<Tracked> = heard.map(|(consumer, instance)| tracked(command, consumer, instance, seen)).collect();
    all.truncate(TRACKED_MAX);
    if command.target.consumer.is_none() {
        all.extend(plain_members(&command.target, seen));
    }
    all
}

fn tracked(command: &Command, consumer: &ConsumerName, instance: &InstanceTelemetry, seen: Seen<'_>) -> Tracked {
    Tracked {
        key: TrackedKey {
            consumer: Some(consumer.clone()),
            instance: instance.instance.clone(),
            incarnation: instance.incarnation,
        },
        kind: instance.kind(),
        state: InstanceState::Waiting,
        at: seen.now,
        detail: None,
        since: seen.now,
        deadline: deadline(command.action, instance.kind(), seen),
        baseline: committed(&command.target, seen.group).map(|(at, reading)| (at, reading.committed)).collect(),
    }
}

fn deadline(action: Action, kind: InstanceKind, seen: Seen<'_>) -> Timestamp {
    let span = match (kind, action) {
        (InstanceKind::KafkaFlow, Action::Pause) => seen.timing.kafkaflow_deadline,
        (InstanceKind::KafkaFlow, Action::Resume) => seen.timing.kafkaflow_resume_deadline,
        _ => seen.timing.agent_deadline,
    };
    seen.now.plus(span)
}

fn committed<'a>(
    target: &'a Target,
    group: Option<&'a GroupData>,
) -> impl Iterator<Item = ((TopicName, Partition), PartitionReading)> + 'a {
    group
        .into_iter()
        .flat_map(|group| group.readings(false))
        .filter(|(topic, _, _)| names(target, topic))
        .map(|(topic, partition, reading)| ((topic.as_ref().clone(), partition), reading))
}

/// Members that own something in the scope and that no telemetry matches.
fn plain_members(target: &Target, seen: Seen<'_>) -> Vec<Tracked> {
    let members = seen.group.and_then(|group| group.members.as_deref()).unwrap_or_default();
    let owns = |member: &&Member| member.assignment.iter().any(|(topic, _)| names(target, topic));
    let plain = |member: &&Member| seen.telemetry.is_none_or(|telemetry| instance_of(telemetry, member).is_none());
    members
        .iter()
        .filter(owns)
        .filter(plain)
        .take(TRACKED_MAX)
        .map(|member| Tracked {
            key: TrackedKey { consumer: None, instance: InstanceName::new(member_words(member)), incarnation: None },
            kind: InstanceKind::Member,
            state: InstanceState::NotControllable,
            at: seen.now,
            detail: None,
            since: seen.now,
            deadline: seen.now,
            baseline: HashMap::new(),
        })
        .collect()
}

/// The records are written: evidence counts from now on.
pub(crate) fn sent(command: &mut Command, seen: Seen<'_>) {
    command.sent_at = Some(seen.now);
    command.resends.last = Some(seen.now);
    let action = command.action;
    for tracked in &mut command.instances {
        if tracked.state == InstanceState::Waiting {
            tracked.since = seen.now;
            tracked.deadline = deadline(action, tracked.kind, seen);
        }
    }
    command.state = CommandState::Sent;
    settle(command, seen);
}

/// An agent's answer. `false`: nothing changed.
pub(crate) fn acknowledged(command: &mut Command, ack: &Ack, now: Timestamp) -> bool {
    let known = command.instances.iter_mut().find(|one| {
        one.key.incarnation == Some(ack.incarnation) && one.key.consumer.as_ref() == Some(&ack.consumer)
    });
    let detail = ack.detail.clone().map(|detail| detail.chars().take(300).collect());
    if let Some(tracked) = known {
        return tracked.become_(ack.state, detail, now);
    }
    if command.instances.len() >= TRACKED_MAX {
        return false;
    }
    command.instances.push(Tracked {
        key: TrackedKey {
            consumer: Some(ack.consumer.clone()),
            instance: ack.instance.clone(),
            incarnation: Some(ack.incarnation),
        },
        kind: InstanceKind::Agent,
        state: ack.state,
        at: now,
        detail,
        since: now,
        deadline: now,
        baseline: HashMap::new(),
    });
    true
}

/// Looks at what is known now; says whether the command changed. `retired`: what it asked for was
/// undone since, so what instances do now says nothing of it.
pub(crate) fn observe(command: &mut Command, seen: Seen<'_>, retired: bool) -> bool {
    let shape = |command: &Command| -> Vec<_> { command.instances.iter().map(|one| (one.state, one.at)).collect() };
    let before = (command.state, shape(command));
    if command.sent_at.is_some() || command.rebuilt {
        let mut instances = std::mem::take(&mut command.instances);
        for tracked in &mut instances {
            observe_one(command, tracked, seen, retired);
        }
        command.instances = instances;
    }
    settle(command, seen);
    before != (command.state, shape(command))
}

fn observe_one(command: &Command, tracked: &mut Tracked, seen: Seen<'_>, retired: bool) {
    if !retired
        && tracked.kind == InstanceKind::KafkaFlow
        && let Some(instance) = find(tracked, seen.telemetry)
    {
        match (no_evidence(command, instance), command.action) {
            (Some(why), _) => tracked.detail = Some(why.to_owned()),
            (None, _) if !is_fresh(command, tracked, instance, seen) => {}
            (None, Action::Pause) => evidence_of_pause(tracked, &command.target, instance, seen),
            (None, Action::Resume) => evidence_of_resume(tracked, &command.target, instance, seen),
        }
    }
    if tracked.state == InstanceState::Waiting && seen.now > tracked.deadline {
        let detail = tracked.detail.clone();
        tracked.become_(InstanceState::Silent, detail, seen.now);
    }
}

/// Why nothing that this instance says can be evidence.
fn no_evidence(command: &Command, instance: &InstanceTelemetry) -> Option<&'static str> {
    if instance.ambiguous {
        return Some("ambiguous: two processes speak under one name");
    }
    let silent_pattern = instance.pattern && streams(&command.target, instance).next().is_none();
    silent_pattern.then_some("it subscribes to a pattern, and its telemetry tells no partitions of it")
}

/// Everything that the instance says of the scope was said after the command.
fn is_fresh(command: &Command, tracked: &Tracked, instance: &InstanceTelemetry, seen: Seen<'_>) -> bool {
    let told_at = seen.told_at(instance.pair, &command.sent);
    instance.last_heard > tracked.since
        && streams(&command.target, instance)
            .all(|one| one.heard > tracked.since && told_at.is_none_or(|offset| one.offset > offset))
}

impl Seen<'_> {
    /// The newest of `sent` that shares its partition with the pair's telemetry: there, what has a
    /// lower offset was said before the command.
    fn told_at(&self, pair: usize, sent: &[SentRecord]) -> Option<i64> {
        let (topic, partition) = &self.admin_topics.get(pair)?.telemetry;
        let same = |record: &&SentRecord| &record.topic == topic && record.partition == *partition;
        sent.iter().filter(same).map(|record| record.offset).max()
    }
}

fn find<'a>(tracked: &Tracked, telemetry: Option<&'a GroupTelemetry>) -> Option<&'a InstanceTelemetry> {
    let consumer = telemetry?.consumer(tracked.key.consumer.as_ref()?)?;
    consumer
        .instances
        .iter()
        .filter(|one| one.instance == tracked.key.instance && one.incarnation == tracked.key.incarnation)
        .max_by_key(|one| one.last_heard)
}

fn evidence_of_pause(tracked: &mut Tracked, target: &Target, instance: &InstanceTelemetry, seen: Seen<'_>) {
    let Some(consumer) = tracked.key.consumer.clone() else { return };
    let running = !plan::violated(target, seen.holds, &consumer, instance, tracked.since).is_empty();
    let paused: usize = streams(target, instance).map(|stream| stream.paused.len()).sum();
    if running {
        if tracked.state.is_done() {
            tracked.become_(InstanceState::Waiting, Some("runs again: not paused any more".to_owned()), seen.now);
        }
        return;
    }
    if paused > 0 {
        let detail = format!("{paused} {} paused", if paused == 1 { "partition" } else { "partitions" });
        tracked.become_(InstanceState::FetchStopped, Some(detail), seen.now);
    } else {
        tracked.become_(InstanceState::NothingToDo, None, seen.now);
    }
}

fn evidence_of_resume(tracked: &mut Tracked, target: &Target, instance: &InstanceTelemetry, seen: Seen<'_>) {
    let Some(consumer) = tracked.key.consumer.clone() else { return };
    let all = || streams(target, instance);
    let still_paused = all().any(|stream| {
        stream.paused.iter().any(|partition| {
            !super::scope::is_held(seen.holds, &target.group, &consumer, instance, &stream.topic, *partition)
        })
    });
    if still_paused || tracked.state == InstanceState::Acknowledged {
        return;
    }
    let running: BTreeSet<(TopicName, Partition)> =
        all().flat_map(|stream| stream.running.iter().map(|one| (stream.topic.clone(), *one))).collect();
    if running.is_empty() {
        tracked.become_(InstanceState::NothingToDo, None, seen.now);
        return;
    }
    // Only commits that were read after the command prove that records flow.
    let read_since = seen.group.and_then(|group| group.as_of).is_some_and(|as_of| as_of > tracked.since);
    if !read_since {
        return;
    }
    let mut at_end = true;
    for (at, reading) in committed(target, seen.group).filter(|(at, _)| running.contains(at)) {
        let before = *tracked.baseline.entry(at.clone()).or_insert(reading.committed);
        if reading.committed > before {
            let offset = reading.committed.unwrap_or_default();
            let detail = format!("flows: {} partition {} committed {offset}", at.0, at.1);
            tracked.become_(InstanceState::Acknowledged, Some(detail), seen.now);
            return;
        }
        at_end &= reading.committed == reading.end || reading.is_empty_and_untouched();
    }
    if at_end {
        let detail = "flow not yet proven: all is read".to_owned();
        tracked.become_(InstanceState::NothingToRead, Some(detail), seen.now);
    }
}

/// The command's state from its instances.
fn settle(command: &mut Command, seen: Seen<'_>) {
    if command.rebuilt || command.sent_at.is_none() {
        return;
    }
    let states: Vec<InstanceState> = command.instances.iter().map(|one| one.state).collect();
    let waited = command.sent_at.is_some_and(|at| seen.now.since(at) > seen.timing.agent_deadline);
    command.state = if states.is_empty() && !waited { CommandState::Sent } else { outcome(&states) };
}

/// KafkaFlow instances that do not obey, and topics: to be sent again now. Marks who joined later.
/// `holds`: those of this command that stand, for a pause.
pub(crate) fn follow_up(
    command: &mut Command,
    holds: &[Hold],
    seen: Seen<'_>,
) -> BTreeMap<(usize, ConsumerName), BTreeSet<TopicName>> {
    let mut wanted = BTreeMap::new();
    let began = command.sent_at.unwrap_or(command.requested_at);
    let since = command.resends.last.unwrap_or(began);
    let heard: Vec<(ConsumerName, InstanceTelemetry)> =
        listening(&command.target, seen.telemetry, seen.now, seen.timing.heard_within)
            .filter(|(_, instance)| instance.kind() == InstanceKind::KafkaFlow)
            .map(|(consumer, instance)| (consumer.clone(), instance.clone()))
            .collect();
    for (consumer, instance) in heard {
        let topics = match command.action {
            Action::Pause => plan::violated(&command.target, holds, &consumer, &instance, since),
            Action::Resume => still_paused(command, &consumer, &instance, since, seen),
        };
        if topics.is_empty() {
            continue;
        }
        if command.action == Action::Pause {
            join(command, &consumer, &instance, began, seen);
        }
        wanted.entry((instance.pair, consumer)).or_insert_with(BTreeSet::new).extend(topics);
    }
    if wanted.is_empty() {
        return wanted;
    }
    if command.resends.count >= seen.timing.resend_max {
        command.resends.capped = true;
        return BTreeMap::new();
    }
    if seen.now.since(since) < seen.timing.resend_every {
        return BTreeMap::new();
    }
    command.resends.count += 1;
    command.resends.last = Some(seen.now);
    wanted
}

/// Only instances that this resume tracks, and that have given no evidence.
fn still_paused(
    command: &Command,
    consumer: &ConsumerName,
    instance: &InstanceTelemetry,
    since: Timestamp,
    seen: Seen<'_>,
) -> BTreeSet<TopicName> {
    let pending = command.instances.iter().any(|one| {
        one.key.consumer.as_ref() == Some(consumer) && one.key.instance == instance.instance && !one.state.is_done()
    });
    if !pending {
        return BTreeSet::new();
    }
    let target = &command.target;
    streams(target, instance)
        .filter(|stream| stream.heard > since)
        .filter(|stream| {
            stream.paused.iter().any(|partition| {
                !super::scope::is_held(seen.holds, &target.group, consumer, instance, &stream.topic, *partition)
            })
        })
        .map(|stream| stream.topic.clone())
        .collect()
}

/// An instance that runs what the pause covers and that the command does not track yet.
fn join(command: &mut Command, consumer: &ConsumerName, instance: &InstanceTelemetry, began: Timestamp, seen: Seen<'_>) {
    let known = command
        .instances
        .iter()
        .any(|one| one.key.consumer.as_ref() == Some(consumer) && one.key.instance == instance.instance);
    if known || command.instances.len() >= TRACKED_MAX {
        return;
    }
    let mut joiner = tracked(command, consumer, instance, seen);
    joiner.detail = Some(if command.rebuilt || instance.first_heard <= began {
        "runs what is held: not paused".to_owned()
    } else {
        format!("joined {} s after the pause: not paused", instance.first_heard.since(began).as_secs())
    });
    joiner.since = began;
    joiner.deadline = seen.now.plus(seen.timing.resend_every + seen.timing.kafkaflow_deadline);
    command.instances.push(joiner);
}

/// The command was sent again: who was silent is awaited anew.
pub(crate) fn sent_again(command: &mut Command, seen: Seen<'_>) {
    let action = command.action;
    for tracked in command.instances.iter_mut().filter(|one| one.kind == InstanceKind::KafkaFlow) {
        if matches!(tracked.state, InstanceState::Waiting | InstanceState::Silent) {
            tracked.since = seen.now;
            tracked.deadline = deadline(action, tracked.kind, seen);
            tracked.state = InstanceState::Waiting;
        }
    }
    settle(command, seen);
}
