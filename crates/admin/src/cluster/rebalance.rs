//! A rebalance that lasts: since when, and what is known of who holds it up. Kafka tells of a classic group no
//! more than its members; telemetry tells who owns nothing, as one that does not answer does.

use std::collections::HashSet;
use std::time::Duration;

use flowdeck_kafka::{Member, Topic};
use flowdeck_model::verdict::Rebalance;
use flowdeck_model::{GroupState, GroupType, Partition, Timestamp};

use super::sample::GroupData;
use crate::telemetry::matching::member_words;
use crate::telemetry::{GroupTelemetry, InstanceTelemetry};

/// Names that are said.
const SAID: usize = 5;

pub(crate) fn of(
    group: &GroupData,
    telemetry: Option<&GroupTelemetry>,
    now: Timestamp,
    heard_within: Duration,
) -> Option<Rebalance> {
    let since = group.rebalancing_since?;
    let who = if group.kind == GroupType::Consumer {
        moving(group)
    } else {
        silent(group, telemetry, now, heard_within)
    };
    Some(Rebalance { lasted: now.since(since), who })
}

/// By a classic group's state; of KIP-848, whose states the client library cannot name, by the members that do
/// not own what they shall own.
pub(super) fn is_rebalancing(kind: GroupType, state: GroupState, members: &[Member]) -> bool {
    match kind {
        GroupType::Other => false,
        GroupType::Consumer => members.iter().any(is_moving),
        GroupType::Classic | GroupType::Streams | GroupType::Unknown => {
            matches!(state, GroupState::PreparingRebalance | GroupState::CompletingRebalance)
        }
    }
}

/// It owns something else than it shall own.
fn is_moving(member: &Member) -> bool {
    let Some(target) = &member.target_assignment else { return false };
    let set = |all: &[(Topic, Partition)]| all.iter().cloned().collect::<HashSet<_>>();
    set(target) != set(&member.assignment)
}

/// KIP-848: Kafka itself tells who is awaited.
fn moving(group: &GroupData) -> String {
    let members = group.members.as_deref().unwrap_or_default();
    let names: Vec<String> = members.iter().filter(|member| is_moving(member)).map(member_words).collect();
    format!("the assignment of {} is not yet the one that Kafka wants", list(&names))
}

/// Classic: an instance that is heard and owns nothing. One that does not answer looks like this, and so does
/// one that waits for it.
fn silent(
    group: &GroupData,
    telemetry: Option<&GroupTelemetry>,
    now: Timestamp,
    heard_within: Duration,
) -> String {
    const UNTOLD: &str = "Kafka does not tell which member";
    let all = telemetry.into_iter().flat_map(GroupTelemetry::instances).map(|(_, instance)| instance);
    let mut idle: Vec<&InstanceTelemetry> =
        all.filter(|instance| instance.heard_within(now, heard_within) && owns_nothing(instance)).collect();
    // One that owned partitions before is suspected first: a newcomer waits for it.
    if idle.iter().any(|instance| instance.member_at.is_some()) {
        idle.retain(|instance| instance.member_at.is_some());
    }
    if idle.is_empty() {
        return UNTOLD.to_owned();
    }
    let names: Vec<String> = idle.iter().map(|instance| instance.instance.to_string()).collect();
    let reports = if names.len() == 1 { "reports" } else { "report" };
    let listed = match group.members.as_deref().map(<[_]>::len) {
        Some(1) => "; Kafka still lists 1 member".to_owned(),
        Some(n) => format!("; Kafka still lists {n} members"),
        None => String::new(),
    };
    format!("{UNTOLD}; {} {reports} no partition (stopped){listed}", list(&names))
}

/// Both lists are empty, on every topic.
pub(crate) fn owns_nothing(instance: &InstanceTelemetry) -> bool {
    !instance.left_out
        && instance.topics.iter().all(|stream| stream.running.is_empty() && stream.paused.is_empty())
}

fn list(names: &[String]) -> String {
    let mut said: Vec<String> =
        names.iter().take(SAID).map(|name| flowdeck_model::shown::name(name)).collect();
    if names.len() > SAID {
        said.push(format!("{} others", names.len() - SAID));
    }
    said.join(", ")
}
