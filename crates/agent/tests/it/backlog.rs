//! Workers run in parallel on a backlog: the agent beside a plain consumer, in the same run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use flowdeck_agent::{Agent, Delivery, Handler, HandlerError, async_trait};
use flowdeck_testkit::{DEADLINE, PlainConsumer, PlainHandler, World, unique, wait_for};
use rdkafka::message::OwnedMessage;

const WORKERS: usize = 3;
const PARTITIONS: i32 = 6;
/// Records of each partition, enough for two seconds and more.
const BACKLOG: usize = 1_000;
const WARM_UP: u64 = 100;
const WINDOW: Duration = Duration::from_millis(1_500);
const ROUNDS: usize = 5;

/// A handler of 1.7 ms, and what ran of it.
#[derive(Clone, Default)]
struct Work {
    handled: Arc<AtomicU64>,
    /// Nanoseconds inside handlers, of all of them.
    inside: Arc<AtomicU64>,
}

impl Work {
    async fn run(&self) {
        let begin = Instant::now();
        tokio::time::sleep(Duration::from_micros(1_700)).await;
        self.inside.fetch_add(u64::try_from(begin.elapsed().as_nanos()).unwrap(), Ordering::Relaxed);
        self.handled.fetch_add(1, Ordering::Relaxed);
    }

    fn count(&self) -> u64 {
        self.handled.load(Ordering::Relaxed)
    }

    /// Once it runs: (records a second, handlers at once on average).
    async fn measure(&self) -> (f64, f64) {
        wait_for("records", DEADLINE, async || (self.count() >= WARM_UP).then_some(())).await;
        let (begin, count, inside) = (Instant::now(), self.count(), self.inside.load(Ordering::Relaxed));
        tokio::time::sleep(WINDOW).await;
        let (handled, inside) = (self.count() - count, self.inside.load(Ordering::Relaxed) - inside);
        let seconds = begin.elapsed().as_secs_f64();
        (handled as f64 / seconds, inside as f64 / 1e9 / seconds)
    }
}

#[async_trait]
impl Handler for Work {
    async fn handle(&self, _: Delivery<'_>) -> Result<(), HandlerError> {
        self.run().await;
        Ok(())
    }
}

impl PlainHandler for Work {
    async fn handle(&self, _: &OwnedMessage) {
        self.run().await;
    }
}

async fn of_the_agent(world: &World) -> (f64, f64) {
    let work = Work::default();
    let mut config = world.kafka.client();
    config.set("auto.offset.reset", "earliest");
    let agent = Agent::builder(config, unique("group"))
        .topics([world.topic.as_str()])
        .admin_topic(world.admin.as_str(), 0)
        .flowdeck_topics(world.holds.as_str(), world.acks.as_str())
        .workers(WORKERS)
        .handler(work.clone());
    let agent = agent.start().await.unwrap();
    let measured = work.measure().await;
    agent.stop().await.unwrap();
    measured
}

async fn of_a_plain_consumer(world: &World) -> (f64, f64) {
    let work = Work::default();
    let mut config = world.kafka.client();
    config.set("auto.offset.reset", "earliest").set("group.id", unique("plain"));
    let consumer = PlainConsumer::start(&config, &world.topic, PARTITIONS, WORKERS, work.clone());
    let measured = work.measure().await;
    consumer.stop().await;
    measured
}

/// Ratios, and the best of some rounds that take turns: what else the machine does meets both.
#[tokio::test(flavor = "multi_thread")]
async fn workers_run_in_parallel_on_a_backlog() {
    let world = World::new(PARTITIONS).await;
    let all = (0..PARTITIONS).flat_map(|partition| std::iter::repeat_n((partition, "a record"), BACKLOG));
    world.kafka.produce_at(&world.topic, all).await;
    let mut rounds = vec![];
    for _ in 0..ROUNDS {
        let (plain, (rate, at_once)) = (of_a_plain_consumer(&world).await, of_the_agent(&world).await);
        rounds
            .push(format!("agent {rate:.0}/s, {at_once:.2} at once; plain {:.0}/s, {:.2}", plain.0, plain.1));
        println!("{}", rounds.last().unwrap());
        if rate >= 0.8 * plain.0 && at_once >= 2.4 {
            return;
        }
    }
    panic!("the agent is slower than a plain consumer: {rounds:?}");
}
