//! A backlog, and who works it off: the agent or a consumer on rdkafka alone, with the same handler.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use flowdeck_agent::{
    Agent, ClientConfig, Delivery, Distribution, Handler, HandlerError, Timings, async_trait,
};
use flowdeck_testkit::{Kafka, PlainConsumer, PlainHandler, unique, wait_for};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::OwnedMessage;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};

use crate::server::cpu_of;

/// This process.
const OWN: &str = "/proc/self";
const PAYLOAD: usize = 200;
const PRODUCE_LIMIT: Duration = Duration::from_secs(120);
const START_LIMIT: Duration = Duration::from_secs(60);
/// After the first record: the client has filled its queues.
const WARM_UP: Duration = Duration::from_millis(300);
const WINDOW: Duration = Duration::from_millis(1_200);
/// Of the backlog, after which the window ends earlier.
const PART_MAX: f64 = 0.9;
const LOOK: Duration = Duration::from_millis(2);

/// A topic with its records.
pub(crate) struct Backlog {
    topic: String,
    pub(crate) partitions: i32,
    records: u64,
}

/// Handlers that run at once, and how long each takes.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) workers: usize,
    pub(crate) takes: Duration,
    /// Of the agent.
    pub(crate) distribution: Distribution,
    /// The handler blocks its thread, and the agent has one for each worker.
    pub(crate) blocks: bool,
}

impl Load {
    pub(crate) fn by_partition(workers: usize, takes: Duration) -> Self {
        Self { workers, takes, distribution: Distribution::ByPartition, blocks: false }
    }

    pub(crate) fn by_key(workers: usize, takes: Duration) -> Self {
        Self { workers, takes, distribution: Distribution::ByKey, blocks: false }
    }

    pub(crate) fn blocking(self) -> Self {
        Self { blocks: true, ..self }
    }
}

/// Of one run.
#[derive(Clone, Copy)]
pub(crate) struct Measured {
    /// A second.
    pub(crate) records: f64,
    /// Of this process, the client library included.
    pub(crate) cpu_micros_a_record: f64,
    /// Handlers at once, on average.
    pub(crate) at_once: f64,
}

impl Backlog {
    /// Records of 200 bytes with keys of their own.
    pub(crate) async fn new(kafka: &Kafka, topic: &str, partitions: i32, records: u64) -> Result<Self> {
        Self::on(kafka, topic, partitions, partitions, records).await
    }

    /// All on the first partition; the others are empty.
    pub(crate) async fn uneven(kafka: &Kafka, topic: &str, partitions: i32, records: u64) -> Result<Self> {
        Self::on(kafka, topic, partitions, 1, records).await
    }

    async fn on(kafka: &Kafka, topic: &str, partitions: i32, full: i32, records: u64) -> Result<Self> {
        kafka.create_topic(topic, partitions).await;
        let mut config = kafka.client();
        config.set("linger.ms", "20").set("batch.num.messages", "5000");
        let name = topic.to_owned();
        tokio::task::spawn_blocking(move || produce(&config, &name, full, records))
            .await
            .context("produce")??;
        Ok(Self { topic: topic.to_owned(), partitions, records })
    }

    pub(crate) async fn agent(&self, kafka: &Kafka, load: Load) -> Result<Measured> {
        self.agent_that_reports(kafka, load, Timings::default().telemetry).await
    }

    /// With so much time between two telemetry records.
    pub(crate) async fn agent_that_reports(
        &self,
        kafka: &Kafka,
        load: Load,
        every: Duration,
    ) -> Result<Measured> {
        let work = Work { blocks: load.blocks, ..Work::new(load.takes) };
        let agent = Agent::builder(config(kafka), unique("bench-agent")).topics([self.topic.as_str()]);
        let agent = agent.workers(load.workers).distribution(load.distribution);
        let agent = agent.timings(Timings { telemetry: every, ..Timings::default() });
        let agent = if load.blocks { agent.thread_per_worker() } else { agent }.handler(work.clone());
        let agent = agent.start().await.context("the agent")?;
        let measured = self.measure(&work).await;
        agent.stop().await.context("stop the agent")?;
        measured
    }

    pub(crate) async fn plain(&self, kafka: &Kafka, load: Load) -> Result<Measured> {
        let (work, mut config) = (Work::new(load.takes), config(kafka));
        config.set("group.id", unique("bench-plain"));
        let consumer =
            PlainConsumer::start(&config, &self.topic, self.partitions, load.workers, work.clone());
        let measured = self.measure(&work).await;
        consumer.stop().await;
        measured
    }

