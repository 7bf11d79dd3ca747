//! What becomes of topics, groups and offsets, against a broker that forgets offsets after a minute: each is said as what
//! it is, and is an event of the history.

use std::time::Duration;

use flowdeck_kafka::ClusterConfig;
use flowdeck_model::view::{HistoryEventKind, Mode};
use flowdeck_model::{HistoryQuery, Unknown};
use flowdeck_testkit::{DEADLINE, NodeOptions, Tool, private, unique, wait_for};

use rdkafka::Offset;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};

use crate::common::{Running, settings};

/// Offsets are kept for a minute, and looked for every second.
const EXPIRED: Duration = Duration::from_secs(180);

/// Joins, commits offset 1 of all that it gets, and leaves: what it never committed is known as its own.
fn was_a_member(mut config: rdkafka::ClientConfig, group: &str, topics: &[String]) {
    config.set("group.id", group).set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.create().expect("a consumer");
    let names: Vec<&str> = topics.iter().map(String::as_str).collect();
    consumer.subscribe(&names).expect("a subscription");
    let began = std::time::Instant::now();
    let mut assigned = loop {
        consumer.poll(Duration::from_millis(100));
        let assigned = consumer.assignment().expect("an assignment");
        if assigned.count() > 0 {
            break assigned;
        }
        assert!(began.elapsed() < DEADLINE, "no partition was assigned");
    };
    assigned.set_all_offsets(Offset::Offset(1)).expect("offsets");
    consumer.commit(&assigned, CommitMode::Sync).expect("a commit");
}

async fn event(running: &Running, group: &str, words: &str, limit: Duration) {
    wait_for(words, limit, async || {
        let query = HistoryQuery::default();
        let view = running.ports.fleet.history(&running.cluster, &group.into(), &query).ok()?;
        let mut changes = view.events.iter().filter(|event| event.kind == HistoryEventKind::Change);
        changes.any(|event| event.text == words).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_change_is_said_as_what_it_is() {
    let properties = [("offsets.retention.minutes", "1"), ("offsets.retention.check.interval.ms", "1000")];
    let properties = properties.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let kafka = private(&NodeOptions { properties, ..NodeOptions::default() });
    let (orders, gone, group) = (unique("orders"), unique("gone"), unique("payments"));
    for topic in [&orders, &gone] {
        kafka.create_topic(topic, 2).await;
        kafka.produce_at(topic, (0..10).map(|n| (n % 2, "x"))).await;
    }
    let (config, member, topics) = (kafka.client(), group.clone(), [orders.clone(), gone.clone()]);
    tokio::task::spawn_blocking(move || was_a_member(config, &member, &topics)).await.unwrap();
    let mut settings = settings(Mode::Observe);
    settings.kafka = ClusterConfig::new(kafka.bootstrap());
    let running = Running::start(settings);
    running.group(&group, "its commits", |view| view.row.partition_count == 4).await;

    kafka.tool(Tool::Topics, &["--alter", "--topic", &orders, "--partitions", "4"]);
    event(&running, &group, &format!("2 partitions were added to {orders}"), DEADLINE).await;
    kafka.produce_at(&orders, [(2, "x")]).await;

    kafka.tool(
        Tool::ConsumerGroups,
        &["--delete-offsets", "--group", &group, "--topic", &format!("{orders}:1")],
    );
    let words = format!("Committed offsets of 1 partition of {orders} expired or were deleted");
    event(&running, &group, &words, DEADLINE).await;
    // Of the partitions that were added one has a record, and none ever had a commit.
    running
        .group(&group, "what is unknown, and why", |view| {
            let of = |partition: i32| {
                let mut rows = view.partitions.iter().filter(|row| row.topic.as_str() == orders);
                rows.find(|row| row.partition.get() == partition).and_then(|row| row.unknown)
            };
            let want = [None, Some(Unknown::CommitGone), Some(Unknown::NeverCommitted), None];
            [0, 1, 2, 3].map(of) == want
        })
        .await;

    kafka.delete_topic(&gone).await;
    let is_said = async |words: String| event(&running, &group, &words, DEADLINE).await;
    let deleted = async || {
        let with_it = format!("Topic {gone} was deleted, and the group's committed offsets with it");
        let left = format!("Topic {gone} was deleted; the group's committed offsets are left");
        wait_for("the topic's end", DEADLINE, async || {
            let query = HistoryQuery::default();
            let view = running.ports.fleet.history(&running.cluster, &group.as_str().into(), &query).ok()?;
            view.events.iter().any(|event| event.text == with_it || event.text == left).then_some(())
        })
        .await;
    };
    deleted().await;

    // A group without any offset would be gone.
    let stays = unique("stays");
    kafka.create_topic(&stays, 1).await;
    commit_one(&kafka, &group, &stays);
    running.group(&group, "its other commit", |view| view.row.topic_count == 2).await;
    kafka.delete_topic(&orders).await;
    kafka.create_topic(&orders, 2).await;
    commit_one(&kafka, &group, &orders);
    is_said(format!("Topic {orders} was created anew")).await;

    kafka.tool(Tool::ConsumerGroups, &["--delete", "--group", &group]);
    is_said("The group is gone: it was deleted, or its last offset expired".to_owned()).await;
    commit_one(&kafka, &group, &orders);
    is_said("The group was created anew".to_owned()).await;

    // Nobody joins and nothing is committed for a minute.
    let short = unique("short");
    kafka.commit(&short, &[(&orders, 0, 0)]);
    event(&running, &short, "The group was created", DEADLINE).await;
    event(&running, &short, "The group is gone: it was deleted, or its last offset expired", EXPIRED).await;
    running.stop().await;
}

fn commit_one(kafka: &flowdeck_testkit::Kafka, group: &str, topic: &str) {
    kafka.commit(group, &[(topic, 0, 0)]);
}
