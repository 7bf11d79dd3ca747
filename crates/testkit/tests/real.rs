//! The kit against the real broker: what it prepares is what Kafka's own tool sees.

use std::net::TcpListener;

use flowdeck_broker::{Broker, KafkaHome};
use flowdeck_testkit::{DEADLINE, NodeOptions, ScramUser, kafka, private, unique, wait_for};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};

#[tokio::test]
async fn commits_and_records_are_what_the_judge_sees() {
    let kafka = kafka();
    // A name with a space and one beyond ASCII: the judge's table is read by columns.
    let (topic, group) = (unique("kit"), unique("kit grüße 🐢"));
    kafka.create_topic(&topic, 2).await;
    kafka.produce(&topic, 0, ["a", "b", "c"]).await;
    let (_, offset) = kafka.send(&topic, b"key", b"value", &[("h", b"1")]).await;
    assert!(offset >= 0);
    kafka.commit(&group, &[(&topic, 0, 1)]);

    let rows = kafka.judge(&group);
    let zero = rows.iter().find(|row| row.partition == 0).expect("partition 0");
    assert_eq!((zero.group.as_str(), zero.committed), (group.as_str(), Some(1)));
    assert_eq!(zero.lag, zero.end.map(|end| end - 1));

    let records = kafka.read_all(&topic);
    assert_eq!(records.len(), 4);
    let sent = records.iter().find(|record| record.key.is_some()).expect("the record with a key");
    assert_eq!(sent.headers, [("h".to_owned(), b"1".to_vec())]);
}

#[tokio::test]
async fn a_private_broker_comes_back_with_its_data() {
    let mut kafka = private(&NodeOptions::default());
    kafka.create_topic("kept", 1).await;
    kafka.produce("kept", 0, ["one"]).await;
    kafka.kill();
    kafka.start_again();
    assert_eq!(kafka.read_all("kept").len(), 1);
    kafka.stop();
    kafka.start_again();
    assert_eq!(kafka.topics().iter().filter(|(name, _)| name == "kept").count(), 1);
}

#[tokio::test]
async fn a_secure_listener_lets_in_only_what_an_acl_allows() {
    let user = ScramUser::new("alice", "alice-secret");
    let kafka = private(&NodeOptions { users: vec![user.clone()], ..NodeOptions::default() });
    kafka.create_topic("orders", 1).await;
    let client = |password: &str| {
        let mut config = ClientConfig::new();
        config.extend(kafka.secure().client_properties(&ScramUser::new("alice", password)));
        config.create::<BaseConsumer>().expect("a client")
    };
    let sees = |client: &BaseConsumer| {
        let metadata = client.fetch_metadata(None, DEADLINE).expect("metadata over SASL_SSL");
        metadata.topics().iter().any(|topic| topic.name() == "orders")
    };
    let alice = client("alice-secret");
    assert!(!sees(&alice), "without an ACL nothing is seen");
    kafka.allow("alice", &["Describe"], &["--topic", "orders"]);
    wait_for("alice sees the topic", DEADLINE, async || sees(&alice).then_some(())).await;

    let wrong = client("wrong").fetch_metadata(None, std::time::Duration::from_secs(5));
    assert!(wrong.is_err(), "a wrong password gets nothing");
}

/// Free ports are chosen some seconds before Kafka binds them. That one was taken meanwhile is told by these words,
/// and then others are chosen.
#[test]
fn a_port_that_somebody_took_is_said() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let home = KafkaHome::resolve(&mut |line| eprintln!("{line}")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let port = Some(taken.local_addr().unwrap().port());
    let started = Broker::start(&home, folder.path(), &NodeOptions { port, ..NodeOptions::default() });
    let said = format!("{:#}", started.err().expect("a port that is taken"));
    assert!(said.contains("Address already in use"), "{said}");
}
