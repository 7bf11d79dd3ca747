//! KafkaFlow consumers that lock up, and the broker before which they do: as Kafka is by default, since processes that come
//! back apart from each other revoke each other.

use flowdeck_testkit::{Kafka, NodeOptions, PrivateKafka, private};

use crate::support::Consumer;

const ARGS: [&str; 17] = [
    "--group",
    "billing",
    "--consumer",
    "bills",
    "--topic",
    "orders",
    "--workers",
    "1",
    "--buffer",
    "2",
    "--handle-ms",
    "50",
    "--commit-ms",
    "300",
    "--telemetry-ms",
    "1000",
    "--locks-up",
];

pub(crate) fn kafka() -> PrivateKafka {
    let delay = ("group.initial.rebalance.delay.ms".to_owned(), "3000".to_owned());
    private(&NodeOptions { properties: vec![delay], ..NodeOptions::default() })
}

pub(crate) fn consumer(kafka: &Kafka, instance: &str) -> Consumer {
    Consumer::start(kafka, "kafkaflow", instance, &ARGS)
}
