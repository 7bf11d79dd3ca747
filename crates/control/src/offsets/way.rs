//! By whom a group's commits can be set: by Flowdeck where it has no members, by its agents, each for the partitions
//! that it owns, or by Flowdeck while its KafkaFlow consumers are stopped. Pure.

use std::collections::BTreeSet;

use flowdeck_kafka::Member;
use flowdeck_model::offsets::OffsetMoves;
use flowdeck_model::view::{InstanceKind, OffsetsWay};
use flowdeck_model::{ConsumerName, GroupId, PortError};
use flowdeck_observe::telemetry::TelemetryIndex;
use flowdeck_observe::telemetry::matching::{instance_of, member_words};

use crate::commands::plan::unique;

/// Members that a refusal names.
const NAMED: usize = 3;

/// Consumers, each with the pair of admin topics that it reads.
pub(crate) type Consumers = BTreeSet<(usize, ConsumerName)>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Way {
    Empty,
    Agents(Consumers),
    /// KafkaFlow's, which are stopped first and started afterwards.
    StopAndStart(Consumers),
}

impl Way {
    pub(crate) fn view(&self) -> OffsetsWay {
        match self {
            Self::Empty => OffsetsWay::Empty,
            Self::Agents(_) => OffsetsWay::Agents,
            Self::StopAndStart(_) => OffsetsWay::StopAndStart,
        }
    }
}

/// `Err`: the reason, and what to do.
pub(crate) fn way(
    group: &GroupId,
    members: &[Member],
    telemetry: &TelemetryIndex,
    moves: Option<&OffsetMoves>,
) -> Result<Way, String> {
    if members.is_empty() {
        return Ok(Way::Empty);
    }
    let mut agents = Consumers::new();
    let mut kafkaflow = Consumers::new();
    let mut others = Vec::new();
    for member in members {
        match telemetry.group(group).and_then(|telemetry| instance_of(telemetry, member)) {
            Some((consumer, instance)) if instance.kind() == InstanceKind::Agent => {
                agents.insert((instance.pair, consumer.clone()));
            }
            Some((consumer, instance)) => {
                kafkaflow.insert((instance.pair, consumer.clone()));
            }
            // It owns nothing that could be set.
            None if member.assignment.is_empty() => {}
            None => others.push(member),
        }
    }
    match (others.is_empty(), agents.is_empty(), kafkaflow.is_empty()) {
        (true, true, false) => return stop_and_start(kafkaflow, telemetry),
        (true, false, true) => {}
        _ if is_being_assigned(group, &others, members, telemetry) => return Err(being_assigned(group)),
        _ => return Err(live(group, members)),
    }
    match moves {
        Some(moves) => check_moves(moves, members).map(|()| Way::Agents(agents)),
        None => Ok(Way::Agents(agents)),
    }
}

/// After a rebalance Kafka's list of owners and what the agents said last differ for a moment: as many agents are heard
/// as members own partitions, and not each member is one of them yet.
fn is_being_assigned(
    group: &GroupId,
    others: &[&Member],
    members: &[Member],
    telemetry: &TelemetryIndex,
) -> bool {
    let heard = telemetry.group(group).map_or(0, |telemetry| {
        telemetry.instances().filter(|(_, one)| one.kind() == InstanceKind::Agent).count()
    });
    let owners = members.iter().filter(|member| !member.assignment.is_empty()).count();
    !others.is_empty() && heard >= owners
}

fn being_assigned(group: &GroupId) -> String {
    format!(
        "the agents of {} have not said yet who of them owns which partition since the last rebalance: ask again in some \
         seconds",
        group.shown()
    )
}

/// A stop by a name that another group uses would reach that group, too.
fn stop_and_start(consumers: Consumers, telemetry: &TelemetryIndex) -> Result<Way, String> {
    match consumers.iter().find_map(|(_, name)| unique(name, telemetry).err()) {
        None => Ok(Way::StopAndStart(consumers)),
        Some(PortError::Unprocessable { detail }) => Err(detail),
        Some(error) => Err(error.to_string()),
    }
}

/// What no member could do.
fn check_moves(moves: &OffsetMoves, members: &[Member]) -> Result<(), String> {
    let owns = |member: &Member, topic: &str, partition| {
        member.assignment.iter().any(|(own, number)| own.as_str() == topic && *number == partition)
    };
    for one in moves.iter() {
        if one.to.is_none() {
            return Err(format!(
                "the commit of {} partition {} would be deleted, which a group with active members does not allow: stop \
                 its agents, or leave this partition out",
                one.topic, one.partition
            ));
        }
        if !members.iter().any(|member| owns(member, one.topic.as_str(), one.partition)) {
            return Err(format!(
                "{} partition {} is assigned to no member, and Kafka takes commits from members alone: leave it out, or \
                 stop the agents",
                one.topic, one.partition
            ));
        }
    }
    Ok(())
}

fn live(group: &GroupId, members: &[Member]) -> String {
    let mut names: Vec<String> = members.iter().take(NAMED).map(member_words).collect();
    if members.len() > NAMED {
        names.push(format!("{} more", members.len() - NAMED));
    }
    let count = members.len();
    let members = if count == 1 { "active member" } else { "active members" };
    let todo = "Stop them all (scale to 0), wait until the group shows no active members, and ask again";
    format!(
        "{} has {count} {members} ({}), and Kafka takes commits from members alone. {todo}",
        group.shown(),
        names.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use flowdeck_model::Partition;

    use super::*;

    fn member(owns: &[i32]) -> Member {
        let topic = Arc::new("t".parse().unwrap());
        Member {
            member_id: "m".into(),
            client_id: "m".into(),
            host: "/h".into(),
            group_instance_id: None,
            assignment: owns.iter().map(|n| (Arc::clone(&topic), Partition::new(*n).unwrap())).collect(),
            target_assignment: None,
        }
    }

    #[test]
    fn only_what_members_own_can_be_set_by_them() {
        let members = [member(&[0, 1])];
        for (moves, want) in [("t 0*5*2", ""), ("t 0*5*-", "would be deleted"), ("t 2*5*2", "no member")] {
            let said = check_moves(&moves.parse().unwrap(), &members).err().unwrap_or_default();
            assert!(said.contains(want) && said.is_empty() == want.is_empty(), "{moves}: {said}");
        }
        let telemetry = TelemetryIndex::default();
        assert_eq!(way(&"g".into(), &[], &telemetry, None), Ok(Way::Empty));
        let plain = way(&"g".into(), &members, &telemetry, None).unwrap_err();
        assert!(plain.contains("1 active member (m on h)"), "{plain}");
    }
}
