//! Telemetry in KafkaFlow's form: one record for each subscribed topic. Pure.

use std::collections::BTreeMap;

use flowdeck_model::view::InstanceHolds;
use flowdeck_model::{Partition, Timestamp, TopicName};
use flowdeck_protocol::Record;
use flowdeck_protocol::kafkaflow::{ConsumerStatus, DateTime, Telemetry, telemetry_record};
use flowdeck_protocol::wire::HOLDS;
use uuid::Uuid;

use crate::config::Settings;
use crate::lanes::Seen;
use crate::view::{HoldsStatus, View};

pub(crate) fn holds(view: &View) -> InstanceHolds {
    match view.status() {
        HoldsStatus::Reading => InstanceHolds::Reading,
        HoldsStatus::Absent => InstanceHolds::Absent,
        _ if view.unknown().is_some() => InstanceHolds::Unknown,
        _ => InstanceHolds::Known,
    }
}

#[derive(Default)]
struct Lists {
    running: Vec<Partition>,
    paused: Vec<Partition>,
    lag: i64,
}

pub(crate) fn records(
    settings: &Settings,
    workers: usize,
    seen: &[Seen],
    holds: InstanceHolds,
    now: Timestamp,
) -> Vec<Record> {
    let mut topics: BTreeMap<&TopicName, Lists> =
        settings.topics.iter().map(|topic| (topic, Lists::default())).collect();
    for lane in seen {
        let lists = topics.entry(&lane.at.topic).or_default();
        if lane.runs() { &mut lists.running } else { &mut lists.paused }.push(lane.at.partition);
        lists.lag = lists.lag.saturating_add(lane.lag);
    }
    let any = |list: fn(&Lists) -> &Vec<Partition>| topics.values().any(|lists| !list(lists).is_empty());
    let status = ConsumerStatus::of(any(|lists| &lists.running), any(|lists| &lists.paused));
    topics
        .into_iter()
        .map(|(topic, lists)| {
            let telemetry = Telemetry {
                group: settings.group.clone(),
                consumer: settings.consumer.clone(),
                topic: topic.clone().into(),
                instance: settings.instance.clone(),
                running: lists.running,
                paused: lists.paused,
                sent_at: DateTime::from(now),
                workers: i32::try_from(workers).unwrap_or(i32::MAX),
                status,
                lag: lists.lag,
                dropped_partitions: 0,
            };
            let mut record = telemetry_record(Uuid::new_v4(), telemetry, Some(settings.incarnation));
            record.headers.push((HOLDS.to_owned(), holds.word().as_bytes().to_vec()));
            record
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::settings;
    use crate::lanes::Gate;
    use crate::record::TopicPartition;
    use flowdeck_protocol::kafkaflow::{Decoded, Message, decode};
    use flowdeck_protocol::wire::{Sender, holds_of, sender};

    fn lane(topic: &str, partition: i32, gate: Gate) -> Seen {
        Seen {
            at: TopicPartition::parse(topic, partition).unwrap(),
            gate,
            stopped: false,
            in_flight: false,
            lag: 5,
        }
    }

    #[test]
    fn one_record_for_each_topic_with_its_own_lists() {
        let settings = settings();
        let seen = [lane("t", 0, Gate::Open), lane("t", 1, Gate::Held), lane("t", 2, Gate::Pending)];
        let records = records(&settings, 2, &seen, InstanceHolds::Known, Timestamp::from_millis(1_000));
        let read: Vec<Telemetry> = records
            .iter()
            .map(|record| match decode(&record.headers(), record.value.as_deref()) {
                Decoded::Message(Message::Telemetry(telemetry)) => telemetry,
                other => panic!("{other:?}"),
            })
            .collect();
        let lists: Vec<_> = read
            .iter()
            .map(|one| {
                let numbers = |list: &[Partition]| list.iter().map(|one| one.get()).collect::<Vec<_>>();
                (one.topic.as_str(), numbers(&one.running), numbers(&one.paused), one.lag)
            })
            .collect();
        assert_eq!(lists, vec![("t", vec![0], vec![1, 2], 15), ("u", vec![], vec![], 0)]);
        assert!(read.iter().all(|one| one.status == ConsumerStatus::PartiallyRunning));
        assert_eq!(sender(&records[0].headers()), Sender::Agent(settings.incarnation));
        assert_eq!(holds_of(&records[1].headers()), Some(InstanceHolds::Known));
    }

    #[test]
    fn without_partitions_it_is_stopped() {
        let records = records(&settings(), 2, &[], InstanceHolds::Absent, Timestamp::from_millis(0));
        let Decoded::Message(Message::Telemetry(one)) =
            decode(&records[0].headers(), records[0].value.as_deref())
        else {
            panic!("telemetry")
        };
        assert_eq!(one.status, ConsumerStatus::Stopped);
    }
}
