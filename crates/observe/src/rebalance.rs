//! A rebalance that lasts: since when, and what is known of who holds it up. Kafka tells of a classic group no
//! more than its members; telemetry tells who owns nothing, as one that does not answer does.

use std::collections::HashSet;
use std::time::Duration;

use flowdeck_kafka::{Member, Topic};
use flowdeck_model::verdict::{self, Rebalance};
use flowdeck_model::{GroupState, GroupType, Partition, Timestamp};

use crate::sampling::sample::GroupData;
use crate::telemetry::matching::member_words;
use crate::telemetry::{GroupTelemetry, InstanceTelemetry};

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
        GroupType::Other | GroupType::Flowdeck => false,
        GroupType::Consumer => members.iter().any(is_moving),
        GroupType::Classic | GroupType::Streams | GroupType::Unknown => state.is_rebalance(),
    }
}

/// Since when a rebalance is under way, and since when the members are as they are.
pub(crate) type Seen = (Option<Timestamp>, Option<Timestamp>);

/// When a rebalance began that was not seen before: one that is told, or other members than before.
pub(crate) fn began(before: Seen, now: Seen) -> Option<Timestamp> {
    match (before.0, now.0) {
        (None, Some(began)) => return Some(began),
        (Some(_), _) => return None,
        (None, None) => {}
    }
    let other = before.1.is_some() && before.1 != now.1;
    now.1.filter(|_| other)
}

/// It owns something else than it shall own.
fn is_moving(member: &Member) -> bool {
    let Some(target) = &member.target_assignment else { return false };
    let set = |all: &[(Topic, Partition)]| all.iter().cloned().collect::<HashSet<_>>();
    set(target) != set(&member.assignment)
}

/// KIP-848: who waits for partitions, and who has them. A member that has to give some up is listed without them
/// from its next heartbeat on, whether it has given them up or not: it is known by what it owned before.
fn moving(group: &GroupData) -> String {
    let members = group.members.as_deref().unwrap_or_default();
    let before = group.members_before.as_deref().unwrap_or_default();
    let (mut waiting, mut holding) = (Vec::new(), Vec::new());
    for member in members {
        let target = member.target_assignment.as_deref().unwrap_or(&member.assignment);
        if member.assignment.iter().any(|one| !target.contains(one)) {
            holding.push(&member.member_id);
        }
        let mut lacks = target.iter().filter(|one| !member.assignment.contains(one)).peekable();
        if lacks.peek().is_some() {
            waiting.push(member_words(member));
        }
        for one in lacks {
            let had = before.iter().find(|had| had.assignment.contains(one));
            holding.extend(had.map(|had| &had.member_id).filter(|id| **id != member.member_id));
        }
    }
    let holds = |member: &&Member| holding.contains(&&member.member_id);
    let holders: Vec<String> = members.iter().filter(holds).map(member_words).collect();
    match (&waiting[..], &holders[..]) {
        ([], holders) => format!("{} must give up partitions", verdict::names(holders)),
        (waiting, []) => {
            format!(
                "partitions of {} are with another member; Kafka does not tell which",
                verdict::names(waiting)
            )
        }
        (waiting, holders) => {
            format!("partitions of {} are still with {}", verdict::names(waiting), verdict::names(holders))
        }
    }
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
    format!("{UNTOLD}; {} {reports} no partition (stopped){listed}", verdict::names(&names))
}

