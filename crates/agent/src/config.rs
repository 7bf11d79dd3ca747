//! Settings of one agent, and the Kafka clients that are made from the host's configuration: for each agent the consumer
//! of its records; for all agents of a process (`control/links.rs`) a reader of holds and commands, and a producer of
//! telemetry and answers.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use flowdeck_model::view::CircuitState;
use flowdeck_model::{ConsumerName, GroupId, Incarnation, InstanceName, TopicName};
use rdkafka::ClientConfig;

use crate::breaker::CircuitBreaker;
use crate::dead_letters::DeadLetters;
use crate::error::AgentError;
use crate::failure::{Mapping, OnError};
use crate::process;
use crate::record::Record;
use crate::retry_topics::{Origin, RetryTopics};

/// What to do while the holds of the cluster cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OnUnknown {
    /// Go on, but for what is known to be held. Telemetry says that the holds are unknown. The default.
    #[default]
    Run,
    /// Pause until they can be read.
    Pause,
}

/// Which records may be handled at the same time, and so which order is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Distribution {
    /// One record of a partition at a time, in the order of the log. The default.
    #[default]
    ByPartition,
    /// One record of a key at a time, in the order of its partition; the workers share each partition, as KafkaFlow's
    /// do. Records without a key keep the order that they have in their partition. A record that waits for a retry
    /// delays its key alone, until as many records as may be buffered lie behind it. A worker takes up to 64 records of
    /// different keys at once while they take no time: one that suddenly takes long delays those too.
    ByKey,
    /// Any records of a partition at the same time.
    Free,
}

/// The agent's periods and deadlines. The defaults are right for production.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timings {
    /// Between two telemetry records; 5 s by default, as KafkaFlow has it. From 50 ms to a day.
    pub telemetry: Duration,
    /// Between two commits of what was handled; 1 s by default. From 50 ms to a day.
    pub commit: Duration,
    /// Between two reads of the cluster's metadata while a topic of Flowdeck's is missing; six times
    /// that once all are there. 5 s by default; from 50 ms to a day.
    pub metadata_interval: Duration,
    /// How long to try to read the holds before they count as unknown; 10 s by default, a day at most.
    pub holds: Duration,
    /// How long after its `until` a hold that nobody released ends by the agent's own clock; 60 s by default.
    pub expiry: Duration,
    /// How long a rebalance or a stop waits for the handlers in flight; 10 s by default, a day at most.
    pub shutdown_timeout: Duration,
}

impl Default for Timings {
    /// Telemetry every 5 s, commits every 1 s, metadata every 5 s, 10 s for the holds, 60 s before a hold ends by itself, and
    /// 10 s for handlers in flight.
    fn default() -> Self {
        Self {
            telemetry: Duration::from_secs(5),
            commit: Duration::from_secs(1),
            metadata_interval: Duration::from_secs(5),
            holds: Duration::from_secs(10),
            expiry: Duration::from_secs(60),
            shutdown_timeout: Duration::from_secs(10),
        }
    }
}

impl Timings {
    /// What a thread can live with: no busy loops, no times beyond the clock's.
    pub(crate) fn sane(self) -> Self {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        let period = |period: Duration| period.clamp(Duration::from_millis(50), DAY);
        Self {
            telemetry: period(self.telemetry),
            commit: period(self.commit),
            metadata_interval: period(self.metadata_interval),
            holds: self.holds.min(DAY),
            expiry: self.expiry,
            shutdown_timeout: self.shutdown_timeout.min(DAY),
        }
    }
}

/// A topic and the partition that KafkaFlow's producers write to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stream {
    pub(crate) topic: TopicName,
    pub(crate) partition: i32,
}

#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) group: GroupId,
    pub(crate) consumer: ConsumerName,
    pub(crate) instance: InstanceName,
    pub(crate) incarnation: Incarnation,
    /// All that it subscribes to.
    pub(crate) topics: Vec<TopicName>,
    /// Those that are no retry topics.
    pub(crate) sources: Vec<TopicName>,
    pub(crate) workers: usize,
    pub(crate) buffer: usize,
    /// Each worker has a thread of its own.
    pub(crate) thread_per_worker: bool,
    /// Of the host's consumer: librdkafka's own default.
    pub(crate) read_committed: bool,
    pub(crate) distribution: Distribution,
    pub(crate) on_error: OnError,
    pub(crate) mapping: Mapping,
    pub(crate) dead_letters: Option<DeadLetters>,
    pub(crate) retry_topics: Option<RetryTopics>,
    pub(crate) breaker: Option<CircuitBreaker>,
    pub(crate) handler_timeout: Option<Duration>,
    pub(crate) on_unknown: OnUnknown,
    pub(crate) start_paused: bool,
    pub(crate) commands: Stream,
    /// Stop, start, restart, workers, reset and rewind from there.
    pub(crate) obey_commands: bool,
    pub(crate) telemetry: Stream,
    pub(crate) holds: TopicName,
    pub(crate) acks: TopicName,
    pub(crate) timings: Timings,
    /// Told in telemetry.
    pub(crate) labels: BTreeMap<String, String>,
    /// The host's `max.poll.interval.ms`.
    pub(crate) poll_interval: Duration,
}

