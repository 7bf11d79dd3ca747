//! What a hold covers of what a group reads.

use flowdeck_model::scope::Place;
use flowdeck_model::{GroupId, Hold, Partition, Scope, TopicName};

use crate::sampling::sample::GroupData;
use crate::telemetry::GroupTelemetry;

/// Whether the hold covers the place, or would where its consumer read it: who reads it is not known.
pub fn may_hold(hold: &Hold, place: Place<'_>) -> bool {
    let place = Place {
        consumer: place.consumer.or(hold.scope.consumer.as_ref()),
        instance: place.instance.or(hold.scope.instance.as_ref()),
        ..place
    };
    hold.holds(place)
}

/// The partition, as the consumer and instance that own it read it.
pub fn place_of<'a>(
    group: &'a GroupId,
    telemetry: Option<&'a GroupTelemetry>,
    topic: &'a TopicName,
    partition: Partition,
) -> Place<'a> {
    let owner = telemetry.and_then(|telemetry| telemetry.owner(topic, partition));
    Place {
        group,
        consumer: owner.map(|(consumer, _)| consumer),
        topic,
        partition,
        instance: owner.map(|(_, instance)| &instance.instance),
    }
}

/// Whether the hold covers a partition that the group reads now; where nothing is known of what it reads, a hold
/// without exceptions does.
pub fn holds_now(hold: &Hold, group: &GroupData, telemetry: Option<&GroupTelemetry>) -> bool {
    let is_whole = hold.except.is_empty() && hold.scope == Scope::group(group.id.clone());
    let mut partitions = group.readings(false).peekable();
    if is_whole || partitions.peek().is_none() {
        return hold.except.is_empty();
    }
    partitions.any(|(topic, partition, _)| may_hold(hold, place_of(&group.id, telemetry, topic, partition)))
}
