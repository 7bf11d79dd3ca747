//! The rules of commands as tables: what is written, what counts as evidence.

mod by_name;
mod by_stop;
mod lifecycle;
mod lock_up;
mod plan;
mod stops;

use flowdeck_model::{
    Action, CommandId, ConsumerName, GroupId, Hold, HoldId, Incarnation, Partition, Scope, Submit, Target,
    Timestamp, TopicName,
};
use std::collections::HashMap;
use std::sync::Arc;

use flowdeck_observe::telemetry::{
    ConsumerTelemetry, GroupTelemetry, InstanceTelemetry, TelemetryIndex, TopicStream,
};

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_000_000 + seconds * 1_000)
}

pub(crate) fn topic(name: &str) -> TopicName {
    name.parse().unwrap()
}

pub(crate) fn parts(numbers: &[i32]) -> Vec<Partition> {
    numbers.iter().filter_map(|number| Partition::new(*number)).collect()
}

pub(crate) fn target(consumer: Option<&str>, topics: &[&str]) -> Target {
    Target {
        consumer: consumer.map(ConsumerName::from),
        topics: topics.iter().map(|name| topic(name)).collect(),
        ..Target::group("g".into())
    }
}

pub(crate) fn submit(number: u128, action: Action, target: Target) -> Submit {
    Submit {
        id: CommandId::from_uuid(uuid::Uuid::from_u128(number)),
        action,
        target,
        reason: "INC-1".into(),
        ends: None,
        offsets: None,
        by: None,
    }
}

/// What an instance says: (topic, running, paused).
pub(crate) type Said<'a> = &'a [(&'a str, &'a [i32], &'a [i32])];

pub(crate) fn instance(name: &str, agent: bool, heard: i64, said: Said<'_>) -> InstanceTelemetry {
    let topics = said
        .iter()
        .map(|(name, running, paused)| TopicStream {
            topic: topic(name),
            running: parts(running),
            paused: parts(paused),
            cut: 0,
            heard: at(heard),
            offset: heard,
        })
        .collect();
    InstanceTelemetry {
        agent,
        incarnation: agent.then(|| Incarnation::from_uuid(uuid::Uuid::from_u128(7))),
        workers: Some(3),
        ..InstanceTelemetry::test(name, topics, at(heard))
    }
}

pub(crate) fn group(consumers: Vec<(&str, Vec<InstanceTelemetry>)>) -> GroupTelemetry {
    let consumers = consumers
        .into_iter()
        .map(|(name, instances)| ConsumerTelemetry { name: name.into(), instances })
        .collect();
    GroupTelemetry { consumers, unkept: 0 }
}

pub(crate) fn index(groups: Vec<(&str, GroupTelemetry)>) -> TelemetryIndex {
    let groups: HashMap<GroupId, Arc<GroupTelemetry>> =
        groups.into_iter().map(|(name, group)| (name.into(), Arc::new(group))).collect();
    TelemetryIndex { groups: Arc::new(groups), warnings: vec![] }
}

pub(crate) fn hold(number: u128, consumer: Option<&str>, name: Option<&str>) -> Hold {
    Hold {
        scope: Scope {
            consumer: consumer.map(ConsumerName::from),
            topic: name.map(topic),
            ..Scope::group("g".into())
        },
        id: HoldId::from_uuid(uuid::Uuid::from_u128(number)),
        owner: "ana".into(),
        reason: "INC-1".into(),
        since: at(0),
        until: None,
        by: flowdeck_model::HoldBy::Pause,
        except: vec![],
    }
}
