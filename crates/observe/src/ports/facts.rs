//! What a group's page says beside its numbers, a sentence each: until when unread records and offsets are kept, a
//! transaction that keeps others waiting, and why it is not counted.

use std::time::Duration;

use flowdeck_kafka::Cause;
use flowdeck_model::view::Mode;
use flowdeck_model::{GroupType, Lag, Level, Timestamp, shown};

use crate::sampling::details::{Open, Retention};
use crate::sampling::sample::{GroupData, PartitionData};
use crate::snapshot::{ClusterSnapshot, Judged};
use crate::unread::{kept_until, plus};

/// A transaction that is open for less is a usual one.
const OPEN_FOR: Duration = Duration::from_secs(30);

pub(super) fn of(
    cluster: &ClusterSnapshot,
    group: &GroupData,
    judged: &Judged,
    now: Timestamp,
) -> Vec<String> {
    let mute = cluster.settings.muted(&group.id, now);
    let muted = mute.map(|mute| format!("Not counted until {}: {}.", mute.until, shown::name(&mute.reason)));
    let all = [
        muted,
        reads_committed(cluster, group),
        unread(cluster, group, judged, now),
        offsets(cluster, group, now),
        open_transaction(cluster, group, now),
    ];
    all.into_iter().flatten().collect()
}

/// Where that makes a difference.
fn reads_committed(cluster: &ClusterSnapshot, group: &GroupData) -> Option<String> {
    if group.ends.are_stable {
        let is_held_back = open(cluster, group).next().is_some();
        let words = "It reads committed records: its lag ends at the last stable offset.";
        return is_held_back.then(|| words.to_owned());
    }
    let is_told = cluster.settings.reads_committed(&group.id) && group.as_of.is_some();
    is_told.then(|| {
        "The configuration says that it reads committed records, but it committed beyond the last stable offset: its lag ends at the log's end.".to_owned()
    })
}

pub(super) fn last_stable(cluster: &ClusterSnapshot, one: &PartitionData<'_>) -> Option<i64> {
    let details = &cluster.sample.details;
    let place = (one.topic.clone(), one.commit.partition);
    match details.open.get(&place) {
        Some(open) => Some(open.stable),
        None => one.reading.end.filter(|_| details.settled.contains(&place)),
    }
}

/// Said where somebody has to hurry: the group needs attention, or half of the retention is over.
fn unread(cluster: &ClusterSnapshot, group: &GroupData, judged: &Judged, now: Timestamp) -> Option<String> {
    let waits = |one: &PartitionData<'_>| matches!(one.reading.lag(), Lag::Known(1..));
    let first = group
        .partitions(judged.stale)
        .filter_map(|one| Some((kept_until(&cluster.sample, group, &one)?, one)))
        .min_by_key(|(until, _)| *until);
    let details = &cluster.sample.details;
    let Some((until, one)) = first else {
        let mut topics = group.partitions(judged.stale).filter(waits).map(|one| one.topic);
        let refused = topics.find_map(|topic| refusal(details.retention.get(topic)?.as_ref().err()?))?;
        return Some(format!("When retention deletes unread records is not known: {refused}."));
    };
    let Retention { time, by_size } = details.retention.get(one.topic)?.as_ref().ok()?;
    let time = (*time)?;
    let left = until.since(now);
    if judged.level < Level::Warning && left > time / 2 {
        return None;
    }
    let place = format!("{} partition {}", one.topic, one.commit.partition);
    let retention = shown::span(time);
    let size = if *by_size { ", unless the log's size limit deletes it before" } else { "" };
    let raise = match cluster.settings.mode {
        Mode::Control => " Under Partitions… it can be raised for a while.",
        Mode::Observe => "",
    };
    Some(if until <= now {
        format!(
            "The oldest unread record of {place} is older than the retention of {retention}: it may be deleted at any moment.{raise}"
        )
    } else {
        format!(
            "Retention ({retention}) keeps the oldest unread record of {place} for another {}{size}.{raise}",
            coarse(left)
        )
    })
}

/// Minutes are enough where there are many.
fn coarse(span: Duration) -> String {
    let seconds = span.as_secs();
    shown::span(if seconds > 600 { Duration::from_secs(seconds / 60 * 60) } else { span })
}

fn refusal(cause: &Cause) -> Option<String> {
    matches!(cause, Cause::NotPermitted(_)).then(|| cause.to_string())
}

/// When committed offsets expire.
pub(super) struct Expiry {
    pub(super) at: Timestamp,
    /// Else at the latest: it had no members before Flowdeck began to watch.
    exact: bool,
    kept: Duration,
}

/// Kafka counts from when the last member left, in the first group protocol; else from the commit.
pub(super) fn offsets_expire(cluster: &ClusterSnapshot, group: &GroupData) -> Option<Expiry> {
    let kept = *cluster.sample.details.offsets_retention.as_ref()?.as_ref().ok()?;
    let has_offsets = group.partitions(false).any(|one| one.commit.committed().is_some());
    if !group.kind.has_lag() || !has_offsets || !group.members.as_deref()?.is_empty() {
        return None;
    }
    let left = group.track.left_at().filter(|_| group.kind != GroupType::Consumer);
    let since = left.or(group.last_commit).or(group.watched_since)?;
    Some(Expiry { at: plus(since, kept), exact: left.is_some(), kept })
}

fn offsets(cluster: &ClusterSnapshot, group: &GroupData, now: Timestamp) -> Option<String> {
    let is_idle = group.kind.has_lag() && group.members.as_deref().is_some_and(<[_]>::is_empty);
    let refused = cluster.sample.details.offsets_retention.as_ref().and_then(|read| read.as_ref().err());
    if let Some(why) = refused.and_then(refusal).filter(|_| is_idle) {
        return Some(format!("When the committed offsets expire is not known: {why}."));
    }
    let expiry = offsets_expire(cluster, group)?;
    let at_latest = if expiry.exact { "" } else { " at the latest" };
    let kept = shown::span(expiry.kept);
    Some(format!(
        "Its committed offsets expire in {}{at_latest}, unless a member joins or it commits (offsets.retention.minutes: {kept}).",
        coarse(expiry.at.since(now))
    ))
}

/// Partitions of the group in which a transaction is open.
fn open<'a>(
    cluster: &'a ClusterSnapshot,
    group: &'a GroupData,
) -> impl Iterator<Item = (PartitionData<'a>, Open)> {
    let open = &cluster.sample.details.open;
    let partitions = (!open.is_empty()).then(|| group.partitions(false));
    partitions.into_iter().flatten().filter_map(|one| {
        let open = open.get(&(one.topic.clone(), one.commit.partition))?;
        Some((one, *open))
    })
}

/// The one that is open for the longest.
fn open_transaction(cluster: &ClusterSnapshot, group: &GroupData, now: Timestamp) -> Option<String> {
    let found = open(cluster, group).filter(|(_, open)| now.since(open.since) >= OPEN_FOR);
    let (one, Open { stable, end, since }) = found.min_by_key(|(_, open)| open.since)?;
    let waits = end.saturating_sub(stable).unsigned_abs();
    let (records, wait) = if waits == 1 { ("record", "waits") } else { ("records", "wait") };
    Some(format!(
        "An open transaction has held the last stable offset of {} partition {} at {stable} for {}: {} {records} {wait} behind it for consumers with read_committed.",
        one.topic,
        one.commit.partition,
        coarse(now.since(since)),
        shown::exact(waits)
    ))
}
