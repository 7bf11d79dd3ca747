//! Commands from the admin topic that the owner carries out: stop, start, restart, workers, reset, rewind.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use crate::common::{Agents as _, Seen, a_while, noting, settled, slow};
use crate::runtime::{committed, wait_committed};
use flowdeck_agent::{Delivery, Handler, HandlerError, Running, async_trait};
use flowdeck_model::InstanceState::{Acknowledged, Drained, NothingToDo, Refused};
use flowdeck_model::{CommandId, InstanceState, Partition, Timestamp, TopicName};
use flowdeck_protocol::kafkaflow::{Command, DateTime, command_record, external_command_record};
use flowdeck_protocol::wire::{Ack, SetOffset, SetOffsets, set_offsets_record};
use flowdeck_testkit::{DEADLINE, World, wait_for};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use tokio::sync::Notify;
use uuid::Uuid;

const C: &str = "c";

fn stop() -> Command {
    Command::StopConsumerByName { consumer: C.into() }
}

fn start() -> Command {
    Command::StartConsumerByName { consumer: C.into() }
}

fn restart() -> Command {
    Command::RestartConsumerByName { consumer: C.into() }
}

fn workers(workers: i32) -> Command {
    Command::ChangeConsumerWorkersCount { consumer: C.into(), workers }
}

fn reset(topics: Vec<TopicName>) -> Command {
    Command::ResetConsumerOffset { consumer: C.into(), topics }
}

fn rewind(to: SystemTime) -> Command {
    let date_time = DateTime::from(Timestamp::from_system(to));
    Command::RewindConsumerOffsetToDateTime { consumer: C.into(), date_time, topics: vec![] }
}

async fn send(world: &World, command: Command) -> CommandId {
    let id = CommandId::random();
    world.kafka.send_record(&world.admin, &command_record(id, command)).await;
    id
}

/// Sends it, and waits for its answer.
async fn ask(world: &World, command: Command, state: InstanceState) -> Ack {
    let id = send(world, command).await;
    world.ack(id, "i-1", state).await
}

/// Members of the group, as Kafka lists them.
fn members(world: &World) -> usize {
    let client: BaseConsumer = world.kafka.client().create().unwrap();
    let groups = client.fetch_group_list(Some(&world.group), DEADLINE).unwrap();
    groups.groups().iter().map(|group| group.members().len()).sum()
}

async fn started(world: &World, handler: impl Handler, partitions: usize) -> Running {
    let agent = world.agent("i-1").workers(2).handler(handler).start().await.unwrap();
    settled(&agent, partitions, 0).await;
    agent
}