impl Settings {
    /// Of a record on a retry topic.
    pub(crate) fn origin(&self, record: &Record) -> Option<Origin> {
        self.retry_topics.as_ref()?.origin(record, &self.group)
    }

    pub(crate) fn is_retry_topic(&self, topic: &TopicName) -> bool {
        self.retry_topics.as_ref().is_some_and(|retries| retries.contains(topic))
    }

    /// No record is handled, or one at a time is tried, whatever the holds say.
    pub(crate) fn is_paused_by_circuit(&self) -> bool {
        self.breaker.as_ref().is_some_and(|breaker| breaker.state() != CircuitState::Closed)
    }
}

/// As librdkafka does where nothing is said.
pub(crate) fn reads_committed(config: &ClientConfig) -> bool {
    config.get("isolation.level").is_none_or(|level| level == "read_committed")
}

/// `<machine>-<pid>`, as KafkaFlow names its instances.
pub(crate) fn default_instance() -> InstanceName {
    let host = process::host();
    let host = if host.is_empty() { "localhost" } else { &host };
    InstanceName::new(format!("{host}-{}", std::process::id()))
}

/// One for each life of this process and each name that an instance has in it: consumers of one
/// instance share it, as they share its name.
pub(crate) fn incarnation(instance: &InstanceName) -> Incarnation {
    static INCARNATIONS: Mutex<BTreeMap<InstanceName, Incarnation>> = Mutex::new(BTreeMap::new());
    let mut all = INCARNATIONS.lock().unwrap_or_else(PoisonError::into_inner);
    *all.entry(instance.clone()).or_insert_with(Incarnation::random)
}

/// What the agent decides itself: commits follow what was handled. `false` is what it sets.
const OURS: [&str; 2] = ["enable.auto.commit", "enable.auto.offset.store"];

/// Properties that speak of group membership; a reader or a producer must not carry them.
const OF_THE_GROUP: [&str; 9] = [
    "group.protocol",
    "group.remote.assignor",
    "group.instance.id",
    "group.protocol.type",
    "partition.assignment.strategy",
    "session.timeout.ms",
    "heartbeat.interval.ms",
    "max.poll.interval.ms",
    "auto.commit.interval.ms",
];

/// Properties of consumers, which a producer would only warn of.
const OF_A_CONSUMER: [&str; 20] = [
    "group.id",
    "client.rack",
    "auto.offset.reset",
    "isolation.level",
    "enable.partition.eof",
    "check.crcs",
    "fetch.wait.max.ms",
    "fetch.min.bytes",
    "fetch.max.bytes",
    "fetch.message.max.bytes",
    "max.partition.fetch.bytes",
    "fetch.error.backoff.ms",
    "fetch.queue.backoff.ms",
    "queued.min.messages",
    "queued.max.messages.kbytes",
    "coordinator.query.interval.ms",
    "offset.store.method",
    "consume.callback.max.messages",
    "statistics.interval.ms",
    "enable.auto.offset.store",
];

/// What the client fetches ahead of each partition (it may overshoot by one fetch), and how soon it fetches again once
/// that is used up. It has one request for each broker, for all partitions that need records. Where some have a backlog
/// and are full at that moment, the request waits at those that have none, and the others wait for it: with librdkafka's
/// 500 ms a backlog on one of 12 partitions was worked off at 30,000 records/s. And a partition whose queue is full is
/// looked at again after the backoff, in which no partition handles 10,000 records.
const FETCHED_AHEAD: [(&str, &str); 4] = [
    ("queued.min.messages", "10000"),
    ("queued.max.messages.kbytes", "2048"),
    ("fetch.queue.backoff.ms", "4"),
    ("fetch.wait.max.ms", "100"),
];

/// The consumer of the host's records.
pub(crate) fn records(base: &ClientConfig, settings: &Settings) -> Result<ClientConfig, AgentError> {
    if let Some(property) =
        OURS.into_iter().find(|property| base.get(property).is_some_and(|value| value != "false"))
    {
        return Err(AgentError::Property { property });
    }
    let mut config = base.clone();
    config
        .set("group.id", settings.group.as_str())
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("allow.auto.create.topics", "false");
    let milliseconds = settings.timings.telemetry.as_millis().max(100).to_string();
    default(&mut config, "statistics.interval.ms", &milliseconds);
    default(&mut config, "client.id", settings.instance.as_str());
    // Each partition has a queue of its own in the client, and these count for each of them; the client's own
    // defaults are meant for one queue of all partitions.
    for (property, value) in FETCHED_AHEAD {
        default(&mut config, property, value);
    }
    Ok(config)
}

