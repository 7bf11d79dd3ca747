//! Topics and records of a test, over plain rdkafka: what is under test is never used to prepare its own test.

use std::time::{Duration, Instant};

use flowdeck_broker::Tool;
use flowdeck_protocol::{Headers, Record};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::{Headers as _, Message, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{Offset, TopicPartitionList};

use crate::shared::home;
use crate::wait::DEADLINE;

/// A broker by its address, and what tests do with it.
#[derive(Clone, Debug)]
pub struct Kafka {
    bootstrap: String,
}

/// A record as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    pub partition: i32,
    pub offset: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Vec<u8>)>,
}

impl Read {
    /// As the readers of the wire take them.
    pub fn headers(&self) -> Headers<'_> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect()
    }
}

impl Kafka {
    pub fn at(bootstrap: &str) -> Self {
        Self { bootstrap: bootstrap.to_owned() }
    }

    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// A client's configuration that creates no topic by asking for it.
    pub fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap).set("allow.auto.create.topics", "false");
        config
    }

    pub async fn create_topic(&self, name: &str, partitions: i32) {
        self.create_topic_with(name, partitions, &[]).await;
    }

    /// With topic settings, such as `("cleanup.policy", "compact")`.
    pub async fn create_topic_with(&self, name: &str, partitions: i32, settings: &[(&str, &str)]) {
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        for (key, value) in settings {
            topic = topic.set(key, value);
        }
        self.create(topic).await;
    }

    pub(crate) async fn create(&self, topic: NewTopic<'_>) {
        let results = self.admin().create_topics([&topic], &options()).await.expect("create a topic");
        for result in results {
            result.unwrap_or_else(|(topic, code)| panic!("topic {topic} was not created: {code}"));
        }
    }

    pub async fn delete_topic(&self, name: &str) {
        let results = self.admin().delete_topics(&[name], &options()).await.expect("delete a topic");
        for result in results {
            result.unwrap_or_else(|(topic, code)| panic!("topic {topic} was not deleted: {code}"));
        }
    }

    /// Drops the records before `offset`, so that older commits are out of range.
    pub async fn delete_records(&self, topic: &str, partition: i32, offset: i64) {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(offset)).expect("an offset");
        self.admin().delete_records(&list, &options()).await.expect("delete records");
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.client().create().expect("an admin client")
    }

    /// All topics with their partition counts, from a full list, which creates nothing.
    pub fn topics(&self) -> Vec<(String, usize)> {
        let client: BaseConsumer = self.client().create().expect("a consumer");
        let metadata = client.fetch_metadata(None, DEADLINE).expect("the list of topics");
        let mut topics: Vec<_> = metadata
            .topics()
            .iter()
            .map(|topic| (topic.name().to_owned(), topic.partitions().len()))
            .collect();
        topics.sort();
        topics
    }

    /// A producer, for tests that send much or need their own headers.
    pub fn producer(&self) -> FutureProducer {
        self.client().set("linger.ms", "0").set("enable.idempotence", "true").create().expect("a producer")
    }

    /// Sends records to one partition, in order, and waits for the last acknowledgement.
    pub async fn produce(
        &self,
        topic: &str,
        partition: i32,
        values: impl IntoIterator<Item = impl AsRef<[u8]>>,
    ) {
        self.produce_at(topic, values.into_iter().map(|value| (partition, value))).await;
    }

    /// The same with a partition for each record: one producer for all of them.
    pub async fn produce_at(&self, topic: &str, records: impl IntoIterator<Item = (i32, impl AsRef<[u8]>)>) {
        let producer = self.producer();
        let mut sent = Vec::new();
        for (partition, value) in records {
            let record = FutureRecord::<(), [u8]>::to(topic).partition(partition).payload(value.as_ref());
            sent.push(
                producer
                    .send_result(record)
                    .map_err(|(error, _)| error)
                    .expect("space in the producer's queue"),
            );
        }
        for delivery in sent {
            delivery.await.expect("a producer that lives").map_err(|(error, _)| error).expect("a delivery");
        }
    }

    /// Sends one record with a key and headers; its partition and offset.
    pub async fn send(&self, topic: &str, key: &[u8], value: &[u8], headers: &[(&str, &[u8])]) -> (i32, i64) {
        let mut owned = OwnedHeaders::new();
        for (key, value) in headers {
            owned = owned.insert(rdkafka::message::Header { key, value: Some(*value) });
        }
        let record = FutureRecord::to(topic).key(key).payload(value).headers(owned);
        let sent = self.producer().send(record, DEADLINE).await;
        let delivery = sent.map_err(|(error, _)| error).expect("a delivery");
        (delivery.partition, delivery.offset)
    }

    /// Sends one of the wire's records that is no tombstone.
    pub async fn send_record(&self, topic: &str, record: &Record) -> (i32, i64) {
        let headers: Vec<_> =
            record.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        let value = record.value.as_deref().expect("a value");
        self.send(topic, &record.key, value, &headers).await
    }

    /// Commits for a group that has no members, as an application that stopped there.
    pub fn commit(&self, group: &str, offsets: &[(&str, i32, i64)]) {
        let consumer: BaseConsumer = self.client().set("group.id", group).create().expect("a consumer");
        let mut list = TopicPartitionList::new();
        for (topic, partition, offset) in offsets {
            list.add_partition_offset(topic, *partition, Offset::Offset(*offset)).expect("an offset");
        }
        let end = Instant::now() + DEADLINE;
        // The first commit may meet a coordinator that is still loading.
        while let Err(error) = consumer.commit(&list, CommitMode::Sync) {
            assert!(Instant::now() < end, "group {group} could not commit: {error}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Everything in a topic up to its present ends, committed transactions only, ordered by partition.
    pub fn read_all(&self, topic: &str) -> Vec<Read> {
        let consumer: BaseConsumer = self
            .client()
            .set("group.id", crate::unique("testkit-reader"))
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            // The end is told by a fetch that brings nothing; on a busy topic a longer wait never has one.
            .set("fetch.wait.max.ms", "10")
            .set("isolation.level", "read_committed")
            .create()
            .expect("a consumer");
        let metadata = consumer.fetch_metadata(Some(topic), DEADLINE).expect("the topic's metadata");
        let mut list = TopicPartitionList::new();
        for partition in metadata.topics().iter().flat_map(|topic| topic.partitions()) {
            list.add_partition_offset(topic, partition.id(), Offset::Beginning).expect("an offset");
        }
        consumer.assign(&list).expect("an assignment");
        let (mut records, mut open) = (Vec::new(), list.count());
        while open > 0 {
            match consumer.poll(DEADLINE).expect("an answer from Kafka") {
                Ok(message) => records.push(read(&message)),
                Err(rdkafka::error::KafkaError::PartitionEOF(_)) => open -= 1,
                Err(error) => panic!("reading {topic}: {error}"),
            }
        }
        records.sort_by_key(|record| (record.partition, record.offset));
        records
    }

    /// One of Kafka's own tools against this broker; about 1 s.
    pub fn tool(&self, tool: Tool, args: &[&str]) -> String {
        let mut all = vec!["--bootstrap-server", &self.bootstrap];
        all.extend(args);
        tool.run(home(), &all).expect("Kafka's own tool")
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(DEADLINE)).request_timeout(Some(DEADLINE))
}

fn read(message: &impl Message) -> Read {
    let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
    Read {
        partition: message.partition(),
        offset: message.offset(),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers: headers.map(|h| (h.key.to_owned(), h.value.unwrap_or_default().to_vec())).collect(),
    }
}
