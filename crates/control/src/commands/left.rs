//! Kafka's own evidence that an instance which does not answer has left the group: its members, asked
//! for after the command, are each another instance that was heard since. Silence alone is none.

use std::cell::OnceCell;
use std::collections::HashSet;

use flowdeck_model::Timestamp;

use super::Tracked;
use super::lifecycle::Seen;
use flowdeck_observe::telemetry::InstanceId;
use flowdeck_observe::telemetry::InstanceTelemetry;
use flowdeck_observe::telemetry::matching::{NO_MEMBER, instance_of, is_no_member, member_words as words_of};

/// Which instances the members are; found once for all that gave no evidence, since there may be a thousand of both.
/// `None`: that is not known of each member.
#[derive(Default)]
pub(super) struct Members(OnceCell<Option<HashSet<InstanceId>>>);

impl Members {
    fn get(&self, seen: Seen<'_>) -> Option<&HashSet<InstanceId>> {
        self.0.get_or_init(|| members(seen)).as_ref()
    }
}

fn members(seen: Seen<'_>) -> Option<HashSet<InstanceId>> {
    let group = seen.group?;
    let asked = group.members_at?;
    let mut all = HashSet::new();
    for member in group.members.as_deref()? {
        // One that owns nothing, or that nobody speaks for, may be any instance.
        let (consumer, instance) = instance_of(seen.telemetry?, member)?;
        // As new as the list of members: else its partitions may be another's by now.
        let alive = instance.last_heard >= asked;
        if !alive || !all.insert(InstanceId::of(consumer, instance)) {
            return None;
        }
    }
    Some(all)
}

/// In words, where it is proven. `last`: what telemetry last told of the instance.
pub(super) fn words(
    tracked: &Tracked,
    last: Option<&InstanceTelemetry>,
    members: &Members,
    seen: Seen<'_>,
) -> Option<String> {
    let asked = seen.group?.members_at.filter(|at| *at > tracked.since)?;
    if last.is_some_and(|last| last.last_heard >= asked) {
        return None;
    }
    let members = members.get(seen)?;
    if members.contains(&tracked.key) {
        return None;
    }
    let members = match members.len() {
        0 => "Kafka lists no member any more".to_owned(),
        1 => "Kafka lists 1 member, another instance".to_owned(),
        n => format!("Kafka lists {n} members, all of them other instances"),
    };
    let heard = last.map(|last| format!("; {}", last_heard(last, tracked.since)));
    Some(format!("left the group: {members}{}", heard.unwrap_or_default()))
}

/// The same of a plain member: Kafka, asked after the command, lists nobody of that name any more. An
/// agent that said good-bye is one until then.
pub(super) fn member(tracked: &Tracked, seen: Seen<'_>) -> Option<String> {
    let group = seen.group?;
    group.members_at.filter(|at| *at > tracked.since)?;
    let listed = group.members.as_deref()?;
    let here = listed.iter().any(|member| words_of(member) == tracked.key.instance.as_str());
    (!here).then(|| "left the group: Kafka lists it no more".to_owned())
}

/// Why an instance that is heard and owns nothing is no instance that has nothing to do.
pub(super) fn why_without(instance: &InstanceTelemetry, seen: Seen<'_>) -> Option<&'static str> {
    let group = seen.group?;
    if group.rebalancing_since.is_some() {
        return Some("the group is in a rebalance: what it will own is not known until that ends");
    }
    is_no_member(group.listed(), seen.telemetry?, instance).then_some(NO_MEMBER)
}

/// Of an instance that gave no evidence in time: whether it speaks at all.
pub(super) fn silence(last: Option<&InstanceTelemetry>, since: Timestamp) -> Option<String> {
    let last = last?;
    if last.last_heard > since {
        return Some("it is heard, but gives no evidence of this".to_owned());
    }
    Some(last_heard(last, since))
}

fn last_heard(last: &InstanceTelemetry, since: Timestamp) -> String {
    match since.since(last.last_heard).as_secs() {
        _ if last.last_heard > since => "last heard after the command".to_owned(),
        0 => "last heard just before the command".to_owned(),
        seconds => format!("last heard {seconds} s before the command"),
    }
}
