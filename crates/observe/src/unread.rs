//! From when on retention deletes what a group has not read. Pure.

use std::time::Duration;

use flowdeck_model::lag::Precision;
use flowdeck_model::{Lag, Timestamp, TopicName, shown};

use crate::sampling::details::Retention;
use crate::sampling::sample::{GroupData, PartitionData, Sample};

/// Retention deletes a segment of the log once its newest record is old enough: no record earlier than this.
pub(crate) fn kept_until(sample: &Sample, group: &GroupData, one: &PartitionData<'_>) -> Option<Timestamp> {
    let retention = sample.details.retention.get(one.topic)?.as_ref().ok()?;
    let Lag::Known(1..) = one.reading.lag() else { return None };
    let read_at = group.ends.read_at;
    let age = one.proven_time_lag(&sample.proofs, read_at);
    let age = age.filter(|lag| lag.precision != Precision::AtLeast)?;
    let written = read_at.minus(Duration::from_millis(age.millis));
    Some(plus(written, retention.time?))
}

pub(crate) fn plus(at: Timestamp, span: Duration) -> Timestamp {
    let millis = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(at.millis().saturating_add(millis))
}

/// For who is about to hold the group: from when on the first unread record of the topics that `reads` names is deleted.
/// `None`: nothing waits, or its age or the retention is not known.
pub fn deleted_from(
    sample: &Sample,
    group: &GroupData,
    reads: impl Fn(&TopicName) -> bool,
    now: Timestamp,
) -> Option<String> {
    let (until, one) = group
        .partitions(false)
        .filter(|one| reads(one.topic))
        .filter_map(|one| Some((kept_until(sample, group, &one)?, one)))
        .min_by_key(|(until, _)| *until)?;
    let Retention { time, by_size } = sample.details.retention.get(one.topic)?.as_ref().ok()?;
    let place = format!("{} partition {}", one.topic, one.commit.partition);
    let retention = shown::span((*time)?);
    let size = if *by_size { ", unless the log's size limit deletes it before" } else { "" };
    Some(if until <= now {
        format!(
            "The oldest unread record of {place} is older than the retention of {retention}: it may be deleted at any moment."
        )
    } else {
        format!(
            "Records that are not read are deleted from {until} on: until then, at least, retention ({retention}) keeps the oldest one, \
             in {place}{size}."
        )
    })
}
