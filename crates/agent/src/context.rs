//! The Kafka client's callbacks: partitions that come and go, commits that failed, the log's ends.
//! They run on the poll thread, inside `poll`.

use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use flowdeck_model::TopicName;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::statistics::Statistics;
use rdkafka::{Offset, TopicPartitionList};
use tracing::{debug, error, info, warn};

use crate::record::TopicPartition;
use crate::shared::{Shared, add};
use crate::source::Source;

/// How long the commits of retry topics are asked for; the rebalance waits meanwhile.
const COMMITS: Duration = Duration::from_secs(10);

pub(crate) struct Callbacks {
    shared: Arc<Shared>,
    consumer: OnceLock<Weak<BaseConsumer<Self>>>,
}

impl Callbacks {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, consumer: OnceLock::new() }
    }

    /// The consumer whose callbacks these are.
    pub(crate) fn set_consumer(&self, consumer: Weak<BaseConsumer<Self>>) {
        // Called once.
        let _ = self.consumer.set(consumer);
    }

    /// Partitions come, and the client does not fetch them yet.
    fn assigned(&self, partitions: Vec<TopicPartition>) {
        // Gone: the consumer is about to leave its group.
        let Some(consumer) = self.consumer.get().and_then(Weak::upgrade) else { return };
        let shared = &self.shared;
        // An assignment in full names what is here too. A queue that is closed tells nobody of its records any
        // more, so that comes before it is opened anew.
        let to_close = shared.lock().lanes.remove(&partitions);
        drop(to_close);
        let open = |at: TopicPartition| {
            let at = Arc::new(at);
            let source = Source::open(&consumer, &at, &shared.arrivals, &shared.errors);
            if source.is_none() {
                error!(topic = %at.topic, partition = %at.partition, "the client has no queue for a partition");
            }
            (at, source)
        };
        shared.assign(partitions.into_iter().map(open).collect());
    }

    /// Partitions go: waits for what is in flight, commits what was handled, drops what waits.
    fn revoked(&self, consumer: &BaseConsumer<Self>, partitions: &[TopicPartition]) {
        let shared = &self.shared;
        let dropped = shared.lock().lanes.leave(partitions);
        add(&shared.counts.dropped_uncommitted, dropped);
        // Lost partitions have another owner already: neither wait nor commit would help.
        if !consumer.assignment_lost() {
            let limit = if shared.closing.is_cancelled() {
                Duration::ZERO
            } else {
                shared.settings.timings.shutdown_timeout
            };
            if !shared.wait_idle(partitions, limit) {
                warn!(group.id = %shared.settings.group, "a handler outlasts the rebalance: its record comes again");
            }
            let due = shared.lock().lanes.due_of(partitions);
            commit_now(shared, consumer, &due);
        }
        let to_close = shared.lock().lanes.remove(partitions);
        drop(to_close);
        shared.tell();
    }
}

