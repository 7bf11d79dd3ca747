//! Pause with agents, as processes of their own: two instances, a third started after the pause, one
//! killed with SIGKILL. No handler starts after the ack, and after the resume nothing is lost: with
//! the eager, the cooperative and the KIP-848 protocol.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::common::Process;
use flowdeck_model::{CommandId, InstanceState};
use flowdeck_protocol::wire::Ack;
use flowdeck_testkit::{Kafka, NodeOptions, World, private, wait_for};

const PARTITIONS: i32 = 4;
/// A session of 6 s must end, then the group must settle.
const TAKEOVER: Duration = Duration::from_secs(60);

async fn produce(world: &World, each: usize) {
    for partition in 0..PARTITIONS {
        world.produce(partition, each).await;
    }
}

fn start(world: &World, protocol: &str, instance: &str) -> Process {
    let mut args = vec!["--bootstrap", world.kafka.bootstrap(), "--group", &world.group];
    args.extend(["--topics", &world.topic, "--admin-topic", &world.admin]);
    args.extend(["--holds-topic", &world.holds, "--acks-topic", &world.acks]);
    args.extend(["--workers", "2", "--buffer", "20", "--handle-ms", "5"]);
    args.extend(["--protocol", protocol]);
    if protocol != "kip848" {
        // KIP-848 has the broker say it.
        args.extend(["--property", "session.timeout.ms=6000", "--property", "heartbeat.interval.ms=500"]);
    }
    Process::start(instance, &args)
}

/// No handler of the instance began after it answered, by the clock that both are of.
fn assert_obeyed(process: &Process, acknowledged: &Ack) {
    let late: Vec<_> =
        process.started().into_iter().filter(|line| line.at > acknowledged.at.millis()).collect();
    assert!(
        late.is_empty(),
        "{} began after its ack at {}: {late:?}",
        process.instance,
        acknowledged.at.millis()
    );
}

async fn pause_with_agents(kafka: Kafka, protocol: &'static str) {
    let world = World::on(kafka, PARTITIONS).await;
    produce(&world, 500).await;
    let a = start(&world, protocol, "a");
    let mut b = start(&world, protocol, "b");
    a.wait_handled(20).await;
    b.wait_handled(20).await;

    let hold = world.pause(world.scope()).await;
    let pause = CommandId::from(hold.id);
    let mut obeyed = vec![];
    for process in [&a, &b] {
        let acknowledged = world.ack(pause, &process.instance, InstanceState::Acknowledged).await;
        let drained = world.ack(pause, &process.instance, InstanceState::Drained).await;
        assert!(drained.partitions.len() >= acknowledged.partitions.len());
        obeyed.push(acknowledged);
    }

    // A third joins: partitions move, and move behind a shut gate.
    let c = start(&world, protocol, "c");
    wait_for("the third to own partitions", TAKEOVER, async || (c.assigned().1 > 0).then_some(())).await;
    world.ack(pause, "c", InstanceState::Drained).await;
    b.kill();
    wait_for("the others to own all partitions", TAKEOVER, async || {
        (a.assigned().1 + c.assigned().1 == usize::try_from(PARTITIONS).unwrap()).then_some(())
    })
    .await;
    produce(&world, 50).await;
    // Long enough for a gate that leaks to show: a handler takes 5 ms.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_obeyed(&a, &obeyed[0]);
    assert_obeyed(&b, &obeyed[1]);
    assert_eq!(c.started().len(), 0, "the third handled a record under the pause");
    let before = a.handled().len() + b.handled().len();
    assert!(before < 2_000, "all was handled before the pause");

    let resume = world.release(&hold).await;
    for process in [&a, &c] {
        world.ack(resume, &process.instance, InstanceState::Acknowledged).await;
    }
    let want: BTreeSet<(i32, i64)> =
        (0..PARTITIONS).flat_map(|partition| (0..550).map(move |offset| (partition, offset))).collect();
    wait_for("every record to be handled", TAKEOVER, async || {
        let all = [&a, &b, &c].into_iter().flat_map(Process::handled);
        let seen: BTreeSet<_> = all.map(|line| (line.partition, line.offset)).collect();
        want.is_subset(&seen).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn eager() {
    pause_with_agents(flowdeck_testkit::kafka().clone(), "classic-eager").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cooperative() {
    pause_with_agents(flowdeck_testkit::kafka().clone(), "classic-cooperative").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kip848() {
    // The session is the broker's to choose: short, so that a killed member is missed soon.
    let properties = [
        ("group.consumer.min.session.timeout.ms", "1000"),
        ("group.consumer.session.timeout.ms", "6000"),
        ("group.consumer.min.heartbeat.interval.ms", "100"),
        ("group.consumer.heartbeat.interval.ms", "500"),
    ];
    let properties = properties.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let broker = private(&NodeOptions { properties, ..NodeOptions::default() });
    pause_with_agents(Kafka::at(broker.bootstrap()), "kip848").await;
}
