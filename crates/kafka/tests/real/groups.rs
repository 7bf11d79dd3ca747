//! Which groups there are, and what they are.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use flowdeck_kafka::Cluster;
use flowdeck_model::{GroupId, GroupState, GroupType};
use flowdeck_testkit::{Kafka, Tool, kafka, unique, wait_for};
use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::support::{LONG, cluster};

/// A live member; it leaves when dropped.
pub(crate) struct Alive {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Alive {
    pub(crate) fn join(kafka: &Kafka, group: &str, topic: &str, protocol: &str, client: &str) -> Self {
        let mut config = kafka.client();
        config.set("group.id", group).set("client.id", client).set("group.protocol", protocol);
        config.set("enable.auto.commit", "true").set("auto.commit.interval.ms", "100");
        config.set("auto.offset.reset", "earliest");
        let consumer: BaseConsumer = config.create().expect("a consumer");
        consumer.subscribe(&[topic]).expect("a subscription");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                drop(consumer.poll(Duration::from_millis(50)));
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn kind_and_state(cluster: &Cluster, group: &str) -> Option<(GroupType, Option<GroupState>)> {
    let listing = cluster.list_groups(LONG).await.expect("a listing");
    assert_eq!(listing.errors, []);
    let group = listing.groups.into_iter().find(|listed| listed.id.as_str() == group)?;
    Some((group.kind, group.state))
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_both_protocols() {
    let kafka = kafka();
    let cluster = cluster(kafka);
    let topic = unique("members");
    kafka.create_topic(&topic, 4).await;
    for (protocol, kind) in [("classic", GroupType::Classic), ("consumer", GroupType::Consumer)] {
        let group = unique(protocol);
        let _a = Alive::join(kafka, &group, &topic, protocol, "client a");
        let _b = Alive::join(kafka, &group, &topic, protocol, "client-b");
        let id = [GroupId::from(group.as_str())];
        let described = wait_for("two members with four partitions", LONG, async || {
            let (_, described) = cluster.describe_groups(&id, 8, LONG).await.pop()?;
            let described = described.ok()?;
            let owned: usize = described.members.iter().map(|member| member.assignment.len()).sum();
            (described.members.len() == 2 && owned == 4 && described.state == GroupState::Stable)
                .then_some(described)
        });
        let described = described.await;
        assert_eq!(described.kind, kind);
        assert!(described.coordinator.is_some());
        assert!(described.operations.is_some_and(|operations| !operations.is_empty()));
        let mut clients: Vec<_> = described.members.iter().map(|member| member.client_id.as_str()).collect();
        clients.sort_unstable();
        assert_eq!(clients, ["client a", "client-b"]);
        assert!(described.members.iter().all(|member| member.host.contains("127.0.0.1")));
        assert!(
            described
                .members
                .iter()
                .all(|member| member.assignment.iter().all(|(name, _)| name.as_str() == topic))
        );
        assert_eq!(kind_and_state(&cluster, &group).await, Some((kind, Some(GroupState::Stable))));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_may_be_anything() {
    let kafka = kafka();
    let cluster = cluster(kafka);
    let topic = unique("odd");
    kafka.create_topic(&topic, 1).await;
    let tail = unique("");
    let names: Vec<String> = [
        "a/b/../c",
        "🦀 crab",
        "inner  space",
        "\"quoted\" 'twice'",
        "%2e%2e",
        "line\nbreak",
        "ü".repeat(80).as_str(),
        "<b>&amp;",
    ]
    .iter()
    .map(|odd| format!("{odd}{tail}"))
    .collect();
    for (name, offset) in names.iter().zip(1..) {
        kafka.commit(name, &[(&topic, 0, offset)]);
    }
    let groups: Vec<GroupId> = names.iter().map(|name| GroupId::from(name.as_str())).collect();
    let listing = cluster.list_groups(LONG).await.expect("a listing");
    for group in &groups {
        assert!(listing.groups.iter().any(|listed| listed.id == *group), "{group:?} is not listed");
    }
    let mut offsets = vec![None; groups.len()];
    cluster
        .committed(&groups, 4, LONG, |place, rows| {
            let rows = rows.expect("commits");
            assert_eq!((rows.len(), rows[0].topic.as_str()), (1, topic.as_str()));
            offsets[place] = rows[0].offset().expect("an offset");
        })
        .await;
    let want: Vec<_> = (1..=names.len() as i64).map(Some).collect();
    assert_eq!(offsets, want);
    for (group, described) in cluster.describe_groups(&groups, 4, LONG).await {
        let described = described.unwrap_or_else(|cause| panic!("{group:?}: {cause}"));
        assert_eq!((described.state, described.members.len()), (GroupState::Empty, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_asked_is_said_and_nothing_else_suffers() {
    let cluster = cluster(kafka());
    let groups = [GroupId::from("nul\0byte"), GroupId::from(unique("nobody"))];
    let mut answers = [None, None];
    cluster.committed(&groups, 2, LONG, |place, rows| answers[place] = Some(rows)).await;
    assert!(answers[0].take().expect("an answer").expect_err("refused").to_string().contains("NUL"));
    assert_eq!(answers[1].take().expect("an answer"), Ok(vec![]));
    let described = cluster.describe_groups(&groups, 2, LONG).await;
    assert!(described[0].1.is_err());
    // Kafka calls a group that it does not know dead.
    match &described[1].1 {
        Ok(described) => assert_eq!(described.state, GroupState::Dead),
        Err(cause) => assert!(cause.to_string().contains("GROUP_ID_NOT_FOUND"), "{cause}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_share_group_is_another_group_and_not_dead() {
    let kafka = kafka();
    let cluster = cluster(kafka);
    let (topic, group) = (unique("shared"), unique("share"));
    kafka.create_topic(&topic, 1).await;
    kafka.produce(&topic, 0, ["one"]).await;
    let (of_topic, of_group) = (topic.clone(), group.clone());
    let consumer = std::thread::spawn(move || {
        kafka.tool(Tool::ShareConsumer, &["--topic", &of_topic, "--group", &of_group, "--timeout-ms", "8000"])
    });
    let plain = unique("plain");
    kafka.commit(&plain, &[(&topic, 0, 1)]);
    let others = wait_for("the share group", LONG, async || {
        let others = cluster.list_other_groups(LONG).await.expect("a listing");
        others.iter().any(|other| other.id.as_str() == group).then_some(others)
    });
    let others = others.await;
    consumer.join().expect("a share consumer that ran");
    assert!(others.iter().all(|other| other.id.as_str() != plain));
    assert_eq!(kind_and_state(&cluster, &group).await, None);
    let share = others.into_iter().find(|other| other.id.as_str() == group).expect("the share group");
    // The classic request tells nothing of it.
    assert_eq!(share.protocol_type, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_groups() {
    let kafka = kafka();
    let cluster = cluster(kafka);
    let (topic, stem) = (unique("many"), unique("of-many"));
    kafka.create_topic(&topic, 1).await;
    let groups: Vec<String> = (0..1000).map(|number| format!("{stem}-{number}")).collect();
    std::thread::scope(|scope| {
        for part in groups.chunks(125) {
            scope.spawn(|| part.iter().for_each(|group| kafka.commit(group, &[(&topic, 0, 7)])));
        }
    });
    let listing = cluster.list_groups(LONG).await.expect("a listing");
    let ours = listing.groups.iter().filter(|group| group.id.as_str().starts_with(&stem));
    assert_eq!(ours.count(), 1000);
    let ids: Vec<GroupId> = groups.iter().map(|group| GroupId::from(group.as_str())).collect();
    let mut found = 0;
    cluster
        .committed(&ids, 50, LONG, |_, rows| {
            found += usize::from(rows.expect("commits")[0].offset() == Ok(Some(7)));
        })
        .await;
    assert_eq!(found, 1000);
}