fn of(seen: &Seen, partition: i32) -> Vec<i64> {
    seen.all().into_iter().filter(|(p, _)| *p == partition).map(|(_, offset)| offset).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_leaves_the_group_and_start_joins_it_again() {
    let world = World::new(2).await;
    world.produce(0, 10).await;
    let (seen, handler) = noting(0);
    let agent = started(&world, handler, 2).await;
    seen.wait_for(10).await;
    ask(&world, stop(), Acknowledged).await;
    assert!(agent.partitions().is_empty());
    assert_eq!(committed(&world, 0), Some(10), "what was handled is committed before it leaves");
    wait_for("no members", DEADLINE, async || (members(&world) == 0).then_some(())).await;
    world.produce(1, 5).await;
    a_while().await;
    assert_eq!(seen.count(), 10, "a stopped consumer handles nothing");
    let again = ask(&world, stop(), Acknowledged).await;
    assert_eq!(again.detail.as_deref(), Some("it was stopped already"));

    ask(&world, start(), Acknowledged).await;
    settled(&agent, 2, 0).await;
    seen.wait_for(15).await;
    assert_eq!(seen.count(), 15, "no record was handled twice");
    let again = ask(&world, start(), Acknowledged).await;
    assert_eq!(again.detail.as_deref(), Some("it was running already"));
    ask(&world, restart(), Acknowledged).await;
    settled(&agent, 2, 0).await;
    world.produce(0, 5).await;
    seen.wait_for(20).await;
    assert_eq!(of(&seen, 0), (0..15).collect::<Vec<_>>());
    agent.stop().await.unwrap();
}

async fn comes_back(property: (&str, &str)) {
    let world = World::new(1).await;
    let mut config = world.kafka.client();
    config.set("auto.offset.reset", "earliest").set(property.0, property.1);
    let (seen, handler) = noting(0);
    let agent = world.agent_with(config, "i-1").handler(handler).start().await.unwrap();
    settled(&agent, 1, 0).await;
    for round in 1..=3 {
        ask(&world, stop(), Acknowledged).await;
        world.produce(0, 5).await;
        ask(&world, start(), Acknowledged).await;
        seen.wait_for(10 * round - 5).await;
        ask(&world, restart(), Acknowledged).await;
        world.produce(0, 5).await;
        seen.wait_for(10 * round).await;
    }
    assert_eq!(of(&seen, 0), (0..30).collect::<Vec<_>>());
    agent.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_start_and_restart_lose_nothing_cooperative() {
    comes_back(("partition.assignment.strategy", "cooperative-sticky")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_start_and_restart_lose_nothing_kip848() {
    comes_back(("group.protocol", "consumer")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_wins_over_start_restart_and_reset() {
    let world = World::new(1).await;
    world.produce(0, 10).await;
    let (seen, handler) = noting(0);
    let agent = started(&world, handler, 1).await;
    wait_committed(&world, 0, 10).await;
    let hold = world.pause(world.scope()).await;
    world.ack(hold.id.into(), "i-1", Drained).await;
    ask(&world, restart(), Acknowledged).await;
    settled(&agent, 0, 1).await;
    let ack = ask(&world, reset(vec![]), Acknowledged).await;
    assert_eq!(ack.partitions.len(), 1);
    assert_eq!(committed(&world, 0), Some(0));
    world.produce(0, 5).await;
    a_while().await;
    assert_eq!(seen.count(), 10, "a handler began under the hold");
    world.release(&hold).await;
    wait_committed(&world, 0, 15).await;
    assert_eq!(of(&seen, 0), (0..10).chain(0..15).collect::<Vec<_>>());
    agent.stop().await.unwrap();
}

/// Sends offsets to set, and waits for the answer.
async fn set(world: &World, offsets: &[(i32, Option<i64>, i64)], state: InstanceState) -> Ack {
    let id = CommandId::random();
    let offset = |(partition, from, to): &(i32, Option<i64>, i64)| SetOffset {
        topic: world.topic.parse().unwrap(),
        partition: Partition::new(*partition).unwrap(),
        from: *from,
        to: *to,
    };
    let partitions = offsets.iter().map(offset).collect();
    let command = SetOffsets { group: world.group.as_str().into(), consumer: C.into(), partitions };
    world.kafka.send_record(&world.admin, &set_offsets_record(id, &command)).await;
    world.ack(id, "i-1", state).await
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_are_set_where_the_commit_is_as_it_was() {
    let world = World::new(2).await;
    world.produce(0, 20).await;
    world.produce(1, 20).await;
    let (seen, handler) = noting(0);
    let agent = started(&world, handler, 2).await;
    wait_committed(&world, 0, 20).await;
    wait_committed(&world, 1, 20).await;
    // One is where it was said to be, the other is not, and the third is nobody's.
    let ack = set(&world, &[(0, Some(20), 15), (1, Some(19), 0), (7, None, 0)], Acknowledged).await;
    let moved: Vec<_> = ack.moved.iter().map(|one| (one.partition.get(), one.from, one.to)).collect();
    assert_eq!(moved, [(0, Some(20), 15)]);
    let left = ack.detail.expect("what was left as it is");
    assert!(left.contains("[1] (its commit is not what it was in the preview)"), "{left}");
    wait_for("five of them again", DEADLINE, async || (seen.count() >= 45).then_some(())).await;
    wait_committed(&world, 0, 20).await;
    assert_eq!(of(&seen, 0), (0..20).chain(15..20).collect::<Vec<_>>());
    assert_eq!(of(&seen, 1), (0..20).collect::<Vec<_>>());
    // Forward, wherever the commit is: what lies between is not handled.
    world.produce(1, 10).await;
    wait_committed(&world, 1, 30).await;
    let hold = world.pause(world.scope()).await;
    world.ack(hold.id.into(), "i-1", Drained).await;
    world.produce(1, 10).await;
    set(&world, &[(1, None, 38)], Acknowledged).await;
    assert_eq!(committed(&world, 1), Some(38));
    world.release(&hold).await;
    wait_committed(&world, 1, 40).await;
    assert_eq!(of(&seen, 1), (0..30).chain(38..40).collect::<Vec<_>>());
    set(&world, &[(7, None, 0)], NothingToDo).await;
    agent.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn reset_reads_the_chosen_topics_from_their_start() {
    let world = World::new(2).await;
    world.produce(0, 20).await;
    world.produce(1, 20).await;
    world.kafka.delete_records(&world.topic, 1, 5).await;
    let (seen, handler) = noting(0);
    let agent = started(&world, handler, 2).await;
    wait_committed(&world, 0, 20).await;
    wait_committed(&world, 1, 20).await;
    let other = ask(&world, reset(vec!["another".parse().unwrap()]), NothingToDo).await;
    assert!(other.partitions.is_empty());
    let ack = ask(&world, reset(vec![world.topic.parse().unwrap()]), Acknowledged).await;
    assert_eq!((ack.partitions.len(), ack.detail), (2, None));
    wait_for("all of them again", DEADLINE, async || (seen.count() >= 70).then_some(())).await;
    wait_committed(&world, 0, 20).await;
    wait_committed(&world, 1, 20).await;
    assert_eq!(of(&seen, 0), (0..20).chain(0..20).collect::<Vec<_>>());
    assert_eq!(of(&seen, 1), (5..20).chain(5..20).collect::<Vec<_>>());
    agent.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn reset_of_a_backlog_drops_what_was_fetched_ahead() {
    let world = World::new(1).await;
    world.produce(0, 500).await;
    let (seen, handler, pace) = slow(50);
    let agent = started(&world, handler, 1).await;
    seen.wait_for(5).await;
    let ack = ask(&world, reset(vec![]), Acknowledged).await;
    assert_eq!(ack.partitions.len(), 1);
    pace.let_go();
    wait_committed(&world, 0, 500).await;
    let all = of(&seen, 0);
    let again = all.iter().skip(1).position(|offset| *offset == 0).expect("a second start") + 1;
    assert_eq!(all[..again], (0..i64::try_from(again).unwrap()).collect::<Vec<_>>());
    assert_eq!(all[again..], (0..500).collect::<Vec<_>>());
    agent.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn rewind_goes_to_the_first_record_at_that_time_and_names_what_has_none() {
    let world = World::new(2).await;
    world.produce(0, 10).await;
    world.produce(1, 10).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let time = SystemTime::now();
    tokio::time::sleep(Duration::from_millis(50)).await;
    world.produce(0, 10).await;
    let (seen, handler) = noting(0);
    let agent = started(&world, handler, 2).await;
    wait_committed(&world, 0, 20).await;
    wait_committed(&world, 1, 10).await;
    let ack = ask(&world, rewind(time), Acknowledged).await;
    assert_eq!(ack.partitions.iter().map(|at| at.partition.get()).collect::<Vec<_>>(), vec![0]);
    let detail = ack.detail.unwrap();
    assert!(detail.contains(&format!("{}[1] (no record at or after that time)", world.topic)), "{detail}");
    wait_for("ten again", DEADLINE, async || (seen.count() >= 40).then_some(())).await;
    assert_eq!(of(&seen, 0), (0..20).chain(10..20).collect::<Vec<_>>());
    assert_eq!(of(&seen, 1), (0..10).collect::<Vec<_>>());
    agent.stop().await.unwrap();
}

/// Notes how many run at once, until all of them may go on.
#[derive(Clone, Default)]
struct Blocking {
    running: Arc<AtomicUsize>,
    go: Arc<Notify>,
}

#[async_trait]
impl Handler for Blocking {
    async fn handle(&self, _: Delivery<'_>) -> Result<(), HandlerError> {
        self.running.fetch_add(1, Ordering::SeqCst);
        self.go.notified().await;
        self.running.fetch_sub(1, Ordering::SeqCst);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_worker_count_changes_while_handlers_run() {
    let world = World::new(4).await;
    for partition in 0..4 {
        world.produce(partition, 50).await;
    }
    let handler = Blocking::default();
    let (running, go) = (Arc::clone(&handler.running), Arc::clone(&handler.go));
    let at_once = async |count: usize| {
        wait_for(&format!("{count} at once"), DEADLINE, async || {
            (running.load(Ordering::SeqCst) == count).then_some(())
        })
        .await;
        a_while().await;
        assert_eq!(running.load(Ordering::SeqCst), count);
    };
    let agent = world.agent("i-1").workers(1).handler(handler).start().await.unwrap();
    at_once(1).await;
    ask(&world, workers(4), Acknowledged).await;
    at_once(4).await;
    let late = ask(&world, workers(2), Acknowledged).await;
    assert_eq!(late.detail.as_deref(), Some("2 workers end with the record that they handle"));
    go.notify_waiters();
    at_once(2).await;
    for count in [0, -1, 1_000_000] {
        let refused = ask(&world, workers(count), Refused).await;
        assert!(refused.detail.unwrap().contains("1 to 1000"), "{count}");
    }
    at_once(2).await;
    drop(agent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_does_not_end_keeps_its_offset_and_is_named() {
    let world = World::new(1).await;
    world.produce(0, 3).await;
    let handler = Blocking::default();
    let (running, go) = (Arc::clone(&handler.running), Arc::clone(&handler.go));
    let agent = started(&world, handler, 1).await;
    wait_for("a handler", DEADLINE, async || (running.load(Ordering::SeqCst) == 1).then_some(())).await;
    let refused = ask(&world, reset(vec![]), Refused).await;
    assert!(refused.detail.unwrap().contains("its handler did not end in time"));
    for _ in 0..3 {
        wait_for("a handler", DEADLINE, async || (running.load(Ordering::SeqCst) == 1).then_some(())).await;
        go.notify_waiters();
        a_while().await;
    }
    wait_committed(&world, 0, 3).await;
    agent.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_of_others_are_obeyed_without_an_answer_and_can_be_switched_off() {
    let world = World::new(2).await;
    let (_, handler) = noting(0);
    let obeys = started(&world, handler, 2).await;
    let (_, handler) = noting(0);
    let deaf = world.agent("i-2").admin_commands(false).handler(handler).start().await.unwrap();
    settled(&obeys, 1, 0).await;
    settled(&deaf, 1, 0).await;
    world.kafka.send_record(&world.admin, &external_command_record(Uuid::new_v4(), stop())).await;
    settled(&obeys, 0, 0).await;
    settled(&deaf, 2, 0).await;
    // For another consumer, and its id is never answered.
    send(&world, Command::StopConsumerByName { consumer: "other".into() }).await;
    ask(&world, start(), Acknowledged).await;
    assert_eq!(world.acks().iter().map(|ack| ack.instance.as_str()).collect::<Vec<_>>(), vec!["i-1"]);
    obeys.stop().await.unwrap();
    deaf.stop().await.unwrap();
}
