//! Consumers of one process, which share the clients and the thread by which they are controlled and tell of themselves.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::common::{Seen, a_while, noting, settled, slow};
use flowdeck_agent::{AgentBuilder, NoHandler, Running};
use flowdeck_model::InstanceState::{Acknowledged, Drained, NothingToDo};
use flowdeck_model::{Hold, InstanceState, Scope};
use flowdeck_protocol::kafkaflow::{Decoded, Message, decode};
use flowdeck_testkit::{DEADLINE, Kafka, NodeOptions, World, kafka, private, wait_for};

const CHILD: &str = "FLOWDECK_ONE_LINK_CHILD";
const CONSUMERS: usize = 5;

/// A consumer with a group of its own on the world's topic.
fn consumer(world: &World, name: &str) -> AgentBuilder<NoHandler> {
    let mut config = world.kafka.client();
    config.set("auto.offset.reset", "earliest").set("session.timeout.ms", "6000");
    config.set("heartbeat.interval.ms", "500");
    flowdeck_agent::Agent::builder(config, group(world, name))
        .consumer(name)
        .topics([world.topic.as_str()])
        .instance("one")
        .admin_topic(world.admin.as_str(), 0)
        .flowdeck_topics(world.holds.as_str(), world.acks.as_str())
        .timings(crate::common::quick())
}

fn group(world: &World, name: &str) -> String {
    format!("{}-{name}", world.group)
}

fn scope(world: &World, name: &str) -> Scope {
    Scope::group(group(world, name).as_str().into())
}

async fn started(world: &World, name: &str) -> (Seen, Running) {
    let (seen, handler) = noting(5);
    (seen, consumer(world, name).handler(handler).start().await.unwrap())
}

/// Groups that answered the command, and how.
fn answers(world: &World, hold: &Hold) -> Vec<(String, InstanceState)> {
    let acks = world.acks().into_iter().filter(|ack| ack.command == hold.id.into());
    acks.map(|ack| (ack.group.to_string(), ack.state)).collect()
}

/// How often a group's telemetry was sent.
fn reports(world: &World, name: &str) -> usize {
    let group = group(world, name);
    let records = world.kafka.read_all(&world.admin);
    let of_group = records.iter().filter(|record| {
        matches!(decode(&record.headers(), record.value.as_deref()),
            Decoded::Message(Message::Telemetry(telemetry)) if telemetry.group.as_str() == group)
    });
    of_group.count()
}

fn threads(named: &str) -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).ok());
    names.filter(|name| name.trim_end() == named).count()
}

async fn threads_become(named: &str, count: usize) {
    wait_for(&format!("{count} threads {named}"), DEADLINE, async || (threads(named) == count).then_some(()))
        .await;
}

