//! The view of a window.

use flowdeck_model::rate::Rate;
use flowdeck_model::shown::{self, exact};
use flowdeck_model::view::{HistoryEvent, HistoryEventKind, HistoryPoint, HistoryView, TopicPartitions};
use flowdeck_model::{GroupId, HistoryQuery, Timestamp};

use super::failed_calls::Episode;
use super::ring::{Point, Ring};
use super::series::{Resolution, Series};
use super::store::{Store, seconds};
use crate::operations::Operation;
use crate::snapshot::ClusterSnapshot;

/// Of a window; the newest.
const EVENTS: usize = 100;
/// Failures at most so many minutes from each other are one event.
const APART: u32 = 5;
/// Or so large a part of the window.
const PARTS: u64 = 50;

/// The finest that is kept from `from` on. Where the first step is half gone, that is little.
fn resolution(from: u32, now: u32) -> Resolution {
    let reaches = |one: &Resolution| {
        let steps = now / one.seconds() - from.min(now) / one.seconds();
        steps as usize <= one.kept()
    };
    Resolution::ALL.into_iter().find(reaches).unwrap_or(Resolution::Minutes15)
}

/// `None`: nothing is known of such a group.
pub(crate) fn view(
    store: &Store,
    cluster: &ClusterSnapshot,
    group: &GroupId,
    query: &HistoryQuery,
    now: Timestamp,
) -> Option<HistoryView> {
    let series = store.series(group);
    if series.is_none() && cluster.group(group).is_none() {
        return None;
    }
    let (from, to) = query.window.bounds(now);
    let (first, last) = (seconds(from), seconds(to.min(now)));
    let resolution = resolution(first, seconds(now));
    let ring = match &query.partition {
        Some((topic, partition)) => store.partition_ring(group, topic, *partition, resolution),
        None => series.map(|series| series.ring(resolution)),
    };
    let known_since = match &query.partition {
        Some(_) => ring.and_then(|ring| start(ring, resolution)),
        None => series.and_then(known_since),
    };
    Some(HistoryView {
        now,
        cluster: cluster.settings.name.clone(),
        group: group.clone(),
        partition: query
            .partition
            .as_ref()
            .map(|(topic, partition)| TopicPartitions { topic: topic.clone(), partitions: vec![*partition] }),
        from,
        to,
        step_seconds: resolution.seconds(),
        points: ring.map(|ring| points(ring, resolution, first, last)).unwrap_or_default(),
        events: events(series, cluster, group, from, to),
        known_since,
        storage: store.storage,
        notes: notes(store, group, query),
    })
}

fn notes(store: &Store, group: &GroupId, query: &HistoryQuery) -> Vec<String> {
    if store.is_full_without(group) {
        return vec![
            "No history is kept of this group: the cluster has more groups than Flowdeck keeps history of."
                .to_owned(),
        ];
    }
    let followed = query.partition.as_ref().is_none_or(|(topic, partition)| {
        store.partition_ring(group, topic, *partition, Resolution::Seconds10).is_some()
    });
    if followed {
        return vec![];
    }
    vec![
        "Partitions are followed while somebody looks at the group or it needs attention, for 6 hours."
            .to_owned(),
    ]
}

fn points(ring: &Ring, resolution: Resolution, first: u32, last: u32) -> Vec<HistoryPoint> {
    let each = resolution.seconds();
    // No more than is kept, whatever the window.
    let newest = last / each;
    let oldest =
        (first / each).max(newest.saturating_sub(u32::try_from(resolution.kept()).unwrap_or(u32::MAX)));
    (oldest..=newest)
        .map(|step| (step, ring.get(step)))
        .filter(|(_, point)| !point.is_empty())
        .map(|(step, point)| shown_point(step * each, point))
        .collect()
}

fn shown_point(second: u32, point: Point) -> HistoryPoint {
    HistoryPoint {
        at: Timestamp::from_millis(i64::from(second) * 1_000),
        lag: point.lag,
        time_lag_millis: point.time_lag_millis,
        in_per_second: point.input_milli.map(Rate::of_thousandths),
        out_per_second: point.output_milli.map(Rate::of_thousandths),
    }
}

fn start(ring: &Ring, resolution: Resolution) -> Option<Timestamp> {
    let step = ring.oldest()?;
    Some(Timestamp::from_millis(i64::from(step) * i64::from(resolution.seconds()) * 1_000))
}

