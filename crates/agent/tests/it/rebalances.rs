//! Pauses and resumes while instances come and go: nothing starts under a hold, nothing is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::common::{Agents as _, Noting, Seen, settled};
use flowdeck_agent::Running;
use flowdeck_model::InstanceState::{Drained, NothingToDo};
use flowdeck_testkit::{DEADLINE, World, wait_for};

const PARTITIONS: i32 = 6;

async fn start(world: &World, seen: &Seen, instance: &str, protocol: (&str, &str)) -> Running {
    let mut config = world.kafka.client();
    config.set("auto.offset.reset", "earliest").set(protocol.0, protocol.1);
    let handler = Noting { seen: seen.clone(), takes: Duration::from_millis(3) };
    world.agent_with(config, instance).workers(3).buffer(10).handler(handler).start().await.unwrap()
}

/// Waits until the agents own every partition, and all of them are paused.
async fn all_paused(agents: &[Running]) {
    wait_for("all partitions to be paused", DEADLINE, async || {
        let all: Vec<_> = agents.iter().flat_map(Running::partitions).collect();
        let owned: BTreeSet<_> = all.iter().map(|(_, partition, _)| *partition).collect();
        let paused = all.iter().all(|(_, _, runs)| !runs);
        (paused && all.len() == owned.len() && all.len() == PARTITIONS as usize).then_some(())
    })
    .await;
}

async fn storm(protocol: (&str, &str)) {
    let world = World::new(PARTITIONS).await;
    for partition in 0..PARTITIONS {
        world.produce(partition, 250).await;
    }
    let seen = Seen::default();
    let mut agents = vec![];
    for number in 0..2 {
        agents.push(start(&world, &seen, &format!("i-{number}"), protocol).await);
    }
    seen.wait_for(50).await;
    let mut total = 250 * PARTITIONS as usize;
    for round in 0..4 {
        let hold = world.pause(world.scope()).await;
        for agent in &agents {
            wait_for(&format!("round {round}: an answer of {}", agent.instance()), DEADLINE, async || {
                world.acks().into_iter().find(|ack| {
                    ack.command == hold.id.into()
                        && ack.instance == *agent.instance()
                        && [Drained, NothingToDo].contains(&ack.state)
                })
            })
            .await;
        }
        let then = seen.count();
        // Even rounds bring an instance, odd ones take the oldest away.
        if round % 2 == 0 {
            agents.push(start(&world, &seen, &format!("late-{round}"), protocol).await);
        } else {
            agents.remove(0).stop().await.unwrap();
        }
        all_paused(&agents).await;
        for partition in 0..PARTITIONS {
            world.produce(partition, 10).await;
        }
        total += 10 * PARTITIONS as usize;
        tokio::time::sleep(Duration::from_millis(400)).await;
        assert_eq!(seen.count(), then, "round {round}: a handler started under the hold");
        world.release(&hold).await;
        let more = (then + 30).min(total);
        wait_for("the flow after the resume", DEADLINE, async || (seen.count() >= more).then_some(())).await;
    }
    seen.wait_for(total).await;
    for agent in agents {
        agent.stop().await.unwrap();
    }
    no_record_starts_before_the_one_before_it(&seen);
}

/// A new owner may begin again at an older record. Nobody skips one.
fn no_record_starts_before_the_one_before_it(seen: &Seen) {
    let mut next = BTreeMap::<i32, i64>::new();
    for (partition, offset) in seen.all() {
        let next = next.entry(partition).or_default();
        assert!(offset <= *next, "partition {partition}: {offset} started before {next}");
        *next = (*next).max(offset + 1);
    }
}

/// The client keeps an application's pause on a partition that leaves and comes back: it must be told
/// to fetch, not only to stop.
async fn comes_back(protocol: (&str, &str)) {
    let world = World::new(2).await;
    let seen = Seen::default();
    let stays = start(&world, &seen, "stays", protocol).await;
    settled(&stays, 2, 0).await;
    let hold = world.pause(world.scope()).await;
    settled(&stays, 0, 2).await;
    let guest = start(&world, &seen, "guest", protocol).await;
    settled(&guest, 0, 1).await;
    settled(&stays, 0, 1).await;
    world.release(&hold).await;
    settled(&guest, 1, 0).await;
    settled(&stays, 1, 0).await;
    guest.stop().await.unwrap();
    settled(&stays, 2, 0).await;
    for partition in 0..2 {
        world.produce(partition, 5).await;
    }
    seen.wait_for(10).await;
    stays.stop().await.unwrap();
}

const EAGER: (&str, &str) = ("partition.assignment.strategy", "range");
const COOPERATIVE: (&str, &str) = ("partition.assignment.strategy", "cooperative-sticky");
const KIP848: (&str, &str) = ("group.protocol", "consumer");

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_partition_comes_back_and_flows_eager() {
    comes_back(EAGER).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_partition_comes_back_and_flows_cooperative() {
    comes_back(COOPERATIVE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_partition_comes_back_and_flows_kip848() {
    comes_back(KIP848).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_come_and_go_eager() {
    storm(EAGER).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_come_and_go_cooperative() {
    storm(COOPERATIVE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_come_and_go_kip848() {
    storm(KIP848).await;
}
