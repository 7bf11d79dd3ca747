//! Lag as Kafka's own `kafka-consumer-groups --describe --all-groups` has it, on a busy broker brought to rest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use flowdeck_testkit::{DEADLINE, Kafka, NodeOptions, private, wait_for};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::Value;

use crate::support::{Server, cluster};

/// Topics with their partitions.
const TOPICS: [(&str, i32); 3] = [("orders", 4), ("payments", 2), ("audit.log", 3)];

/// A member that commits at some records, reads on for a while without committing, and then stays.
struct Member {
    stop: Arc<AtomicBool>,
    ready: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Member {
    fn start(kafka: &Kafka, group: &str, topics: &[&str], property: (&str, &str)) -> Self {
        let consumer: BaseConsumer = kafka
            .client()
            .set("group.id", group)
            .set("client.id", format!("member of {group}"))
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .set(property.0, property.1)
            .create()
            .expect("a consumer");
        consumer.subscribe(topics).expect("a subscription");
        let (stop, ready) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let (done, at_rest) = (Arc::clone(&stop), Arc::clone(&ready));
        let thread = std::thread::spawn(move || {
            let mut committed = BTreeSet::new();
            while !done.load(Ordering::Relaxed) {
                if let Some(Ok(message)) = consumer.poll(Duration::from_millis(20)) {
                    use rdkafka::Message as _;
                    let mut list = TopicPartitionList::new();
                    let next = Offset::Offset(message.offset() + 1);
                    list.add_partition_offset(message.topic(), message.partition(), next).unwrap();
                    // Every partition stops short of its end by a number of its own; one is left without.
                    if message.offset() <= 7 + 3 * i64::from(message.partition()) && message.partition() != 1
                    {
                        // One that falls into a rebalance is refused; Kafka's tool does not see it, either.
                        let _ = consumer.commit(&list, CommitMode::Sync);
                    }
                    committed.insert((message.topic().to_owned(), message.partition()));
                } else if !committed.is_empty() {
                    at_rest.store(true, Ordering::Relaxed);
                }
            }
        });
        Self { stop, ready, thread: Some(thread) }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().expect("dropped once").join();
    }
}

type Numbers = BTreeMap<(String, i32), (Option<i64>, Option<i64>, Option<i64>)>;

fn ours(view: &Value) -> Numbers {
    let rows = view["partitions"].as_array().unwrap().iter();
    rows.map(|row| {
        let number = |name: &str| row[name].as_i64();
        let place = (row["topic"].as_str().unwrap().to_owned(), row["partition"].as_i64().unwrap() as i32);
        (place, (number("committed"), number("end"), number("lag")))
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn at_rest_the_same_numbers_as_kafkas_own_tool_for_every_group_in_both_protocols() {
    let kafka = private(&NodeOptions::default());
    for (topic, partitions) in TOPICS {
        kafka.create_topic(topic, partitions).await;
        for partition in 0..partitions {
            let count = 40 + 17 * partition;
            kafka.produce(topic, partition, (0..count).map(|n| n.to_string())).await;
        }
    }
    // Records that were deleted, and offsets with gaps: the log does not begin at 0.
    kafka.delete_records("audit.log", 0, 5).await;
    let mut groups = vec![];
    for n in 0..40 {
        let group = format!("batch-{n:02}");
        kafka.commit(&group, &[("orders", n % 4, i64::from(n)), ("payments", n % 2, 3)]);
        groups.push(group);
    }
    for odd in ["a/b", "with spaces", "quo\"te's", "päyments 🦀", "a%2Fb"] {
        kafka.commit(odd, &[("audit.log", 1, 9), ("audit.log", 2, 74)]);
        groups.push(odd.to_owned());
    }
    let classic = ("partition.assignment.strategy", "range");
    let cooperative = ("partition.assignment.strategy", "cooperative-sticky");
    let kip848 = ("group.protocol", "consumer");
    let members = [
        Member::start(&kafka, "classic", &["orders", "payments"], classic),
        Member::start(&kafka, "classic", &["orders", "payments"], classic),
        Member::start(&kafka, "cooperative", &["orders"], cooperative),
        Member::start(&kafka, "new protocol", &["orders", "audit.log"], kip848),
        Member::start(&kafka, "new protocol", &["orders", "audit.log"], kip848),
        Member::start(&kafka, "new-alone", &["payments"], kip848),
    ];
    groups.extend(["classic", "cooperative", "new protocol", "new-alone"].map(str::to_owned));
    // Busy while they read: more records come in. The second member of a group may own nothing new.
    for (topic, partitions) in TOPICS {
        for partition in 0..partitions {
            kafka.produce(topic, partition, ["late", "later"]).await;
        }
    }
    wait_for("the members at rest", DEADLINE, async || {
        members.iter().all(|member| member.ready.load(Ordering::Relaxed)).then_some(())
    })
    .await;

    let mut server = Server::start(&cluster("busy", "observe", kafka.bootstrap())).await;
    server.refreshed("busy").await;
    let mut judged: BTreeMap<String, Numbers> = BTreeMap::new();
    for row in kafka.judge_all() {
        let numbers = (row.committed, row.end, row.lag);
        judged.entry(row.group).or_default().insert((row.topic, row.partition), numbers);
    }
    assert_eq!(
        judged.keys().collect::<BTreeSet<_>>(),
        groups.iter().collect(),
        "the groups that the tool sees"
    );
    let fleet = server.api("/groups?limit=1000").await;
    let listed: BTreeSet<&str> =
        fleet["groups"].as_array().unwrap().iter().map(|row| row["group"].as_str().unwrap()).collect();
    assert_eq!(listed, groups.iter().map(String::as_str).collect(), "the groups that we list");

    let mut compared = 0;
    for (group, theirs) in &judged {
        // A refresh after the members came to rest.
        let agrees = |view: &Value| theirs.iter().all(|(place, row)| ours(view).get(place) == Some(row));
        let view = server.group("busy", group, &format!("the tool's numbers {theirs:?}"), agrees).await;
        let more: Vec<_> = ours(&view).into_iter().filter(|(place, _)| !theirs.contains_key(place)).collect();
        assert!(
            more.iter().all(|(_, (committed, _, _))| committed.is_none()),
            "{group}: commits that Kafka's tool does not know: {more:?}"
        );
        let sum: i64 = theirs.values().filter_map(|(_, _, lag)| *lag).sum();
        assert_eq!(view["lag"].as_i64(), Some(sum), "{group}");
        compared += theirs.len();
    }
    assert!(compared > 100, "only {compared} partitions were compared");
    let kind = |group: &str| {
        let rows = fleet["groups"].as_array().unwrap();
        rows.iter().find(|row| row["group"] == group).unwrap()["type"].clone()
    };
    assert_ne!(kind("classic"), kind("new protocol"), "both protocols are there");
    server.assert_sound();
}