/// Commits and waits for the answer. A failure costs a second handling, no record.
pub(crate) fn commit_now(shared: &Shared, consumer: &BaseConsumer<Callbacks>, due: &[(TopicPartition, i64)]) {
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

pub(crate) fn offsets(due: &[(TopicPartition, i64)]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(due.len());
    for (at, next) in due {
        // Fails for an offset below zero only, and these are one past a record's.
        let _ = list.add_partition_offset(at.topic.as_str(), at.partition.get(), Offset::Offset(*next));
    }
    list
}

fn partitions(list: &TopicPartitionList) -> Vec<TopicPartition> {
    list.elements()
        .iter()
        .filter_map(|element| TopicPartition::parse(element.topic(), element.partition()))
        .collect()
}

/// Retry topics are read from their beginning where the group has no commit: a failed record may have been written there
/// before, and by the host's `auto.offset.reset` it would be skipped. Where the commits cannot be had, records are handled
/// again rather than lost.
fn start_retry_topics(
    assigned: &TopicPartitionList,
    is_retry_topic: impl Fn(&TopicName) -> bool,
    committed: impl FnOnce(TopicPartitionList) -> KafkaResult<TopicPartitionList>,
) {
    let mut retries = partitions(assigned);
    retries.retain(|at| is_retry_topic(&at.topic));
    if retries.is_empty() {
        return;
    }
    let mut asked = TopicPartitionList::with_capacity(retries.len());
    for at in &retries {
        asked.add_partition(at.topic.as_str(), at.partition.get());
    }
    let commits = committed(asked)
        .inspect_err(|error| {
            warn!(%error, "the commits of retry topics could not be read; they are read from their beginning");
        })
        .ok();
    for at in &retries {
        let (topic, partition) = (at.topic.as_str(), at.partition.get());
        let commit = commits.as_ref().and_then(|commits| commits.find_partition(topic, partition));
        let is_committed = commit
            .is_some_and(|commit| commit.error().is_ok() && matches!(commit.offset(), Offset::Offset(_)));
        if !is_committed && let Some(mut element) = assigned.find_partition(topic, partition) {
            // Fails for an offset below zero only.
            let _ = element.set_offset(Offset::Beginning);
        }
    }
}

impl ClientContext for Callbacks {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        debug!(group.id = %self.shared.settings.group, %error, reason, "the Kafka client reports");
    }

    fn stats(&self, statistics: Statistics) {
        let up = statistics.brokers.values().any(|broker| broker.state == "UP");
        self.shared.set_connected(up);
        let mut state = self.shared.lock();
        for (topic, numbers) in &statistics.topics {
            for (partition, numbers) in &numbers.partitions {
                let end = if numbers.ls_offset >= 0 { numbers.ls_offset } else { numbers.hi_offset };
                if let Some(at) = TopicPartition::parse(topic, *partition).filter(|_| end >= 0) {
                    state.lanes.set_end(&at, end);
                }
            }
        }
    }
}

impl ConsumerContext for Callbacks {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(list) => {
                let new = partitions(list);
                info!(group.id = %self.shared.settings.group, partitions = new.len(), "assigned");
                self.assigned(new);
                let is_retry_topic = |topic: &TopicName| self.shared.settings.is_retry_topic(topic);
                // The client starts to fetch by this list once the callback returns.
                start_retry_topics(list, is_retry_topic, |asked| consumer.committed_offsets(asked, COMMITS));
            }
            Rebalance::Revoke(list) => {
                let gone = partitions(list);
                info!(group.id = %self.shared.settings.group, partitions = gone.len(), "revoked");
                self.revoked(consumer, &gone);
            }
            Rebalance::Error(_) => {}
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

#[cfg(test)]
mod tests {
    use super::*;

    fn list(offsets: &[(&str, i32, Offset)]) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for (topic, partition, offset) in offsets {
            list.add_partition_offset(topic, *partition, *offset).unwrap();
        }
        list
    }

    fn started(committed: impl FnOnce(TopicPartitionList) -> KafkaResult<TopicPartitionList>) -> Vec<Offset> {
        let assigned =
            list(&[("t", 0, Offset::Invalid), ("r1", 0, Offset::Invalid), ("r1", 1, Offset::Invalid)]);
        start_retry_topics(&assigned, |topic| topic.as_str() == "r1", committed);
        assigned.elements().iter().map(|element| element.offset()).collect()
    }

    #[test]
    fn retry_topic_without_commit_starts_at_the_beginning() {
        let offsets = started(|asked| {
            let names: Vec<_> = partitions(&asked).iter().map(|at| at.partition.get()).collect();
            assert_eq!(names, [0, 1], "only of retry topics");
            Ok(list(&[("r1", 0, Offset::Invalid), ("r1", 1, Offset::Offset(5))]))
        });
        assert_eq!(offsets, [Offset::Invalid, Offset::Beginning, Offset::Invalid]);
    }

    #[test]
    fn retry_topic_whose_commits_are_unknown_starts_at_the_beginning() {
        let offsets = started(|_| Err(KafkaError::Canceled));
        assert_eq!(offsets, [Offset::Invalid, Offset::Beginning, Offset::Beginning]);
    }
}
