//! A consumer on rdkafka alone, to compare the agent with: it keeps the agent's guarantees for a group of one
//! member, with as little as that takes.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use rdkafka::consumer::stream_consumer::StreamPartitionQueue;
use rdkafka::consumer::{CommitMode, Consumer as _, DefaultConsumerContext, StreamConsumer};
use rdkafka::message::{Message as _, OwnedMessage};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

const COMMIT_INTERVAL: Duration = Duration::from_secs(1);

/// As much ahead as the agent, so that the client does the same work for both, and within the same memory.
const FETCHED_AHEAD: [(&str, &str); 4] = [
    ("queued.min.messages", "10000"),
    ("queued.max.messages.kbytes", "2048"),
    ("fetch.queue.backoff.ms", "4"),
    ("fetch.wait.max.ms", "100"),
];

/// The work for one record.
pub trait PlainHandler: Send + Sync + 'static {
    fn handle(&self, message: &OwnedMessage) -> impl Future<Output = ()> + Send;
}

/// A task for each partition, which reads the partition's own queue and calls the handler for one record after
/// the other; at most `workers` handlers run at once. As with the agent a record has memory of its own, so that it
/// can wait for another try without keeping the client's. What was handled is committed every second.
pub struct PlainConsumer {
    consumer: Arc<StreamConsumer>,
    tasks: JoinSet<()>,
}

type Queue = StreamPartitionQueue<DefaultConsumerContext>;

impl PlainConsumer {
    /// `config` needs a `group.id`. The topic's partitions are `0..partitions`, and nobody else is in the group.
    pub fn start(
        config: &ClientConfig,
        topic: &str,
        partitions: i32,
        workers: usize,
        handler: impl PlainHandler,
    ) -> Self {
        let mut config = config.clone();
        config.set("enable.auto.commit", "false").set("enable.auto.offset.store", "false");
        for (property, value) in FETCHED_AHEAD {
            if config.get(property).is_none() {
                config.set(property, value);
            }
        }
        let consumer: Arc<StreamConsumer> = Arc::new(config.create().expect("a consumer"));
        let (handler, permits) = (Arc::new(handler), Arc::new(Semaphore::new(workers)));
        let (mut tasks, mut positions) = (JoinSet::new(), vec![]);
        for partition in 0..partitions {
            // Before the subscription, so that no record comes past it.
            let queue = consumer.split_partition_queue(topic, partition).expect("a partition's queue");
            let position = Arc::new(AtomicI64::new(-1));
            positions.push(Arc::clone(&position));
            tasks.spawn(follow(queue, Arc::clone(&handler), Arc::clone(&permits), position));
        }
        consumer.subscribe(&[topic]).expect("a subscription");
        tasks.spawn(commit(Arc::clone(&consumer), topic.to_owned(), positions));
        tasks.spawn(serve(Arc::clone(&consumer)));
        Self { consumer, tasks }
    }

    /// Leaves the group, on a thread that may block.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
        tokio::task::spawn_blocking(move || drop(self.consumer)).await.expect("the end of the consumer");
    }
}

/// The client's events.
async fn serve(consumer: Arc<StreamConsumer>) {
    while let Err(error) = consumer.recv().await {
        eprintln!("the plain consumer: {error}");
    }
    panic!("a record came past its partition's queue");
}

async fn follow<H: PlainHandler>(
    queue: Queue,
    handler: Arc<H>,
    permits: Arc<Semaphore>,
    position: Arc<AtomicI64>,
) {
    let mut messages = queue.stream();
    while let Some(message) = messages.next().await {
        let Ok(message) = message else { continue };
        let _permit = permits.acquire().await.expect("a semaphore that is open");
        let message = message.detach();
        handler.handle(&message).await;
        position.store(message.offset() + 1, Ordering::Release);
    }
}

async fn commit(consumer: Arc<StreamConsumer>, topic: String, positions: Vec<Arc<AtomicI64>>) {
    let mut every = tokio::time::interval(COMMIT_INTERVAL);
    loop {
        every.tick().await;
        let mut list = TopicPartitionList::new();
        for (partition, position) in (0..).zip(&positions) {
            let next = position.load(Ordering::Acquire);
            if next >= 0 {
                list.add_partition_offset(&topic, partition, Offset::Offset(next)).expect("an offset");
            }
        }
        if list.count() > 0 {
            // The next one comes in a second.
            let _ = consumer.commit(&list, CommitMode::Async);
        }
    }
}
