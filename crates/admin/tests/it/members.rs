//! Groups with members, in both group protocols: numbers and owners as Kafka's own tool has them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use flowdeck_model::view::Mode;
use flowdeck_model::{GroupState, GroupType, Verdict};
use flowdeck_testkit::{kafka, unique};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};

use crate::common::{Running, settings};

/// A plain consumer on a thread of its own, until it is dropped.
pub(crate) struct Plain {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Plain {
    pub(crate) fn start(group: &str, topic: &str, protocol: &str) -> Self {
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
        assert_eq!(view.row.verdict, Verdict::NoMembers);
    }
    running.stop().await;
}
