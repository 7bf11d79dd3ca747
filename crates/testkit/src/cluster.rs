//! Several brokers of a test's own, to kill one of them.

use std::collections::BTreeMap;
use std::ops::Deref;

use flowdeck_broker::{Brokers, NodeOptions, Tool};
use rdkafka::admin::{NewTopic, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use tempfile::TempDir;

use crate::records::Kafka;
use crate::shared::home;
use crate::wait::DEADLINE;

/// Runs until dropped; its data goes with it. All of [`Kafka`] is there too.
pub struct PrivateCluster {
    kafka: Kafka,
    brokers: Brokers,
    _dir: TempDir,
}

/// Starts `count` brokers, three at least, for this test alone; some 10 s.
pub fn private_cluster(count: usize, options: &NodeOptions) -> PrivateCluster {
    let dir =
        tempfile::Builder::new().prefix("flowdeck-private-kafka-").tempdir().expect("a directory for Kafka");
    let brokers = Brokers::start(home(), dir.path(), count, options).expect("brokers of the test's own");
    PrivateCluster { kafka: Kafka::at(&brokers.bootstrap()), brokers, _dir: dir }
}

impl PrivateCluster {
    /// SIGKILL to the broker of this id, from 1.
    pub fn kill(&mut self, id: usize) {
        self.brokers.broker(id).kill();
    }

    /// On the same ports and data.
    pub fn start_again(&mut self, id: usize) {
        self.brokers.broker(id).start_again().expect("Kafka starts again");
    }

    /// A topic whose partitions have three replicas.
    pub async fn create_replicated(&self, name: &str, partitions: i32) {
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(3));
        self.create(topic.set("min.insync.replicas", "2")).await;
    }

    /// Makes the broker after each leader, of three, the leader in its place. Some seconds.
    pub fn move_leaders(&self, topic: &str) {
        let moved: Vec<String> = self
            .leaders(topic)
            .into_iter()
            .map(|(partition, leader)| {
                let replicas = [1, 2, 3].map(|n| (leader - 1 + n) % 3 + 1);
                format!(r#"{{"topic":"{topic}","partition":{partition},"replicas":{replicas:?}}}"#)
            })
            .collect();
        let plan = tempfile::NamedTempFile::new().expect("a file for the plan");
        let text = format!(r#"{{"version":1,"partitions":[{}]}}"#, moved.join(","));
        std::fs::write(plan.path(), text).expect("the plan");
        let path = plan.path().display().to_string();
        self.tool(Tool::ReassignPartitions, &["--reassignment-json-file", &path, "--execute"]);
        self.tool(Tool::LeaderElection, &["--election-type", "preferred", "--all-topic-partitions"]);
    }

    /// The leader of each partition, by the brokers' own word; -1 where there is none.
    pub fn leaders(&self, topic: &str) -> BTreeMap<i32, i32> {
        let client: BaseConsumer = self.client().create().expect("a consumer");
        let metadata = client.fetch_metadata(Some(topic), DEADLINE).expect("the topic's metadata");
        let partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
        partitions.map(|partition| (partition.id(), partition.leader())).collect()
    }

    /// The id of the group's coordinator, as Kafka's own tool says it: `127.0.0.1:9092 (1)`.
    pub fn coordinator(&self, group: &str) -> usize {
        let said = self.tool(Tool::ConsumerGroups, &["--describe", "--state", "--group", group]);
        let id = said.lines().find(|line| line.contains(group)).and_then(|line| {
            let (_, rest) = line.split_once('(')?;
            rest.split_once(')')?.0.parse().ok()
        });
        id.unwrap_or_else(|| panic!("no coordinator in {said:?}"))
    }
}

impl Deref for PrivateCluster {
    type Target = Kafka;

    fn deref(&self) -> &Kafka {
        &self.kafka
    }
}
