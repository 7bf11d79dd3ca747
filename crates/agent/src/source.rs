//! The client's own queue of one partition. Each partition has one, so that a partition whose records wait
//! holds back no other, and the client fetches ahead of each within its own limits.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use flowdeck_model::GroupId;
use rdkafka::consumer::BaseConsumer;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::error::KafkaError;
use tracing::warn;

use crate::arrivals::{Arrival, Arrivals};
use crate::context::Callbacks;
use crate::lanes::Records;
use crate::record::TopicPartition;

/// An error that repeats is logged so often.
const SAME_ERROR: Duration = Duration::from_secs(30);

/// Empty once it is closed: the queue keeps the consumer alive, which is to end on its own thread.
pub(crate) struct Source {
    queue: Mutex<Option<PartitionQueue<Callbacks>>>,
    errors: Arc<Errors>,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Source")
    }
}

impl Source {
    /// To be called before the client starts to fetch the partition: what is fetched before would come past
    /// this queue. `None` where the client has no queue for it.
    pub(crate) fn open(
        consumer: &Arc<BaseConsumer<Callbacks>>,
        at: &Arc<TopicPartition>,
        arrivals: &Arc<Arrivals>,
        errors: &Arc<Errors>,
    ) -> Option<Self> {
        let mut queue = consumer.split_partition_queue(at.topic.as_str(), at.partition.get())?;
        let (arrivals, arrival) = (Arc::clone(arrivals), Arrival::new(Arc::clone(at)));
        queue.set_nonempty_callback(move || arrivals.add(&arrival));
        Some(Self { queue: Mutex::new(Some(queue)), errors: Arc::clone(errors) })
    }

    /// Takes up to `most` records that are here, without waiting. Whether there may be more.
    pub(crate) fn read(&self, at: &Arc<TopicPartition>, most: usize, into: &mut Records) -> bool {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(queue) = &*queue else { return false };
        for _ in 0..most {
            match queue.poll(Duration::ZERO) {
                Some(Ok(message)) => into.read(at, &message),
                Some(Err(error)) => self.errors.report(&error),
                None => return false,
            }
        }
        true
    }

    /// Waits for a `read` that is under way, microseconds.
    pub(crate) fn close(&self) {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(queue);
    }
}

/// What the client reports of itself, in the log.
#[derive(Debug)]
pub(crate) struct Errors {
    group: GroupId,
    last: Mutex<Option<(String, Instant)>>,
}

impl Errors {
    pub(crate) fn new(group: GroupId) -> Self {
        Self { group, last: Mutex::new(None) }
    }

    pub(crate) fn report(&self, error: &KafkaError) {
        if matches!(error, KafkaError::PartitionEOF(_)) {
            return;
        }
        let text = error.to_string();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.as_ref().is_some_and(|(last, at)| *last == text && at.elapsed() < SAME_ERROR) {
            return;
        }
        warn!(group.id = %self.group, error = %text, "the consumer reports; it goes on by itself");
        *last = Some((text, Instant::now()));
    }
}
