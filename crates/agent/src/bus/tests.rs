use std::time::Duration;

use super::*;
use crate::failure::Then;
use crate::health::HealthStatus;

fn settings(more: &[(&str, &str)]) -> KafkaSettings {
    let usual = [("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1"), ("KAFKA_TOPIC_PREFIX", "convex")];
    let all = usual.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    KafkaSettings::from_variables(all).unwrap()
}

#[test]
fn its_settings_are_the_environments() {
    let settings = settings(&[
        ("KAFKA_CONSUMER_GROUP", "convex-group"),
        ("ConvexMessaging__MaxRetryAttempts", "4"),
        ("ConvexMessaging__RetryDelaySeconds", "2"),
        ("ConvexMessaging__MessageRetentionMs", "60000"),
        ("ConvexMessaging__AutoCommitIntervalMs", "250"),
    ]);
    let bus = Bus::of(&settings).unwrap();
    let options = &bus.0.options;
    let policy = options.consumers.policy();
    let want = (3, Duration::from_secs(2), Duration::from_secs(2), false, Then::DeadLetter);
    assert_eq!((policy.retries, policy.backoff, policy.backoff_max, policy.jitter, policy.then), want);
    assert_eq!(options.retention.map(|time| time.as_secs()), Some(60));
    let checked = options.consumers.clone().topics(["t"]).dead_letters(DeadLetters::to("dlq")).checked();
    assert_eq!(checked.unwrap().settings.timings.commit.as_millis(), 250);
    assert_eq!(bus.0.group.as_str(), "convex-group");
    assert_eq!(bus.topic_name("user.created").unwrap(), "convex.user.created");
    assert_eq!(options.name(&options.dead_letters).unwrap().as_str(), "convex.dlq");
}

#[test]
fn second_subscription_to_a_topic_is_refused() {
    let bus = Bus::of(&settings(&[("KAFKA_CONSUMER_GROUP", "g")])).unwrap();
    let (events, others) = (bus.name("events").unwrap(), bus.name("others").unwrap());
    let first = SubscribedTopic::new(&bus.0.subscribed, &events).unwrap();
    let second = SubscribedTopic::new(&bus.0.subscribed, &events).err().unwrap();
    assert!(second.to_string().contains("subscribes to \"convex.events\" already"), "{second}");
    assert!(SubscribedTopic::new(&bus.0.subscribed, &others).is_ok());
    drop(first);
    assert!(SubscribedTopic::new(&bus.0.subscribed, &events).is_ok());
}

#[tokio::test]
async fn what_cannot_work_is_an_error() {
    assert!(matches!(Bus::of(&settings(&[])), Err(BusError::NoGroup)));
    let bus = Bus::of(&settings(&[("KAFKA_CONSUMER_GROUP", "g")])).unwrap();
    assert!(matches!(bus.publish("a b", &1).await, Err(BusError::Topic { .. })));
    assert!(matches!(bus.subscribe("a b", async || {}).await, Err(BusError::Topic { .. })));
    let no_json = std::collections::HashMap::from([((1, 2), 3)]);
    assert!(matches!(bus.send("queue", &no_json).await, Err(BusError::Json { .. })));
    assert!(matches!(bus.unsubscribe(SubscriptionId(7)).await, Err(BusError::NoSubscription)));
}

#[test]
fn events_are_named_as_the_topics_of_the_bus() {
    use crate::producer::TopicFields;

    let topic = TopicFields::new("events");
    for (options, name) in
        [(BusOptions::default().prefix("convex"), "convex.events"), (BusOptions::default(), "events")]
    {
        assert_eq!(options.naming().name(&topic).unwrap(), name);
        assert_eq!(options.name("events").unwrap().as_str(), name);
    }
}

#[test]
fn bus_without_subscriptions_is_healthy_and_health_keeps_no_bus() {
    let bus = Bus::of(&settings(&[("KAFKA_CONSUMER_GROUP", "g")])).unwrap();
    let health = bus.health();
    assert_eq!((health.health().status, health.is_live()), (HealthStatus::Healthy, true));
    let inner = Arc::downgrade(&bus.0);
    drop(bus);
    assert!(inner.upgrade().is_none());
    assert_eq!(health.health().checks["kafka"].detail, "no consumer runs");
}
