//! Telemetry records as the port would show them.

use std::collections::BTreeMap;

use flowdeck_model::view::{
    AssignmentView, ConsumerStatus, ConsumerTelemetryView, GroupTelemetryView, TelemetryView,
};
use flowdeck_model::{ConsumerName, GroupId};
use flowdeck_protocol::kafkaflow::Telemetry;

pub(super) fn view(records: impl Iterator<Item = Telemetry>) -> TelemetryView {
    let mut groups: BTreeMap<GroupId, BTreeMap<ConsumerName, Vec<AssignmentView>>> = BTreeMap::new();
    for record in records {
        let consumer = groups.entry(record.group.clone()).or_default().entry(record.consumer.clone());
        consumer.or_default().push(assignment(record));
    }
    let groups = groups.into_iter().map(|(group, consumers)| GroupTelemetryView {
        group,
        consumers: consumers.into_iter().map(|(name, assignments)| consumer(name, assignments)).collect(),
    });
    TelemetryView { groups: groups.collect() }
}

fn assignment(record: Telemetry) -> AssignmentView {
    AssignmentView {
        topic: record.topic.as_str().to_owned(),
        instance: record.instance,
        status: record.status,
        workers: u32::try_from(record.workers).unwrap(),
        running: record.running,
        paused: record.paused,
        heard: record.sent_at.timestamp(),
        lag: 0,
    }
}

fn consumer(name: ConsumerName, mut assignments: Vec<AssignmentView>) -> ConsumerTelemetryView {
    assignments.sort_by(|a, b| (&a.topic, a.instance.as_str()).cmp(&(&b.topic, b.instance.as_str())));
    let workers = assignments.last().map_or(0, |one| one.workers);
    ConsumerTelemetryView { name, workers, status: ConsumerStatus::Running, assignments }
}
