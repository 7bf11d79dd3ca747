//! When agents shut their gates, by the acks that they wrote: read from the broker itself, not from what Flowdeck shows of
//! them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use flowdeck_testkit::Kafka;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};
use serde_json::Value;

use crate::relay::SENT;

/// The broker may be starting again, and be killed while it does.
const LIMIT: Duration = Duration::from_secs(120);

/// How long nothing comes after the last ack that has to be there before what was read is enough: a broker that is killed
/// in between never says that this was the end.
const QUIET: Duration = Duration::from_secs(5);

/// The first `acknowledged` to a command by each instance, in epoch milliseconds of the agent's clock. Those of `of`
/// must be there: Flowdeck says that they have answered.
pub(crate) async fn first(kafka: &Kafka, command: &str, of: BTreeSet<String>) -> BTreeMap<String, i64> {
    let (kafka, command) = (kafka.clone(), command.to_owned());
    let read = move || read(&kafka, &command, &of);
    tokio::task::spawn_blocking(read).await.expect("a look at the acks")
}

/// From the topic's beginning to its end, where all of `of` have been seen; it has one partition.
fn read(kafka: &Kafka, command: &str, of: &BTreeSet<String>) -> BTreeMap<String, i64> {
    let mut config = kafka.client();
    config
        .set("group.id", "faults-acks")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true");
    let consumer: BaseConsumer = config.create().expect("a consumer");
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(SENT, 0, Offset::Beginning).expect("an offset");
    consumer.assign(&list).expect("an assignment");
    let all = |first: &BTreeMap<String, i64>| of.iter().all(|one| first.contains_key(one));
    let (end, mut last, mut first) = (Instant::now() + LIMIT, Instant::now(), BTreeMap::new());
    while Instant::now() < end {
        match consumer.poll(Duration::from_millis(200)) {
            Some(Ok(message)) => {
                last = Instant::now();
                let ack: Value = serde_json::from_slice(message.payload().expect("an answer")).expect("JSON");
                if ack["command"] == command && ack["state"] == "acknowledged" {
                    let instance = ack["instance"].as_str().expect("its name").to_owned();
                    first.entry(instance).or_insert(ack["at"].as_i64().expect("its time"));
                }
            }
            Some(Err(KafkaError::PartitionEOF(_))) if all(&first) => return first,
            _ if all(&first) && last.elapsed() > QUIET => return first,
            // The broker is away, or was: librdkafka goes on by itself.
            _ => {}
        }
    }
    panic!("{of:?} are said to have acknowledged {command}, and {SENT} has {first:?} only");
}
