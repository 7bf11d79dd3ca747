//! What happens before the consumer starts, where the host asks for it: waiting for the cluster, and creating topics.

use std::time::Duration;

use flowdeck_model::TopicName;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tracing::{info, warn};

use crate::config;
use crate::error::AgentError;

/// For one try.
const REQUEST: Duration = Duration::from_secs(5);

/// A topic that is created where it is missing. One that is there stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct TopicSpec {
    name: String,
    partitions: i32,
    replication: Option<i32>,
    retention: Option<Duration>,
}

impl TopicSpec {
    /// With one partition, and the broker's own replication and retention, unless told otherwise.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), partitions: 1, replication: None, retention: None }
    }

    /// How many partitions it gets; 1 unless told otherwise.
    pub fn partitions(mut self, partitions: u16) -> Self {
        self.partitions = i32::from(partitions.max(1));
        self
    }

    /// On how many brokers each partition lies; the broker's `default.replication.factor` unless told otherwise.
    pub fn replication(mut self, replicas: u16) -> Self {
        self.replication = Some(i32::from(replicas.max(1)));
        self
    }

    /// How long records are kept; the broker's `log.retention.*` unless told otherwise.
    pub fn retention(mut self, time: Duration) -> Self {
        self.retention = Some(time);
        self
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Where nothing was told.
    pub(crate) fn retention_or(mut self, time: Option<Duration>) -> Self {
        self.retention = self.retention.or(time);
        self
    }

    pub(crate) fn check(&self) -> Result<(), AgentError> {
        let parsed: Result<TopicName, _> = self.name.parse();
        parsed
            .map(drop)
            .map_err(|source| AgentError::Topic { topic: self.name.chars().take(80).collect(), source })
    }
}

/// How often, and how far apart, the cluster is asked before [`crate::AgentBuilder::start`] fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Patience {
    pub(crate) tries: u32,
    pub(crate) delay: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { tries: 30, delay: Duration::from_secs(2) }
    }
}

/// Returns once the cluster answered and the topics are there; at once where nothing of it is asked for.
pub(crate) async fn prepare(
    base: &ClientConfig,
    group: &str,
    patience: Option<Patience>,
    topics: &[TopicSpec],
) -> Result<(), AgentError> {
    if patience.is_none() && topics.is_empty() {
        return Ok(());
    }
    let patience = patience.unwrap_or_default();
    for attempt in 1.. {
        let error = match answer(base, topics).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        if attempt >= patience.tries.max(1) || !may_pass(&error) {
            return Err(AgentError::NotPrepared {
                group: group.to_owned(),
                tries: attempt,
                source: Box::new(error),
            });
        }
        warn!(group.id = group, attempt, of = patience.tries, %error, "the cluster is not ready yet");
        tokio::time::sleep(patience.delay).await;
    }
    Ok(())
}

/// Another try may find it otherwise.
fn may_pass(error: &KafkaError) -> bool {
    !matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::ClusterAuthorizationFailed
                | RDKafkaErrorCode::PolicyViolation
                | RDKafkaErrorCode::InvalidConfig
        )
    )
}

async fn answer(base: &ClientConfig, topics: &[TopicSpec]) -> Result<(), KafkaError> {
    let config = config::publisher(base);
    // Making a client may read certificates, and asking for the metadata waits.
    let asked = tokio::task::spawn_blocking(move || {
        let admin: AdminClient<DefaultClientContext> = config.create()?;
        admin.inner().fetch_metadata(None, REQUEST).map(|_| admin)
    });
    let admin =
        asked.await.unwrap_or_else(|_| Err(KafkaError::ClientCreation("the task was ended".into())))?;
    if topics.is_empty() {
        return Ok(());
    }
    let retentions: Vec<Option<String>> =
        topics.iter().map(|topic| topic.retention.map(|time| time.as_millis().to_string())).collect();
    let new: Vec<NewTopic<'_>> = topics
        .iter()
        .zip(&retentions)
        .map(|(topic, retention)| new_topic(topic, retention.as_deref()))
        .collect();
    let options = AdminOptions::new().operation_timeout(Some(REQUEST)).request_timeout(Some(REQUEST));
    for result in admin.create_topics(&new, &options).await? {
        match result {
            Ok(topic) => info!(topic, "created"),
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => {
                warn!(topic, %code, "the topic was not created");
                return Err(KafkaError::AdminOp(code));
            }
        }
    }
    Ok(())
}

fn new_topic<'a>(topic: &'a TopicSpec, retention: Option<&'a str>) -> NewTopic<'a> {
    // -1: the broker's own.
    let new = NewTopic::new(
        &topic.name,
        topic.partitions,
        TopicReplication::Fixed(topic.replication.unwrap_or(-1)),
    );
    match retention {
        Some(retention) => new.set("retention.ms", retention),
        None => new,
    }
}
