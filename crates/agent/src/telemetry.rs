//! Telemetry in KafkaFlow's form: one record for each subscribed topic. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use flowdeck_model::view::InstanceHolds;
use flowdeck_model::{Partition, Timestamp, TopicName};
use flowdeck_protocol::Record;
use flowdeck_protocol::kafkaflow::{ConsumerStatus, DateTime, Telemetry, telemetry_record};
use flowdeck_protocol::wire::{HOLDS, IN_FLIGHT, InFlight, in_flight_header};
use uuid::Uuid;

use crate::config::Settings;
use crate::history::RunningCall;
use crate::lanes::Seen;
use crate::view::{HoldsStatus, View};

/// A handler that runs for so long is told of.
const LONG: Duration = Duration::from_secs(30);

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
    running: &[RunningCall],
    seen: &[Seen],
    holds: InstanceHolds,
    now: Timestamp,
) -> Vec<Record> {
    let mut topics: BTreeMap<&TopicName, Lists> =
        settings.topics.iter().map(|topic| (topic, Lists::default())).collect();
    let paused = settings.is_paused_by_circuit();
    for lane in seen {
        let lists = topics.entry(&lane.at.topic).or_default();
        if lane.runs() && !paused { &mut lists.running } else { &mut lists.paused }.push(lane.at.partition);
        lists.lag = lists.lag.saturating_add(lane.lag);
    }
    let any = |list: fn(&Lists) -> &Vec<Partition>| topics.values().any(|lists| !list(lists).is_empty());
    let status = ConsumerStatus::of(any(|lists| &lists.running), any(|lists| &lists.paused));
    topics
        .into_iter()
        .map(|(topic, lists)| {
            let long = in_flight(running, topic, now);
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
            record.headers.extend(long.map(|one| (IN_FLIGHT.to_owned(), in_flight_header(one))));
            record
        })
        .collect()
}

/// The handler that has run longest for a topic, where that is long.
fn in_flight(running: &[RunningCall], topic: &TopicName, now: Timestamp) -> Option<InFlight> {
    let long = |call: &&RunningCall| call.topic == *topic && call.since.plus(LONG) <= now;
    let call = running.iter().filter(long).min_by_key(|call| call.since)?;
    Some(InFlight { since: call.since, partition: call.partition, offset: call.offset })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::settings;
    use crate::lanes::Gate;
    use crate::record::TopicPartition;
    use flowdeck_protocol::kafkaflow::{Decoded, Message, decode};
    use flowdeck_protocol::wire::{Sender, holds_of, in_flight_of, sender};

    fn lane(topic: &str, partition: i32, gate: Gate) -> Seen {
        Seen {
            at: TopicPartition::parse(topic, partition).unwrap(),
            gate,
            stopped: false,
            in_flight: false,
            lag: 5,
            waiting: 0,
        }
    }

    #[test]
    fn one_record_for_each_topic_with_its_own_lists() {
        let settings = settings();
        let seen = [lane("t", 0, Gate::Open), lane("t", 1, Gate::Held), lane("t", 2, Gate::Pending)];
        let call = |partition, since| RunningCall {
            since: Timestamp::from_millis(since),
            topic: "t".parse().unwrap(),
            partition: Partition::new(partition).unwrap(),
            offset: 7,
        };
        let running = [call(0, 1_001), call(1, 500), call(2, 400)];
        let records =
            records(&settings, 2, &running, &seen, InstanceHolds::Known, Timestamp::from_millis(31_000));
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
        let long = in_flight_of(&records[0].headers())
            .map(|one| (one.since.millis(), one.partition.get(), one.offset));
        assert_eq!(long, Some((400, 2, 7)), "the oldest of those that run for 30 s");
        assert_eq!(in_flight_of(&records[1].headers()), None);
    }

    #[test]
    fn without_partitions_it_is_stopped() {
        let records = records(&settings(), 2, &[], &[], InstanceHolds::Absent, Timestamp::from_millis(0));
        let Decoded::Message(Message::Telemetry(one)) =
            decode(&records[0].headers(), records[0].value.as_deref())
        else {
            panic!("telemetry")
        };
        assert_eq!(one.status, ConsumerStatus::Stopped);
    }
}
