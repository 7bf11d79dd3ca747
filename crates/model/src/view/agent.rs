//! What an agent reports of itself beside KafkaFlow's telemetry: how long its handler takes, what failed, what runs.
//! The same JSON on the admin topic (docs/WIRE.md) and in the API.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ClusterView;
use crate::ids::{Incarnation, Version};
use crate::names::{ConsumerName, GroupId, InstanceName, Partition, TopicName};
use crate::time::Timestamp;

/// The agents of a group, each with what it last reported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct AgentsView {
    pub version: Version,
    pub now: Timestamp,
    pub cluster_info: ClusterView,
    pub group: GroupId,
    /// By consumer and instance. Instances of KafkaFlow and of agents that report nothing are absent.
    pub agents: Vec<AgentView>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct AgentView {
    pub consumer: ConsumerName,
    pub instance: InstanceName,
    pub incarnation: Option<Incarnation>,
    /// Kafka lists a member that owns what it says it owns; null where Kafka's list tells nothing of it.
    pub confirmed: Option<bool>,
    /// No telemetry for longer than the interval of a running instance.
    pub lost: bool,
    /// When its report came, by Flowdeck's clock.
    pub heard: Timestamp,
    pub report: AgentReport,
}

/// Times are by the agent's clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct AgentReport {
    pub at: Timestamp,
    /// Of flowdeck-agent.
    #[serde(default)]
    pub version: String,
    #[serde(default)]
    pub host: String,
    pub started_at: Option<Timestamp>,
    /// The service's own: `{"region": "eu-1"}`.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    #[serde(default)]
    pub workers: u32,
    /// Whether its consumer gets records up to the last stable offset only. Null from older agents.
    pub read_committed: Option<bool>,
    /// Thousandths of a core that the process used, since the report before. Null where the system does not tell.
    pub cpu_millicores: Option<u32>,
    /// Resident memory of the process, in bytes.
    pub memory_bytes: Option<u64>,
    /// Null where no call of the handler ended in that time.
    pub processing: Option<ProcessingTimes>,
    #[serde(default)]
    pub counts: AgentCounts,
    /// Records that were taken from the Kafka client and wait for a worker.
    #[serde(default)]
    pub buffered: u64,
    /// Of which so many may wait.
    #[serde(default)]
    pub buffer_size: u64,
    /// Handlers that run.
    #[serde(default)]
    pub in_flight: u32,
    /// Those that have run longest, longest first; not all of `in_flight`.
    #[serde(default)]
    pub running: Vec<RunningHandler>,
    /// How many of the last 50 failed calls are kept.
    #[serde(default)]
    pub errors_kept: u32,
    /// The newest of them, as many as a report takes.
    #[serde(default)]
    pub errors: Vec<HandlerFailure>,
    /// Null where the service has none.
    pub circuit_breaker: Option<CircuitBreakerView>,
}

/// How long calls of the handler took that ended in the last `seconds`; percentiles are the upper bounds of their
/// buckets, at most an eighth too high.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ProcessingTimes {
    pub seconds: u32,
    pub calls: u64,
    pub p50_micros: u64,
    pub p95_micros: u64,
    pub p99_micros: u64,
    pub max_micros: u64,
}

/// Since the agent began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct AgentCounts {
    pub handled: u64,
    /// Calls that failed, retries included.
    pub failed: u64,
    pub skipped: u64,
    pub dead_lettered: u64,
    /// Records that were written to a retry topic.
    pub retry_topics: u64,
    pub dropped_uncommitted: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct RunningHandler {
    pub topic: TopicName,
    pub partition: Partition,
    pub offset: i64,
    pub since: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct HandlerFailure {
    pub at: Timestamp,
    pub topic: TopicName,
    pub partition: Partition,
    pub offset: i64,
    /// 1 for the first.
    pub attempt: u32,
    /// Cut after 400 characters.
    pub error: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct CircuitBreakerView {
    pub state: CircuitState,
    pub since: Timestamp,
    /// Of an open one: when the next record is tried.
    pub retry_at: Option<Timestamp>,
    /// How often it opened since the agent began.
    #[serde(default)]
    pub opened: u64,
    /// The failure that opened it last.
    pub error: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum CircuitState {
    /// Records are handled.
    Closed,
    /// None is.
    Open,
    /// One at a time is, to see whether it can be closed.
    HalfOpen,
}
