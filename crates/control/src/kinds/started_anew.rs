//! Evidence that a consumer left its group and runs again: Kafka's members, and then the partition lists of telemetry.
//! It counts only once the instance is heard on for a while: one that crashes on a restart goes silent.

use flowdeck_model::{ConsumerName, InstanceState};
use flowdeck_observe::telemetry::InstanceTelemetry;
use flowdeck_observe::telemetry::matching::instance_of;

use crate::commands::evidence::why_without;
use crate::commands::lifecycle::Seen;
use crate::commands::scope::streams;
use crate::commands::{Command, Tracked};
use flowdeck_observe::telemetry::InstanceId;

/// Kafka lists none of the members that the instance had before, or others.
pub(super) fn note_leaving(tracked: &mut Tracked, seen: Seen<'_>) {
    if tracked.anew.left_at.is_some() {
        return;
    }
    let Some(group) = seen.group else { return };
    let (Some(members), Some(asked)) = (group.members.as_deref(), group.members_at) else { return };
    if asked <= tracked.since {
        return;
    }
    let gone = if tracked.anew.members.is_empty() {
        // Which member it was is not known: the members have changed since.
        group.members_since.is_some_and(|at| at > tracked.since)
    } else {
        !members.iter().any(|member| tracked.anew.members.contains(&member.member_id))
    };
    if gone {
        tracked.anew.left_at = Some(seen.now);
    }
}

/// It lists partitions, or Kafka lists it as a member that owns none; said after `since`.
pub(super) fn runs(
    command: &Command,
    consumer: Option<&ConsumerName>,
    instance: &InstanceTelemetry,
    since: flowdeck_model::Timestamp,
    seen: Seen<'_>,
) -> Result<usize, &'static str> {
    if instance.last_heard <= since {
        return Err("it has not been heard since");
    }
    let all = || streams(&command.target, instance);
    if all().any(|stream| stream.heard <= since) {
        return Err("it has not been heard since");
    }
    let partitions: usize = all().map(|stream| stream.running.len() + stream.paused.len()).sum();
    if partitions > 0 {
        return Ok(partitions);
    }
    if consumer.is_some() && is_listed(command, consumer, instance, seen) {
        return Ok(0);
    }
    Err(why_without(instance, seen).unwrap_or("it lists no partition"))
}

/// Of an instance without partitions: the group has a member for each instance of the consumer.
fn is_listed(
    command: &Command,
    own: Option<&ConsumerName>,
    instance: &InstanceTelemetry,
    seen: Seen<'_>,
) -> bool {
    let (Some(group), Some(telemetry)) = (seen.group, seen.telemetry) else { return false };
    if why_without(instance, seen).is_some() {
        return false;
    }
    let members = group.members.as_deref().unwrap_or_default();
    let others = members.iter().filter(|member| {
        instance_of(telemetry, member).is_some_and(|(consumer, other)| {
            InstanceId::of(consumer, other) != InstanceId::of(consumer, instance) || Some(consumer) != own
        })
    });
    group.members_at.is_some_and(|at| at > command.began()) && others.count() < members.len()
}

/// All that is looked for is seen: confirmed once the instance was heard for a while since.
pub(super) fn proven(tracked: &mut Tracked, instance: &InstanceTelemetry, detail: String, seen: Seen<'_>) {
    let proven_at = *tracked.anew.proven_at.get_or_insert(seen.now);
    // What is heard after a silence may be another process under its name.
    if tracked.state == InstanceState::Acknowledged || tracked.is_silent {
        return;
    }
    if instance.last_heard >= proven_at.plus(seen.timing.settled_for) {
        tracked.become_(InstanceState::Acknowledged, Some(detail), seen.now);
    } else if tracked.state == InstanceState::Waiting {
        tracked.detail = Some(format!("{detail}; waiting whether it stays alive"));
    }
}

/// Not yet, or not any more.
pub(super) fn not_proven(tracked: &mut Tracked, detail: &str) {
    if tracked.state == InstanceState::Acknowledged {
        return;
    }
    tracked.anew.proven_at = None;
    if tracked.state == InstanceState::Waiting {
        tracked.detail = Some(detail.to_owned());
    }
}

pub(super) fn partitions(count: usize) -> String {
    match count {
        0 => "it is a member that owns no partition".to_owned(),
        1 => "1 partition runs or is paused".to_owned(),
        n => format!("{n} partitions run or are paused"),
    }
}
