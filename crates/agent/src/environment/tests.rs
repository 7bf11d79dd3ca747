use super::*;

fn read(variables: &[(&str, &str)]) -> Result<KafkaSettings, SettingsError> {
    KafkaSettings::from_variables(
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
    )
}

#[test]
fn each_service_by_its_own_names() {
    let convex = read(&[
        ("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092"),
        ("KAFKA_SECURITY_PROTOCOL", "PLAINTEXT"),
        ("KAFKA_CONSUMER_GROUP", "convex-group"),
        ("KAFKA_TOPIC_PREFIX", "convex"),
        ("ConvexMessaging__MaxRetryAttempts", "3"),
        ("ConvexMessaging__RetryDelaySeconds", "5"),
        ("ConvexMessaging__AutoOffsetReset", "Earliest"),
        ("ConvexMessaging__EnableAutoCommit", "true"),
        ("ConvexMessaging__AutoCommitIntervalMs", "5000"),
        ("ConvexMessaging__MessageRetentionMs", "604800000"),
    ])
    .unwrap();
    assert_eq!(
        (convex.group.as_deref(), convex.topic_prefix.as_deref()),
        (Some("convex-group"), Some("convex"))
    );
    assert_eq!((convex.max_retry_attempts, convex.retry_delay_seconds), (Some(3), Some(5)));
    assert_eq!(convex.client().get("auto.offset.reset"), Some("earliest"));
    assert_eq!(convex.commit_interval, Some(Duration::from_secs(5)));
    assert_eq!(convex.retention, Some(Duration::from_secs(7 * 24 * 3600)));

    let custom = read(&[
        ("Kafka__BootstrapServers", "kafka-1:9092,kafka-2:9092"),
        ("Kafka__ClientId", "customservice"),
        ("Kafka__EnableIdempotence", "true"),
        ("Kafka__Acks", "All"),
        ("Kafka__MaxInFlight", "5"),
        ("Kafka__Topics__ItemCreated", "customservice.item.created"),
    ])
    .unwrap();
    let client = custom.client();
    assert_eq!(client.get("bootstrap.servers"), Some("kafka-1:9092,kafka-2:9092"));
    assert_eq!((client.get("acks"), client.get("client.id")), (Some("all"), Some("customservice")));
    assert_eq!(client.get("enable.idempotence"), Some("true"));
    assert_eq!(custom.topics.get("ItemCreated").map(String::as_str), Some("customservice.item.created"));

    let novatune = read(&[
        ("CONNECTIONSTRINGS__messaging", "redpanda:9092"),
        ("Kafka__SaslEnabled", "true"),
        ("Kafka__SaslUsername", "novatune"),
        ("Kafka__SaslPassword", "hunter2"),
        ("NovaTune__TopicPrefix", "dev"),
    ])
    .unwrap();
    let client = novatune.client();
    assert_eq!(client.get("security.protocol"), Some("SASL_SSL"));
    assert_eq!(client.get("sasl.mechanism"), Some("SCRAM-SHA-256"));
    assert_eq!(client.get("sasl.password"), Some("hunter2"));
    assert!(!format!("{novatune:?}").contains("hunter2"), "a secret is no part of a log");
}

#[test]
fn any_property_of_librdkafka() {
    let settings = read(&[("KAFKA_BOOTSTRAP_SERVERS", "a:1"), ("KAFKA_PROPERTY_LINGER_MS", "20")]).unwrap();
    assert_eq!(settings.client().get("linger.ms"), Some("20"));
}

#[test]
fn what_is_not_understood_is_named_without_its_value() {
    assert!(matches!(read(&[("KAFKA_BOOTSTRAP_SERVERS", " ")]), Err(SettingsError::NoBrokers { .. })));
    let brokers = ("KAFKA_BOOTSTRAP_SERVERS", "a:1");
    let differ = read(&[brokers, ("Kafka__BootstrapServers", "b:1")]).unwrap_err();
    assert_eq!(
        differ.to_string(),
        "KAFKA_BOOTSTRAP_SERVERS and Kafka__BootstrapServers differ: set one of them"
    );
    assert!(read(&[brokers, ("Kafka__BootstrapServers", "a:1")]).is_ok());
    for (name, value) in [
        ("KAFKA_SECURITY_PROTOCOL", "carrier pigeon"),
        ("KAFKA_SECURITY_PROTOCOL", "SASL_SSL"),
        ("ConvexMessaging__MaxRetryAttempts", "many"),
    ] {
        let refused = read(&[brokers, (name, value)]).unwrap_err().to_string();
        assert!(!refused.contains("pigeon") && !refused.contains("many"), "{refused}");
    }
}