/// Both lists are empty, on every topic.
pub(crate) fn owns_nothing(instance: &InstanceTelemetry) -> bool {
    !instance.left_out
        && instance.topics.iter().all(|stream| stream.running.is_empty() && stream.paused.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{ConsumerTelemetry, TopicStream};
    use std::sync::Arc;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + seconds * 1_000)
    }

    fn parts(numbers: &[i32]) -> Vec<Partition> {
        numbers.iter().filter_map(|number| Partition::new(*number)).collect()
    }

    fn member(client: &str, owns: &[i32], target: Option<&[i32]>) -> Member {
        let topic: Topic = Arc::new("t".parse().unwrap());
        let rows =
            |numbers: &[i32]| parts(numbers).into_iter().map(|one| (Arc::clone(&topic), one)).collect();
        Member {
            member_id: client.into(),
            client_id: client.into(),
            host: "/10.0.0.7".into(),
            group_instance_id: None,
            assignment: rows(owns),
            target_assignment: target.map(rows),
        }
    }

    fn instance(name: &str, running: &[i32], member_at: Option<i64>) -> InstanceTelemetry {
        let stream = TopicStream {
            topic: "t".parse().unwrap(),
            running: parts(running),
            paused: vec![],
            cut: 0,
            heard: at(50),
            offset: 0,
        };
        InstanceTelemetry {
            member_at: member_at.map(at),
            ..InstanceTelemetry::test(name, vec![stream], at(50))
        }
    }

    fn said(kind: GroupType, members: Vec<Member>, instances: Vec<InstanceTelemetry>) -> Option<Rebalance> {
        let group = GroupData {
            kind,
            members: Some(members.into()),
            rebalancing_since: Some(at(10)),
            ..GroupData::test("g")
        };
        let consumers = vec![ConsumerTelemetry { name: "c".into(), instances }];
        of(&group, Some(&GroupTelemetry { consumers, unkept: 0 }), at(52), Duration::from_secs(15))
    }

    #[test]
    fn states_and_targets_tell_a_rebalance() {
        use GroupState::*;
        for (kind, state, member, want) in [
            (GroupType::Classic, PreparingRebalance, member("a", &[], None), true),
            (GroupType::Classic, CompletingRebalance, member("a", &[], None), true),
            (GroupType::Classic, Stable, member("a", &[0], None), false),
            (GroupType::Classic, Empty, member("a", &[], None), false),
            (GroupType::Streams, PreparingRebalance, member("a", &[], None), true),
            (GroupType::Consumer, RebalancingOrUnknown, member("a", &[0, 1], Some(&[0])), true),
            (GroupType::Consumer, Stable, member("a", &[0, 1], Some(&[1, 0])), false),
            (GroupType::Consumer, RebalancingOrUnknown, member("a", &[0], None), false),
            (GroupType::Other, PreparingRebalance, member("a", &[], None), false),
        ] {
            assert_eq!(is_rebalancing(kind, state, &[member]), want, "{kind:?} {state:?}");
        }
    }

    #[test]
    fn who_holds_up_a_rebalance_is_said_as_far_as_it_is_known() {
        let two = || vec![member("a", &[], None), member("b", &[], None)];
        let classic = |instances| said(GroupType::Classic, two(), instances).unwrap();
        assert_eq!(classic(vec![]).lasted, Duration::from_secs(42));
        for (instances, want) in [
            (vec![], "Kafka does not tell which member"),
            (vec![instance("vm-1", &[0], Some(5))], "Kafka does not tell which member"),
            (
                vec![instance("vm-1", &[], Some(5)), instance("vm-2", &[], None)],
                "Kafka does not tell which member; vm-1 reports no partition (stopped); Kafka still lists 2 members",
            ),
            (
                vec![instance("vm-1", &[], Some(5)), instance("vm-2", &[], Some(5))],
                "Kafka does not tell which member; vm-1, vm-2 report no partition (stopped); Kafka still lists 2 members",
            ),
        ] {
            assert_eq!(classic(instances).who, want);
        }
    }

    /// As Kafka 4.1 lists them: a member that has to give up a partition is listed without it while it has it still.
    #[test]
    fn who_has_not_given_up_partitions_is_known_by_what_it_owned() {
        let a = |owns, target| member("a", owns, Some(target));
        let b = |owns, target| member("b", owns, Some(target));
        let all = member("a", &[0, 1], Some(&[0, 1]));
        for (what, now, before, want) in [
            (
                "not yet told",
                [a(&[0, 1], &[0]), b(&[], &[1])],
                None,
                "partitions of b on 10.0.0.7 are still with a on 10.0.0.7",
            ),
            (
                "told",
                [a(&[0], &[0]), b(&[], &[1])],
                Some(all),
                "partitions of b on 10.0.0.7 are still with a on 10.0.0.7",
            ),
            (
                "Flowdeck came later",
                [a(&[0], &[0]), b(&[], &[1])],
                None,
                "partitions of b on 10.0.0.7 are with another member; Kafka does not tell which",
            ),
            ("nobody waits", [a(&[0, 1], &[0]), b(&[], &[])], None, "a on 10.0.0.7 must give up partitions"),
        ] {
            let group = GroupData {
                members: Some(now.into()),
                members_before: before.map(|one| Arc::from([one])),
                ..GroupData::test("g")
            };
            assert_eq!(moving(&group), want, "{what}");
        }
    }
}
