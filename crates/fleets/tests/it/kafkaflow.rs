//! The simulated KafkaFlow behaves as KafkaFlow is documented to behave, on a real broker.

mod process;

use std::time::Duration;

use flowdeck_model::{Partition, TopicName};
use flowdeck_protocol::kafkaflow::{Command, ConsumerStatus, Telemetry};
use flowdeck_testkit::{DEADLINE, Kafka, NodeOptions, private, wait_for};
use process::{Process, Stage};

fn numbers(partitions: &[Partition]) -> Vec<i32> {
    partitions.iter().map(|partition| partition.get()).collect()
}

fn topic(name: &str) -> TopicName {
    name.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_reports_as_kafkaflow_does() {
    let stage = Stage::new().await;
    stage.produce(&stage.topic, 0, 10).await;
    let process = stage.start("machine-1", &["--workers", "3", "--handle-ms", "10"]).await;
    process.until_handled(&stage.topic, 10).await;
    let read = |one: &Telemetry| one.topic.as_str() == stage.topic && one.lag == 0;
    let told = stage.told("all of it committed", read).await;
    assert_eq!((told.group.as_str(), told.consumer.as_str()), (stage.group.as_str(), "orders"));
    assert_eq!((told.instance.as_str(), told.workers), ("machine-1", 3));
    assert_eq!((numbers(&told.running), numbers(&told.paused)), (vec![0, 1], vec![]));
    assert_eq!(told.status, ConsumerStatus::Running);
    let told = stage.told("its other topic", |one| one.topic.as_str() == stage.other).await;
    assert_eq!(numbers(&told.running), vec![0]);

    stage.command(Command::PauseConsumerByName { consumer: "orders".into(), topics: vec![] }).await;
    stage.told("the pause", |one| one.status == ConsumerStatus::Paused).await;
    stage.produce(&stage.topic, 0, 5).await;
    stage.told("its lag", |one| one.topic.as_str() == stage.topic && one.lag == 5).await;

    // Three members, and no topic has more than two partitions.
    let _second = stage.start("machine-2", &[]).await;
    let _third = stage.start("machine-3", &[]).await;
    let idle =
        stage.told("an instance without partitions", |one| one.status == ConsumerStatus::Stopped).await;
    assert_eq!((idle.running, idle.paused, idle.workers > 0), (vec![], vec![], true));
}

/// How many records were done when no more followed for a whole round of telemetry.
async fn until_still(stage: &Stage, process: &Process) -> usize {
    loop {
        let done = process.handled(&stage.topic);
        stage.told("one more round", |one| one.topic.as_str() == stage.topic).await;
        if process.handled(&stage.topic) == done {
            return done;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_by_name_stops_fetching_and_no_more() {
    let stage = Stage::new().await;
    stage.produce(&stage.topic, 0, 300).await;
    let flags = ["--workers", "1", "--buffer", "20", "--handle-ms", "20"];
    let process = stage.start("machine-1", &flags).await;
    process.until_handled(&stage.topic, 5).await;

    // Not of this consumer: it throws and goes on.
    stage.command(Command::PauseConsumerByName { consumer: "nobody".into(), topics: vec![] }).await;
    let topics = vec![topic(&stage.topic)];
    stage.command(Command::PauseConsumerByName { consumer: "orders".into(), topics: topics.clone() }).await;
    let told =
        stage.told("the pause", |one| one.topic.as_str() == stage.topic && one.running.is_empty()).await;
    assert_eq!(numbers(&told.paused), vec![0, 1]);
    assert_eq!(told.status, ConsumerStatus::PartiallyRunning, "the other topic goes on");

    let at_pause = process.handled(&stage.topic);
    let handled = until_still(&stage, &process).await;
    // What lay in the channel, in the worker's hand and before the channel goes on.
    assert!(handled <= at_pause + 22, "{at_pause}, then {handled}");
    stage.produce(&stage.other, 0, 5).await;
    process.until_handled(&stage.other, 5).await;
    assert_eq!(process.handled(&stage.topic), handled);

    stage.command(Command::ResumeConsumerByName { consumer: "orders".into(), topics }).await;
    process.until_handled(&stage.topic, 300).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_resume_ignores_its_filter() {
    let stage = Stage::new().await;
    let process = stage.start("machine-1", &[]).await;
    let group = || stage.group.as_str().into();
    stage.command(Command::PauseConsumersByGroup { group: "other".into(), topics: vec![] }).await;
    stage.command(Command::PauseConsumersByGroup { group: group(), topics: vec![topic(&stage.topic)] }).await;
    stage.told("the pause of one topic", |one| one.status == ConsumerStatus::PartiallyRunning).await;
    stage.command(Command::PauseConsumersByGroup { group: group(), topics: vec![] }).await;
    stage.told("the pause of all", |one| one.status == ConsumerStatus::Paused).await;
    stage.produce(&stage.topic, 0, 3).await;
    stage.produce(&stage.other, 0, 3).await;

    let unknown = vec![topic("not-of-this-group")];
    stage.command(Command::ResumeConsumersByGroup { group: group(), topics: unknown }).await;
    stage.told("no change", |one| one.status == ConsumerStatus::Paused).await;
    assert_eq!((process.handled(&stage.topic), process.handled(&stage.other)), (0, 0));

    stage
        .command(Command::ResumeConsumersByGroup { group: group(), topics: vec![topic(&stage.topic)] })
        .await;
    process.until_handled(&stage.topic, 3).await;
    process.until_handled(&stage.other, 3).await;
}

async fn telemetry_lies_after_a_rebalance(protocol: &str) {
    let stage = Stage::new().await;
    let flags = ["--protocol", protocol];
    let first = stage.start("machine-1", &flags).await;
    stage.command(Command::PauseConsumerByName { consumer: "orders".into(), topics: vec![] }).await;
    stage.told("the pause", |one| one.status == ConsumerStatus::Paused).await;

    let second = stage.start("machine-2", &flags).await;
    let told = stage
        .told("the first says that it runs", |one| {
            one.instance.as_str() == "machine-1"
                && one.topic.as_str() == stage.topic
                && one.running.len() == 1
        })
        .await;
    let (kept, moved) = if numbers(&told.running) == [0] { (0, 1) } else { (1, 0) };
    stage.produce(&stage.topic, kept, 5).await;
    stage.produce(&stage.topic, moved, 5).await;
    // What moved to the second one was never paused there; what the first kept stays paused.
    second.until_handled(&stage.topic, 5).await;
    stage.told("one more round", |one| one.instance.as_str() == "machine-1").await;
    assert_eq!(first.handled(&stage.topic), 0, "it says running, and nothing flows");

    stage.command(Command::ResumeConsumerByName { consumer: "orders".into(), topics: vec![] }).await;
    first.until_handled(&stage.topic, 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn telemetry_lies_after_an_eager_rebalance() {
    telemetry_lies_after_a_rebalance("classic-eager").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn telemetry_lies_after_a_cooperative_rebalance() {
    telemetry_lies_after_a_rebalance("classic-cooperative").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_within_five_seconds_and_loses_nothing() {
    let stage = Stage::new().await;
    stage.produce(&stage.topic, 0, 200).await;
    let mut first = stage.start("machine-1", &["--handle-ms", "200"]).await;
    first.until_handled(&stage.topic, 3).await;
    let took = first.terminate().await;
    assert!(took < Duration::from_secs(5), "{took:?}");

    let next = stage.start("machine-2", &[]).await;
    let done = || (first.offsets(&stage.topic, 0), next.offsets(&stage.topic, 0));
    wait_for("every record done by one of them", DEADLINE, async || {
        let (before, after) = done();
        (before.union(&after).count() == 200).then_some(())
    })
    .await;
    let (before, after) = done();
    assert!(after.len() < 200, "the commits held");
    assert!(before.intersection(&after).count() <= 1, "at most the one in hand is done again");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_stops_starts_and_changes_its_workers() {
    let stage = Stage::new().await;
    let process = stage.start("machine-1", &[]).await;
    stage.command(Command::StopConsumerByName { consumer: "orders".into() }).await;
    let told = stage.told("the stop", |one| one.status == ConsumerStatus::Stopped).await;
    assert_eq!((told.running, told.paused), (vec![], vec![]));
    stage.produce(&stage.topic, 0, 3).await;
    assert_eq!(process.handled(&stage.topic), 0);
    stage.command(Command::StartConsumerByName { consumer: "orders".into() }).await;
    process.until_handled(&stage.topic, 3).await;
    let workers = Command::ChangeConsumerWorkersCount { consumer: "orders".into(), workers: 5 };
    stage.command(workers).await;
    stage
        .told("five workers that run", |one| one.workers == 5 && one.status == ConsumerStatus::Running)
        .await;
    stage.produce(&stage.topic, 1, 3).await;
    process.until_handled(&stage.topic, 6).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_within_five_seconds_without_its_broker() {
    let mut kafka = tokio::task::spawn_blocking(|| private(&NodeOptions::default())).await.unwrap();
    let stage = Stage::on(Kafka::at(kafka.bootstrap())).await;
    stage.produce(&stage.topic, 0, 3).await;
    let mut process = stage.start("machine-1", &[]).await;
    process.until_handled(&stage.topic, 3).await;
    tokio::task::spawn_blocking(move || {
        kafka.kill();
        kafka
    })
    .await
    .unwrap();
    let took = process.terminate().await;
    assert!(took < Duration::from_secs(5), "{took:?}");
}