/// In a process of its own: threads are counted. What the kernel keeps of their names has 15 characters.
#[test]
fn consumers_of_a_process_have_one_control_thread_and_two_clients_in_common() {
    let world = |names: &str| {
        let mut names = names.split(' ').map(str::to_owned);
        let mut next = || names.next().unwrap();
        World {
            kafka: Kafka::at(&next()),
            group: next(),
            topic: next(),
            admin: next(),
            holds: next(),
            acks: next(),
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if let Ok(names) = std::env::var(CHILD) {
        runtime.block_on(share(world(&names)));
        return;
    }
    let made = runtime.block_on(World::new(CONSUMERS.try_into().unwrap()));
    let bootstrap = kafka().client().get("bootstrap.servers").unwrap().to_owned();
    let World { group, topic, admin, holds, acks, .. } = &made;
    let test = "one_link::consumers_of_a_process_have_one_control_thread_and_two_clients_in_common";
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(CHILD, format!("{bootstrap} {group} {topic} {admin} {holds} {acks}"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && said.contains("1 passed"), "{said}");
}

async fn share(world: World) {
    let mut running = vec![];
    for number in 0..CONSUMERS {
        running.push(started(&world, &number.to_string()).await.1);
    }
    threads_become("flowdeck-contro", 1).await;
    threads_become("flowdeck-poll", CONSUMERS).await;
    // Each Kafka client has one.
    threads_become("rdk:main", CONSUMERS + 2).await;
    for agent in &running {
        settled(agent, CONSUMERS, 0).await;
    }
    running.pop().unwrap().stop().await.unwrap();
    threads_become("rdk:main", CONSUMERS - 1 + 2).await;
    assert_eq!(threads("flowdeck-contro"), 1);
    for agent in running {
        agent.stop().await.unwrap();
    }
    // The last one's stop waits for the clients.
    assert_eq!((threads("flowdeck-contro"), threads("rdk:main")), (0, 0));
    // And the next one begins anew.
    let (_, agent) = started(&world, "next").await;
    threads_become("rdk:main", 3).await;
    agent.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_of_one_consumer_is_answered_by_it_alone() {
    let world = World::new(1).await;
    world.produce(0, 20).await;
    let (_, one) = started(&world, "one").await;
    let (seen, other) = started(&world, "other").await;
    settled(&one, 1, 0).await;
    settled(&other, 1, 0).await;
    let hold = world.pause(scope(&world, "one")).await;
    world.ack(hold.id.into(), "one", Drained).await;
    settled(&one, 0, 1).await;
    a_while().await;
    settled(&other, 1, 0).await;
    let of_one = group(&world, "one");
    assert!(answers(&world, &hold).iter().all(|(group, _)| *group == of_one), "{:?}", answers(&world, &hold));
    seen.wait_for(20).await;
    let resume = world.release(&hold).await;
    world.ack(resume, "one", Acknowledged).await;
    settled(&one, 1, 0).await;
    one.stop().await.unwrap();
    other.stop().await.unwrap();
}

/// The holds were read to their end long before, and their reader does not begin them again.
#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_starts_later_under_a_hold_never_begins_a_record() {
    let world = World::new(2).await;
    world.produce(0, 20).await;
    let (_, first) = started(&world, "first").await;
    settled(&first, 2, 0).await;
    // One that is released is no hold of its either.
    let earlier = world.pause(scope(&world, "later")).await;
    world.release(&earlier).await;
    let hold = world.pause(scope(&world, "late")).await;
    let (seen, late) = started(&world, "late").await;
    let (others, later) = started(&world, "later").await;
    settled(&late, 0, 2).await;
    world.ack(hold.id.into(), "one", Drained).await;
    others.wait_for(20).await;
    a_while().await;
    assert_eq!(seen.count(), 0);
    // It follows what is written since.
    let resume = world.release(&hold).await;
    world.ack(resume, "one", Acknowledged).await;
    seen.wait_for(20).await;
    for agent in [first, late, later] {
        agent.stop().await.unwrap();
    }
}

/// All at once, which is when one reading after the other could keep all from their end.
#[tokio::test(flavor = "multi_thread")]
async fn consumers_that_start_at_once_are_all_ready_soon() {
    let world = World::new(1).await;
    world.produce(0, 3).await;
    world.pause(scope(&world, "7")).await;
    let began = Instant::now();
    let names: Vec<String> = (0..20).map(|number: usize| number.to_string()).collect();
    let all = futures::future::join_all(names.iter().map(|name| started(&world, name))).await;
    futures::future::join_all(all.iter().map(|(_, agent)| agent.ready())).await;
    let took = began.elapsed();
    for (number, (seen, agent)) in all.iter().enumerate() {
        assert_eq!(agent.holds_unknown(), None);
        if number == 7 {
            settled(agent, 0, 1).await;
            assert_eq!(seen.count(), 0);
        } else {
            seen.wait_for(3).await;
        }
    }
    assert!(took < Duration::from_secs(5), "{took:?}");
    futures::future::join_all(all.into_iter().map(|(_, agent)| agent.stop())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_stops_leaves_the_others_controlled_and_reported() {
    let world = World::new(1).await;
    let (_, first) = started(&world, "first").await;
    let (_, other) = started(&world, "other").await;
    settled(&first, 1, 0).await;
    settled(&other, 1, 0).await;
    // It made what they share.
    first.stop().await.unwrap();
    let last = reports(&world, "first");
    assert!(last > 0);
    let hold = world.pause(scope(&world, "other")).await;
    world.ack(hold.id.into(), "one", Drained).await;
    let before = reports(&world, "other");
    wait_for("more telemetry", DEADLINE, async || (reports(&world, "other") > before + 2).then_some(()))
        .await;
    assert_eq!(reports(&world, "first"), last, "it is gone");
    // One that was only dropped ends too.
    let (_, dropped) = started(&world, "dropped").await;
    settled(&dropped, 1, 0).await;
    drop(dropped);
    let resume = world.release(&hold).await;
    world.ack(resume, "one", Acknowledged).await;
    settled(&other, 1, 0).await;
    other.stop().await.unwrap();
}

/// An answer takes as long as with one consumer, while another one waits for its handler.
#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_drains_slowly_delays_no_answer_of_another() {
    let world = World::new(1).await;
    world.produce(0, 5).await;
    let (seen, handler, pace) = slow(60_000);
    let busy = consumer(&world, "busy").handler(handler).start().await.unwrap();
    let (_, quick) = started(&world, "quick").await;
    seen.wait_for(1).await;
    settled(&quick, 1, 0).await;
    let held = world.pause(scope(&world, "busy")).await;
    world.ack(held.id.into(), "one", Acknowledged).await;
    let hold = world.pause(scope(&world, "quick")).await;
    let ack = world.ack(hold.id.into(), "one", Drained).await;
    assert_eq!(ack.group.as_str(), group(&world, "quick"));
    assert!(!answers(&world, &held).iter().any(|(_, state)| *state == Drained), "a handler runs");
    pace.let_go();
    drop(busy);
    quick.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_stops_while_the_broker_is_away_leaves_the_others() {
    let mut broker = private(&NodeOptions::default());
    let world = World::on(Kafka::at(broker.bootstrap()), 1).await;
    let (_, first) = started(&world, "first").await;
    let (_, other) = started(&world, "other").await;
    settled(&first, 1, 0).await;
    settled(&other, 1, 0).await;
    broker.stop();
    let _ = first.stop().await;
    broker.start_again();
    let hold = world.pause(scope(&world, "other")).await;
    // Its session may have ended with the broker: it owns nothing then, for a moment.
    let of_other = group(&world, "other");
    wait_for("an answer", 3 * DEADLINE, async || {
        let all = answers(&world, &hold);
        all.iter()
            .any(|(group, state)| *group == of_other && [Drained, NothingToDo].contains(state))
            .then_some(())
    })
    .await;
    wait_for("its partition", 3 * DEADLINE, async || {
        (other.partitions().iter().filter(|(_, _, runs)| !runs).count() == 1).then_some(())
    })
    .await;
    other.stop().await.unwrap();
}
