//! What a command makes Flowdeck write: changes of holds, and KafkaFlow's own commands where an
//! instance without the agent listens. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use flowdeck_kafka::Metadata;
use flowdeck_model::error::ResourceKind;
use flowdeck_model::hold::HoldChange;
use flowdeck_model::view::InstanceKind;
use flowdeck_model::{
    CommandId, ConsumerName, GroupId, Hold, Partition, PortError, Submit, Target, Timestamp, Via,
};
use flowdeck_observe::HoldDefault;
use flowdeck_observe::sampling::sample::{GroupData, Sample};
use flowdeck_observe::time_zones::RewindTimeZones;
use flowdeck_protocol::{Malformed, Record, wire};

use super::CommandBook;
use super::heal::Heal;
use super::kafkaflow::{AdminCommand, kafkaflow_instances};
use super::lifecycle::WHOLE_TOPICS;
use super::lock_up::LockUps;
use super::offsets::Lookup;
use super::scope::listening;
use super::starts::Starts;
use crate::kinds;
use crate::offsets::alter::Alteration;
use flowdeck_observe::telemetry::{GroupTelemetry, TelemetryIndex};

#[derive(Debug)]
pub(crate) enum Decision {
    /// What is asked for is in force already.
    Existing(CommandId),
    Write(Plan),
}

/// Nothing in it: nothing has to be written.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) changes: Vec<HoldChange>,
    pub(crate) admin: Vec<AdminCommand>,
    /// Messages of Flowdeck's own for agents, each with the pair of admin topics that it goes to.
    pub(crate) records: Vec<(usize, Record)>,
    pub(crate) notes: Vec<String>,
    /// Looked at just before anything is sent.
    pub(crate) check: Option<Check>,
    /// Commits that Flowdeck itself sets.
    pub(crate) alter: Option<Box<Alteration>>,
    /// Consumers that were kept stopped and are started.
    pub(crate) starts: Option<Box<Starts>>,
    /// KafkaFlow consumers that are stopped for it, and started afterwards.
    pub(crate) stopped: BTreeSet<ConsumerName>,
    /// What comes before the resume itself.
    pub(crate) heal: Option<Box<Heal>>,
}

#[derive(Debug, Clone)]
pub(crate) enum Check {
    /// Kafka lists no member of the group.
    NoMembers(GroupId),
    /// Where commits are, and where they are moved.
    Offsets(Lookup),
}

/// What decisions look at.
pub(crate) struct Facts<'a> {
    pub(crate) telemetry: &'a TelemetryIndex,
    /// The holds of the target's group that are in force.
    pub(crate) active: &'a [Hold],
    pub(crate) book: &'a CommandBook,
    /// The brokers list the group.
    pub(crate) group_known: bool,
    /// As the brokers last told it.
    pub(crate) group: Option<&'a GroupData>,
    /// For how long the offsets of a group without members are kept, where that was read.
    pub(crate) offsets_kept: Option<Duration>,
    /// What was last read of the cluster.
    pub(crate) sample: &'a Sample,
    pub(crate) metadata: Option<&'a Metadata>,
    pub(crate) time_zones: &'a RewindTimeZones,
    pub(crate) heard_within: Duration,
    /// No commit of a group moves for so long before it is set.
    pub(crate) offsets_quiet: Duration,
    /// By which contract it was asked for.
    pub(crate) via: Via,
    pub(crate) hold_by: HoldDefault,
    /// Of the target's group.
    pub(crate) lock_ups: Option<&'a LockUps>,
    pub(crate) now: Timestamp,
}

pub(crate) fn decide(submit: &Submit, owner: &str, facts: &Facts<'_>) -> Result<Decision, PortError> {
    let target = &submit.target;
    let telemetry = facts.telemetry.group(&target.group);
    let kind = kinds::of(submit.action);
    let is_known = facts.group_known || telemetry.is_some() || !facts.active.is_empty();
    if !is_known && !kind.makes_group() {
        return Err(PortError::not_found(ResourceKind::Group, target.group.as_str()));
    }
    kind.plan(submit, owner, facts, telemetry)
}

/// What no reader takes would be in force for this process alone.
pub(crate) fn check_readable(changes: &[HoldChange]) -> Result<(), Malformed> {
    changes.iter().try_for_each(|change| match change {
        HoldChange::Release(_) => Ok(()),
        HoldChange::Set(hold) => wire::check_hold(hold),
    })
}

