//! Which of KafkaFlow's own commands are sent, where an instance without the agent listens. Pure.
//!
//! Why these (design, decision 8): a whole group is paused and resumed by
//! its group command without topics, which is exact both ways and reaches no process without that
//! group. Everything narrower is a by-name command with the topics spelled out, since KafkaFlow's
//! group resume ignores its filter. By-name commands carry no group, so a name that telemetry shows
//! in several groups is refused.

use std::collections::{BTreeMap, BTreeSet};

use flowdeck_model::view::InstanceKind;
use flowdeck_model::{ConsumerName, Hold, Target, TopicName};
use flowdeck_protocol::kafkaflow;

use super::plan::Facts;
use super::scope::{in_scope, is_held, listening, streams};
use flowdeck_observe::telemetry::{GroupTelemetry, InstanceTelemetry, TopicStream};

/// A command for KafkaFlow, and the pair of admin topics that it goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AdminCommand {
    pub(crate) pair: usize,
    pub(crate) message: kafkaflow::Command,
}

pub(crate) fn kafkaflow_instances<'a>(
    target: &'a Target,
    telemetry: Option<&'a GroupTelemetry>,
    facts: &Facts<'_>,
) -> impl Iterator<Item = (&'a ConsumerName, &'a InstanceTelemetry)> {
    listening(target, telemetry, facts.now, facts.heard_within)
        .filter(|(_, instance)| instance.kind() == InstanceKind::KafkaFlow)
}

/// Consumers with a KafkaFlow instance in the scope, by the pair that they are heard on, with the
/// topics that they tell of.
pub(crate) fn by_pair<'a>(
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

/// Topics of which an instance that joined, or forgot its pause, runs what an active pause covers. `counts`: whether
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
