use super::*;

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
    assert_eq!((options.tries, options.delay.as_secs()), (4, 2));
    assert_eq!(options.retention.map(|time| time.as_secs()), Some(60));
    assert_eq!(options.timings.commit.as_millis(), 250);
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
