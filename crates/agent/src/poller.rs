//! The poll thread: owns the consumer of the host's records, and serves what Kafka tells it: partitions that
//! come and go, errors, statistics. It never waits for a handler but in a rebalance, so neither a pause nor a
//! slow handler makes Kafka take the partitions away. The records come by the partitions' own queues.

mod admin;

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::Message as _;
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::KafkaError;

use crate::context::{Callbacks, commit_later, commit_now};
use crate::error::AgentError;
use crate::shared::Shared;

use admin::Executor;

/// The longest wait in one poll; a stop and a commit that is due are noticed that late.
const POLL: Duration = Duration::from_millis(50);

pub(crate) fn run(shared: &Arc<Shared>, consumer: Arc<BaseConsumer<Callbacks>>) -> Result<(), AgentError> {
    let queues = Queues(shared);
    while !shared.wait_settled(Duration::from_millis(100)) {
        shared.vitals.polls();
        if shared.closing.is_cancelled() {
            return Ok(());
        }
    }
    let result = follow(shared, &consumer);
    let due = shared.lock().lanes.due();
    commit_now(shared, &consumer, &due);
    drop(queues);
    close(consumer);
    result
}

/// The partitions' queues keep the consumer alive, which must end with this thread, however that ends.
struct Queues<'a>(&'a Shared);

impl Drop for Queues<'_> {
    fn drop(&mut self) {
        let to_close = self.0.lock().lanes.close_queues();
        drop(to_close);
    }
}

fn follow(shared: &Arc<Shared>, consumer: &BaseConsumer<Callbacks>) -> Result<(), AgentError> {
    let settings = &shared.settings;
    let group = || settings.group.to_string();
    let mut executor = Executor::new(shared, consumer);
    executor.join().map_err(|source| AgentError::Subscribe { group: group(), source: Box::new(source) })?;
    let mut commit_at = Instant::now() + settings.timings.commit;
    while !shared.closing.is_cancelled() {
        shared.vitals.polls();
        match consumer.poll(POLL) {
            None => {}
            // Going on would lose it: the partition's next records are committed past it.
            Some(Ok(record)) => {
                return Err(AgentError::Queue {
                    group: group(),
                    topic: record.topic().to_owned(),
                    partition: record.partition(),
                });
            }
            Some(Err(source @ KafkaError::MessageConsumptionFatal(_))) => {
                return Err(AgentError::Fatal { group: group(), source: Box::new(source) });
            }
            Some(Err(error)) => shared.errors.report(&error),
        }
        executor.step();
        if Instant::now() >= commit_at {
            commit_later(shared, consumer);
            commit_at = Instant::now() + settings.timings.commit;
        }
    }
    Ok(())
}

/// Leaves the group on this thread. A callback may hold the consumer for an instant.
fn close(mut consumer: Arc<BaseConsumer<Callbacks>>) {
    for _ in 0..1_000 {
        match Arc::try_unwrap(consumer) {
            Ok(last) => {
                drop(last);
                return;
            }
            Err(shared) => consumer = shared,
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