/// How the host's records are fetched, which consumers of one process may have differently: Flowdeck's own topics are
/// small, and read by one client for all of them.
const OF_FETCHING: [&str; 9] = [
    "fetch.min.bytes",
    "fetch.max.bytes",
    "fetch.message.max.bytes",
    "max.partition.fetch.bytes",
    "fetch.queue.backoff.ms",
    "queued.min.messages",
    "consume.callback.max.messages",
    "offset.store.method",
    // It may be as low as the host's `fetch.max.bytes` lets it be.
    "receive.message.max.bytes",
];

/// The reader of holds and of admin commands: assigned by hand, it joins no group and commits nothing.
/// librdkafka wants a group id for an assignment by hand, which who makes the client adds.
pub(crate) fn reader(base: &ClientConfig) -> ClientConfig {
    let mut config = without(&without(base, &OF_THE_GROUP), &OF_FETCHING);
    config
        .set("client.id", format!("{}-holds", default_instance()))
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "earliest")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        .set("allow.auto.create.topics", "false")
        // A new assignment waits for the fetch that is under way, and then for one more: short enough
        // for a rebalance, long enough not to burden the broker.
        .set("fetch.wait.max.ms", "200")
        .set("fetch.error.backoff.ms", "100")
        .set("queued.max.messages.kbytes", "4096")
        .set("topic.metadata.refresh.interval.ms", "60000")
        .remove("group.id")
        .remove("statistics.interval.ms");
    // Back soon after the broker is: rebalances wait for this reader.
    default(&mut config, "reconnect.backoff.max.ms", "2000");
    config
}

/// The producer of telemetry and answers. Not idempotent: a record that comes twice says the same
/// twice, while a producer id would have to be fetched anew before the first answer after an outage.
pub(crate) fn writer(base: &ClientConfig) -> ClientConfig {
    let mut config = without(&without(base, &OF_THE_GROUP), &OF_A_CONSUMER);
    set(&mut config, "acks", "all");
    // Keeps their order over retries.
    set(&mut config, "max.in.flight.requests.per.connection", "1");
    set(&mut config, "linger.ms", "0");
    set(&mut config, "message.timeout.ms", "30000");
    config
        .set("client.id", format!("{}-answers", default_instance()))
        .set("enable.idempotence", "false")
        // Of all agents of the process: half for telemetry (`outbox.rs`), the rest for answers.
        .set("queue.buffering.max.messages", "10000")
        .set("queue.buffering.max.kbytes", "16384")
        .set("allow.auto.create.topics", "false")
        .remove("enable.auto.commit")
        .remove("transactional.id");
    default(&mut config, "reconnect.backoff.max.ms", "2000");
    config
}

/// The producer of dead letters, and of a service's own messages.
pub(crate) fn publisher(base: &ClientConfig) -> ClientConfig {
    let mut config = without(&without(base, &OF_THE_GROUP), &OF_A_CONSUMER);
    config.set("allow.auto.create.topics", "false").remove("enable.auto.commit").remove("transactional.id");
    default(&mut config, "acks", "all");
    default(&mut config, "enable.idempotence", "true");
    // A handler's worker waits for it.
    default(&mut config, "message.timeout.ms", "10000");
    default(&mut config, "topic.metadata.propagation.max.ms", "5000");
    default(&mut config, "linger.ms", "0");
    config
}

/// A record may be as large as its own topic lets it be, and it is for the topic where it goes to refuse it. Small
/// records are sent in batches of less than any usual limit of a topic, which counts for a batch: one that is refused
/// for its size is too large by itself.
pub(crate) fn any_size(config: &mut ClientConfig) {
    default(config, "message.max.bytes", "33554432");
    default(config, "batch.size", "65536");
}

fn without(base: &ClientConfig, properties: &[&str]) -> ClientConfig {
    let mut config = base.clone();
    for property in properties {
        config.remove(property);
    }
    config
}

/// The names of one property. Where a configuration has several of them, librdkafka takes the one that it is given last,
/// and their order is random.
const ALIASES: [[&str; 2]; 4] = [
    ["acks", "request.required.acks"],
    ["max.in.flight.requests.per.connection", "max.in.flight"],
    ["message.timeout.ms", "delivery.timeout.ms"],
    ["linger.ms", "queue.buffering.max.ms"],
];

fn names(property: &str) -> Vec<&str> {
    let aliases = ALIASES.iter().find(|names| names.contains(&property));
    aliases.map_or_else(|| vec![property], |names| names.to_vec())
}

/// Under any of its names.
pub(crate) fn values<'a>(config: &'a ClientConfig, property: &str) -> impl Iterator<Item = &'a str> {
    names(property).into_iter().filter_map(|name| config.get(name))
}

/// Under all of its names.
pub(crate) fn remove(config: &mut ClientConfig, property: &str) {
    for name in names(property) {
        config.remove(name);
    }
}

/// In place of what any of its names has.
pub(crate) fn set(config: &mut ClientConfig, property: &str, value: &str) {
    remove(config, property);
    config.set(property, value);
}

/// Unless one of its names has a value.
fn default(config: &mut ClientConfig, property: &str, value: &str) {
    if values(config, property).next().is_none() {
        config.set(property, value);
    }
}

#[cfg(test)]
pub(crate) mod tests;
