//! By whom a group's commits can be set: by Flowdeck where it has no members, else by its agents, each for the partitions
//! that it owns. Pure.

use std::collections::BTreeSet;

use flowdeck_kafka::Member;
use flowdeck_model::offsets::OffsetMoves;
use flowdeck_model::view::{InstanceKind, OffsetsWay};
use flowdeck_model::{ConsumerName, GroupId};
use flowdeck_observe::telemetry::GroupTelemetry;
use flowdeck_observe::telemetry::matching::{instance_of, member_words};

/// Members that a refusal names.
const NAMED: usize = 3;

/// Consumers, each with the pair of admin topics that it reads.
pub(crate) type Agents = BTreeSet<(usize, ConsumerName)>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Way {
    Empty,
    Agents(Agents),
}

impl Way {
    pub(crate) fn view(&self) -> OffsetsWay {
        match self {
            Self::Empty => OffsetsWay::Empty,
            Self::Agents(_) => OffsetsWay::Agents,
        }
    }
}

/// `Err`: the reason, and what to do.
pub(crate) fn way(
    group: &GroupId,
    members: &[Member],
    telemetry: Option<&GroupTelemetry>,
    moves: Option<&OffsetMoves>,
) -> Result<Way, String> {
    if members.is_empty() {
        return Ok(Way::Empty);
    }
    let mut agents = Agents::new();
    let mut kafkaflow = false;
    let mut others = Vec::new();
    for member in members {
        match telemetry.and_then(|telemetry| instance_of(telemetry, member)) {
            Some((consumer, instance)) if instance.kind() == InstanceKind::Agent => {
                agents.insert((instance.pair, consumer.clone()));
            }
            Some(_) => kafkaflow = true,
            // It owns nothing that could be set.
            None if member.assignment.is_empty() => {}
            None => others.push(member),
        }
    }
    if !others.is_empty() || agents.is_empty() || kafkaflow {
        return Err(live(group, members, kafkaflow && others.is_empty()));
    }
    match moves {
        Some(moves) => check_moves(moves, members).map(|()| Way::Agents(agents)),
        None => Ok(Way::Agents(agents)),
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

fn live(group: &GroupId, members: &[Member], kafkaflow: bool) -> String {
    let mut names: Vec<String> = members.iter().take(NAMED).map(member_words).collect();
    if members.len() > NAMED {
        names.push(format!("{} more", members.len() - NAMED));
    }
    let count = members.len();
    let members = if count == 1 { "active member" } else { "active members" };
    let todo = if kafkaflow {
        "They are of KafkaFlow: to the start offsets or to a time they go by their own reset and rewind, on the group's page. \
         For all else stop the consumers there, ask again, and start them once the offsets are set"
    } else {
        "Stop them all (scale to 0), wait until the group shows no active members, and ask again"
    };
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
        assert_eq!(way(&"g".into(), &[], None, None), Ok(Way::Empty));
        let plain = way(&"g".into(), &members, None, None).unwrap_err();
        assert!(plain.contains("1 active member (m on h)"), "{plain}");
    }
}
