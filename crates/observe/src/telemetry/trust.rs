//! How far Kafka bears out what an instance says. Who may write to the admin topic can claim anything, but
//! nobody becomes a member of a group by it.

use std::time::Duration;

use flowdeck_kafka::Member;
use flowdeck_model::{Partition, Timestamp, TopicName};

use super::InstanceTelemetry;

/// Where there is no space, who is trusted less makes place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trust {
    /// Kafka lists no such group.
    UnknownGroup,
    /// Kafka lists the group, and no member that owns what is said.
    Unverified,
    /// A member of the group owns what is said.
    Member,
}

impl Trust {
    pub const ALL: [Self; 3] = [Self::UnknownGroup, Self::Unverified, Self::Member];
}

/// A member stays one for so long: during a rebalance what it says and what Kafka lists differ.
pub const MEMBER_FOR: Duration = Duration::from_secs(60);
/// Topics of an instance that are looked at: each of a true one is borne out, and of a false one there may be
/// hundreds, against thousands of partitions that members own.
const JUDGED: usize = 3;
/// Kafka's list of members follows what an instance says of itself, and the other way round.
pub const SETTLED: Duration = Duration::from_secs(10);

/// Kafka's list of a group's members, and when it was asked for.
#[derive(Debug, Clone, Copy)]
pub struct Listed<'a> {
    pub members: Option<&'a [Member]>,
    pub at: Option<Timestamp>,
}

/// Whether one member owns most of these partitions, and they are most of what it owns: some partition of a
/// topic is guessed at once. Both lists are sorted.
pub fn matches_assignment(
    members: &[Member],
    topic: &TopicName,
    running: &[Partition],
    paused: &[Partition],
) -> bool {
    let said = running.len() + paused.len();
    let is_said = |one: &Partition| running.binary_search(one).is_ok() || paused.binary_search(one).is_ok();
    said > 0
        && members.iter().any(|member| {
            let (mut own, mut both) = (0, 0);
            for (_, partition) in member.assignment.iter().filter(|(of, _)| of.as_ref() == topic) {
                own += 1;
                both += usize::from(is_said(partition));
            }
            both * 2 > said && both * 2 > own
        })
}

/// Whether Kafka lists a member that owns what the instance says. `None`: it says nothing, or Kafka's list
/// tells nothing of it (yet).
pub fn confirmed(listed: Listed<'_>, instance: &InstanceTelemetry, now: Timestamp) -> Option<bool> {
    let members = telling(listed, now)?;
    let since = instance.listing_since?;
    if is_member(members, instance) {
        return Some(true);
    }
    let known = listed.at.is_some_and(|at| at.since(since) >= SETTLED);
    (!was_member(instance, now) && known).then_some(false)
}

/// Whether what it says may count for the group: anybody can say anything for the time that it takes to find
/// out, so only a member is believed, where Kafka's list tells who that is.
pub fn is_trusted(listed: Listed<'_>, instance: &InstanceTelemetry, now: Timestamp) -> bool {
    telling(listed, now).is_none_or(|members| is_member(members, instance) || was_member(instance, now))
}

/// Partitions that were assigned by hand have no member, and an old list is of another time.
fn telling(listed: Listed<'_>, now: Timestamp) -> Option<&[Member]> {
    let members = listed.members?;
    let owned = members.iter().any(|member| !member.assignment.is_empty());
    let new = listed.at.is_some_and(|at| now.since(at) <= MEMBER_FOR);
    (owned && new).then_some(members)
}

/// Whether the instance is this member.
pub fn matches_member(member: &Member, instance: &InstanceTelemetry) -> bool {
    is_member(std::slice::from_ref(member), instance)
}

fn is_member(members: &[Member], instance: &InstanceTelemetry) -> bool {
    let lists =
        instance.topics.iter().filter(|stream| !stream.running.is_empty() || !stream.paused.is_empty());
    lists
        .take(JUDGED)
        .any(|stream| matches_assignment(members, &stream.topic, &stream.running, &stream.paused))
}

/// Kafka listed it as one not long ago.
pub fn was_member(instance: &InstanceTelemetry, now: Timestamp) -> bool {
    instance.member_at.is_some_and(|at| now.since(at) <= MEMBER_FOR)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::TopicStream;
    use std::sync::Arc;

    fn parts(numbers: &[i32]) -> Vec<Partition> {
        numbers.iter().filter_map(|number| Partition::new(*number)).collect()
    }

    fn member(owns: &[i32]) -> Member {
        let topic = Arc::new("t".parse::<TopicName>().unwrap());
        Member {
            member_id: "m".into(),
            client_id: "c".into(),
            host: "/h".into(),
            group_instance_id: None,
            assignment: parts(owns).into_iter().map(|one| (Arc::clone(&topic), one)).collect(),
            target_assignment: None,
        }
    }

    fn says(running: &[i32], listing_since: i64, member_at: Option<i64>) -> InstanceTelemetry {
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1_000);
        let stream = TopicStream {
            topic: "t".parse().unwrap(),
            running: parts(running),
            paused: vec![],
            cut: 0,
            heard: at(100),
            offset: 0,
        };
        InstanceTelemetry {
            listing_since: (!running.is_empty()).then(|| at(listing_since)),
            member_at: member_at.map(at),
            ..InstanceTelemetry::test("i", vec![stream], at(100))
        }
    }

    #[test]
    fn only_what_a_member_owns_is_confirmed() {
        let members = [member(&[0, 1]), member(&[2])];
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1_000);
        fn listed(members: &[Member]) -> Listed<'_> {
            Listed { members: Some(members), at: Some(Timestamp::from_millis(100_000)) }
        }
        let all: Vec<i32> = (0..1_000).collect();
        for (said, since, was, want) in [
            (&[0, 1][..], 90, None, Some(true)),
            (&[2], 0, None, Some(true)),
            // A rebalance took one away.
            (&[0, 1, 7], 0, None, Some(true)),
            (&[], 0, None, None),
            (&[7], 0, None, Some(false)),
            // Guessed: a member owns it, and another one beside it.
            (&[0], 0, None, Some(false)),
            (&all, 0, None, Some(false)),
            // Just assigned: the members may be those of before.
            (&[7], 95, None, None),
            (&[7], 0, Some(80), None),
        ] {
            let got = confirmed(listed(&members), &says(said, since, was), at(100));
            assert_eq!(got, want, "{} said since {since}", said.len());
        }
        let by_hand = [member(&[])];
        let judge = |listed| confirmed(listed, &says(&[7], 0, None), at(100));
        assert_eq!(judge(Listed { members: None, at: Some(at(100)) }), None);
        assert_eq!(judge(listed(&by_hand)), None, "assigned by hand");
        assert_eq!(judge(Listed { at: Some(at(39)), ..listed(&members) }), None, "an old list");
        // A new name for each record is never found out, and never believed.
        let new = says(&[7], 99, None);
        assert_eq!(confirmed(listed(&members), &new, at(100)), None);
        assert!(!is_trusted(listed(&members), &new, at(100)));
        assert!(is_trusted(listed(&by_hand), &new, at(100)));
        assert!(is_trusted(listed(&members), &says(&[7], 0, Some(80)), at(100)));
    }
}
