//! Settings of a bus.

use std::time::Duration;

use flowdeck_model::TopicName;

use super::BusError;
use crate::builder::AgentBuilder;
use crate::environment::KafkaSettings;
use crate::failure::{OnError, Then};
use crate::producer::TopicNaming;
use crate::startup::TopicSpec;

/// What is the same for all subscriptions of a bus.
#[derive(Debug, Clone)]
#[must_use]
pub struct BusOptions {
    pub(super) prefix: Option<String>,
    pub(super) dead_letters: String,
    pub(super) partitions: Option<u16>,
    pub(super) retention: Option<Duration>,
    pub(super) consumers: AgentBuilder,
}

impl Default for BusOptions {
    /// No prefix, three tries 5 s apart, dead letters in `dlq`, one worker with a buffer of 100 records,
    /// [`crate::Timings::default`], and no topic is created.
    fn default() -> Self {
        let options = Self {
            prefix: None,
            dead_letters: "dlq".to_owned(),
            partitions: None,
            retention: None,
            consumers: AgentBuilder::template(),
        };
        options.tries(3, Duration::from_secs(5))
    }
}

impl BusOptions {
    /// By what the environment says of prefix, retries, commits and retention; the rest as [`Self::default`].
    pub fn of(settings: &KafkaSettings) -> Self {
        let usual = Self::default();
        let policy = settings.on_error(usual.consumers.policy());
        Self {
            prefix: settings.topic_prefix.clone(),
            retention: settings.retention,
            consumers: usual.consumers.on_error(policy).timings(settings.timings()),
            ..usual
        }
    }

    /// Before the name of each topic and queue, with a dot between; none unless told otherwise.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// How often a message is tried in all, and how far apart, before it is a dead letter; three times, 5 s apart, unless
    /// told otherwise.
    pub fn tries(mut self, tries: u32, delay: Duration) -> Self {
        self.consumers = self.consumers.on_error(OnError {
            retries: tries.saturating_sub(1),
            backoff: delay,
            backoff_max: delay,
            jitter: false,
            then: Then::DeadLetter,
        });
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

    /// Settings of the consumer of each subscription, as [`crate::App::defaults`]: workers, buffer, timings, labels, the
    /// instance's name, and whatever else an [`AgentBuilder`] has but for its name, topics and dead letters, which are the
    /// bus's, and retry topics, which a bus refuses. Those of [`crate::Agent::builder`] unless told otherwise.
    pub fn defaults(mut self, configure: impl FnOnce(AgentBuilder) -> AgentBuilder) -> Self {
        self.consumers = configure(self.consumers);
        self
    }

    pub(super) fn name(&self, topic: &str) -> Result<TopicName, BusError> {
        let name = match self.prefix.as_deref().filter(|prefix| !prefix.is_empty()) {
            Some(prefix) => format!("{prefix}.{topic}"),
            None => topic.to_owned(),
        };
        name.parse().map_err(|_| BusError::Topic { name })
    }

    /// Of events, as [`Self::name`].
    pub(super) fn naming(&self) -> TopicNaming {
        TopicNaming::joined(self.prefix.as_deref(), ".")
    }

    pub(super) fn topics_to_create(&self, names: [&TopicName; 2]) -> Vec<TopicSpec> {
        let Some(partitions) = self.partitions else { return vec![] };
        let spec = |name: &TopicName| TopicSpec::new(name.as_str()).partitions(partitions);
        names.into_iter().map(|name| spec(name).retention_or(self.retention)).collect()
    }
}
