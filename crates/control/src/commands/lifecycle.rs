//! A command's life after its records are written: who is expected to obey, agents' answers, and the
//! command's state from its instances. Pure: `now` is an argument.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use flowdeck_kafka::Member;
use flowdeck_model::command::outcome;
use flowdeck_model::view::InstanceKind;
use flowdeck_model::{
    Action, CommandState, ConsumerName, GroupState, Hold, InstanceName, InstanceState, Partition,
    PartitionReading, Target, Timestamp, TopicName, shown,
};
use flowdeck_protocol::wire::Ack;

use super::command::Anew;
use super::flow::Flow;
use super::heal::HEAL_WITHIN;
use super::held::HeldGroup;
use super::moved;
use super::scope::{listening, streams};
use super::{Command, Tracked};
use crate::kinds;
use flowdeck_observe::sampling::sample::GroupData;
use flowdeck_observe::telemetry::InstanceId;
use flowdeck_observe::telemetry::matching::{instance_of, member_words};
use flowdeck_observe::telemetry::{GroupTelemetry, InstanceTelemetry};
use flowdeck_observe::{AdminTopics, Timing};

pub(super) const COMMITS: Duration = Duration::from_secs(180);

/// Of a KafkaFlow instance under a command for partitions.
pub(crate) const WHOLE_TOPICS: &str = "KafkaFlow pauses and resumes whole topics only";

/// Instances that one command tracks: acks could claim any number. More than telemetry keeps of one group, so that who joins
/// has space.
pub(crate) const TRACKED_MAX: usize = 2_560;

/// What the brokers and the instances tell of the command's group.
#[derive(Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub(crate) telemetry: Option<&'a GroupTelemetry>,
    pub(crate) group: Option<&'a GroupData>,
    /// Of the command's group, all that are in force.
    pub(crate) holds: &'a [Hold],
    /// What is remembered of the group while it is held.
    pub(crate) held: Option<&'a HeldGroup>,
    pub(crate) timing: &'a Timing,
    pub(crate) admin_topics: &'a [AdminTopics],
    pub(crate) now: Timestamp,
}

impl Seen<'_> {
    /// What is sent to the group now may be forgotten by its instances at once.
    pub(crate) fn is_rebalancing(&self) -> bool {
        let listed = self.group.map(|group| group.state);
        match self.held {
            Some(held) => held.rebalances.is_under_way(listed, self.now),
            None => listed.is_some_and(GroupState::is_rebalance),
        }
    }
}

/// Everybody who is expected to answer, and the plain members that cannot.
pub(crate) fn expected(command: &Command, seen: Seen<'_>) -> Vec<Tracked> {
    let heard = listening(&command.target, seen.telemetry, seen.now, seen.timing.heard_within);
    let mut all: Vec<Tracked> =
        heard.map(|(consumer, instance)| tracked(command, consumer, instance, seen)).collect();
    all.truncate(TRACKED_MAX);
    if command.action.kind().is_for_consumer() {
        remember_members(command, &mut all, seen);
    }
    if command.target.consumer.is_none() {
        all.extend(plain_members(&command.target, seen));
    }
    all
}

/// Of a command that another replica wrote: also those that its record names and that are not heard yet.
pub(crate) fn expect_again(command: &mut Command, seen: Seen<'_>) {
    let mut all = expected(command, seen);
    let known = std::mem::take(&mut command.instances);
    let is_new = |one: &Tracked| !all.iter().any(|other| other.key == one.key);
    let unheard: Vec<Tracked> = known.into_iter().filter(is_new).collect();
    all.extend(unheard);
    command.instances = all;
}

/// In words, where instances are heard that the command cannot track: nothing is known of these.
pub(crate) fn untracked(command: &Command, seen: Seen<'_>) -> Option<String> {
    let unkept = seen.telemetry.map_or(0, |telemetry| telemetry.unkept);
    let heard = listening(&command.target, seen.telemetry, seen.now, seen.timing.heard_within).count();
    let count = unkept + heard.saturating_sub(TRACKED_MAX);
    (count > 0).then(|| {
        format!("more instances are heard than are tracked ({count} more): whether these obey is not known")
    })
}

/// As they are before the command: what has changed then is evidence.
fn remember_members(command: &Command, all: &mut [Tracked], seen: Seen<'_>) {
    let Some(telemetry) = seen.telemetry else { return };
    for tracked in all.iter_mut() {
        let instance = listening(&command.target, Some(telemetry), seen.now, seen.timing.heard_within)
            .find(|(consumer, instance)| InstanceId::of(consumer, instance) == tracked.key);
        let owned = instance.into_iter().flat_map(|(_, instance)| streams(&command.target, instance));
        tracked.anew.owned = owned
            .flat_map(|stream| {
                let both = stream.running.iter().chain(&stream.paused);
                both.map(|partition| (stream.topic.clone(), *partition))
            })
            .collect();
    }
    for member in seen.group.and_then(|group| group.members.as_deref()).unwrap_or_default() {
        let Some((consumer, instance)) = instance_of(telemetry, member) else { continue };
        let key = InstanceId::of(consumer, instance);
        if let Some(tracked) = all.iter_mut().find(|one| one.key == key) {
            tracked.anew.members.insert(member.member_id.clone());
        }
    }
}

