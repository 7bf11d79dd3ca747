//! The consumer runtime against a real broker: order, commits, failures, back-pressure, stops.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::common::{Agents as _, Seen, noting, settled, skip_at_once};
use flowdeck_agent::{Delivery, Handler, HandlerError, OnError, Then, async_trait};
use flowdeck_testkit::{DEADLINE, World, wait_for};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::Notify;

pub(crate) fn committed(world: &World, partition: i32) -> Option<i64> {
    let consumer: BaseConsumer = world.kafka.client().set("group.id", &world.group).create().unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition(&world.topic, partition);
    // On a broker that is just up the group's coordinator may still move.
    let end = Instant::now() + DEADLINE;
    let offsets = loop {
        match consumer.committed_offsets(list.clone(), DEADLINE) {
            Ok(offsets) => break offsets,
            Err(error) => assert!(Instant::now() < end, "no commits of {}: {error}", world.group),
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    match offsets.elements()[0].offset() {
        Offset::Offset(offset) => Some(offset),
        _ => None,
    }
}

pub(crate) async fn wait_committed(world: &World, partition: i32, offset: i64) {
    wait_for(&format!("a commit of {offset}"), DEADLINE, async || {
        (committed(world, partition) == Some(offset)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_handled_is_committed_and_read_once_by_the_next() {
    let world = World::new(3).await;
    for partition in 0..3 {
        world.produce(partition, 40).await;
    }
    let (seen, handler) = noting(1);
    let agent = world.agent("i-1").workers(3).handler(handler).start().await.unwrap();
    seen.wait_for(120).await;
    wait_committed(&world, 0, 40).await;
    agent.stop().await.unwrap();
    for partition in 0..3 {
        assert_eq!(committed(&world, partition), Some(40));
        world.produce(partition, 1).await;
    }
    let (again, handler) = noting(0);
    let agent = world.agent("i-2").handler(handler).start().await.unwrap();
    again.wait_for(3).await;
    assert_eq!(again.distinct().into_iter().collect::<Vec<_>>(), vec![(0, 40), (1, 40), (2, 40)]);
    agent.stop().await.unwrap();
}

/// Notes how many run at once, in all and for one partition.
struct Counting {
    all: Arc<AtomicUsize>,
    lanes: Arc<[AtomicUsize; 4]>,
    most: Arc<Mutex<(usize, usize)>>,
    done: Arc<AtomicUsize>,
}

#[async_trait]
impl Handler for Counting {
    async fn handle(&self, record: Delivery<'_>) -> Result<(), HandlerError> {
        let lane = &self.lanes[usize::try_from(record.partition().get()).unwrap()];
        let of_one = lane.fetch_add(1, Ordering::SeqCst) + 1;
        let in_all = self.all.fetch_add(1, Ordering::SeqCst) + 1;
        {
            let mut most = self.most.lock().unwrap();
            *most = (most.0.max(in_all), most.1.max(of_one));
        }
        tokio::time::sleep(Duration::from_millis(3)).await;
        self.all.fetch_sub(1, Ordering::SeqCst);
        lane.fetch_sub(1, Ordering::SeqCst);
        self.done.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_at_once_as_there_are_workers_and_one_of_a_partition() {
    let world = World::new(4).await;
    for partition in 0..4 {
        world.produce(partition, 100).await;
    }
    let handler =
        Counting { all: Arc::default(), lanes: Arc::default(), most: Arc::default(), done: Arc::default() };
    let (most, done) = (Arc::clone(&handler.most), Arc::clone(&handler.done));
    let agent = world.agent("i-1").workers(3).buffer(10).handler(handler).start().await.unwrap();
    wait_for("all records", DEADLINE, async || (done.load(Ordering::SeqCst) == 400).then_some(())).await;
    assert_eq!(*most.lock().unwrap(), (3, 1));
    agent.stop().await.unwrap();
}

/// Fails at certain offsets, as often as told.
struct Failing {
    at: i64,
    times: usize,
    panics: bool,
    calls: Arc<Mutex<Vec<i64>>>,
}

#[async_trait]
impl Handler for Failing {
    async fn handle(&self, record: Delivery<'_>) -> Result<(), HandlerError> {
        let failed = {
            let mut calls = self.calls.lock().unwrap();
            calls.push(record.offset());
            calls.iter().filter(|offset| **offset == self.at).count()
        };
        if record.offset() == self.at && failed <= self.times {
            assert!(!self.panics, "as a handler may");
            return Err("a broken record".into());
        }
        Ok(())
    }
}

async fn fail(
    world: &World,
    policy: OnError,
    times: usize,
    panics: bool,
) -> (flowdeck_agent::Running, Arc<Mutex<Vec<i64>>>) {
    world.produce(0, 6).await;
    let calls = Arc::<Mutex<Vec<i64>>>::default();
    let handler = Failing { at: 2, times, panics, calls: Arc::clone(&calls) };
    let agent = world.agent("i-1").workers(2).on_error(policy).handler(handler).start().await.unwrap();
    (agent, calls)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_record_is_tried_again_in_its_place() {
    let world = World::new(1).await;
    let policy = OnError { retries: 3, backoff: Duration::from_millis(50), ..OnError::default() };
    let (agent, calls) = fail(&world, policy, 2, false).await;
    wait_committed(&world, 0, 6).await;
    assert_eq!(*calls.lock().unwrap(), vec![0, 1, 2, 2, 2, 3, 4, 5]);
    assert_eq!((agent.counts().failed, agent.counts().skipped), (2, 0));
    agent.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_skipped_is_committed_past() {
    let world = World::new(1).await;
    let (agent, calls) = fail(&world, skip_at_once(), usize::MAX, true).await;
    wait_committed(&world, 0, 6).await;
    assert_eq!(*calls.lock().unwrap(), vec![0, 1, 2, 3, 4, 5]);
    assert_eq!(agent.counts().skipped, 1);
    agent.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_partition_is_retried_after_pause_and_resume() {
    let world = World::new(1).await;
    let policy = OnError { then: Then::PausePartition, ..skip_at_once() };
    let (agent, calls) = fail(&world, policy, 1, false).await;
    settled(&agent, 0, 1).await;
    wait_committed(&world, 0, 2).await;
    assert_eq!(*calls.lock().unwrap(), vec![0, 1, 2]);
    let hold = world.pause(world.scope()).await;
    world.ack(hold.id.into(), "i-1", flowdeck_model::InstanceState::Drained).await;
    world.release(&hold).await;
    wait_committed(&world, 0, 6).await;
    assert_eq!(*calls.lock().unwrap(), vec![0, 1, 2, 2, 3, 4, 5]);
    agent.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_buffer_and_a_slow_handler_lose_nothing() {
    let world = World::new(2).await;
    world.produce(0, 150).await;
    world.produce(1, 150).await;
    let (seen, handler) = noting(10);
    let agent = world.agent("i-1").workers(1).buffer(4).handler(handler).start().await.unwrap();
    seen.wait_for(300).await;
    assert_eq!(seen.count(), 300, "a record came twice without a rebalance");
    agent.stop().await.unwrap();
}

/// On one partition it waits until it is let go; all others take no time.
struct Blocked {
    seen: Seen,
    partition: i32,
    go: Arc<Notify>,
}

#[async_trait]
impl Handler for Blocked {
    async fn handle(&self, record: Delivery<'_>) -> Result<(), HandlerError> {
        if record.partition().get() == self.partition {
            self.go.notified().await;
            // For the next record too.
            self.go.notify_one();
        }
        self.seen.note(&record);
        Ok(())
    }
}

fn blocked(partition: i32) -> (Seen, Arc<Notify>, Blocked) {
    let (seen, go) = (Seen::default(), Arc::<Notify>::default());
    (seen.clone(), Arc::clone(&go), Blocked { seen, partition, go })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_whose_handler_waits_holds_back_no_other() {
    let world = World::new(4).await;
    for partition in 0..4 {
        world.produce(partition, 300).await;
    }
    let (seen, go, handler) = blocked(0);
    // Far more waits for the one partition than its share of the buffer.
    let agent = world.agent("i-1").workers(2).buffer(4).handler(handler).start().await.unwrap();
    seen.wait_for(900).await;
    assert!(seen.all().iter().all(|(partition, _)| *partition != 0));
    go.notify_one();
    seen.wait_for(1_200).await;
    for partition in 0..4 {
        let offsets: Vec<i64> =
            seen.all().into_iter().filter(|(p, _)| *p == partition).map(|(_, offset)| offset).collect();
        assert_eq!(offsets, (0..300).collect::<Vec<_>>(), "partition {partition}");
    }
    agent.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_slower_than_the_poll_interval_keeps_its_partition() {
    const INTERVAL: Duration = Duration::from_secs(6);
    let world = World::new(1).await;
    world.produce(0, 3).await;
    let (seen, go, handler) = blocked(0);
    let mut config = world.kafka.client();
    config.set("auto.offset.reset", "earliest").set("session.timeout.ms", "6000");
    config.set("max.poll.interval.ms", INTERVAL.as_millis().to_string());
    let agent = world.agent_with(config, "i-1").handler(handler).start().await.unwrap();
    settled(&agent, 1, 0).await;
    // The client checks the interval each second.
    tokio::time::sleep(INTERVAL + Duration::from_secs(2)).await;
    settled(&agent, 1, 0).await;
    go.notify_one();
    seen.wait_for(3).await;
    wait_committed(&world, 0, 3).await;
    assert_eq!(seen.all(), vec![(0, 0), (0, 1), (0, 2)]);
    assert_eq!(agent.counts().dropped_uncommitted, 0, "the partition was taken away");
    agent.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_for_what_is_in_flight_and_for_no_more() {
    let world = World::new(1).await;
    world.produce(0, 50).await;
    let (seen, handler) = noting(400);
    let agent = world.agent("i-1").handler(handler).start().await.unwrap();
    seen.wait_for(1).await;
    let start = Instant::now();
    agent.stop().await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    let handled = i64::try_from(seen.count()).unwrap();
    assert_eq!(committed(&world, 0), Some(handled));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kafka_that_is_away_delays_nothing_but_itself() {
    let (_, handler) = noting(0);
    let mut config = flowdeck_agent::ClientConfig::new();
    config.set("bootstrap.servers", "127.0.0.1:1");
    let start = Instant::now();
    let agent =
        flowdeck_agent::Agent::builder(config, "g").topics(["t"]).handler(handler).start().await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    let start = Instant::now();
    let _ = agent.stop().await;
    assert!(start.elapsed() < Duration::from_secs(9), "{:?}", start.elapsed());
}
