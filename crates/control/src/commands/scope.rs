//! Who is in a command's scope, as telemetry and the group's members tell it.

use std::time::Duration;

use flowdeck_model::scope::Place;
use flowdeck_model::{ConsumerName, GroupId, Hold, Partition, Target, Timestamp, TopicName};

use flowdeck_observe::telemetry::{GroupTelemetry, InstanceTelemetry, TopicStream};

/// Instances in the scope that were heard lately: they are expected to obey.
pub(crate) fn listening<'a>(
    target: &'a Target,
    telemetry: Option<&'a GroupTelemetry>,
    now: Timestamp,
    within: Duration,
) -> impl Iterator<Item = (&'a ConsumerName, &'a InstanceTelemetry)> {
    telemetry.into_iter().flat_map(GroupTelemetry::instances).filter(move |(consumer, instance)| {
        in_scope(target, consumer, instance) && instance.heard_within(now, within)
    })
}

/// By name, and by the topics that the instance tells of.
pub(crate) fn in_scope(target: &Target, consumer: &ConsumerName, instance: &InstanceTelemetry) -> bool {
    target.consumer.as_ref().is_none_or(|wanted| wanted == consumer)
        && (target.topics.is_empty() || streams(target, instance).next().is_some())
}

/// What the instance tells of the topics in the scope.
pub(crate) fn streams<'a>(
    target: &'a Target,
    instance: &'a InstanceTelemetry,
) -> impl Iterator<Item = &'a TopicStream> {
    instance.topics.iter().filter(move |stream| target.names(&stream.topic))
}

/// Whether any of `holds` covers the partition as this instance reads it.
pub(crate) fn is_held(
    holds: &[Hold],
    group: &GroupId,
    consumer: &ConsumerName,
    instance: &InstanceTelemetry,
    topic: &TopicName,
    partition: Partition,
) -> bool {
    let place =
        Place { group, consumer: Some(consumer), topic, partition, instance: Some(&instance.instance) };
    holds.iter().any(|hold| hold.holds(place))
}
