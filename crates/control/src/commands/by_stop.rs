//! Offsets of a live KafkaFlow group, on request: its consumers are stopped, the commits are set once Kafka lists no member,
//! and the consumers are started again, whatever came of the commits. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use flowdeck_model::view::InstanceKind;
use flowdeck_model::{ConsumerName, HoldBy, InstanceState, PortError, Submit, Timestamp, shown, verdict};
use flowdeck_observe::Timing;

use super::lifecycle::{COMMITS, Seen, expected};
use super::plan::Facts;
use super::stops::{consumers, is_stopped, members};
use super::{Command, Tracked};

/// KafkaFlow's workers have 30 s to finish, and Kafka lists a static member until its session ends.
const STOPS_WITHIN: Duration = Duration::from_secs(90);
/// A stop that may be under way has come to its end by then.
const STOPPED_BY_THEN: Duration = Duration::from_secs(40);
const START_EVERY: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ByStop {
    /// Those that are stopped and started.
    pub(crate) consumers: BTreeSet<ConsumerName>,
    stage: Stage,
    /// It was not seen that all of them stopped: one that runs may stop yet.
    is_unclear: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Stopping,
    Setting,
    /// When the start was last sent.
    Starting {
        sent: Timestamp,
    },
}

/// What is due now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Nothing,
    StopAgain,
    /// Kafka lists no member.
    Set,
    /// It still lists members: the commits are left alone.
    GiveUp,
    StartAgain,
}

pub(crate) const WAITS: &str =
    "its consumers are stopped first; then its commits have to stay as they are, are changed and read again";
pub(crate) const NO_MEMBERS: &str =
    "the group has no active members any more, so nothing has to be stopped: look at a new preview";
const STOPPING: &str = "told to stop";
const STOPPED: &str = "stopped: it is started once the commits are dealt with";
const STARTING: &str = "told to start";
const IF_IT_STAYS: &str = "; while that is so it may be stopped: start its consumer on the group's page";

/// For a preview and the operation itself.
pub(crate) fn described(of: &BTreeSet<(usize, ConsumerName)>) -> String {
    let names: BTreeSet<String> = of.iter().map(|(_, name)| name.shown().to_string()).collect();
    let names = verdict::names(&names.into_iter().collect::<Vec<_>>());
    format!(
        "KafkaFlow consumers are stopped, all their instances (StopConsumerByName: {names}); once Kafka lists no member of \
         the group and no commit moves, the offsets are set, and they are started (StartConsumerByName). Until then nothing \
         of the group is handled. They finish what they have buffered and commit it before they leave: a partition that \
         goes beyond the offset to which it was to skip is left there."
    )
}

/// It has to be asked for, and no pause may be in force: a start under it would find a backlog, and lock up.
pub(crate) fn check(
    submit: &Submit,
    of: &BTreeSet<(usize, ConsumerName)>,
    facts: &Facts<'_>,
) -> Result<(), PortError> {
    if submit.by != Some(HoldBy::Stop) {
        let names: Vec<String> = of.iter().map(|(_, name)| name.shown().to_string()).collect();
        let detail = format!(
            "the group has active members of KafkaFlow ({}), and Kafka takes commits from members alone. To have them stopped, \
             the offsets set, and them started again, say so: \"by\": \"stop\". To the start offsets or to a time they go by \
             their own reset and rewind, too",
            verdict::names(&names)
        );
        return Err(PortError::Unprocessable { detail });
    }
    match facts.active.first() {
        None => Ok(()),
        Some(hold) => {
            let owner = shown::name(&hold.owner);
            let detail = format!(
                "a pause of {owner} is in force in the group, and its consumers would be started under it: resume it first, or \
                 keep the whole group paused by stop"
            );
            Err(PortError::Conflict { detail })
        }
    }
}

pub(crate) fn begin(command: &mut Command, of: BTreeSet<ConsumerName>) {
    command.by_stop = Some(ByStop { consumers: of, stage: Stage::Stopping, is_unclear: false });
    keep_own(command);
    for tracked in &mut command.instances {
        tracked.detail = Some(STOPPING.to_owned());
    }
}

/// What is said of others is not awaited.
fn keep_own(command: &mut Command) {
    let Some(by_stop) = &command.by_stop else { return };
    let is_own = |one: &Tracked| {
        one.kind == InstanceKind::KafkaFlow
            && one.key.consumer.as_ref().is_some_and(|name| by_stop.consumers.contains(name))
    };
    command.instances.retain(|one| one.kind == InstanceKind::Commits || is_own(one));
}

impl ByStop {
    pub(super) fn from_audit(names: Vec<ConsumerName>) -> Option<Self> {
        let consumers: BTreeSet<ConsumerName> = names.into_iter().collect();
        (!consumers.is_empty()).then_some(Self { consumers, stage: Stage::Setting, is_unclear: true })
    }
}

pub(crate) fn is_starting(command: &Command) -> bool {
    command.by_stop.as_ref().is_some_and(|one| matches!(one.stage, Stage::Starting { .. }))
}

/// Something may be stopped yet, so that what runs proves nothing.
pub(crate) fn is_unclear(command: &Command, tracked: &Tracked, now: Timestamp) -> bool {
    command.by_stop.as_ref().is_some_and(|one| one.is_unclear) && now.since(tracked.since) < STOPPED_BY_THEN
}

/// Of an instance that does not run.
pub(crate) fn not_started(why: &str) -> String {
    [why, IF_IT_STAYS].concat()
}

