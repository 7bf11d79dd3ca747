//! A topic that is deleted under a group: what is said of it, from its deletion on.

use flowdeck_model::view::{GroupView, Mode};
use flowdeck_model::{Level, Unknown, Verdict};
use flowdeck_testkit::{DEADLINE, kafka, unique, wait_for};

use crate::common::{Running, settings};
use crate::members::Plain;

/// What was said of the group's partitions and of the group, each once, until its topic's end is said.
async fn until_deleted(running: &Running, group: &str) -> (Vec<Unknown>, GroupView) {
    let mut said = Vec::new();
    let id = group.into();
    let view = wait_for("the topic's end is said", DEADLINE, async || {
        let view = running.ports.fleet.group(&running.cluster, &id).ok()?;
        for unknown in view.partitions.iter().filter_map(|row| row.unknown) {
            if !said.contains(&unknown) {
                said.push(unknown);
            }
        }
        view.row.why.as_ref().is_some_and(|why| why.contains("deleted")).then_some(view)
    });
    let view = view.await;
    (said, view)
}

#[tokio::test]
async fn a_deleted_topic_is_said_in_both_protocols() {
    let kafka = kafka();
    let running = Running::start(settings(Mode::Observe));
    for protocol in ["classic", "consumer"] {
        let (topic, group) = (unique("orders"), unique(protocol));
        kafka.create_topic(&topic, 2).await;
        kafka.produce(&topic, 0, ["a", "b", "c"]).await;
        let consumer = Plain::start(&group, &topic, protocol);
        let read = |view: &GroupView| view.partitions.iter().any(|row| row.committed == Some(3));
        running.group(&group, "all is read", read).await;
        kafka.delete_topic(&topic).await;
        let (said, view) = until_deleted(&running, &group).await;
        for never in [Unknown::NeverCommitted, Unknown::NotPermitted, Unknown::TopicNotFound] {
            assert!(!said.contains(&never), "{protocol}: {said:?}");
        }
        assert_eq!((view.row.verdict, view.row.level), (Verdict::Unknown, Level::Warning), "{protocol}");
        // Once the members have given the topic up, nothing is left of it but that.
        if protocol == "consumer" {
            let view = running.group(&group, "no partition", |view| view.partitions.is_empty()).await;
            assert_eq!(view.row.why, Some(format!("topic {topic} was deleted")));
            assert_eq!(view.row.members, Some(1));
        }
        drop(consumer);
    }
    running.stop().await;
}

/// Flowdeck came after the topic was gone: it says what it reads, and not that nothing was ever committed.
#[tokio::test]
async fn a_group_without_offsets_is_not_said_to_have_committed_nothing() {
    let kafka = kafka();
    let (topic, group) = (unique("orders"), unique("late"));
    kafka.create_topic(&topic, 1).await;
    kafka.produce(&topic, 0, ["a"]).await;
    let consumer = Plain::start(&group, &topic, "consumer");
    let before = Running::start(settings(Mode::Observe));
    before.group(&group, "all is read", |view| view.row.lag == Some(0)).await;
    kafka.delete_topic(&topic).await;
    before.group(&group, "no partition", |view| view.partitions.is_empty()).await;
    before.stop().await;
    let after = Running::start(settings(Mode::Observe));
    let view = after.group(&group, "the group", |view| view.row.members == Some(1)).await;
    let said = "Kafka has no committed offset and no assigned partition of it";
    assert_eq!((view.row.verdict, view.row.why.as_deref()), (Verdict::Unknown, Some(said)));
    drop(consumer);
    after.stop().await;
}