pub(crate) fn unreadable(cause: Malformed) -> PortError {
    let detail = format!(
        "the hold would be one that no reader takes ({cause}), so nothing is written. With very many \
         resumes of parts, resume the whole and pause again what is to stay paused"
    );
    PortError::Unprocessable { detail }
}

pub(crate) fn nobody(target: &Target) -> PortError {
    PortError::Unprocessable { detail: format!("no instance of {target} listens") }
}

/// Only agents can pause and resume partitions: refused where none listens, and of partitions that there are not.
pub(crate) fn check_partitions(
    target: &Target,
    facts: &Facts<'_>,
    telemetry: Option<&GroupTelemetry>,
) -> Result<(), PortError> {
    if !target.is_of_partitions() {
        return Ok(());
    }
    let mut heard = listening(target, telemetry, facts.now, facts.heard_within).peekable();
    if heard.peek().is_some() && heard.all(|(_, one)| one.kind() == InstanceKind::KafkaFlow) {
        let detail = format!("{WHOLE_TOPICS}, and no agent of {target} listens: name the whole topic");
        return Err(PortError::Unprocessable { detail });
    }
    for topic in &target.topics {
        let count = facts.metadata.and_then(|all| all.topic(topic)).map(|one| one.partitions.len());
        let beyond = |one: &&Partition| count.is_some_and(|count| one.get() as usize >= count);
        if let (Some(missing), Some(count)) = (target.partitions.iter().find(beyond), count) {
            let detail = format!("{topic} has no partition {missing}: it has {count}, from 0 on");
            return Err(PortError::Unprocessable { detail });
        }
    }
    Ok(())
}

pub(crate) const RUNS_ALREADY: &str = "Kafka lists members of the group, and a start of a consumer that runs damages it: \
     restart it instead";

pub(crate) fn nothing_assigned(target: &Target) -> PortError {
    let detail = format!("no instance of {target} has a partition assigned, so no offset would be moved");
    PortError::Unprocessable { detail }
}

/// Whether a by-name command would be sent.
pub(crate) fn needs_names(target: &Target, telemetry: &GroupTelemetry, facts: &Facts<'_>) -> bool {
    (target.consumer.is_some() || !target.topics.is_empty())
        && !target.is_of_partitions()
        && kafkaflow_instances(target, Some(telemetry), facts).next().is_some()
}

pub(crate) fn check_names(
    target: &Target,
    facts: &Facts<'_>,
    telemetry: Option<&GroupTelemetry>,
) -> Result<(), PortError> {
    if let Some(consumer) = &target.consumer {
        if telemetry.and_then(|group| group.consumer(consumer)).is_none() {
            let detail = format!(
                "telemetry has never shown a consumer {} of {}",
                consumer.shown(),
                target.group.shown()
            );
            return Err(PortError::Unprocessable { detail });
        }
        // KafkaFlow is sent nothing.
        return if target.is_of_partitions() { Ok(()) } else { unique(consumer, facts.telemetry) };
    }
    if target.topics.is_empty() || target.is_of_partitions() {
        return Ok(());
    }
    let names: BTreeSet<&ConsumerName> =
        kafkaflow_instances(target, telemetry, facts).map(|(name, _)| name).collect();
    names.into_iter().try_for_each(|name| unique(name, facts.telemetry))
}

pub(crate) fn unique(consumer: &ConsumerName, telemetry: &TelemetryIndex) -> Result<(), PortError> {
    let groups = telemetry.groups_of(consumer).len();
    if groups < 2 {
        return Ok(());
    }
    // Their names are for who may see them all.
    let detail = format!(
        "consumer {} runs in several groups ({groups}), and a command by its name would reach them all; only \
         a pause or resume of the whole group reaches one of them",
        consumer.shown(),
    );
    Err(PortError::Unprocessable { detail })
}

/// The holds that are in force once the changes are made.
pub(crate) fn apply(active: &[Hold], changes: &[HoldChange]) -> Vec<Hold> {
    let same = |a: &Hold, b: &Hold| a.id == b.id && a.scope == b.scope;
    let mut after = active.to_vec();
    for change in changes {
        match change {
            HoldChange::Release(gone) => after.retain(|hold| !same(hold, gone)),
            HoldChange::Set(new) => {
                after.retain(|hold| !same(hold, new));
                after.push(new.clone());
            }
        }
    }
    after
}