/// Of what is awaited at this stage.
pub(crate) fn deadline(command: &Command, timing: &Timing) -> Duration {
    match &command.by_stop {
        Some(ByStop { stage: Stage::Starting { .. }, is_unclear: false, .. }) => timing.restart_deadline,
        Some(ByStop { stage: Stage::Starting { .. }, .. }) => timing.restart_deadline + STOPPED_BY_THEN,
        Some(_) => STOPS_WITHIN + timing.offsets_quiet + COMMITS,
        None => timing.restart_deadline,
    }
}

/// Looked at again and again.
pub(crate) fn next(command: &mut Command, seen: Seen<'_>) -> Next {
    match command.by_stop.as_ref().map(|one| one.stage) {
        Some(Stage::Stopping) => stopping(command, seen),
        Some(Stage::Starting { sent }) => starting(command, sent, seen),
        Some(Stage::Setting) | None => Next::Nothing,
    }
}

fn stopping(command: &mut Command, seen: Seen<'_>) -> Next {
    let Some(began) = command.sent_at else { return Next::Nothing };
    let is_late = seen.now.since(began) >= STOPS_WITHIN;
    match members(seen).filter(|(_, asked)| *asked > began) {
        Some(([], _)) => Next::Set,
        _ if is_late => Next::GiveUp,
        Some((listed, _)) => {
            let ids = listed.iter().map(|member| member.member_id.clone()).collect();
            if command.stops.is_due(ids, began, seen.now) { Next::StopAgain } else { Next::Nothing }
        }
        None => Next::Nothing,
    }
}

fn starting(command: &mut Command, sent: Timestamp, seen: Seen<'_>) -> Next {
    let group = &command.target.group;
    let is_awaited =
        |one: &Tracked| one.kind == InstanceKind::KafkaFlow && one.state == InstanceState::Waiting;
    for tracked in command.instances.iter_mut().filter(|one| is_awaited(one)) {
        if tracked.key.consumer.as_ref().is_some_and(|name| is_stopped(seen.holds, group, name)) {
            let detail = "a pause that came meanwhile keeps it stopped, and its resume starts it".to_owned();
            tracked.become_(InstanceState::NothingToDo, Some(detail), seen.now);
        }
    }
    let is_empty = members(seen).is_some_and(|(listed, asked)| asked > sent && listed.is_empty());
    let is_due = seen.now.since(sent) >= START_EVERY && is_empty && command.instances.iter().any(is_awaited);
    if !is_due {
        return Next::Nothing;
    }
    started(command, seen.now);
    Next::StartAgain
}

fn started(command: &mut Command, now: Timestamp) {
    if let Some(by_stop) = &mut command.by_stop {
        by_stop.stage = Stage::Starting { sent: now };
    }
}

/// Kafka lists no member: the commits are next.
pub(crate) fn set(command: &mut Command) {
    if let Some(by_stop) = &mut command.by_stop {
        by_stop.stage = Stage::Setting;
    }
    let of = command.instances.iter_mut().filter(|one| one.kind == InstanceKind::KafkaFlow);
    for tracked in of.filter(|one| one.state == InstanceState::Waiting) {
        tracked.detail = Some(STOPPED.to_owned());
    }
}

/// Nothing is changed where members are left.
pub(crate) fn give_up(command: &mut Command, seen: Seen<'_>) {
    if let Some(by_stop) = &mut command.by_stop {
        by_stop.is_unclear = true;
    }
    let detail = match members(seen) {
        Some((listed, _)) => {
            let (count, seconds) = (listed.len(), STOPS_WITHIN.as_secs());
            format!("not changed: {seconds} s after the stop Kafka still lists {count} members of the group")
        }
        None => "not changed: Kafka did not tell the members of the group".to_owned(),
    };
    for tracked in command.instances.iter_mut().filter(|one| one.kind == InstanceKind::Commits) {
        tracked.become_(InstanceState::Refused, Some(detail.clone()), seen.now);
    }
    command.leave_offsets(|_| true);
}

/// Another replica began it: what it stopped is started again, and where that is not known, each consumer of the group.
pub(crate) fn take_over(command: &mut Command) {
    let known = command.by_stop.take().map(|one| one.consumers).unwrap_or_default();
    command.by_stop = Some(ByStop { consumers: known, stage: Stage::Setting, is_unclear: true });
}

/// Whether it is known what came of the commits.
pub(crate) fn is_set(command: &Command) -> bool {
    let mut of = command.instances.iter().filter(|one| one.kind == InstanceKind::Commits).peekable();
    of.peek().is_some() && of.all(|one| one.state != InstanceState::Waiting)
}

/// Whatever came of the commits: from here on it is awaited that the consumers run.
pub(crate) fn start(command: &mut Command, seen: Seen<'_>) {
    let Some(by_stop) = command.by_stop.as_mut() else { return };
    by_stop.stage = Stage::Starting { sent: seen.now };
    if by_stop.is_unclear {
        find_instances(command, seen);
    }
    let deadline = seen.now.plus(deadline(command, seen.timing));
    let of = command.instances.iter_mut().filter(|one| one.kind == InstanceKind::KafkaFlow);
    for tracked in of.filter(|one| one.state == InstanceState::Waiting) {
        tracked.since = seen.now;
        tracked.deadline = deadline;
        tracked.detail = Some(STARTING.to_owned());
    }
}

/// As far as telemetry tells of them now.
fn find_instances(command: &mut Command, seen: Seen<'_>) {
    let Some(by_stop) = command.by_stop.as_mut() else { return };
    if by_stop.consumers.is_empty() {
        let all = consumers(&command.target, seen.telemetry);
        by_stop.consumers = all.into_iter().map(|(_, name)| name).collect();
    }
    let heard = expected(command, seen);
    for one in heard.into_iter().filter(|one| one.kind == InstanceKind::KafkaFlow) {
        if !command.instances.iter().any(|known| known.key == one.key) {
            command.instances.push(one);
        }
    }
    keep_own(command);
}
