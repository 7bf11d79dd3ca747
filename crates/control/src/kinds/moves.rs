//! What a reset and a rewind have in common: the consumer moves its own commits and starts anew.

use flowdeck_model::view::{OffsetChange, OffsetTarget};
use flowdeck_model::{ActorKind, InstanceState, Partition, Timestamp, TopicName};
use flowdeck_observe::telemetry::InstanceTelemetry;

use super::started_anew::{not_proven, partitions, proven, runs};
use crate::commands::lifecycle::{Seen, committed};
use crate::commands::{Command, Tracked};

/// KafkaFlow takes the first record since this time for the log's first.
pub(super) fn earliest() -> Timestamp {
    Timestamp::from_millis(631_152_000_000)
}

/// What Kafka tells of the commits that this instance has to move. A commit that is seen there once counts: the
/// consumer reads on from it.
pub(super) fn note_commits(command: &Command, tracked: &mut Tracked, seen: Seen<'_>) {
    if seen.group.and_then(|group| group.as_of).is_none_or(|as_of| as_of <= tracked.since) {
        return;
    }
    let own: Vec<&OffsetChange> = own(command, tracked).collect();
    for (at, reading) in committed(&command.target, seen.group) {
        let Some(change) = own.iter().find(|change| change.topic == at.0 && change.partition == at.1) else {
            continue;
        };
        if reading.committed.is_some_and(|now| is_moved(change, now)) && tracked.anew.moved.insert(at) {
            tracked.moved += 1;
        }
    }
}

fn is_moved(change: &OffsetChange, now: i64) -> bool {
    let OffsetTarget::Offset(to) = change.to else { return false };
    match change.from {
        // Back: anything from there up to what was committed before.
        Some(from) if from > to => (to..from).contains(&now),
        _ => now >= to,
    }
}

/// Commits that this instance moves: of what it owned, those that have a place to go to. Where that is not known any
/// more (another replica led), all of them.
fn own<'a>(command: &'a Command, tracked: &Tracked) -> impl Iterator<Item = &'a OffsetChange> {
    let owned = tracked.anew.owned.clone();
    command.offsets.iter().filter(move |change| {
        let to_move = matches!(change.to, OffsetTarget::Offset(to) if change.from != Some(to));
        to_move && (owned.is_empty() || owned.contains(&(change.topic.clone(), change.partition)))
    })
}

pub(super) fn evidence(
    command: &Command,
    tracked: &mut Tracked,
    instance: &InstanceTelemetry,
    seen: Seen<'_>,
) {
    if matches!(tracked.state, InstanceState::Acknowledged) {
        return;
    }
    if command.actor.kind == ActorKind::External {
        return external(command, tracked, instance, seen);
    }
    let (mut all, mut missing) = (0_usize, None::<(&TopicName, Partition)>);
    for change in own(command, tracked) {
        all += 1;
        if !tracked.anew.moved.contains(&(change.topic.clone(), change.partition)) {
            missing = missing.or(Some((&change.topic, change.partition)));
        }
    }
    if let Some((topic, partition)) = missing {
        let moved = all.min(tracked.anew.moved.len());
        let detail = format!("{moved} of {all} commits moved; {topic} partition {partition} not yet");
        return not_proven(tracked, &detail);
    }
    let since = tracked.anew.left_at.unwrap_or(tracked.since);
    let moved = match all {
        0 => "no commit had to move".to_owned(),
        1 => "1 commit moved".to_owned(),
        n => format!("{n} commits moved"),
    };
    match runs(command, command.target.consumer.as_ref(), instance, since, seen) {
        Ok(count) => proven(tracked, instance, format!("{moved}; {}", partitions(count)), seen),
        Err(why) => not_proven(tracked, &format!("{moved}; {why}")),
    }
}

/// Where commits were before it came is not known.
fn external(command: &Command, tracked: &mut Tracked, instance: &InstanceTelemetry, seen: Seen<'_>) {
    let Some(left) = tracked.anew.left_at else {
        return not_proven(tracked, "it has not left the group yet");
    };
    match runs(command, command.target.consumer.as_ref(), instance, left, seen) {
        Ok(count) => {
            let detail = format!("it started anew; {}; its commits were not compared", partitions(count));
            proven(tracked, instance, detail, seen);
        }
        Err(why) => not_proven(tracked, &format!("it left the group; {why}")),
    }
}

pub(super) const READ_AGAIN: &str = "Records after the new offsets are handled again.";
pub(super) const NOT_KNOWN: &str = "Confirmed once Kafka tells commits at the new offsets and telemetry lists \
    partitions again. Which records were handled in between cannot be known.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_counts_as_moved_between_its_target_and_where_it_was() {
        let change = |from, to| OffsetChange {
            topic: "t".parse().unwrap(),
            partition: Partition::new(0).unwrap(),
            from,
            to: OffsetTarget::Offset(to),
        };
        for (from, to, now, want) in [
            (Some(10), 3, 10, false),
            (Some(10), 3, 12, false),
            (Some(10), 3, 3, true),
            (Some(10), 3, 9, true),
            (Some(10), 3, 2, false),
            (Some(10), 15, 12, false),
            (Some(10), 15, 15, true),
            (None, 3, 3, true),
        ] {
            assert_eq!(is_moved(&change(from, to), now), want, "{from:?} {to} {now}");
        }
    }
}