pub(super) fn tracked(
    command: &Command,
    consumer: &ConsumerName,
    instance: &InstanceTelemetry,
    seen: Seen<'_>,
) -> Tracked {
    let kind = instance.kind();
    let cannot = command.target.is_of_partitions() && kind == InstanceKind::KafkaFlow;
    Tracked {
        key: InstanceId::of(consumer, instance),
        kind,
        state: if cannot { InstanceState::NotControllable } else { InstanceState::Waiting },
        at: seen.now,
        detail: cannot.then(|| WHOLE_TOPICS.to_owned()),
        since: seen.now,
        deadline: deadline(command, kind, seen),
        flows: flows(command, kind, seen),
        joined: None,
        moved: 0,
        anew: Anew::default(),
        is_silent: false,
    }
}

/// What was committed until now is no proof of what comes.
pub(crate) fn begin_flows(command: &mut Command, seen: Seen<'_>) {
    let all = flows(command, InstanceKind::KafkaFlow, seen);
    for tracked in command.instances.iter_mut().filter(|one| one.kind == InstanceKind::KafkaFlow) {
        tracked.flows.clone_from(&all);
    }
}

/// What was committed, and could be drained, before a resume.
fn flows(command: &Command, kind: InstanceKind, seen: Seen<'_>) -> HashMap<(TopicName, Partition), Flow> {
    if !kinds::of(command.action).awaits_flow() || kind != InstanceKind::KafkaFlow {
        return HashMap::new();
    }
    let flow = |at: &(TopicName, Partition), committed| match seen.held {
        Some(held) => held.flow(at, committed),
        None => Flow::new(committed, None),
    };
    committed(&command.target, seen.group)
        .map(|(at, reading)| {
            let flow = flow(&at, reading.committed);
            (at, flow)
        })
        .collect()
}

pub(crate) fn deadline(command: &Command, kind: InstanceKind, seen: Seen<'_>) -> Timestamp {
    if command.heal.is_some() {
        return seen.now.plus(HEAL_WITHIN);
    }
    let span = match kind {
        InstanceKind::KafkaFlow => kinds::of(command.action).kafkaflow_deadline(command, seen),
        // What sets them has an end of its own, and each of its waits has a deadline.
        InstanceKind::Commits => seen.timing.offsets_quiet + COMMITS,
        _ => kinds::of(command.action).agent_deadline(seen.timing),
    };
    seen.now.plus(span)
}

/// Of the instances of a command, from now on.
pub(super) struct Deadlines {
    kafkaflow: Timestamp,
    agents: Timestamp,
    commits: Timestamp,
}

impl Deadlines {
    pub(super) fn of(command: &Command, seen: Seen<'_>) -> Self {
        let at = |kind| deadline(command, kind, seen);
        let agents = at(InstanceKind::Agent);
        // Those that agents set are said with the agents' answers.
        let commits = if command.by_stop.is_some() { at(InstanceKind::KafkaFlow) } else { agents };
        Self { kafkaflow: at(InstanceKind::KafkaFlow), agents, commits }
    }

    pub(super) fn at(&self, kind: InstanceKind) -> Timestamp {
        match kind {
            InstanceKind::KafkaFlow => self.kafkaflow,
            InstanceKind::Commits => self.commits,
            _ => self.agents,
        }
    }
}

pub(crate) fn committed<'a>(
    target: &'a Target,
    group: Option<&'a GroupData>,
) -> impl Iterator<Item = ((TopicName, Partition), PartitionReading)> + 'a {
    group
        .into_iter()
        .flat_map(|group| group.readings(false))
        .filter(|(topic, partition, _)| target.reaches(topic, *partition))
        .map(|(topic, partition, reading)| ((topic.as_ref().clone(), partition), reading))
}

/// Members that own something in the scope and that no telemetry matches.
fn plain_members(target: &Target, seen: Seen<'_>) -> Vec<Tracked> {
    let members = seen.group.and_then(|group| group.members.as_deref()).unwrap_or_default();
    let owns = |member: &&Member| {
        member.assignment.iter().any(|(topic, partition)| target.reaches(topic, *partition))
    };
    let plain =
        |member: &&Member| seen.telemetry.is_none_or(|telemetry| instance_of(telemetry, member).is_none());
    members
        .iter()
        .filter(owns)
        .filter(plain)
        .take(TRACKED_MAX)
        .map(|member| Tracked {
            key: InstanceId {
                consumer: None,
                instance: InstanceName::new(member_words(member)),
                incarnation: None,
            },
            kind: InstanceKind::Member,
            state: InstanceState::NotControllable,
            at: seen.now,
            detail: None,
            since: seen.now,
            deadline: seen.now,
            flows: HashMap::new(),
            joined: None,
            moved: 0,
            anew: Anew::default(),
            is_silent: false,
        })
        .collect()
}

