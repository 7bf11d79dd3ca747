//! Following up on KafkaFlow: instances that join later or forget their pause are noted, and a command that is not
//! obeyed is sent again. Agents read the holds themselves.

use std::collections::{BTreeMap, BTreeSet};

use flowdeck_model::view::InstanceKind;
use flowdeck_model::{Action, ConsumerName, Hold, InstanceState, Scope, Target, Timestamp, TopicName};

use super::Command;
use super::held::Told;
use super::kafkaflow::violated;
use super::lifecycle::{Seen, TRACKED_MAX, deadline, settle, tracked};
use super::scope::{is_held, listening, streams};
use flowdeck_observe::telemetry::InstanceTelemetry;

/// Topics to be commanded again, of each consumer on each pair of admin topics.
pub(crate) type Again = BTreeMap<(usize, ConsumerName), BTreeSet<TopicName>>;

/// KafkaFlow instances that do not obey, and topics: to be sent again now. Marks who joined later.
/// `holds`: those of this command that stand, for a pause.
pub(crate) fn follow_up(command: &mut Command, holds: &[Hold], seen: Seen<'_>) -> Again {
    let heard: Vec<(ConsumerName, InstanceTelemetry)> =
        listening(&command.target, seen.telemetry, seen.now, seen.timing.heard_within)
            .filter(|(_, instance)| instance.kind() == InstanceKind::KafkaFlow)
            .map(|(consumer, instance)| (consumer.clone(), instance.clone()))
            .collect();
    match command.action {
        Action::Pause => pause_again(command, holds, &heard, seen),
        Action::Resume => resume_again(command, &heard, seen),
    }
}

fn pause_again(
    command: &mut Command,
    holds: &[Hold],
    heard: &[(ConsumerName, InstanceTelemetry)],
    seen: Seen<'_>,
) -> Again {
    let told = Told::of(command, seen);
    let mut wanted = Again::new();
    for (consumer, instance) in heard {
        let topics =
            violated(&command.target, holds, consumer, instance, |stream| told.counts(instance, stream));
        if topics.is_empty() {
            let joined = !command.restored && instance.first_heard > command.began();
            if joined && pauses_held(&command.target, holds, consumer, instance) {
                join(command, consumer, instance, true, seen);
            }
            continue;
        }
        join(command, consumer, instance, false, seen);
        wanted.entry((instance.pair, consumer.clone())).or_default().extend(topics);
    }
    if seen.is_rebalancing() {
        // It would not be heard, or be forgotten at once.
        return Again::new();
    }
    let rebalanced = seen.held.and_then(|held| held.rebalances.ended_at());
    let rebalanced = rebalanced.filter(|at| *at > command.began());
    if wanted.is_empty() {
        let due = command.resends.obeyed(rebalanced, seen.now);
        return if due { held_topics(&command.target, holds, heard) } else { Again::new() };
    }
    if command.resends.not_obeyed(rebalanced, seen.now) { wanted } else { Again::new() }
}

/// All that these instances read and the holds may cover, whether they list partitions of it or not.
fn held_topics(target: &Target, holds: &[Hold], heard: &[(ConsumerName, InstanceTelemetry)]) -> Again {
    let mut all = Again::new();
    for (consumer, instance) in heard {
        let is_held = |topic: &TopicName| {
            let part = Scope {
                consumer: Some(consumer.clone()),
                topic: Some(topic.clone()),
                ..Scope::group(target.group.clone())
            };
            let covered = |hold: &Hold| hold.except.iter().any(|except| except.covers(&part));
            holds.iter().any(|hold| hold.scope.intersect(&part).is_some() && !covered(hold))
        };
        let topics: BTreeSet<TopicName> =
            streams(target, instance).map(|stream| stream.topic.clone()).filter(is_held).collect();
        if !topics.is_empty() {
            all.entry((instance.pair, consumer.clone())).or_default().extend(topics);
        }
    }
    all
}

fn resume_again(command: &mut Command, heard: &[(ConsumerName, InstanceTelemetry)], seen: Seen<'_>) -> Again {
    let since = command.resends.last.unwrap_or(command.began());
    let mut wanted = Again::new();
    for (consumer, instance) in heard {
        let topics = still_paused(command, consumer, instance, since, seen);
        if !topics.is_empty() {
            wanted.entry((instance.pair, consumer.clone())).or_default().extend(topics);
        }
    }
    if wanted.is_empty() {
        return wanted;
    }
    if command.resends.count >= seen.timing.resend_max {
        command.resends.capped = true;
        return Again::new();
    }
    if seen.now.since(since) < seen.timing.resend_every {
        return Again::new();
    }
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

/// Whether it lists a partition that is held as paused. What it runs is judged once it can have obeyed.
fn pauses_held(
    target: &Target,
    holds: &[Hold],
    consumer: &ConsumerName,
    instance: &InstanceTelemetry,
) -> bool {
    streams(target, instance).any(|stream| {
        let mut paused = stream.paused.iter();
        paused.any(|partition| is_held(holds, &target.group, consumer, instance, &stream.topic, *partition))
    })
}

/// An instance that owns what the pause covers and that the command does not track yet. `obeys`: it was told in time.
fn join(
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
    let action = command.action;
    let resume = command.instances.iter_mut().filter(|_| action == Action::Resume);
    for tracked in resume.filter(|one| one.kind == InstanceKind::KafkaFlow) {
        if matches!(tracked.state, InstanceState::Waiting | InstanceState::NoResponse) {
            tracked.since = seen.now;
            tracked.deadline = deadline(action, tracked.kind, seen);
            tracked.state = InstanceState::Waiting;
        }
    }
    settle(command, seen);
}
