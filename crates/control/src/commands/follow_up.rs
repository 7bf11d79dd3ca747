//! Following up on KafkaFlow: instances that join later or forget their pause are noted, and a command that is not
//! obeyed is sent again. Agents read the holds themselves.

use std::collections::{BTreeMap, BTreeSet};

use flowdeck_model::view::InstanceKind;
use flowdeck_model::{ConsumerName, Hold, InstanceState, TopicName};

use super::Command;
use super::lifecycle::{Deadlines, Seen, TRACKED_MAX, settle, tracked};
use super::scope::listening;
use crate::kinds;
use flowdeck_observe::telemetry::InstanceTelemetry;

/// What is to be sent again now, to consumers on each pair of admin topics.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Again {
    /// The command itself, with these topics.
    pub(crate) topics: BTreeMap<(usize, ConsumerName), BTreeSet<TopicName>>,
    /// A pause, of what a resume brings back first.
    pub(crate) pause: BTreeMap<(usize, ConsumerName), BTreeSet<TopicName>>,
    /// A stop, under a hold by stop: also while the group rebalances.
    pub(crate) stop: BTreeSet<(usize, ConsumerName)>,
    /// A start, while Kafka lists no member of the group.
    pub(crate) start: BTreeSet<(usize, ConsumerName)>,
    /// A restart in its place, while Kafka lists members, but none of the consumer.
    pub(crate) restart: BTreeSet<(usize, ConsumerName)>,
}

impl Again {
    pub(crate) fn is_empty(&self) -> bool {
        self.topics.is_empty()
            && self.pause.is_empty()
            && [&self.stop, &self.start, &self.restart].iter().all(|all| all.is_empty())
    }
}

/// KafkaFlow instances that do not obey, and topics: to be sent again now. Marks who joined later.
/// `holds`: those of this command that are in force, for a pause.
pub(crate) fn follow_up(command: &mut Command, holds: &[Hold], seen: Seen<'_>) -> Again {
    let heard: Vec<(ConsumerName, InstanceTelemetry)> =
        listening(&command.target, seen.telemetry, seen.now, seen.timing.heard_within)
            .filter(|(_, instance)| instance.kind() == InstanceKind::KafkaFlow)
            .map(|(consumer, instance)| (consumer.clone(), instance.clone()))
            .collect();
    kinds::of(command.action).again(command, holds, &heard, seen)
}

/// An instance that owns what the pause covers and that the command does not track yet. `obeys`: it was told in time.
pub(crate) fn join(
    command: &mut Command,
    consumer: &ConsumerName,
    instance: &InstanceTelemetry,
    obeys: bool,
    seen: Seen<'_>,
) {
    let began = command.began();
    let known = command
        .instances
        .iter()
        .any(|one| one.key.consumer.as_ref() == Some(consumer) && one.key.instance == instance.instance);
    if known || command.instances.len() >= TRACKED_MAX {
        return;
    }
    let mut joiner = tracked(command, consumer, instance, seen);
    if joiner.state == InstanceState::NotControllable {
        return command.instances.push(joiner);
    }
    let joined = (!command.restored && instance.first_heard > began)
        .then(|| format!("joined {} s after the pause", instance.first_heard.since(began).as_secs()));
    joiner.detail = match (&joined, obeys) {
        (_, true) => joined.clone(),
        (None, false) => Some("runs what is held: not paused".to_owned()),
        (Some(joined), false) => Some(format!("{joined}: not paused")),
    };
    joiner.joined = joined;
    joiner.since = began;
    joiner.deadline = seen.now.plus(seen.timing.kafkaflow_deadline);
    command.instances.push(joiner);
}

/// The command was sent again. Who was silent under a resume is awaited anew; a pause is sent so often that its
/// instances keep their time.
pub(crate) fn sent_again(command: &mut Command, seen: Seen<'_>) {
    command.resends.sent(seen.now);
    let anew = kinds::of(command.action).awaits_anew() && command.heal.is_none();
    let deadlines = Deadlines::of(command, seen);
    for tracked in command.instances.iter_mut().filter(|one| anew && one.kind == InstanceKind::KafkaFlow) {
        if matches!(tracked.state, InstanceState::Waiting | InstanceState::NoResponse) {
            tracked.since = seen.now;
            tracked.deadline = deadlines.at(tracked.kind);
            tracked.state = InstanceState::Waiting;
        }
    }
    settle(command, seen);
}
