//! What KafkaFlow's routes show: the names and the order of fields are KafkaFlow's, and so is null for an empty list of
//! partitions.

use axum::response::{IntoResponse, Response};
use flowdeck_model::view::{AssignmentView, ConsumerStatus, ConsumerTelemetryView, TelemetryView};
use flowdeck_model::{GroupId, Partition, Timestamp};
use http::header::{CONTENT_TYPE, HeaderValue};
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct Groups {
    groups: Vec<Group>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    group_id: GroupId,
    consumers: Vec<Consumer>,
}

#[derive(Serialize)]
pub(super) struct Consumers {
    pub(super) consumers: Vec<Consumer>,
}

/// What telemetry does not tell is empty.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Consumer {
    consumer_name: String,
    management_disabled: bool,
    group_id: GroupId,
    workers_count: u32,
    subscription: Vec<String>,
    member_id: &'static str,
    client_instance_name: &'static str,
    status: &'static str,
}

impl Consumer {
    pub(super) fn new(group: &GroupId, consumer: &ConsumerTelemetryView) -> Self {
        let mut subscription: Vec<String> =
            consumer.assignments.iter().map(|one| one.topic.clone()).collect();
        // They are sorted by topic.
        subscription.dedup();
        Self {
            consumer_name: consumer.name.as_str().to_owned(),
            management_disabled: false,
            group_id: group.clone(),
            workers_count: consumer.workers,
            subscription,
            member_id: "",
            client_instance_name: "",
            status: word(consumer.status),
        }
    }
}

impl Groups {
    pub(super) fn new(telemetry: &TelemetryView) -> Self {
        let groups = telemetry.groups.iter().map(|one| Group {
            group_id: one.group.clone(),
            consumers: one.consumers.iter().map(|consumer| Consumer::new(&one.group, consumer)).collect(),
        });
        Self { groups: groups.collect() }
    }
}

/// Where the two contracts have the workers count.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Workers {
    OfConsumer,
    OfAssignment,
}

#[derive(Serialize)]
pub(super) struct Telemetry {
    groups: Vec<TelemetryGroup>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TelemetryGroup {
    group_id: GroupId,
    consumers: Vec<TelemetryConsumer>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TelemetryConsumer {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    workers_count: Option<u32>,
    assignments: Vec<Assignment>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Assignment {
    topic_name: String,
    instance_name: String,
    status: &'static str,
    running_partitions: Option<Vec<Partition>>,
    paused_partitions: Option<Vec<Partition>>,
    last_update: String,
    lag: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    workers: Option<u32>,
}

impl Telemetry {
    pub(super) fn new(telemetry: &TelemetryView, workers: Workers) -> Self {
        let groups = telemetry.groups.iter().map(|one| TelemetryGroup {
            group_id: one.group.clone(),
            consumers: one.consumers.iter().map(|consumer| consumer_of(consumer, workers)).collect(),
        });
        Self { groups: groups.collect() }
    }
}

fn consumer_of(consumer: &ConsumerTelemetryView, workers: Workers) -> TelemetryConsumer {
    TelemetryConsumer {
        name: consumer.name.as_str().to_owned(),
        workers_count: (workers == Workers::OfConsumer).then_some(consumer.workers),
        assignments: consumer.assignments.iter().map(|one| assignment(one, workers)).collect(),
    }
}

fn assignment(one: &AssignmentView, workers: Workers) -> Assignment {
    let listed = |all: &[Partition]| (!all.is_empty()).then(|| all.to_vec());
    Assignment {
        topic_name: one.topic.clone(),
        instance_name: one.instance.as_str().to_owned(),
        status: word(one.status),
        running_partitions: listed(&one.running),
        paused_partitions: listed(&one.paused),
        last_update: last_update(one.heard),
        lag: one.lag,
        workers: (workers == Workers::OfAssignment).then_some(one.workers),
    }
}

/// Its client takes a time without a zone for UTC, and one with a zone for none at all.
fn last_update(heard: Timestamp) -> String {
    heard.to_string().trim_end_matches('Z').to_owned()
}

fn word(status: ConsumerStatus) -> &'static str {
    match status {
        ConsumerStatus::Stopped | ConsumerStatus::Other(_) => "Stopped",
        ConsumerStatus::Running => "Running",
        ConsumerStatus::PartiallyRunning => "PartiallyRunning",
        ConsumerStatus::Paused => "Paused",
    }
}

/// With the content type that KafkaFlow gives.
pub(super) fn answer(shown: &impl Serialize) -> Response {
    let body = serde_json::to_string(shown).unwrap_or_default();
    let kind = HeaderValue::from_static("application/json; charset=utf-8");
    ([(CONTENT_TYPE, kind)], body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_no_zone() {
        assert_eq!(last_update(Timestamp::from_millis(1_795_270_137_123)), "2026-11-21T14:08:57.123");
    }
}
