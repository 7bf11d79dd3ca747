//! What of a group is paused, by whom, and what is left of it that is not held.

use std::time::Duration;

use flowdeck_model::verdict::{LagSum, sum};
use flowdeck_model::view::InstanceKind;
use flowdeck_model::{HoldBy, TimeLag, Timestamp};

use super::Beside;
use crate::holds::cover::{holds_now, may_hold, place_of};
use crate::sampling::sample::GroupData;
use crate::telemetry::trust::is_trusted;
use crate::telemetry::{GroupTelemetry, InstanceTelemetry};

pub(super) struct Pauses {
    /// Owners of the holds that cover something that it reads.
    pub(super) owners: Vec<String>,
    /// When the oldest of these holds began.
    pub(super) since: Option<Timestamp>,
    /// No partition is without a hold.
    pub(super) whole: bool,
    /// The partitions that no hold covers.
    pub(super) free: LagSum,
    pub(super) time_lag: Option<TimeLag>,
    /// Without a hold.
    pub(super) by_application: bool,
}

pub(super) fn of(group: &GroupData, beside: Beside<'_>, now: Timestamp, heard_within: Duration) -> Pauses {
    let mut owners: Vec<String> = Vec::new();
    let mut since: Option<Timestamp> = None;
    for hold in beside.holds.iter().filter(|hold| holds_now(hold, group, beside.telemetry)) {
        since = Some(since.map_or(hold.since, |oldest| oldest.min(hold.since)));
        if !owners.contains(&hold.owner) {
            owners.push(hold.owner.clone());
        }
    }
    if owners.is_empty() {
        let by_application = by_application(group, beside, now, heard_within);
        return Pauses {
            owners,
            since,
            whole: false,
            free: group.sum,
            time_lag: group.time_lag,
            by_application,
        };
    }
    let mut time_lag: Option<TimeLag> = None;
    let mut free = Vec::new();
    for one in group.partitions(false) {
        let place = place_of(&group.id, beside.telemetry, one.topic, one.commit.partition);
        if beside.holds.iter().any(|hold| may_hold(hold, place)) {
            continue;
        }
        free.push(one.reading);
        if let Some(more) = one.time_lag(group.ends.read_at) {
            time_lag = Some(time_lag.map_or(more, |worst| worst.worse(more)));
        }
    }
    Pauses { owners, since, whole: free.is_empty(), free: sum(&free), time_lag, by_application: false }
}

/// A hold keeps KafkaFlow consumers stopped.
pub(super) fn stop_kafkaflow(beside: Beside<'_>) -> bool {
    let has_kafkaflow =
        |all: &GroupTelemetry| all.instances().any(|(_, one)| one.kind() == InstanceKind::KafkaFlow);
    beside.holds.iter().any(|hold| hold.by == HoldBy::Stop) && beside.telemetry.is_some_and(has_kafkaflow)
}

/// Telemetry that may be believed lists paused partitions since the last resume.
fn by_application(group: &GroupData, beside: Beside<'_>, now: Timestamp, heard_within: Duration) -> bool {
    let says_paused = |instance: &InstanceTelemetry| {
        let said = |heard: Timestamp| beside.resumed.is_none_or(|resumed| heard > resumed);
        instance.heard_within(now, heard_within)
            && instance.topics.iter().any(|stream| !stream.paused.is_empty() && said(stream.heard))
            && is_trusted(group.listed(), instance, now)
    };
    beside.telemetry.is_some_and(|all| all.instances().any(|(_, instance)| says_paused(instance)))
}
