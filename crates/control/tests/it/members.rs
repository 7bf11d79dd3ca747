//! Groups with members, in both group protocols: numbers and owners as Kafka's own tool has them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use flowdeck_model::verdict::RebalanceLimits;
use flowdeck_model::view::{GroupView, Mode};
use flowdeck_model::{GroupState, GroupType, Level, Pattern, Verdict};
use flowdeck_testkit::{DEADLINE, kafka, unique};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};

use crate::common::{Running, settings};

/// A plain consumer on a thread of its own, until it is dropped.
pub(crate) struct Plain {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Plain {
    pub(crate) fn start(group: &str, topic: &str, protocol: &str) -> Self {
        Self::slow(group, topic, protocol, Duration::ZERO)
    }

    /// It takes so long for each record.
    fn slow(group: &str, topic: &str, protocol: &str, handling: Duration) -> Self {
        let mut config = kafka().client();
        config.set("group.id", group).set("client.id", format!("plain-{protocol}"));
        config.set("group.protocol", protocol).set("auto.offset.reset", "earliest");
        config.set("enable.auto.commit", "false");
        let consumer: BaseConsumer = config.create().expect("a consumer");
        consumer.subscribe(&[topic]).expect("a subscription");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                if let Some(Ok(message)) = consumer.poll(Duration::from_millis(50)) {
                    std::thread::sleep(handling);
                    let _ = consumer.commit_message(&message, CommitMode::Sync);
                }
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[tokio::test]
async fn classic_and_kip_848_as_kafkas_own_tool_has_them() {
    let kafka = kafka();
    let running = Running::start(settings(Mode::Observe));
    for (protocol, kind) in [("classic", GroupType::Classic), ("consumer", GroupType::Consumer)] {
        let (topic, group) = (unique("orders"), unique(protocol));
        kafka.create_topic(&topic, 2).await;
        kafka.produce(&topic, 0, ["a", "b", "c"]).await;
        let consumer = Plain::start(&group, &topic, protocol);
        let view = running
            .group(&group, "all is read", |view| {
                let committed = view.partitions.iter().any(|row| row.committed == Some(3));
                committed
                    && view.row.members == Some(1)
                    && view.partitions.iter().all(|row| row.owner.is_some())
            })
            .await;
        assert_eq!((view.row.kind, view.row.state), (kind, GroupState::Stable));
        assert_eq!((view.row.verdict, view.row.lag, view.row.unknown_partitions), (Verdict::Ok, Some(0), 0));
        let judge = kafka.judge(&group);
        assert_eq!(view.partitions.len(), judge.len(), "{judge:?}");
        for (ours, theirs) in view.partitions.iter().zip(&judge) {
            assert_eq!(
                (ours.partition.get(), ours.committed, ours.end),
                (theirs.partition, theirs.committed, theirs.end)
            );
            let client = theirs.client.as_deref().expect("an owner");
            assert!(ours.owner.as_deref().unwrap().starts_with(client), "{ours:?} {theirs:?}");
        }
        assert_eq!(view.group_members[0].partitions[0].partitions.len(), 2);
        // It leaves: the lag stays, and grows.
        drop(consumer);
        kafka.produce(&topic, 0, ["d"]).await;
        let view = running
            .group(&group, "nobody", |view| view.row.members == Some(0) && view.row.lag == Some(1))
            .await;
        assert_eq!(view.row.verdict, Verdict::Stopped);
        assert!(view.row.verdicts.iter().any(|one| one.verdict == Verdict::NoActiveMembers), "both apply");
    }
    running.stop().await;
}

/// A consumer that owns its partitions and is never polled again: alive to Kafka, and silent in a rebalance.
fn silent(group: &str, topic: &str, protocol: &str) -> BaseConsumer {
    let mut config = kafka().client();
    config.set("group.id", group).set("client.id", "silent").set("group.protocol", protocol);
    let consumer: BaseConsumer = config.create().expect("a consumer");
    consumer.subscribe(&[topic]).expect("a subscription");
    let deadline = std::time::Instant::now() + DEADLINE;
    while consumer.assignment().is_ok_and(|all| all.count() < 2) {
        assert!(std::time::Instant::now() < deadline, "it gets no partitions");
        let _ = consumer.poll(Duration::from_millis(50));
    }
    consumer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_does_not_answer_a_rebalance_is_a_verdict() {
    let kafka = kafka();
    let mut settings = settings(Mode::Observe);
    let seconds = Duration::from_secs;
    settings.rebalancing_of =
        vec![(Pattern::new("stuck-*"), RebalanceLimits { warning: seconds(1), critical: seconds(2) })];
    let running = Running::start(settings);
    for (protocol, who) in [
        ("classic", "Kafka does not tell which member"),
        ("consumer", "partitions of plain-consumer on 127.0.0.1 are still with silent on 127.0.0.1"),
    ] {
        let (topic, group) = (unique("orders"), unique(&format!("stuck-{protocol}")));
        kafka.create_topic(&topic, 2).await;
        let first = {
            let (group, topic) = (group.clone(), topic.clone());
            tokio::task::spawn_blocking(move || silent(&group, &topic, protocol)).await.unwrap()
        };
        let settled = |view: &GroupView| view.row.members == Some(1) && view.row.rebalancing_since.is_none();
        running.group(&group, "one member", settled).await;
        let second = Plain::start(&group, &topic, protocol);
        let critical = |view: &GroupView| view.row.level == Level::Critical;
        // Longer than an interval of KIP-848's heartbeats (5 s): from then on the silent one is listed without it.
        let told = |view: &GroupView| {
            critical(view)
                && (protocol == "classic"
                    || view
                        .group_members
                        .iter()
                        .flat_map(|one| &one.partitions)
                        .all(|of| of.partitions.len() == 1))
        };
        let view = running.group(&group, "the rebalance lasts", told).await;
        assert_eq!(view.row.verdict, Verdict::RebalanceStuck, "{protocol}");
        assert!(view.row.rebalancing_since.is_some());
        let why = view.row.why.unwrap();
        assert!(why.starts_with("for at least ") && why.contains(who), "{protocol}: {why}");
        // It ends: the second owns everything, and nothing is said any more.
        tokio::task::spawn_blocking(move || drop(first)).await.unwrap();
        let over = |view: &GroupView| {
            view.row.rebalancing_since.is_none() && view.row.verdict != Verdict::RebalanceStuck
        };
        running.group(&group, "the rebalance is over", over).await;
        drop(second);
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_drains_its_backlog_is_not_behind() {
    let kafka = kafka();
    let mut settings = settings(Mode::Observe);
    settings.refresh = Duration::from_secs(1);
    let (topic, group) = (unique("orders"), unique("drains"));
    kafka.create_topic(&topic, 1).await;
    kafka.produce(&topic, 0, vec!["x"; 6_000]).await;
    let running = Running::start(settings);
    let consumer = Plain::slow(&group, &topic, "classic", Duration::from_millis(5));
    let lags = |view: &GroupView| view.row.lag_at_least.is_some_and(|lag| lag > 100);
    let drains = |view: &GroupView| lags(view) && view.row.verdict == Verdict::CatchingUp;
    let view = running.group(&group, "its lag is decreasing", drains).await;
    assert_eq!((view.row.level, view.row.why.as_deref()), (Level::Info, Some("its lag is decreasing")));
    drop(consumer);
    // Nobody reads any more: that it fell a moment ago counts for nothing.
    running.group(&group, "nobody", |view| view.row.verdict == Verdict::Stopped).await;
    running.stop().await;
}
