//! Settings of a builder, checked before anything starts.

use flowdeck_model::TopicName;
use rdkafka::ClientConfig;

use super::AgentBuilder;
use crate::config::{self, Settings, Stream};
use crate::error::AgentError;
use crate::failure::Then;
use crate::health;
use crate::startup::{Patience, TopicSpec};

/// A consumer that may start: its names are names, and it has what its settings need.
pub(crate) struct Checked<H> {
    pub(crate) config: ClientConfig,
    pub(crate) settings: Settings,
    pub(crate) handler: H,
    pub(crate) create: Vec<TopicSpec>,
    pub(crate) patience: Option<Patience>,
}

impl<H> Checked<H> {
    pub(crate) fn retry_topics(&self) -> Vec<TopicName> {
        let Settings { topics, sources, .. } = &self.settings;
        topics.iter().filter(|topic| !sources.contains(topic)).cloned().collect()
    }
}

impl<H> AgentBuilder<H> {
    pub(crate) fn has_retry_topics(&self) -> bool {
        self.retry_topics.as_ref().is_some_and(|retries| !retries.is_empty())
    }

    pub(crate) fn checked(self) -> Result<Checked<H>, AgentError> {
        let instance = self.instance.unwrap_or_else(config::default_instance);
        let sources: Vec<TopicName> =
            self.topics.iter().map(|topic| parse_topic(topic)).collect::<Result<_, _>>()?;
        let retries = self.retry_topics.as_ref().map(|retries| retries.parse(&sources, &self.group));
        let settings = Settings {
            topics: sources.iter().cloned().chain(retries.transpose()?.unwrap_or_default()).collect(),
            sources,
            commands: stream(&self.commands)?,
            obey_commands: self.obey_commands,
            telemetry: stream(&self.telemetry)?,
            holds: parse_topic(&self.holds)?,
            acks: parse_topic(&self.acks)?,
            group: self.group,
            consumer: self.consumer,
            incarnation: config::incarnation(&instance),
            instance,
            workers: self.workers,
            buffer: self.buffer,
            thread_per_worker: self.thread_per_worker,
            distribution: self.distribution,
            on_error: self.on_error,
            mapping: self.mapping,
            dead_letters: self.dead_letters,
            retry_topics: self.retry_topics.filter(|retries| !retries.is_empty()),
            breaker: self.breaker,
            handler_timeout: self.handler_timeout,
            on_unknown: self.on_unknown,
            start_paused: self.start_paused,
            timings: self.timings.sane(),
            labels: self.labels,
            poll_interval: health::poll_interval(&self.config),
            read_committed: config::reads_committed(&self.config),
        };
        dead_letters(&settings)?;
        if settings.sources.is_empty() {
            return Err(AgentError::NoTopics {
                group: settings.group.to_string(),
                consumer: settings.consumer.to_string(),
            });
        }
        self.create.iter().try_for_each(TopicSpec::check)?;
        let (handler, create, patience) = (self.handler, self.create, self.patience);
        Ok(Checked { config: self.config, settings, handler, create, patience })
    }
}

/// They have a topic where records go there, and it is none that the consumer reads.
fn dead_letters(settings: &Settings) -> Result<(), AgentError> {
    let Some(letters) = &settings.dead_letters else {
        return match settings.on_error.then {
            Then::DeadLetter => Err(AgentError::NoDeadLetters { group: settings.group.to_string() }),
            _ => Ok(()),
        };
    };
    let topic = parse_topic(letters.topic())?;
    if settings.topics.contains(&topic) {
        let (group, topic) = (settings.group.to_string(), topic.to_string());
        return Err(AgentError::DeadLettersLoop { group, topic });
    }
    Ok(())
}

fn stream((topic, partition): &(String, i32)) -> Result<Stream, AgentError> {
    Ok(Stream { topic: parse_topic(topic)?, partition: *partition })
}

fn parse_topic(topic: &str) -> Result<TopicName, AgentError> {
    topic.parse().map_err(|source| AgentError::Topic { topic: topic.chars().take(80).collect(), source })
}
