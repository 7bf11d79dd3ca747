//! Which instance a member is: telemetry and the group's members are matched by the partitions that
//! both say they own. A member without partitions, or whose partitions nobody lists, is unmatched; and who
//! claims what is not its own is nobody's instance.

use std::collections::HashMap;

use flowdeck_kafka::Member;
use flowdeck_model::ConsumerName;

use super::trust::{Listed, SETTLED, matches_member};
use super::{GroupTelemetry, InstanceTelemetry};

pub fn instance_of<'a>(
    telemetry: &'a GroupTelemetry,
    member: &Member,
) -> Option<(&'a ConsumerName, &'a InstanceTelemetry)> {
    let mut votes: HashMap<*const InstanceTelemetry, (usize, (&ConsumerName, &InstanceTelemetry))> =
        HashMap::new();
    for (topic, partition) in &member.assignment {
        let owner = telemetry.owner(topic, *partition);
        if let Some(owner) = owner.filter(|(_, one)| one.is_member() || matches_member(member, one)) {
            votes.entry(std::ptr::from_ref(owner.1)).or_insert((0, owner)).0 += 1;
        }
    }
    votes
        .into_values()
        .max_by_key(|(count, (_, instance))| (*count, instance.last_heard))
        .map(|(_, owner)| owner)
}

/// What is said of an instance that is none of the members.
pub const NO_MEMBER: &str = "it is heard, but Kafka does not list it as a member of the group";

/// Whether Kafka's members, asked for after the instance was first heard, are each another instance: it speaks on,
/// and is none of them. One that owns nothing, or that nobody speaks for, may be this very instance.
pub fn is_no_member(listed: Listed<'_>, telemetry: &GroupTelemetry, instance: &InstanceTelemetry) -> bool {
    let (Some(members), Some(asked)) = (listed.members, listed.at) else { return false };
    asked.since(instance.first_heard) >= SETTLED
        && members.iter().all(|member| {
            instance_of(telemetry, member).is_some_and(|(_, other)| !std::ptr::eq(other, instance))
        })
}

/// How a plain member is named: client id and host.
pub fn member_words(member: &Member) -> String {
    let host = member.host.trim_start_matches('/');
    if host.is_empty() { member.client_id.clone() } else { format!("{} on {host}", member.client_id) }
}
