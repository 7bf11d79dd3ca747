//! Partitions of which records wait and no commit moves, for longer than the group's commits take.

use std::collections::HashMap;
use std::time::Duration;

use flowdeck_kafka::Member;
use flowdeck_model::verdict::{Proof, Rules, Stall};
use flowdeck_model::{Partition, Timestamp, TopicName};

use super::Beside;
use crate::holds::cover::{may_hold, place_of};
use crate::sampling::sample::{GroupData, Wait};
use crate::telemetry::matching::{instance_of, member_words};

/// A consumer that commits other partitions meanwhile may have this one's turn to come: it handles what it fetched
/// of one after the other.
const TURNS: u32 = 6;

pub(super) fn of(group: &GroupData, beside: Beside<'_>, rules: &Rules) -> Option<Stall> {
    if group.waits.is_empty() {
        return None;
    }
    let limit = rules.stalled.max(group.track.commit_interval() * 3);
    let read_at = group.ends.read_at;
    let owners = Owners::new(group);
    let stalled: Vec<&Wait> = group
        .waits
        .iter()
        .filter(|wait| {
            let waited = read_at.since(wait.since);
            waited >= limit
                && owners.may_stall(wait, waited, limit, read_at)
                && !is_paused(group, beside, wait)
                && beside.proofs.at(wait) != Proof::NoRecord
        })
        .collect();
    let proven = |wait: &&&Wait| matches!(beside.proofs.at(wait), Proof::Record(_));
    let longest = stalled.iter().find(proven).or(stalled.first())?;
    Some(Stall {
        topic: longest.topic.as_ref().clone(),
        partition: longest.partition,
        committed: longest.committed,
        owner: owners.words(longest, beside),
        since: longest.since,
        proof: beside.proofs.at(longest),
        partitions: u32::try_from(stalled.len()).unwrap_or(u32::MAX),
    })
}

/// By a hold, or as telemetry says.
fn is_paused(group: &GroupData, beside: Beside<'_>, wait: &Wait) -> bool {
    let place = place_of(&group.id, beside.telemetry, &wait.topic, wait.partition);
    let owner = beside.telemetry.and_then(|telemetry| telemetry.owner(&wait.topic, wait.partition));
    let stream = owner.and_then(|(_, instance)| instance.stream(&wait.topic));
    stream.is_some_and(|stream| stream.paused.binary_search(&wait.partition).is_ok())
        || beside.holds.iter().any(|hold| may_hold(hold, place))
}

/// Who owns what of a group, and when a commit of theirs moved last.
struct Owners<'a> {
    members: &'a [Member],
    by_partition: HashMap<(&'a TopicName, Partition), usize>,
    moved: Vec<Option<Timestamp>>,
}

impl<'a> Owners<'a> {
    fn new(group: &'a GroupData) -> Self {
        let members = group.members.as_deref().unwrap_or_default();
        let mut by_partition = HashMap::new();
        for (at, member) in members.iter().enumerate() {
            by_partition.extend(member.assignment.iter().map(|(topic, one)| ((topic.as_ref(), *one), at)));
        }
        let mut moved = vec![None; members.len()];
        for topic in group.rows.iter() {
            for row in &topic.rows {
                if let Some(at) = by_partition.get(&(topic.topic.as_ref(), row.partition)) {
                    moved[*at] = moved[*at].max(row.last_commit());
                }
            }
        }
        Self { members, by_partition, moved }
    }

    fn of(&self, wait: &Wait) -> Option<usize> {
        self.by_partition.get(&(wait.topic.as_ref(), wait.partition)).copied()
    }

    /// Nobody owns it where others are owned: it has no consumer, and that is another matter.
    fn may_stall(&self, wait: &Wait, waited: Duration, limit: Duration, now: Timestamp) -> bool {
        let Some(owner) = self.of(wait) else { return self.by_partition.is_empty() };
        let moves_others = self.moved[owner].is_some_and(|moved| now.since(moved) < limit);
        !moves_others || waited >= limit * TURNS
    }

    fn words(&self, wait: &Wait, beside: Beside<'_>) -> Option<String> {
        let member = self.members.get(self.of(wait)?)?;
        let instance = beside.telemetry.and_then(|telemetry| instance_of(telemetry, member));
        Some(instance.map_or_else(|| member_words(member), |(_, instance)| instance.instance.to_string()))
    }
}
