//! The consumers that telemetry tells of, with the lag that the brokers tell of what each lists.

use std::collections::HashMap;

use flowdeck_model::view::{
    AssignmentView, ConsumerStatus, ConsumerTelemetryView, GroupTelemetryView, TelemetryView,
};
use flowdeck_model::{Actor, Lag, Partition, Permission, TopicName};

use crate::sampling::sample::GroupData;
use crate::snapshot::{ClusterSnapshot, Judged};
use crate::telemetry::{ConsumerTelemetry, GroupTelemetry, InstanceTelemetry};

type Lags<'a> = HashMap<(&'a TopicName, Partition), u64>;

pub(super) fn view(cluster: &ClusterSnapshot, actor: &Actor) -> TelemetryView {
    let viewed = |group: &GroupData| actor.may(Permission::View, &cluster.settings.name, &group.id);
    let groups = cluster.groups().filter(|(group, _)| viewed(group)).filter_map(|(group, judged)| {
        let telemetry = cluster.telemetry.group(&group.id)?;
        let consumers = consumers(telemetry, &lags(group, judged));
        (!consumers.is_empty()).then(|| GroupTelemetryView { group: group.id.clone(), consumers })
    });
    TelemetryView { groups: groups.collect() }
}

fn lags<'a>(group: &'a GroupData, judged: &Judged) -> Lags<'a> {
    let known = |lag: Lag| match lag {
        Lag::Known(lag) => Some(lag),
        Lag::Unknown(_) => None,
    };
    let readings = group.readings(judged.stale);
    readings
        .filter_map(|(topic, partition, reading)| Some(((topic.as_ref(), partition), known(reading.lag())?)))
        .collect()
}

fn consumers(telemetry: &GroupTelemetry, lags: &Lags<'_>) -> Vec<ConsumerTelemetryView> {
    telemetry.consumers.iter().filter_map(|one| consumer(one, lags)).collect()
}

fn consumer(consumer: &ConsumerTelemetry, lags: &Lags<'_>) -> Option<ConsumerTelemetryView> {
    let instances = || consumer.instances.iter().filter(|one| !one.superseded);
    instances().next()?;
    let told = instances().filter_map(|one| Some((one.last_heard, one.workers?)));
    let mut assignments: Vec<_> = instances().flat_map(|one| of_instance(one, lags)).collect();
    assignments.sort_by(|a, b| (&a.topic, a.instance.as_str()).cmp(&(&b.topic, b.instance.as_str())));
    Some(ConsumerTelemetryView {
        name: consumer.name.clone(),
        workers: told.max_by_key(|(heard, _)| *heard).map_or(0, |(_, workers)| workers),
        status: status(instances().map(|one| one.status)),
        assignments,
    })
}

/// Over several instances: those that are stopped count only where all are.
fn status(all: impl Iterator<Item = ConsumerStatus>) -> ConsumerStatus {
    let (mut running, mut paused) = (false, false);
    for one in all {
        running |= matches!(one, ConsumerStatus::Running | ConsumerStatus::PartiallyRunning);
        paused |= matches!(one, ConsumerStatus::Paused | ConsumerStatus::PartiallyRunning);
    }
    ConsumerStatus::of(running, paused)
}

fn of_instance<'a>(
    instance: &'a InstanceTelemetry,
    lags: &'a Lags<'_>,
) -> impl Iterator<Item = AssignmentView> + 'a {
    let blank = move |topic: &str| AssignmentView {
        topic: topic.to_owned(),
        instance: instance.instance.clone(),
        status: instance.status,
        workers: instance.workers.unwrap_or_default(),
        running: vec![],
        paused: vec![],
        heard: instance.last_heard,
        lag: 0,
    };
    let topics = instance.topics.iter().map(move |stream| {
        let lag = |partition: &Partition| lags.get(&(&stream.topic, *partition)).copied().unwrap_or(0);
        AssignmentView {
            running: stream.running.clone(),
            paused: stream.paused.clone(),
            heard: stream.heard,
            lag: stream.running.iter().chain(&stream.paused).map(lag).fold(0, u64::saturating_add),
            ..blank(stream.topic.as_str())
        }
    });
    topics.chain(instance.pattern.iter().map(move |pattern| blank(pattern)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::TopicStream;
    use flowdeck_model::Timestamp;

    fn partitions(all: &[i32]) -> Vec<Partition> {
        all.iter().filter_map(|one| Partition::new(*one)).collect()
    }

    #[test]
    fn each_topic_of_each_instance_has_the_lag_of_what_it_lists() {
        let heard = Timestamp::from_millis(7_000);
        let stream = |running: &[i32], paused: &[i32]| TopicStream {
            topic: "orders".parse().unwrap(),
            running: partitions(running),
            paused: partitions(paused),
            cut: 0,
            heard,
            offset: 0,
        };
        let instance = |name: &str, running: &[i32], paused: &[i32], status| InstanceTelemetry {
            status,
            workers: Some(3),
            ..InstanceTelemetry::test(name, vec![stream(running, paused)], heard)
        };
        let pattern = InstanceTelemetry {
            pattern: Some("^region-.*".into()),
            ..InstanceTelemetry::test("c", vec![], heard)
        };
        let gone =
            InstanceTelemetry { superseded: true, ..instance("d", &[0], &[], ConsumerStatus::Running) };
        let telemetry = GroupTelemetry {
            consumers: vec![ConsumerTelemetry {
                name: "orders-consumer".into(),
                instances: vec![
                    instance("b", &[0, 2], &[], ConsumerStatus::Running),
                    instance("a", &[], &[1], ConsumerStatus::Paused),
                    pattern,
                    gone,
                ],
            }],
            unkept: 0,
        };
        let topic: TopicName = "orders".parse().unwrap();
        // Partition 2 is unknown, 9 is nobody's.
        let lags = [(0, 5), (1, 7), (9, 100)].map(|(n, lag)| ((&topic, Partition::new(n).unwrap()), lag));
        let all = consumers(&telemetry, &lags.into_iter().collect());
        assert_eq!((all.len(), all[0].workers), (1, 3));
        assert_eq!(all[0].status, ConsumerStatus::PartiallyRunning);
        let told: Vec<_> = all[0]
            .assignments
            .iter()
            .map(|one| (one.topic.as_str(), one.instance.as_str(), one.lag))
            .collect();
        assert_eq!(told, [("^region-.*", "c", 0), ("orders", "a", 7), ("orders", "b", 5)]);
    }
}
