//! Consumers that a hold kept stopped and whose start was sent, or lost with the leader that was to send it: who is no
//! member yet, and is told again. Pure.

use std::collections::BTreeSet;

use flowdeck_kafka::Member;
use flowdeck_model::{ConsumerName, Timestamp};
use flowdeck_observe::telemetry::InstanceTelemetry;
use flowdeck_observe::telemetry::matching::NO_MEMBER;
use flowdeck_observe::telemetry::trust::SETTLED;

use super::Command;
use super::lifecycle::Seen;
use super::starts::STARTED_WITHIN;
use super::stops::{is_stopped, members, of_consumer};

/// Why an instance without partitions has not come back, as far as that is known: none of the members is its consumer's, or
/// whose they are is not told yet.
pub(crate) fn why(
    command: &Command,
    consumer: &ConsumerName,
    instance: &InstanceTelemetry,
    seen: Seen<'_>,
) -> Option<&'static str> {
    if !is_stopped(&command.before, &command.target.group, consumer) {
        return None;
    }
    let Some((members, asked)) = members(seen) else { return Some(NO_MEMBER) };
    if of_consumer(members, consumer, seen.telemetry).next().is_none() {
        return Some(NO_MEMBER);
    }
    (asked.since(instance.first_heard) < SETTLED).then_some("whether it is a member is not known yet")
}

/// Consumers that were kept stopped, are heard and have not started, while Kafka lists no member of the group.
pub(crate) fn by_start(
    command: &Command,
    heard: &[(ConsumerName, InstanceTelemetry)],
    since: Timestamp,
    seen: Seen<'_>,
) -> BTreeSet<(usize, ConsumerName)> {
    match members_since(seen, since) {
        Some([]) => still_out(command, heard, seen),
        _ => BTreeSet::new(),
    }
}

/// The same while Kafka lists members of the group, none of which is, or may be, the consumer's.
pub(crate) fn by_restart(
    command: &Command,
    heard: &[(ConsumerName, InstanceTelemetry)],
    since: Timestamp,
    seen: Seen<'_>,
) -> BTreeSet<(usize, ConsumerName)> {
    let Some(members) = members_since(seen, since).filter(|members| !members.is_empty()) else {
        return BTreeSet::new();
    };
    let mut all = still_out(command, heard, seen);
    all.retain(|(_, name)| of_consumer(members, name, seen.telemetry).next().is_none());
    all
}

fn members_since(seen: Seen<'_>, since: Timestamp) -> Option<&[Member]> {
    let group = seen.group?;
    group.members_at.filter(|at| *at > since)?;
    group.members.as_deref()
}

/// Who was kept stopped, and gave no evidence yet.
fn still_out(
    command: &Command,
    heard: &[(ConsumerName, InstanceTelemetry)],
    seen: Seen<'_>,
) -> BTreeSet<(usize, ConsumerName)> {
    if !command.starts() || seen.now.since(command.began()) < STARTED_WITHIN {
        return BTreeSet::new();
    }
    let pending = |consumer: &ConsumerName, instance: &InstanceTelemetry| {
        command.instances.iter().any(|one| {
            one.key.consumer.as_ref() == Some(consumer)
                && one.key.instance == instance.instance
                && !one.state.is_done()
        })
    };
    let was_stopped = |consumer: &ConsumerName| {
        let group = &command.target.group;
        is_stopped(&command.before, group, consumer) && !is_stopped(seen.holds, group, consumer)
    };
    let wanted = heard.iter().filter(|(name, instance)| was_stopped(name) && pending(name, instance));
    wanted.map(|(name, instance)| (instance.pair, name.clone())).collect()
}
