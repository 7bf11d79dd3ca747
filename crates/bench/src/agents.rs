//! A group that is busy: two agents in this process, which note when each record is handed to their
//! handler, and a steady stream of records for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use flowdeck_agent::{Agent, Delivery, Handler, HandlerError, Running, async_trait};
use flowdeck_testkit::{Kafka, wait_for};
use rdkafka::producer::{FutureProducer, FutureRecord};
use tokio::task::JoinHandle;

pub(crate) const GROUP: &str = "bench-pause";
const TOPIC: &str = "bench-orders";
const PARTITIONS: i32 = 8;
const INSTANCES: [&str; 2] = ["one", "two"];
/// Each partition gets a record so often: 1,600 records a second in all.
const PACE: Duration = Duration::from_millis(5);
/// A record was handed to each agent this recently: the stream flows.
const FLOWS: Duration = Duration::from_millis(20);
/// Nothing was handed for so long, while records were written: the stream has stopped.
const IDLE_FOR: Duration = Duration::from_millis(100);
const LIMIT: Duration = Duration::from_secs(60);

/// What one agent's handler was handed.
struct Handed {
    begin: Instant,
    /// Since `begin`, in nanoseconds; 0 before the first.
    last: AtomicU64,
    count: AtomicU64,
}

struct Note(Arc<Handed>);

#[async_trait]
impl Handler for Note {
    async fn handle(&self, _: Delivery<'_>) -> Result<(), HandlerError> {
        let now = u64::try_from(self.0.begin.elapsed().as_nanos())?;
        self.0.last.fetch_max(now, Ordering::SeqCst);
        self.0.count.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

impl Handed {
    fn last(&self) -> Instant {
        self.begin + Duration::from_nanos(self.last.load(Ordering::SeqCst))
    }

    fn count(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }
}

pub(crate) struct Agents {
    handed: Vec<Arc<Handed>>,
    running: Vec<Running>,
    produced: Arc<AtomicU64>,
    ends: Arc<AtomicBool>,
    stream: JoinHandle<Result<()>>,
}

impl Agents {
    pub(crate) async fn start(kafka: &Kafka) -> Result<Self> {
        kafka.create_topic(TOPIC, PARTITIONS).await;
        let (mut handed, mut running) = (Vec::new(), Vec::new());
        for instance in INSTANCES {
            let one =
                Arc::new(Handed { begin: Instant::now(), last: AtomicU64::new(0), count: AtomicU64::new(0) });
            let mut config = kafka.client();
            config.set("auto.offset.reset", "earliest");
            let agent = Agent::builder(config, GROUP).topics([TOPIC]).instance(instance).workers(4);
            let agent = agent.handler(Note(Arc::clone(&one))).start().await;
            running.push(agent.context("start an agent")?);
            handed.push(one);
        }
        let (produced, ends) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let stream = tokio::spawn(stream(kafka.producer(), Arc::clone(&produced), Arc::clone(&ends)));
        Ok(Self { handed, running, produced, ends, stream })
    }

    /// Until both agents own half of the partitions.
    pub(crate) async fn settle(&self) {
        let half = PARTITIONS as usize / INSTANCES.len();
        let settled = || self.running.iter().all(|agent| agent.partitions().len() == half);
        wait_for("both agents own their partitions", LIMIT, async || settled().then_some(())).await;
    }

    /// Until records are handed to both agents.
    pub(crate) async fn flow(&self) {
        let before: Vec<u64> = self.handed.iter().map(|one| one.count()).collect();
        let flows = || {
            let mut all = self.handed.iter().zip(&before);
            all.all(|(one, before)| one.count() >= before + 50 && one.last().elapsed() < FLOWS)
        };
        wait_for("records flow to both agents", LIMIT, async || flows().then_some(())).await;
    }

    /// Until no record is handed to anybody any more though there are new ones; when the last one was.
    pub(crate) async fn until_stopped(&self) -> Result<Instant> {
        let count = || self.handed.iter().map(|one| one.count()).sum::<u64>();
        let end = Instant::now() + LIMIT;
        loop {
            let (handed, produced) = (count(), self.produced.load(Ordering::SeqCst));
            tokio::time::sleep(IDLE_FOR).await;
            ensure!(self.produced.load(Ordering::SeqCst) > produced, "the stream of records broke off");
            if count() == handed {
                return self.handed.iter().map(|one| one.last()).max().context("no agents");
            }
            ensure!(Instant::now() < end, "records are still handed to a handler after the pause");
        }
    }

    pub(crate) async fn stop(self) -> Result<()> {
        self.ends.store(true, Ordering::SeqCst);
        self.stream.await.context("the stream of records")??;
        for agent in self.running {
            agent.stop().await.context("stop an agent")?;
        }
        Ok(())
    }
}

/// One record to each partition at each tick.
async fn stream(producer: FutureProducer, produced: Arc<AtomicU64>, ends: Arc<AtomicBool>) -> Result<()> {
    let mut tick = tokio::time::interval(PACE);
    while !ends.load(Ordering::SeqCst) {
        tick.tick().await;
        for partition in 0..PARTITIONS {
            let record = FutureRecord::<(), str>::to(TOPIC).partition(partition).payload("{\"order\":1}");
            producer.send_result(record).map_err(|(error, _)| error).context("produce")?;
            produced.fetch_add(1, Ordering::SeqCst);
        }
    }
    Ok(())
}