/// The records are written: evidence counts from now on.
pub(crate) fn sent(command: &mut Command, seen: Seen<'_>) {
    command.sent_at = Some(seen.now);
    command.resends.last = Some(seen.now);
    let deadlines = Deadlines::of(command, seen);
    for tracked in &mut command.instances {
        if tracked.state == InstanceState::Waiting {
            tracked.since = seen.now;
            tracked.deadline = deadlines.at(tracked.kind);
        }
    }
    command.state = CommandState::Sent;
    settle(command, seen);
}

/// Another replica was the one that gathered evidence: what is still awaited has its time anew.
pub(crate) fn await_anew(command: &mut Command, seen: Seen<'_>) {
    if !command.state.is_settled() {
        await_left_out(command, seen);
    }
    let deadlines = Deadlines::of(command, seen);
    for tracked in command.instances.iter_mut().filter(|one| one.state == InstanceState::Waiting) {
        tracked.deadline = tracked.deadline.max(deadlines.at(tracked.kind));
    }
    settle(command, seen);
}

/// Those for whom the audit had no space and who have not answered.
fn await_left_out(command: &mut Command, seen: Seen<'_>) {
    if !command.may_lack_awaited() {
        return;
    }
    let known: HashSet<InstanceId> = command.instances.iter().map(|one| one.key.clone()).collect();
    let began = command.began();
    let is_one = |consumer: &ConsumerName, one: &InstanceTelemetry| {
        one.first_heard <= began && !known.contains(&InstanceId::of(consumer, one))
    };
    let found: Vec<Tracked> = listening(&command.target, seen.telemetry, seen.now, seen.timing.heard_within)
        .filter(|(consumer, one)| is_one(consumer, one))
        .map(|(consumer, one)| tracked(command, consumer, one, seen))
        .take(command.left_out as usize)
        .collect();
    command.listed(found.len());
    command.instances.extend(found);
}

/// Those that came while this process did not lead count from now on.
pub(crate) fn take_acks(command: &mut Command, now: Timestamp) {
    let before = command.instances.len();
    for ack in std::mem::take(&mut command.acks) {
        acknowledged(command, &ack, now);
    }
    command.listed(command.instances.len() - before);
}

/// For when this process leads: each instance's newest answer.
pub(crate) fn keep_newest(acks: &mut Vec<Ack>, ack: Ack) {
    let same = |one: &Ack| {
        one.incarnation == ack.incarnation && one.instance == ack.instance && one.consumer == ack.consumer
    };
    match acks.iter().position(same) {
        Some(at) => acks[at] = ack,
        None if acks.len() < TRACKED_MAX => acks.push(ack),
        None => {}
    }
}

/// Whether an answer speaks in the life of another instance: an incarnation has one name.
pub(crate) fn is_borrowed(command: &Command, ack: &Ack) -> bool {
    let same_life = |one: &&Tracked| one.key.incarnation == Some(ack.incarnation);
    command.instances.iter().filter(same_life).any(|one| one.key.instance != ack.instance)
}

/// An agent's answer. `false`: nothing changed.
pub(crate) fn acknowledged(command: &mut Command, ack: &Ack, now: Timestamp) -> bool {
    // Of what changes first: the resume itself is not written yet.
    if command.heal.as_ref().is_some_and(|heal| !heal.is_resuming) {
        return false;
    }
    let moved = moved::note(command, ack, now);
    let changed = answered(command, ack, now);
    moved::close(command, now) || moved || changed
}

fn answered(command: &mut Command, ack: &Ack, now: Timestamp) -> bool {
    let known = command.instances.iter_mut().find(|one| {
        one.key.incarnation == Some(ack.incarnation)
            && one.key.instance == ack.instance
            && one.key.consumer.as_ref() == Some(&ack.consumer)
    });
    let detail = ack.detail.as_deref();
    let detail = detail.map(|detail| shown::name(&detail.chars().take(300).collect::<String>()));
    if let Some(tracked) = known {
        return tracked.become_(ack.state, detail, now);
    }
    if command.instances.len() >= TRACKED_MAX {
        return false;
    }
    command.instances.push(Tracked {
        key: InstanceId {
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
        flows: HashMap::new(),
        joined: None,
        moved: 0,
        anew: Anew::default(),
        is_silent: false,
    });
    true
}

/// The command's state from its instances.
pub(crate) fn settle(command: &mut Command, seen: Seen<'_>) {
    if command.restored || command.sent_at.is_none() {
        return;
    }
    let states: Vec<InstanceState> = command.instances.iter().map(|one| one.state).collect();
    let waited = command.sent_at.is_some_and(|at| seen.now.since(at) > seen.timing.agent_deadline);
    // Of a pause on start the first instance is awaited.
    let awaits_start = command.action == Action::Pause && !command.holds.is_empty();
    let nobody_yet = states.is_empty() && (!waited || awaits_start);
    // Who has no partition proves nothing for whoever has them and was not heard yet.
    let idle_alone =
        awaits_start && !waited && states.iter().all(|state| *state == InstanceState::NothingToDo);
    command.state = match outcome(&states) {
        _ if nobody_yet || idle_alone => CommandState::Sent,
        CommandState::Confirmed if command.may_lack_awaited() => CommandState::PartiallyConfirmed,
        state => state,
    };
}