/// A long step begins before its first reading: the finest ring that still has it says it best.
fn known_since(series: &Series) -> Option<Timestamp> {
    let mut best: Option<Timestamp> = None;
    for one in Resolution::ALL {
        let Some(at) = start(series.ring(one), one) else { continue };
        let same = best.is_some_and(|best| best.since(at).as_secs() < u64::from(one.seconds()));
        if !same {
            best = Some(at);
        }
    }
    best
}

fn events(
    series: Option<&Series>,
    cluster: &ClusterSnapshot,
    group: &GroupId,
    from: Timestamp,
    to: Timestamp,
) -> Vec<HistoryEvent> {
    let rebalances = series.into_iter().flat_map(Series::rebalances).map(|second| HistoryEvent {
        at: Timestamp::from_millis(i64::from(second) * 1_000),
        kind: HistoryEventKind::Rebalance,
        text: "Rebalance".to_owned(),
        command: None,
    });
    let told = |kind| {
        move |(second, words): (u32, &str)| HistoryEvent {
            at: Timestamp::from_millis(i64::from(second) * 1_000),
            kind,
            text: words.to_owned(),
            command: None,
        }
    };
    let changes = series.into_iter().flat_map(|one| one.changes.iter()).map(told(HistoryEventKind::Change));
    let deployments =
        series.into_iter().flat_map(|one| one.deployments.iter()).map(told(HistoryEventKind::Deployment));
    let apart = minutes_apart(from, to);
    let window = seconds(from)..seconds(to).saturating_add(1);
    let episodes = series.into_iter().flat_map(|one| one.failed_calls.episodes(window.clone(), apart));
    let errors = episodes.map(errors);
    let operations = cluster.operations.of_group(group).map(|one| operation(one));
    let mut events: Vec<HistoryEvent> = rebalances
        .chain(changes)
        .chain(deployments)
        .chain(errors)
        .chain(operations)
        .filter(|event| event.at >= from && event.at <= to)
        .collect();
    events.sort_by_key(|event| event.at);
    events.drain(..events.len().saturating_sub(EVENTS));
    events
}

/// Failures that are nearer to each other than this are one event of a window: else they would be all that it has.
fn minutes_apart(from: Timestamp, to: Timestamp) -> u32 {
    let part = to.since(from).as_secs() / 60 / PARTS;
    u32::try_from(part).unwrap_or(u32::MAX).max(APART)
}

fn errors(episode: Episode) -> HistoryEvent {
    let Episode { from, minutes, count } = episode;
    let calls = if count == 1 { "call of a handler" } else { "calls of handlers" };
    let time = if minutes > 1 { format!(" in {minutes} min") } else { String::new() };
    HistoryEvent {
        at: Timestamp::from_millis(i64::from(from) * 1_000),
        kind: HistoryEventKind::Errors,
        text: format!("{} {calls} failed{time}", exact(count)),
        command: None,
    }
}

fn operation(operation: &Operation) -> HistoryEvent {
    HistoryEvent {
        at: operation.requested_at,
        kind: HistoryEventKind::Operation,
        text: format!("{} by {}", operation.action.label(), shown::name(&operation.actor.name)),
        command: Some(operation.id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_finest_steps_that_reach_back_are_taken() {
        let now = 1_795_270_137;
        for (back, want) in [
            (0, Resolution::Seconds10),
            (900, Resolution::Seconds10),
            (920, Resolution::Minute),
            (6 * 3_600, Resolution::Minute),
            (6 * 3_600 + 120, Resolution::Minutes15),
            (7 * 86_400, Resolution::Minutes15),
            (90 * 86_400, Resolution::Minutes15),
        ] {
            assert_eq!(resolution(now - back, now), want, "{back} s");
        }
        assert_eq!(resolution(now + 10, now), Resolution::Seconds10);
    }

    #[test]
    fn history_begins_with_the_first_reading() {
        let mut store = Store::default();
        let group: GroupId = "g".into();
        for second in [1_795_270_137, 1_795_270_237] {
            store.read(&group, second, Some(1), None);
        }
        let series = store.series(&group).unwrap();
        assert_eq!(known_since(series).map(|at| at.millis()), Some(1_795_270_130_000));
        // When the short steps have left it, the minute has it.
        store.read(&group, 1_795_270_137 + 3_600, Some(1), None);
        let series = store.series(&group).unwrap();
        assert_eq!(known_since(series).map(|at| at.millis()), Some(1_795_270_137 / 60 * 60_000));
    }
}
