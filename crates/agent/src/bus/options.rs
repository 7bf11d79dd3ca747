//! Settings of a bus.

use std::time::Duration;

use flowdeck_model::TopicName;

use super::BusError;
use crate::config::Timings;
use crate::environment::KafkaSettings;

/// What is the same for all subscriptions of a bus.
#[derive(Debug, Clone)]
#[must_use]
pub struct BusOptions {
    pub(super) prefix: Option<String>,
    pub(super) tries: u32,
    pub(super) delay: Duration,
    pub(super) dead_letters: String,
    pub(super) partitions: Option<u16>,
    pub(super) retention: Option<Duration>,
    pub(super) workers: usize,
    pub(super) buffer: usize,
    pub(super) timings: Timings,
}

impl Default for BusOptions {
    /// No prefix, three tries 5 s apart, dead letters in `dlq`, one worker with a buffer of 100 records, [`Timings::default`],
    /// and no topic is created.
    fn default() -> Self {
        Self {
            prefix: None,
            tries: 3,
            delay: Duration::from_secs(5),
            dead_letters: "dlq".to_owned(),
            partitions: None,
            retention: None,
            workers: 1,
            buffer: 100,
            timings: Timings::default(),
        }
    }
}

impl BusOptions {
    /// By what the environment says of prefix, retries, commits and retention; the rest as [`Self::default`].
    pub fn of(settings: &KafkaSettings) -> Self {
        let usual = Self::default();
        let commit = settings.commit_interval.unwrap_or(usual.timings.commit);
        Self {
            prefix: settings.topic_prefix.clone(),
            tries: settings.max_retry_attempts.unwrap_or(usual.tries),
            delay: settings.retry_delay_seconds.map_or(usual.delay, |s| Duration::from_secs(s.into())),
            retention: settings.retention,
            timings: Timings { commit, ..usual.timings },
            ..usual
        }
    }

    /// Before the name of each topic and queue, with a dot between; none unless told otherwise.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// How often a message is tried in all, and how far apart; three times, 5 s apart, unless told otherwise.
    pub fn tries(mut self, tries: u32, delay: Duration) -> Self {
        (self.tries, self.delay) = (tries, delay);
        self
    }

    /// The topic of dead letters, without the prefix, which is put before it; `dlq` unless told otherwise.
    pub fn dead_letters(mut self, topic: impl Into<String>) -> Self {
        self.dead_letters = topic.into();
        self
    }

    /// A subscription creates its topic with so many partitions, and that of dead letters, where they are missing; none is
    /// created unless told.
    pub fn create_topics(mut self, partitions: u16) -> Self {
        self.partitions = Some(partitions);
        self
    }

    /// How many messages of each subscription may be handled at the same time; 1 unless told otherwise.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// How many records each worker takes ahead, as [`crate::AgentBuilder::buffer`]; 100 unless told otherwise.
    pub fn buffer(mut self, records: usize) -> Self {
        self.buffer = records;
        self
    }

    /// As [`crate::AgentBuilder::timings`]; [`Timings::default`] unless told otherwise.
    pub fn timings(mut self, timings: Timings) -> Self {
        self.timings = timings;
        self
    }

    pub(super) fn name(&self, topic: &str) -> Result<TopicName, BusError> {
        let name = match self.prefix.as_deref().filter(|prefix| !prefix.is_empty()) {
            Some(prefix) => format!("{prefix}.{topic}"),
            None => topic.to_owned(),
        };
        name.parse().map_err(|_| BusError::Topic { name })
    }
}
