//! Workers that share a partition: by key, and in no order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use crate::common::{Agents as _, a_while, settled, skip_at_once};
use crate::runtime::{committed, wait_committed};
use flowdeck_agent::{AgentBuilder, Delivery, Distribution, Handler, HandlerError, async_trait};
use flowdeck_model::InstanceState::{Acknowledged, Drained};
use flowdeck_testkit::{DEADLINE, World, wait_for};
use rdkafka::producer::FutureRecord;
use tokio::sync::Notify;

const WORKERS: usize = 4;

/// To one partition, in order; `None`: without a key.
async fn produce(world: &World, partition: i32, keys: impl IntoIterator<Item = Option<String>>) {
    let producer = world.kafka.producer();
    let mut sent = vec![];
    for key in keys {
        let record = FutureRecord::<String, str>::to(&world.topic).partition(partition).payload("x");
        let record = match &key {
            Some(key) => record.key(key),
            None => record,
        };
        sent.push(producer.send_result(record).map_err(|(error, _)| error).unwrap());
    }
    for delivery in sent {
        delivery.await.unwrap().map_err(|(error, _)| error).unwrap();
    }
}

fn keys(keys: usize, count: usize) -> impl Iterator<Item = Option<String>> {
    (0..count).map(move |n| Some(format!("key-{}", n % keys)))
}

type Place = (i32, Option<Vec<u8>>);

#[derive(Default)]
struct Noted {
    running: BTreeSet<Place>,
    at_once: usize,
    same_key_at_once: bool,
    /// Starts, in their order.
    starts: Vec<(Place, i64)>,
}

/// Notes what runs at the same time; the record at `blocks_at` waits to be let go.
#[derive(Clone)]
struct Noting {
    noted: Arc<Mutex<Noted>>,
    takes: Duration,
    blocks_at: Option<i64>,
    go: Arc<Notify>,
}

impl Noting {
    fn new(takes_ms: u64) -> Self {
        let takes = Duration::from_millis(takes_ms);
        Self { noted: Arc::default(), takes, blocks_at: None, go: Arc::default() }
    }

    fn count(&self) -> usize {
        self.noted.lock().unwrap().starts.len()
    }

    async fn wait_for(&self, partition: i32, count: usize) {
        wait_for(&format!("{count} of partition {partition}"), DEADLINE, async || {
            let noted = self.noted.lock().unwrap();
            let offsets = noted.starts.iter().filter(|((of, _), _)| *of == partition);
            (offsets.map(|(_, offset)| *offset).collect::<BTreeSet<_>>().len() >= count).then_some(())
        })
        .await;
    }

    /// Nobody skips a record of a key; a new owner may begin again at an older one.
    fn assert_keys_in_order(&self) {
        let mut seen = BTreeMap::<Place, BTreeSet<i64>>::new();
        let starts = &self.noted.lock().unwrap().starts;
        let all = starts.iter().fold(BTreeMap::<_, BTreeSet<i64>>::new(), |mut all, (place, offset)| {
            all.entry(place).or_default().insert(*offset);
            all
        });
        for (place, offset) in starts {
            let before = all[place].range(..*offset).next_back();
            let seen = seen.entry(place.clone()).or_default();
            assert!(
                before.is_none_or(|before| seen.contains(before)),
                "{place:?}: {offset} before {before:?}"
            );
            seen.insert(*offset);
        }
    }
}

#[async_trait]
impl Handler for Noting {
    async fn handle(&self, record: Delivery<'_>) -> Result<(), HandlerError> {
        let place = (record.partition().get(), record.key().map(<[u8]>::to_vec));
        {
            let mut noted = self.noted.lock().unwrap();
            noted.starts.push((place.clone(), record.offset()));
            noted.same_key_at_once |= !noted.running.insert(place.clone());
            noted.at_once = noted.at_once.max(noted.running.len());
        }
        tokio::time::sleep(self.takes).await;
        if self.blocks_at == Some(record.offset()) {
            self.go.notified().await;
        }
        self.noted.lock().unwrap().running.remove(&place);
        Ok(())
    }
}