    async fn measure(&self, work: &Work) -> Result<Measured> {
        wait_for("the first record", START_LIMIT, async || (work.count() > 0).then_some(())).await;
        tokio::time::sleep(WARM_UP).await;
        let (begin, cpu) = (work.now(), cpu_of(Path::new(OWN))?);
        let end = Instant::now() + WINDOW;
        let most = (self.records as f64 * PART_MAX) as u64;
        while Instant::now() < end && work.count() < most {
            tokio::time::sleep(LOOK).await;
        }
        let (now, cpu) = (work.now(), cpu_of(Path::new(OWN))?.saturating_sub(cpu));
        let (handled, took) = (now.count - begin.count, now.last.saturating_sub(begin.last));
        ensure!(handled > 0 && !took.is_zero(), "no record was handled in the window");
        let handled = handled as f64;
        Ok(Measured {
            records: handled / took.as_secs_f64(),
            cpu_micros_a_record: cpu.as_secs_f64() * 1e6 / handled,
            at_once: now.inside.saturating_sub(begin.inside).as_secs_f64() / took.as_secs_f64(),
        })
    }
}

fn config(kafka: &Kafka) -> ClientConfig {
    let mut config = kafka.client();
    config.set("auto.offset.reset", "earliest");
    config
}

fn produce(config: &ClientConfig, topic: &str, partitions: i32, records: u64) -> Result<()> {
    let producer: ThreadedProducer<DefaultProducerContext> = config.create().context("a producer")?;
    let (payload, end) = ("x".repeat(PAYLOAD), Instant::now() + PRODUCE_LIMIT);
    for (number, partition) in (0..records).zip((0..partitions).cycle()) {
        let key = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
        let mut record = BaseRecord::to(topic).partition(partition).key(&key).payload(&payload);
        while let Err((error, back)) = producer.send(record) {
            let full = KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull);
            ensure!(error == full && Instant::now() < end, "produce record {number} of {records}: {error}");
            std::thread::sleep(Duration::from_millis(1));
            record = back;
        }
    }
    producer.flush(PRODUCE_LIMIT).context("produce")
}

/// The handler of both, and what it was handed.
#[derive(Clone)]
struct Work {
    takes: Duration,
    blocks: bool,
    handled: Arc<Handled>,
}

struct Handled {
    begin: Instant,
    count: AtomicU64,
    /// When the newest was, in nanoseconds since `begin`.
    last: AtomicU64,
    /// Nanoseconds inside handlers, of all of them.
    inside: AtomicU64,
}

struct Now {
    count: u64,
    last: Duration,
    inside: Duration,
}

impl Work {
    fn new(takes: Duration) -> Self {
        let [count, last, inside] = [0; 3].map(AtomicU64::new);
        let handled = Handled { begin: Instant::now(), count, last, inside };
        Self { takes, blocks: false, handled: Arc::new(handled) }
    }

    async fn run(&self, payload: usize) {
        assert_eq!(payload, PAYLOAD);
        if !self.takes.is_zero() {
            let begin = Instant::now();
            if self.blocks {
                std::thread::sleep(self.takes);
            } else {
                tokio::time::sleep(self.takes).await;
            }
            let inside = u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX);
            self.handled.inside.fetch_add(inside, Ordering::Relaxed);
        }
        let nanos = u64::try_from(self.handled.begin.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.handled.last.store(nanos, Ordering::Relaxed);
        self.handled.count.fetch_add(1, Ordering::Relaxed);
    }

    fn count(&self) -> u64 {
        self.handled.count.load(Ordering::Relaxed)
    }

    fn now(&self) -> Now {
        let last = Duration::from_nanos(self.handled.last.load(Ordering::Relaxed));
        let inside = Duration::from_nanos(self.handled.inside.load(Ordering::Relaxed));
        Now { count: self.count(), last, inside }
    }
}

#[async_trait]
impl Handler for Work {
    async fn handle(&self, record: Delivery<'_>) -> Result<(), HandlerError> {
        self.run(record.value().map_or(0, <[u8]>::len)).await;
        Ok(())
    }
}

impl PlainHandler for Work {
    async fn handle(&self, message: &OwnedMessage) {
        self.run(rdkafka::Message::payload(message).map_or(0, <[u8]>::len)).await;
    }
}
