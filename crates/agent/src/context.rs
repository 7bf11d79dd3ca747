//! The Kafka client's callbacks: partitions that come and go, commits that failed, the log's ends.
//! They run on the poll thread, inside `poll`.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::statistics::Statistics;
use rdkafka::{Offset, TopicPartitionList};
use tracing::{debug, info, warn};

use crate::flow;
use crate::record::Tp;
use crate::shared::{Shared, add};

pub(crate) struct Callbacks {
    shared: Arc<Shared>,
}

impl Callbacks {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Partitions go: waits for what is in flight, commits what was handled, drops what waits.
    fn revoked(&self, consumer: &BaseConsumer<Self>, partitions: &[Tp]) {
        let shared = &self.shared;
        {
            let mut state = shared.lock();
            let before = state.lanes.buffered();
            state.lanes.leave(partitions);
            add(&shared.counts.dropped_uncommitted, before - state.lanes.buffered());
        }
        // Lost partitions have another owner already: neither wait nor commit would help.
        if !consumer.assignment_lost() {
            let limit = if shared.closing.is_cancelled() {
                Duration::ZERO
            } else {
                shared.settings.timings.give_back
            };
            if !shared.wait_idle(partitions, limit) {
                warn!(group.id = %shared.settings.group, "a handler outlasts the rebalance: its record comes again");
            }
            let due = shared.lock().lanes.due_of(partitions);
            commit_now(shared, consumer, &due);
        }
        shared.lock().lanes.remove(partitions);
        shared.tell();
    }
}

/// Commits and waits for the answer. A failure costs a second handling, no record.
pub(crate) fn commit_now(shared: &Shared, consumer: &BaseConsumer<Callbacks>, due: &[(Tp, i64)]) {
    if due.is_empty() {
        return;
    }
    match consumer.commit(&offsets(due), CommitMode::Sync) {
        Ok(()) => shared.lock().lanes.committed(due),
        Err(error) => warn!(group.id = %shared.settings.group, %error, "the last commit failed"),
    }
}

/// Commits in the background; a failure comes to `commit_callback`.
pub(crate) fn commit_later(shared: &Shared, consumer: &BaseConsumer<Callbacks>) {
    let due = shared.lock().lanes.due();
    if due.is_empty() {
        return;
    }
    match consumer.commit(&offsets(&due), CommitMode::Async) {
        Ok(()) => shared.lock().lanes.committed(&due),
        Err(error) => {
            debug!(group.id = %shared.settings.group, %error, "commit not sent; the next one will be")
        }
    }
}

fn offsets(due: &[(Tp, i64)]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(due.len());
    for (at, next) in due {
        // Fails for an offset below zero only, and these are one past a record's.
        let _ = list.add_partition_offset(at.topic.as_str(), at.partition.get(), Offset::Offset(*next));
    }
    list
}

fn partitions(list: &TopicPartitionList) -> Vec<Tp> {
    list.elements().iter().filter_map(|element| Tp::parse(element.topic(), element.partition())).collect()
}

impl ClientContext for Callbacks {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        debug!(group.id = %self.shared.settings.group, %error, reason, "the Kafka client reports");
    }

    fn stats(&self, statistics: Statistics) {
        let mut state = self.shared.lock();
        for (topic, numbers) in &statistics.topics {
            for (partition, numbers) in &numbers.partitions {
                let end = if numbers.ls_offset >= 0 { numbers.ls_offset } else { numbers.hi_offset };
                if let Some(at) = Tp::parse(topic, *partition).filter(|_| end >= 0) {
                    state.lanes.set_end(&at, end);
                }
            }
        }
    }
}

impl ConsumerContext for Callbacks {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Revoke(list) = rebalance {
            let gone = partitions(list);
            info!(group.id = %self.shared.settings.group, partitions = gone.len(), "revoked");
            self.revoked(consumer, &gone);
        }
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Assign(list) = rebalance {
            let new = partitions(list);
            info!(group.id = %self.shared.settings.group, partitions = new.len(), "assigned");
            self.shared.assign(&new);
            flow::apply(&self.shared, consumer);
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, offsets: &TopicPartitionList) {
        let Err(error) = result else { return };
        debug!(group.id = %self.shared.settings.group, %error, "a commit failed; it is tried again");
        self.shared.lock().lanes.not_committed(&partitions(offsets));
    }
}

/// The client's own log lines. What it says of its configuration is for developers of this crate.
pub(crate) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        _ if facility == "CONFWARN" => debug!(target: "librdkafka", "{facility} {message}"),
        RDKafkaLogLevel::Debug | RDKafkaLogLevel::Info | RDKafkaLogLevel::Notice => {
            debug!(target: "librdkafka", "{facility} {message}");
        }
        _ => warn!(target: "librdkafka", "{facility} {message}"),
    }
}
