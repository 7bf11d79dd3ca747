//! What several tests need.

use std::time::Duration;

use flowdeck_kafka::{Cluster, ClusterConfig, Deadline, Isolation, ReadRequest, ReadStart, Topic};
use flowdeck_model::{Partition, TopicName};
use flowdeck_testkit::Kafka;

pub(crate) const LONG: Duration = Duration::from_secs(30);

pub(crate) fn cluster(kafka: &Kafka) -> Cluster {
    Cluster::new(ClusterConfig::new(kafka.bootstrap())).expect("a cluster")
}

pub(crate) fn topic(name: &str) -> TopicName {
    name.parse().expect("a topic's name")
}

pub(crate) fn partition(number: i32) -> Partition {
    Partition::new(number).expect("a partition's number")
}

pub(crate) fn asked(name: &str, partitions: i32) -> Vec<(Topic, Partition)> {
    let topic = Topic::new(topic(name));
    (0..partitions).map(|number| (topic.clone(), partition(number))).collect()
}

pub(crate) fn read(name: &str, start: ReadStart, limit: usize) -> ReadRequest {
    ReadRequest {
        topic: topic(name),
        partitions: None,
        start,
        limit_records: limit,
        limit_bytes: 10_000_000,
        max_value_bytes: 10_000,
        isolation: Isolation::ReadUncommitted,
        neighbours: true,
        transactions: true,
        deadline: Deadline::after(LONG),
    }
}
