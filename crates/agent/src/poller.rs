//! The poll thread: owns the consumer of the host's records. It never stops polling, so that neither
//! a pause nor a slow handler makes Kafka take the partitions away.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use tracing::{debug, warn};

use crate::context::{Callbacks, commit_later, commit_now};
use crate::error::AgentError;
use crate::flow;
use crate::lanes::Pushed;
use crate::record::Record;
use crate::shared::Shared;

/// The longest wait in one poll; what flows again is noticed that late.
const POLL: Duration = Duration::from_millis(50);
/// How long a full buffer is waited for before the partition's fetch is stopped: stopping throws away
/// what the client has fetched ahead, which a fast handler need not pay.
const ROOM: Duration = Duration::from_millis(20);
/// An error that repeats is logged so often.
const SAME_ERROR: Duration = Duration::from_secs(30);

pub(crate) fn run(shared: &Arc<Shared>, consumer: Arc<BaseConsumer<Callbacks>>) -> Result<(), AgentError> {
    while !shared.wait_settled(Duration::from_millis(100)) {
        if shared.closing.is_cancelled() {
            return Ok(());
        }
    }
    let result = follow(shared, &consumer);
    let due = shared.lock().lanes.due();
    commit_now(shared, &consumer, &due);
    close(consumer);
    result
}

fn follow(shared: &Arc<Shared>, consumer: &BaseConsumer<Callbacks>) -> Result<(), AgentError> {
    let settings = &shared.settings;
    let topics: Vec<&str> = settings.topics.iter().map(|topic| topic.as_str()).collect();
    consumer.subscribe(&topics).map_err(|source| AgentError::Subscribe {
        group: settings.group.to_string(),
        source: Box::new(source),
    })?;
    let mut commit_at = Instant::now() + settings.timings.commit;
    let mut errors = Errors::default();
    while !shared.closing.is_cancelled() {
        flow::apply(shared, consumer);
        match consumer.poll(POLL) {
            None | Some(Err(KafkaError::PartitionEOF(_))) => {}
            Some(Ok(message)) => {
                if let Some(record) = Record::from_kafka(&message) {
                    deliver(shared, record);
                }
            }
            Some(Err(source @ KafkaError::MessageConsumptionFatal(_))) => {
                return Err(AgentError::Fatal {
                    group: settings.group.to_string(),
                    source: Box::new(source),
                });
            }
            Some(Err(error)) => errors.report(shared, &error),
        }
        if Instant::now() >= commit_at {
            commit_later(shared, consumer);
            commit_at = Instant::now() + settings.timings.commit;
        }
    }
    Ok(())
}

fn deliver(shared: &Shared, record: Record) {
    let at = record.at().clone();
    match shared.push(record) {
        Pushed::Room => {}
        Pushed::Full => {
            if !shared.wait_for_room(&at, ROOM) {
                shared.lock().lanes.mark_full(&at);
            }
        }
        Pushed::NotOurs => {
            debug!(topic = %at.topic, partition = %at.partition, "a record of a partition that is gone")
        }
    }
}

/// Leaves the group on this thread. The control thread may hold the consumer for an instant.
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

#[derive(Default)]
struct Errors {
    last: Option<(String, Instant)>,
}

impl Errors {
    fn report(&mut self, shared: &Shared, error: &KafkaError) {
        let text = error.to_string();
        if self.last.as_ref().is_some_and(|(last, at)| *last == text && at.elapsed() < SAME_ERROR) {
            return;
        }
        warn!(group.id = %shared.settings.group, error = %text, "the consumer reports; it goes on by itself");
        self.last = Some((text, Instant::now()));
    }
}
