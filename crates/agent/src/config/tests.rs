use super::*;

/// Group `g`, consumer `c`, instance `i-1`, topics `t` and `u`.
pub(crate) fn settings() -> Settings {
    let admin = Stream { topic: "kafkaflow.admin".parse().unwrap(), partition: 0 };
    Settings {
        group: "g".into(),
        consumer: "c".into(),
        instance: "i-1".into(),
        incarnation: Incarnation::random(),
        topics: vec!["t".parse().unwrap(), "u".parse().unwrap()],
        sources: vec!["t".parse().unwrap(), "u".parse().unwrap()],
        workers: 2,
        buffer: 10,
        thread_per_worker: false,
        read_committed: true,
        distribution: Distribution::default(),
        on_error: OnError::default(),
        mapping: Mapping::default(),
        dead_letters: None,
        retry_topics: None,
        breaker: None,
        handler_timeout: None,
        on_unknown: OnUnknown::Run,
        start_paused: false,
        commands: admin.clone(),
        obey_commands: true,
        telemetry: admin,
        holds: "flowdeck.holds".parse().unwrap(),
        acks: "flowdeck.acks".parse().unwrap(),
        timings: Timings::default(),
        labels: BTreeMap::new(),
        poll_interval: Duration::from_secs(300),
    }
}

#[test]
fn only_the_consumer_of_records_carries_the_groups_properties() {
    let mut base = ClientConfig::new();
    base.set("bootstrap.servers", "localhost:9092")
        .set("group.protocol", "consumer")
        .set("group.instance.id", "static-1")
        .set("auto.offset.reset", "latest")
        .set("sasl.username", "app");
    let settings = settings();
    let records = records(&base, &settings).unwrap();
    assert_eq!(records.get("group.protocol"), Some("consumer"));
    assert_eq!(records.get("auto.offset.reset"), Some("latest"));
    for side in [reader(&base), writer(&base)] {
        assert_eq!(side.get("group.protocol"), None);
        assert_eq!(side.get("group.instance.id"), None);
        assert_eq!(side.get("sasl.username"), Some("app"));
    }
    assert_eq!(reader(&base).get("auto.offset.reset"), Some("earliest"));
    assert_eq!(writer(&base).get("auto.offset.reset"), None);
}

#[test]
fn consumers_of_one_process_differ_in_nothing_that_their_common_clients_have() {
    let mut base = ClientConfig::new();
    base.set("bootstrap.servers", "localhost:9092").set("security.protocol", "ssl");
    let (common, sent) = (reader(&base), writer(&base));
    for (property, value) in [
        ("group.id", "other"),
        ("client.id", "other"),
        ("auto.offset.reset", "latest"),
        ("isolation.level", "read_uncommitted"),
        ("max.partition.fetch.bytes", "1000"),
        ("fetch.max.bytes", "2000"),
        ("queued.min.messages", "5"),
        ("fetch.wait.max.ms", "5"),
        ("statistics.interval.ms", "1000"),
        ("session.timeout.ms", "6000"),
        ("enable.auto.commit", "false"),
    ] {
        base.set(property, value);
    }
    assert_eq!(reader(&base).config_map(), common.config_map());
    assert_eq!(writer(&base).config_map(), sent.config_map());
    base.set("ssl.ca.location", "/other");
    assert_ne!(reader(&base).config_map(), common.config_map());
}

#[test]
fn no_client_may_create_a_topic() {
    let (base, settings) = (ClientConfig::new(), settings());
    for config in [records(&base, &settings).unwrap(), reader(&base), writer(&base)] {
        assert_eq!(config.get("allow.auto.create.topics"), Some("false"));
    }
}

#[test]
fn what_is_fetched_ahead_is_the_hosts_to_say() {
    let (mut base, settings) = (ClientConfig::new(), settings());
    base.set("queued.min.messages", "50");
    let config = records(&base, &settings).unwrap();
    assert_eq!(config.get("queued.min.messages"), Some("50"));
    assert_eq!(config.get("queued.max.messages.kbytes"), Some("2048"));
    assert_eq!(config.get("fetch.wait.max.ms"), Some("100"));
    base.set("fetch.wait.max.ms", "500");
    assert_eq!(records(&base, &settings).unwrap().get("fetch.wait.max.ms"), Some("500"));
    assert_eq!(writer(&config).get("queued.min.messages"), None);
}

#[test]
fn how_large_a_failed_record_may_be_is_the_hosts_to_say() {
    let largest = |mut config: ClientConfig| {
        any_size(&mut config);
        publisher(&config).get("message.max.bytes").map(str::to_owned)
    };
    let mut base = ClientConfig::new();
    assert_eq!(largest(base.clone()).as_deref(), Some("33554432"));
    base.set("message.max.bytes", "2000000");
    assert_eq!(largest(base).as_deref(), Some("2000000"));
}

#[test]
fn property_is_set_under_one_of_its_names() {
    let mut base = ClientConfig::new();
    for (name, value) in [
        ("request.required.acks", "1"),
        ("max.in.flight", "10"),
        ("delivery.timeout.ms", "60000"),
        ("queue.buffering.max.ms", "5"),
    ] {
        base.set(name, value);
    }
    let (publisher, writer) = (publisher(&base), writer(&base));
    for ([name, alias], written) in ALIASES.into_iter().zip(["all", "1", "30000", "0"]) {
        assert_eq!((publisher.get(name), publisher.get(alias)), (None, base.get(alias)), "the host's");
        assert_eq!((writer.get(name), writer.get(alias)), (Some(written), None), "the agent's");
    }
}

#[test]
fn timings_can_neither_spin_nor_overflow_a_clock() {
    let wild = |time| Timings {
        telemetry: time,
        commit: time,
        metadata_interval: time,
        holds: time,
        expiry: time,
        shutdown_timeout: time,
    };
    let slow = wild(Duration::MAX).sane();
    assert!(std::time::Instant::now().checked_add(slow.metadata_interval.saturating_mul(6)).is_some());
    assert!(wild(Duration::ZERO).sane().commit >= Duration::from_millis(50));
}

#[test]
fn an_incarnation_is_of_an_instance() {
    let (one, other) = (InstanceName::from("one"), InstanceName::from("other"));
    assert_eq!(incarnation(&one), incarnation(&one));
    assert_ne!(incarnation(&one), incarnation(&other));
}

#[test]
fn committing_is_the_agents() {
    let mut base = ClientConfig::new();
    base.set("enable.auto.commit", "true");
    let error = records(&base, &settings()).unwrap_err();
    base.set("enable.auto.commit", "false");
    assert!(records(&base, &settings()).is_ok());
    assert_eq!(
        error.to_string(),
        "enable.auto.commit belongs to the agent: leave it out of the client's configuration"
    );
}
