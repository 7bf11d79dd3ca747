//! What a cluster's handle starts ends with it. Alone in its process, since it counts the threads.

use std::net::TcpListener;
use std::time::Duration;

use flowdeck_kafka::{
    Cluster, ClusterConfig, Deadline, ElectionRequest, Isolation, ProducerKind, ReadRequest, ReadStart,
    TailFrom, TailRequest,
};
use flowdeck_model::TopicName;
use flowdeck_testkit::{kafka, unique, wait_for};
use tokio_util::sync::CancellationToken;

const LONG: Duration = Duration::from_secs(30);

/// Threads of librdkafka and of the crate.
fn threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").expect("the list of threads");
    let names = tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    names
        .filter(|name| {
            name.starts_with("rdk:") || name.starts_with("kafka-") || name.contains("producer polling")
        })
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_thread_is_left_behind() {
    let kafka = kafka();
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent = silent.local_addr().expect("an address").to_string();
    let name = unique("shutdown");
    kafka.create_topic(&name, 2).await;
    kafka.produce(&name, 0, ["a"]).await;
    wait_for("the start", LONG, async || (threads() == 0).then_some(())).await;
    for bootstrap in [kafka.bootstrap(), &silent] {
        let cluster = Cluster::new(ClusterConfig::new(bootstrap)).expect("a cluster");
        let limit = Duration::from_millis(500);
        let _ = cluster.list_groups(limit).await;
        let topic: TopicName = name.parse().expect("a topic's name");
        let request = ReadRequest {
            topic: topic.clone(),
            partitions: None,
            start: ReadStart::Newest,
            limit_records: 5,
            limit_bytes: 1000,
            max_value_bytes: 100,
            isolation: Isolation::ReadUncommitted,
            neighbours: true,
            transactions: true,
            deadline: Deadline::after(limit),
        };
        let _ = cluster.read(request.clone(), CancellationToken::new()).await;
        let mut tail = cluster.tail(TailRequest {
            topic: request.topic,
            partitions: None,
            from: TailFrom::Beginning,
            isolation: Isolation::ReadCommitted,
            max_value_bytes: 100,
        });
        let _ = tokio::time::timeout(limit, tail.next()).await;
        let producer = cluster.producer(ProducerKind::Idempotent).expect("a producer");
        let mut election = cluster.elect(ElectionRequest::new("shutdown", topic));
        let _ = tokio::time::timeout(limit, election.next()).await;
        assert!(threads() > 0);
        drop((tail, producer, election, cluster));
        wait_for("the end of all threads", LONG, async || (threads() == 0).then_some(())).await;
    }
}
