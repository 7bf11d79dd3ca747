//! Which of KafkaFlow's own commands are sent, where an instance without the agent listens. Pure.
//!
//! Why these (design, decision 8): a whole group is paused and resumed by
//! its group command without topics, which is exact both ways and reaches no process without that
//! group. Everything narrower is a by-name command with the topics spelled out, since KafkaFlow's
//! group resume ignores its filter. By-name commands carry no group, so a name that telemetry shows
//! in several groups is refused.

use std::collections::{BTreeMap, BTreeSet};

use flowdeck_model::view::InstanceKind;
use flowdeck_model::{Action, ConsumerName, Hold, Target, TopicName};
use flowdeck_protocol::kafkaflow;

use super::follow_up::Again;
use super::plan::Facts;
use super::scope::{in_scope, is_held, listening, streams};
use flowdeck_observe::telemetry::{GroupTelemetry, InstanceTelemetry, TopicStream};

/// A command for KafkaFlow, and the pair of admin topics that it goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AdminCommand {
    pub(crate) pair: usize,
    pub(crate) message: kafkaflow::Command,
}

pub(super) fn kafkaflow_instances<'a>(
    target: &'a Target,
    telemetry: Option<&'a GroupTelemetry>,
    facts: &Facts<'_>,
) -> impl Iterator<Item = (&'a ConsumerName, &'a InstanceTelemetry)> {
    listening(target, telemetry, facts.now, facts.heard_within)
        .filter(|(_, instance)| instance.kind() == InstanceKind::KafkaFlow)
}

/// Consumers with a KafkaFlow instance in the scope, by the pair that they are heard on, with the
/// topics that they tell of.
fn by_pair<'a>(
    target: &'a Target,
    telemetry: Option<&'a GroupTelemetry>,
    facts: &Facts<'_>,
) -> BTreeMap<usize, BTreeMap<&'a ConsumerName, Vec<&'a InstanceTelemetry>>> {
    let mut pairs: BTreeMap<usize, BTreeMap<&ConsumerName, Vec<&InstanceTelemetry>>> = BTreeMap::new();
    for (consumer, instance) in kafkaflow_instances(target, telemetry, facts) {
        pairs.entry(instance.pair).or_default().entry(consumer).or_default().push(instance);
    }
    pairs
}

pub(super) fn pause_commands(
    target: &Target,
    facts: &Facts<'_>,
    telemetry: Option<&GroupTelemetry>,
) -> Vec<AdminCommand> {
    let mut commands = Vec::new();
    for (pair, consumers) in by_pair(target, telemetry, facts) {
        if target.consumer.is_none() && target.topics.is_empty() {
            let message =
                kafkaflow::Command::PauseConsumersByGroup { group: target.group.clone(), topics: vec![] };
            commands.push(AdminCommand { pair, message });
            continue;
        }
        for consumer in consumers.into_keys() {
            let topics = target.topics.clone();
            let message = kafkaflow::Command::PauseConsumerByName { consumer: consumer.clone(), topics };
            commands.push(AdminCommand { pair, message });
        }
    }
    commands
}

pub(super) fn resume_commands(
    target: &Target,
    after: &[Hold],
    facts: &Facts<'_>,
    telemetry: Option<&GroupTelemetry>,
) -> (Vec<AdminCommand>, Vec<String>) {
    let (mut commands, mut notes) = (Vec::new(), Vec::new());
    for (pair, consumers) in by_pair(target, telemetry, facts) {
        if target.consumer.is_none() && target.topics.is_empty() && after.is_empty() {
            let message =
                kafkaflow::Command::ResumeConsumersByGroup { group: target.group.clone(), topics: vec![] };
            commands.push(AdminCommand { pair, message });
            continue;
        }
        for (consumer, instances) in consumers {
            let (free, held) = topics(target, after, consumer, &instances);
            for topic in &held {
                notes
                    .push(format!("{topic} of {} stays paused: another hold stands there", consumer.shown()));
            }
            let all = held.is_empty() && target.topics.is_empty();
            if !all && free.is_empty() {
                continue;
            }
            let topics = if all { vec![] } else { free };
            let message = kafkaflow::Command::ResumeConsumerByName { consumer: consumer.clone(), topics };
            commands.push(AdminCommand { pair, message });
        }
    }
    (commands, notes)
}

/// Topics of these instances in the scope: free of holds, and still held.
fn topics(
    target: &Target,
    after: &[Hold],
    consumer: &ConsumerName,
    instances: &[&InstanceTelemetry],
) -> (Vec<TopicName>, Vec<TopicName>) {
    let mut all: BTreeMap<TopicName, bool> = BTreeMap::new();
    for instance in instances {
        for stream in streams(target, instance) {
            let held = stream.running.iter().chain(&stream.paused).any(|partition| {
                is_held(after, &target.group, consumer, instance, &stream.topic, *partition)
            });
            *all.entry(stream.topic.clone()).or_default() |= held;
        }
    }
    let (held, free): (Vec<_>, Vec<_>) = all.into_iter().partition(|(_, held)| *held);
    let names = |topics: Vec<(TopicName, bool)>| topics.into_iter().map(|(topic, _)| topic).collect();
    (names(free), names(held))
}

/// The same command once more, to the consumers that do not obey, with the topics spelled out.
pub(crate) fn again(action: Action, wanted: Again) -> Vec<AdminCommand> {
    wanted
        .into_iter()
        .map(|((pair, consumer), topics)| {
            let topics = topics.into_iter().collect();
            let message = match action {
                Action::Pause => kafkaflow::Command::PauseConsumerByName { consumer, topics },
                Action::Resume => kafkaflow::Command::ResumeConsumerByName { consumer, topics },
            };
            AdminCommand { pair, message }
        })
        .collect()
}

/// KafkaFlow's resume for holds whose time is over.
pub(crate) fn release(
    target: &Target,
    after: &[Hold],
    facts: &Facts<'_>,
) -> (Vec<AdminCommand>, Vec<String>) {
    resume_commands(target, after, facts, facts.telemetry.group(&target.group))
}

/// Topics of which an instance that joined, or forgot its pause, runs what a standing pause covers. `counts`: whether
/// what it said of a topic was said since.
pub(crate) fn violated(
    target: &Target,
    holds: &[Hold],
    consumer: &ConsumerName,
    instance: &InstanceTelemetry,
    counts: impl Fn(&TopicStream) -> bool,
) -> BTreeSet<TopicName> {
    if !in_scope(target, consumer, instance) {
        return BTreeSet::new();
    }
    streams(target, instance)
        .filter(|stream| counts(stream))
        .filter(|stream| {
            stream
                .running
                .iter()
                .any(|partition| is_held(holds, &target.group, consumer, instance, &stream.topic, *partition))
        })
        .map(|stream| stream.topic.clone())
        .collect()
}
