//! Scopes: what a hold or a command speaks of. A field that is absent means "all of them".

use serde::{Deserialize, Serialize};

use crate::names::{ConsumerName, GroupId, InstanceName, Partition, TopicName};

/// The order of the fields and the absence of empty ones are the wire's (`flowdeck.holds`, version 1).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Scope {
    pub group: GroupId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumer: Option<ConsumerName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<TopicName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<Partition>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<InstanceName>,
}

/// One partition as one consumer of one instance reads it. Where the consumer or the instance is
/// not known (a plain member), a scope that names one does not cover it.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    pub group: &'a GroupId,
    pub consumer: Option<&'a ConsumerName>,
    pub topic: &'a TopicName,
    pub partition: Partition,
    pub instance: Option<&'a InstanceName>,
}

impl Scope {
    pub fn group(group: GroupId) -> Self {
        Self { group, consumer: None, topic: None, partition: None, instance: None }
    }

    /// A whole group, or a whole consumer of it.
    pub fn is_whole(&self) -> bool {
        self.topic.is_none() && self.partition.is_none() && self.instance.is_none()
    }

    /// Whether the place lies in the scope.
    pub fn contains(&self, place: Place<'_>) -> bool {
        self.group == *place.group
            && self.consumer.as_ref().is_none_or(|consumer| Some(consumer) == place.consumer)
            && self.topic.as_ref().is_none_or(|topic| topic == place.topic)
            && self.partition.is_none_or(|partition| partition == place.partition)
            && self.instance.as_ref().is_none_or(|instance| Some(instance) == place.instance)
    }

    /// Whether everything in `other` lies in this scope too.
    pub fn covers(&self, other: &Self) -> bool {
        fn all<T: PartialEq>(own: &Option<T>, other: &Option<T>) -> bool {
            own.is_none() || own == other
        }
        self.group == other.group
            && all(&self.consumer, &other.consumer)
            && all(&self.topic, &other.topic)
            && all(&self.partition, &other.partition)
            && all(&self.instance, &other.instance)
    }

    /// What lies in both; `None` where nothing does.
    pub fn intersect(&self, other: &Self) -> Option<Self> {
        if self.group != other.group {
            return None;
        }
        Some(Self {
            group: self.group.clone(),
            consumer: both(&self.consumer, &other.consumer)?,
            topic: both(&self.topic, &other.topic)?,
            partition: both(&self.partition, &other.partition)?,
            instance: both(&self.instance, &other.instance)?,
        })
    }
}

/// `Some(None)`: neither names one. `None`: they name two that differ.
fn both<T: Clone + PartialEq>(a: &Option<T>, b: &Option<T>) -> Option<Option<T>> {
    match (a, b) {
        (Some(a), Some(b)) if a != b => None,
        (Some(one), _) | (None, Some(one)) => Some(Some(one.clone())),
        (None, None) => Some(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(consumer: Option<&str>, topic: Option<&str>) -> Scope {
        Scope {
            consumer: consumer.map(ConsumerName::from),
            topic: topic.map(|topic| topic.parse().unwrap()),
            ..Scope::group("g".into())
        }
    }

    #[test]
    fn intersections() {
        let all = scope(None, None);
        let consumer = scope(Some("c"), None);
        let topic = scope(None, Some("t"));
        assert!(all.covers(&consumer) && !consumer.covers(&all) && all.covers(&all));
        assert_eq!(consumer.intersect(&topic), Some(scope(Some("c"), Some("t"))));
        assert_eq!(consumer.intersect(&scope(Some("d"), None)), None);
        assert_eq!(all.intersect(&Scope::group("h".into())), None);
    }

    #[test]
    fn a_named_instance_does_not_cover_an_unknown_one() {
        let group = GroupId::from("g");
        let topic: TopicName = "t".parse().unwrap();
        let place = Place {
            group: &group,
            consumer: None,
            topic: &topic,
            partition: Partition::new(0).unwrap(),
            instance: None,
        };
        assert!(scope(None, Some("t")).contains(place));
        assert!(!scope(Some("c"), None).contains(place));
    }

    #[test]
    fn the_wire_has_no_spaces_and_no_absent_fields() {
        assert_eq!(serde_json::to_string(&scope(None, Some("t"))).unwrap(), r#"{"group":"g","topic":"t"}"#);
    }
}