fn agent(world: &World, instance: &str, distribution: Distribution) -> AgentBuilder {
    world.agent(instance).workers(WORKERS).buffer(10).distribution(distribution)
}

#[tokio::test(flavor = "multi_thread")]
async fn by_key_workers_share_one_partition_and_keep_the_order_of_each_key() {
    let world = World::new(1).await;
    produce(&world, 0, keys(7, 500)).await;
    let handler = Noting::new(3);
    let agent = agent(&world, "i-1", Distribution::ByKey).handler(handler.clone()).start().await.unwrap();
    wait_committed(&world, 0, 500).await;
    {
        let noted = handler.noted.lock().unwrap();
        assert_eq!((noted.at_once, noted.same_key_at_once, noted.starts.len()), (WORKERS, false, 500));
    }
    handler.assert_keys_in_order();
    agent.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn by_key_records_without_a_key_keep_their_partitions_order() {
    let world = World::new(1).await;
    produce(&world, 0, (0..60).map(|_| None)).await;
    let handler = Noting::new(1);
    let agent = agent(&world, "i-1", Distribution::ByKey).handler(handler.clone()).start().await.unwrap();
    wait_committed(&world, 0, 60).await;
    {
        let noted = handler.noted.lock().unwrap();
        let offsets: Vec<_> = noted.starts.iter().map(|(_, offset)| *offset).collect();
        assert_eq!((noted.at_once, offsets), (1, (0..60).collect()));
    }
    agent.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn in_no_order_one_key_keeps_all_workers_busy() {
    let world = World::new(1).await;
    produce(&world, 0, keys(1, 200)).await;
    let handler = Noting::new(5);
    let agent = agent(&world, "i-1", Distribution::Free).handler(handler.clone()).start().await.unwrap();
    wait_committed(&world, 0, 200).await;
    assert!(handler.noted.lock().unwrap().same_key_at_once);
    assert_eq!(handler.count(), 200);
    agent.stop().await.unwrap();
}

/// Others go on as far as may be buffered, and nothing behind the unfinished record is committed.
#[tokio::test(flavor = "multi_thread")]
async fn an_unfinished_record_bounds_what_is_handled_and_what_is_committed() {
    let world = World::new(1).await;
    produce(&world, 0, keys(100, 300)).await;
    let handler = Noting { blocks_at: Some(5), ..Noting::new(0) };
    let first = agent(&world, "i-1", Distribution::ByKey).handler(handler.clone()).start().await.unwrap();
    // Five before it, and the buffers of four workers from it on.
    handler.wait_for(0, 5 + WORKERS * 10).await;
    wait_committed(&world, 0, 5).await;
    a_while().await;
    assert_eq!((handler.count(), committed(&world, 0)), (5 + WORKERS * 10, Some(5)));
    let error = first.stop().await.unwrap_err().to_string();
    assert!(error.contains("[0] offset 5 since "), "{error}");
    assert_eq!(committed(&world, 0), Some(5));
    let after = Noting::new(0);
    let second = agent(&world, "i-2", Distribution::ByKey).handler(after.clone()).start().await.unwrap();
    wait_committed(&world, 0, 300).await;
    let offsets =
        after.noted.lock().unwrap().starts.iter().map(|(_, offset)| *offset).collect::<BTreeSet<_>>();
    assert_eq!(offsets, (5..300).collect());
    second.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn by_key_a_pause_stops_all_workers_of_a_partition() {
    let world = World::new(2).await;
    for partition in 0..2 {
        produce(&world, partition, keys(50, 500)).await;
    }
    let handler = Noting::new(20);
    let agent = agent(&world, "i-1", Distribution::ByKey).handler(handler.clone()).start().await.unwrap();
    handler.wait_for(0, 5).await;
    for _ in 0..3 {
        let hold = world.pause(world.scope()).await;
        world.ack(hold.id.into(), "i-1", Acknowledged).await;
        let then = handler.count();
        world.ack(hold.id.into(), "i-1", Drained).await;
        a_while().await;
        assert_eq!(handler.count(), then, "a handler began after the acknowledgement");
        assert!(handler.noted.lock().unwrap().running.is_empty());
        world.release(&hold).await;
        wait_for("the flow", DEADLINE, async || (handler.count() > then).then_some(())).await;
    }
    wait_committed(&world, 0, 500).await;
    wait_committed(&world, 1, 500).await;
    assert_eq!(handler.count(), 1_000, "a record came twice without a rebalance");
    handler.assert_keys_in_order();
    agent.stop().await.unwrap();
}

async fn instances_come_and_go(property: (&str, &str)) {
    const PARTITIONS: i32 = 4;
    let world = World::new(PARTITIONS).await;
    let handler = Noting::new(2);
    let start = async |instance: String| {
        let mut config = world.kafka.client();
        config.set("auto.offset.reset", "earliest").set(property.0, property.1);
        let agent = world.agent_with(config, &instance).workers(WORKERS).buffer(20);
        agent.distribution(Distribution::ByKey).handler(handler.clone()).start().await.unwrap()
    };
    let mut agents = vec![start("i-0".into()).await];
    settled(&agents[0], 4, 0).await;
    for round in 1..=4 {
        for partition in 0..PARTITIONS {
            produce(&world, partition, keys(30, 300)).await;
        }
        handler.wait_for(0, round * 300 - 250).await;
        if round % 2 == 1 {
            agents.push(start(format!("i-{round}")).await);
            wait_for("a part of it", DEADLINE, async || {
                (!agents.last().unwrap().partitions().is_empty()).then_some(())
            })
            .await;
        } else {
            agents.remove(0).stop().await.unwrap();
        }
    }
    for partition in 0..PARTITIONS {
        handler.wait_for(partition, 1_200).await;
        wait_committed(&world, partition, 1_200).await;
    }
    handler.assert_keys_in_order();
    for agent in agents {
        agent.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn by_key_nothing_is_lost_while_instances_come_and_go_eager() {
    instances_come_and_go(("partition.assignment.strategy", "range")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_key_nothing_is_lost_while_instances_come_and_go_cooperative() {
    instances_come_and_go(("partition.assignment.strategy", "cooperative-sticky")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_key_nothing_is_lost_while_instances_come_and_go_kip848() {
    instances_come_and_go(("group.protocol", "consumer")).await;
}

/// Ends once `count` calls are inside at the same time, each on a thread that it blocks.
#[derive(Clone)]
struct Together {
    count: usize,
    inside: Arc<(Mutex<usize>, Condvar)>,
}

#[async_trait]
impl Handler for Together {
    async fn handle(&self, _: Delivery<'_>) -> Result<(), HandlerError> {
        let (inside, all) = &*self.inside;
        let mut inside = inside.lock().unwrap();
        *inside += 1;
        all.notify_all();
        while *inside < self.count {
            let (now, ended) = all.wait_timeout(inside, DEADLINE).unwrap();
            inside = now;
            if ended.timed_out() {
                return Err("the others do not come".into());
            }
        }
        Ok(())
    }
}

/// The host's runtime has one thread, which no handler blocks.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn handlers_that_block_their_thread_run_at_once_with_a_thread_for_each_worker() {
    let world = World::new(1).await;
    for key in 0..8u8 {
        world.kafka.send(&world.topic, &[key], b"blocks", &[]).await;
    }
    let handler = Together { count: 8, inside: Arc::default() };
    let agent = world.agent("i-1").workers(8).distribution(Distribution::ByKey).thread_per_worker();
    let agent = agent.on_error(skip_at_once()).handler(handler).start().await.unwrap();
    crate::runtime::wait_committed(&world, 0, 8).await;
    assert_eq!((agent.counts().handled, agent.counts().failed), (8, 0));
    agent.stop().await.unwrap();
}
