//! Between the agents and Flowdeck: what agents write on their topic of acks comes to `flowdeck.acks` by this, some of it
//! twice, some of it later than what was written after it, and in a long run some of it never.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use flowdeck_testkit::Kafka;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Message as _, OwnedMessage};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};

/// Where the agents write.
pub(crate) const SENT: &str = "flowdeck.acks.sent";
/// Where Flowdeck reads.
const ARRIVED: &str = "flowdeck.acks";

/// In thousandths of what is sent.
const DOUBLED: u32 = 100;
const LATE: u32 = 150;
const LOST: u32 = 30;
const LATE_MS: std::ops::Range<u64> = 50..3_000;
/// For what is still in the producer's queue at the end.
const FLUSH: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub(crate) struct Counts {
    sent: AtomicUsize,
    doubled: AtomicUsize,
    late: AtomicUsize,
    lost: AtomicUsize,
}

pub(crate) struct Relay {
    stop: Arc<AtomicBool>,
    counts: Arc<Counts>,
    thread: Option<JoinHandle<()>>,
}

struct Copying {
    consumer: BaseConsumer,
    producer: ThreadedProducer<DefaultProducerContext>,
    random: StdRng,
    loses: bool,
    /// With when they are sent on.
    late: Vec<(Instant, OwnedMessage)>,
    counts: Arc<Counts>,
}

impl Relay {
    /// The topic of [`SENT`] is there.
    pub(crate) fn start(kafka: &Kafka, seed: u64, loses: bool) -> Self {
        let mut config = kafka.client();
        config.set("group.id", "faults-relay").set("enable.auto.commit", "false");
        let consumer: BaseConsumer = config.create().expect("a consumer");
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(SENT, 0, Offset::Beginning).expect("an offset");
        consumer.assign(&list).expect("an assignment");
        let (stop, counts) = (Arc::<AtomicBool>::default(), Arc::<Counts>::default());
        let copying = Copying {
            consumer,
            producer: kafka.client().set("linger.ms", "0").create().expect("a producer"),
            random: StdRng::seed_from_u64(seed),
            loses,
            late: vec![],
            counts: Arc::clone(&counts),
        };
        let until = Arc::clone(&stop);
        Self { stop, counts, thread: Some(std::thread::spawn(move || copying.run(&until))) }
    }

    pub(crate) fn told(&self) -> String {
        let count = |number: &AtomicUsize| number.load(Ordering::Relaxed);
        let Counts { sent, doubled, late, lost } = &*self.counts;
        format!(
            "acks: {} sent, {} of them doubled, {} late, {} lost",
            count(sent),
            count(doubled),
            count(late),
            count(lost)
        )
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Copying {
    fn run(mut self, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            // An error: the broker is away, and librdkafka goes on by itself.
            if let Some(Ok(message)) = self.consumer.poll(Duration::from_millis(20)) {
                let message = message.detach();
                self.arrived(message);
            }
            let now = Instant::now();
            for (_, message) in self.late.extract_if(.., |(due, _)| *due <= now).collect::<Vec<_>>() {
                self.send(&message);
            }
        }
        let _ = self.producer.flush(FLUSH);
    }

    fn arrived(&mut self, message: OwnedMessage) {
        self.counts.sent.fetch_add(1, Ordering::Relaxed);
        let mut happens = |of_a_thousand| self.random.random_range(0..1_000) < of_a_thousand;
        let (lost, doubled, late) = (happens(LOST), happens(DOUBLED), happens(LATE));
        if lost && self.loses {
            self.counts.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        if doubled {
            self.counts.doubled.fetch_add(1, Ordering::Relaxed);
            self.send(&message);
        }
        if !late {
            self.send(&message);
            return;
        }
        self.counts.late.fetch_add(1, Ordering::Relaxed);
        let due = Instant::now() + Duration::from_millis(self.random.random_range(LATE_MS));
        self.late.push((due, message));
    }

    fn send(&self, message: &OwnedMessage) {
        let mut record = BaseRecord::<[u8], [u8]>::to(ARRIVED);
        record.key = message.key();
        record.payload = message.payload();
        record.timestamp = message.timestamp().to_millis();
        record.headers = message.headers().cloned();
        self.producer.send(record).map_err(|(error, _)| error).expect("space in the producer's queue");
    }
}
