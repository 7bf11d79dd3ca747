//! Rebalances of groups that are held: KafkaFlow forgets what is paused in each of them, and does not obey while one
//! goes on. Pure.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use flowdeck_kafka::Member;
use flowdeck_model::{GroupState, Timestamp};

/// What Kafka told of a group at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSeen {
    /// When it was asked for.
    pub at: Timestamp,
    pub members: Arc<[Member]>,
    rebalancing: bool,
    /// Who owns what.
    assignment: u64,
}

impl GroupSeen {
    pub fn new(at: Timestamp, state: GroupState, members: &[Member]) -> Self {
        let mut owned: Vec<_> = members.iter().map(|one| (&one.member_id, &one.assignment)).collect();
        owned.sort_unstable();
        let mut hasher = DefaultHasher::new();
        owned.hash(&mut hasher);
        Self { at, members: members.into(), rebalancing: state.is_rebalance(), assignment: hasher.finish() }
    }

    pub fn is_rebalancing(&self) -> bool {
        self.rebalancing
    }
}

/// Older answers say nothing of now.
const RECENT: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub struct Rebalances {
    last: Option<GroupSeen>,
    ended_at: Option<Timestamp>,
}

impl Rebalances {
    /// Says whether a rebalance has ended since the last answer.
    pub fn note(&mut self, seen: GroupSeen, now: Timestamp) -> bool {
        let Some(last) = self.last.take_if(|last| last.at <= seen.at) else {
            self.last.get_or_insert(seen);
            return false;
        };
        let ended = !seen.rebalancing && (last.rebalancing || last.assignment != seen.assignment);
        self.last = Some(seen);
        if ended {
            self.ended_at = Some(now);
        }
        ended
    }

    /// The newest answer.
    pub fn last(&self) -> Option<&GroupSeen> {
        self.last.as_ref()
    }

    pub fn ended_at(&self) -> Option<Timestamp> {
        self.ended_at
    }

    /// `listed`: as the last refresh told it, where nothing newer is known.
    pub fn is_under_way(&self, listed: Option<GroupState>, now: Timestamp) -> bool {
        match self.last.as_ref().filter(|last| now.since(last.at) <= RECENT) {
            Some(last) => last.rebalancing,
            None => listed.is_some_and(GroupState::is_rebalance),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use GroupState::{CompletingRebalance, PreparingRebalance, Stable};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn owner(name: &str, partitions: &[i32]) -> Member {
        let topic = Arc::new("t".parse().unwrap());
        Member {
            member_id: name.into(),
            client_id: name.into(),
            host: "/h".into(),
            group_instance_id: None,
            assignment: partitions
                .iter()
                .map(|one| (Arc::clone(&topic), flowdeck_model::Partition::new(*one).unwrap()))
                .collect(),
            target_assignment: None,
        }
    }

    #[test]
    fn a_rebalance_ends_in_stable_or_in_another_assignment() {
        let one = [owner("a", &[0, 1])];
        let two = [owner("a", &[0]), owner("b", &[1])];
        let turned = [owner("b", &[1]), owner("a", &[0])];
        let mut rebalances = Rebalances::default();
        for (second, state, members, ended, under_way) in [
            (1, Stable, &one[..], false, false),
            (2, Stable, &one[..], false, false),
            (3, PreparingRebalance, &one[..], false, true),
            (4, CompletingRebalance, &two[..], false, true),
            (5, Stable, &two[..], true, false),
            (6, Stable, &turned[..], false, false),
            // One that was too short to be seen.
            (7, Stable, &one[..], true, false),
            // An older answer that comes late.
            (5, PreparingRebalance, &two[..], false, false),
        ] {
            let seen = GroupSeen::new(at(second), state, members);
            assert_eq!(rebalances.note(seen, at(second)), ended, "{second} {state:?}");
            assert_eq!(rebalances.is_under_way(Some(Stable), at(second)), under_way, "{second} {state:?}");
        }
        assert_eq!(rebalances.ended_at(), Some(at(7)));
        // What is old gives way to the last refresh.
        assert!(rebalances.is_under_way(Some(PreparingRebalance), at(13)));
    }
}
