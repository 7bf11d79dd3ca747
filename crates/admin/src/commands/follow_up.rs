//! Following up on KafkaFlow: instances that join later or forget their pause are noted, and a command
//! that is not obeyed is sent again, seldom and not for ever. Agents read the holds themselves.

use std::collections::{BTreeMap, BTreeSet};

use flowdeck_model::view::InstanceKind;
use flowdeck_model::{Action, ConsumerName, Hold, InstanceState, Timestamp, TopicName};

use super::Command;
use super::kafkaflow::violated;
use super::lifecycle::{Seen, TRACKED_MAX, deadline, settle, tracked};
use super::scope::{is_held, listening, streams};
use crate::telemetry::InstanceTelemetry;

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
            Action::Pause => violated(&command.target, holds, &consumer, &instance, since),
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
        one.key.consumer.as_ref() == Some(consumer)
            && one.key.instance == instance.instance
            && !one.state.is_done()
    });
    if !pending {
        return BTreeSet::new();
    }
    let target = &command.target;
    streams(target, instance)
        .filter(|stream| stream.heard > since)
        .filter(|stream| {
            stream.paused.iter().any(|partition| {
                !is_held(seen.holds, &target.group, consumer, instance, &stream.topic, *partition)
            })
        })
        .map(|stream| stream.topic.clone())
        .collect()
}

/// An instance that runs what the pause covers and that the command does not track yet.
fn join(
    command: &mut Command,
    consumer: &ConsumerName,
    instance: &InstanceTelemetry,
    began: Timestamp,
    seen: Seen<'_>,
) {
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
