//! The one call that wraps a consumer.

mod checked;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use flowdeck_model::{ConsumerName, GroupId, InstanceName};
use rdkafka::ClientConfig;

use crate::breaker::CircuitBreaker;
use crate::config::{Distribution, OnUnknown, Timings};
use crate::dead_letters::DeadLetters;
use crate::error::AgentError;
use crate::failure::{Failure, Mapping, OnError, Then};
use crate::handler::Handler;
use crate::publish::Publisher;
use crate::retry_topics::RetryTopics;
use crate::running::{self, Running};
use crate::startup::{self, Patience, TopicSpec};

pub(crate) use checked::Checked;

/// The consumer side of Flowdeck.
pub struct Agent;

impl Agent {
    /// `config` is the host's own client configuration: addresses, security, `auto.offset.reset` (where a group begins that
    /// has committed nothing: librdkafka's default is the end), `session.timeout.ms`, the assignor or `group.protocol=consumer`. Committing is the agent's.
    pub fn builder(config: ClientConfig, group: impl Into<GroupId>) -> AgentBuilder {
        let group = group.into();
        AgentBuilder {
            handler: NoHandler,
            consumer: ConsumerName::new(group.as_str()),
            group,
            config,
            topics: vec![],
            workers: 1,
            buffer: 100,
            thread_per_worker: false,
            distribution: Distribution::default(),
            instance: None,
            on_error: OnError::default(),
            mapping: Mapping::default(),
            dead_letters: None,
            retry_topics: None,
            breaker: None,
            handler_timeout: None,
            on_unknown: OnUnknown::default(),
            start_paused: false,
            commands: ("kafkaflow.admin".into(), 0),
            obey_commands: true,
            telemetry: ("kafkaflow.admin".into(), 0),
            holds: "flowdeck.holds".into(),
            acks: "flowdeck.acks".into(),
            timings: Timings::default(),
            labels: BTreeMap::new(),
            patience: None,
            create: vec![],
        }
    }
}

/// Until `handler` was called there is nothing to start.
#[derive(Debug, Clone)]
pub struct NoHandler;

/// Settings of a consumer that has not started.
#[derive(Clone)]
#[must_use = "nothing runs before start()"]
pub struct AgentBuilder<H = NoHandler> {
    config: ClientConfig,
    group: GroupId,
    consumer: ConsumerName,
    topics: Vec<String>,
    workers: usize,
    buffer: usize,
    thread_per_worker: bool,
    distribution: Distribution,
    handler: H,
    instance: Option<InstanceName>,
    on_error: OnError,
    mapping: Mapping,
    dead_letters: Option<DeadLetters>,
    retry_topics: Option<RetryTopics>,
    breaker: Option<CircuitBreaker>,
    handler_timeout: Option<Duration>,
    on_unknown: OnUnknown,
    start_paused: bool,
    commands: (String, i32),
    obey_commands: bool,
    telemetry: (String, i32),
    holds: String,
    acks: String,
    timings: Timings,
    labels: BTreeMap<String, String>,
    patience: Option<Patience>,
    create: Vec<TopicSpec>,
}

impl<H> fmt::Debug for AgentBuilder<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentBuilder")
            .field("group", &self.group)
            .field("consumer", &self.consumer)
            .field("topics", &self.topics)
            .finish_non_exhaustive()
    }
}

impl AgentBuilder {
    /// Settings that several consumers begin with ([`Self::of_group`]).
    pub(crate) fn template() -> Self {
        Agent::builder(ClientConfig::new(), "")
    }

    /// Of a template: a consumer of this group, named as the group, with the template's properties on top of the
    /// configuration.
    pub(crate) fn of_group(mut self, config: &ClientConfig, group: GroupId) -> Self {
        let own = std::mem::replace(&mut self.config, config.clone());
        for (name, value) in own.config_map() {
            self.config.set(name, value);
        }
        (self.consumer, self.group) = (ConsumerName::new(group.as_str()), group);
        self
    }
}

impl<H> AgentBuilder<H> {
    pub(crate) fn group(&self) -> &GroupId {
        &self.group
    }

    pub(crate) fn name(&self) -> &ConsumerName {
        &self.consumer
    }

    pub(crate) fn policy(&self) -> OnError {
        self.on_error
    }

    /// What sends dead letters and records for retry topics, where the service names nothing for it.
    pub(crate) fn failed_records_by(mut self, publisher: &(impl Publisher + Clone)) -> Self {
        self.dead_letters = self.dead_letters.map(|letters| letters.or_by(publisher));
        self.retry_topics = self.retry_topics.map(|retries| retries.or_by(publisher));
        self
    }

    /// A property of librdkafka for this consumer, such as `("session.timeout.ms", "45000")`, in place of what the
    /// configuration says of it; those of the configuration unless told otherwise.
    pub fn property(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.config.set(name, value);
        self
    }

    /// KafkaFlow's consumerName; the group's id unless told otherwise.
    pub fn consumer(mut self, name: impl Into<ConsumerName>) -> Self {
        self.consumer = name.into();
        self
    }

    /// The topics that it subscribes to; none unless told, and at least one is needed.
    pub fn topics<T: Into<String>>(mut self, topics: impl IntoIterator<Item = T>) -> Self {
        self.topics = topics.into_iter().map(Into::into).collect();
        self
    }

    /// How many records may be handled at the same time; 1 unless told otherwise.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers.max(1);
        self
    }

    /// How many records are taken from the Kafka client ahead of each worker, as KafkaFlow's buffer size; shared
    /// out evenly among the assigned partitions; 100 unless told otherwise. What the client itself fetches ahead
    /// is bounded for each partition by its `queued.max.messages.kbytes` (2048 unless the configuration says
    /// otherwise) and `queued.min.messages` (10,000), and by one fetch more.
    pub fn buffer(mut self, records: usize) -> Self {
        self.buffer = records.max(1);
        self
    }

    /// For handlers that block their thread (a client without async, long computations): each worker gets a thread of its
    /// own, so that as many run at once as there are workers and the host's tasks go on. Unless told, workers are tasks
    /// of the host's runtime.
    pub fn thread_per_worker(mut self) -> Self {
        self.thread_per_worker = true;
        self
    }

    /// Which records may be handled at the same time; by partition unless told otherwise.
    pub fn distribution(mut self, distribution: Distribution) -> Self {
        self.distribution = distribution;
        self
    }

    /// `<host>-<pid>` unless told otherwise.
    pub fn instance(mut self, name: impl Into<InstanceName>) -> Self {
        self.instance = Some(name.into());
        self
    }

    /// What happens when a handler fails; [`OnError::default`] unless told otherwise.
    pub fn on_error(mut self, policy: OnError) -> Self {
        self.on_error = policy;
        self
    }

    /// What follows the last try, and nothing else of [`Self::on_error`]; [`Then::PausePartition`] unless told otherwise.
    pub fn then(mut self, then: Then) -> Self {
        self.on_error.then = then;
        self
    }

    /// What an error of the handler's own types means, where the handler did not say so itself
    /// ([`crate::HandlerError::retry`], [`crate::HandlerError::permanent`]); unless told otherwise, that another try may
    /// succeed.
    pub fn map_errors(
        mut self,
        map: impl Fn(&(dyn std::error::Error + 'static)) -> Failure + Send + Sync + 'static,
    ) -> Self {
        self.mapping = Mapping::new(map);
        self
    }

    /// Where records go whose handler failed for good, with [`crate::Then::DeadLetter`], or whose error is a
    /// [`crate::Failure::DeadLetter`]; nowhere unless told.
    pub fn dead_letters(mut self, to: DeadLetters) -> Self {
        self.dead_letters = Some(to);
        self
    }

    /// Where records wait for their next try that failed as often as [`OnError::retries`] says; unless told they wait where
    /// they are, and [`OnError::then`] follows.
    pub fn retry_topics(mut self, topics: RetryTopics) -> Self {
        self.retry_topics = Some(topics);
        self
    }

    /// Pauses the consumer while what its handler needs is down; never unless told.
    pub fn circuit_breaker(mut self, breaker: CircuitBreaker) -> Self {
        self.breaker = Some(breaker);
        self
    }

    /// A call of the handler that takes longer is dropped at its next `await` and counts as failed; as long as it
    /// takes unless told otherwise. The wait until the layers of a [`crate::Router`] are ready does not count. One that
    /// blocks its thread cannot be ended: see [`Running::running_calls`].
    pub fn handler_timeout(mut self, limit: Duration) -> Self {
        self.handler_timeout = Some(limit);
        self
    }

    /// What happens while the holds of the cluster cannot be read; [`OnUnknown::Run`] unless told otherwise.
    pub fn on_unknown(mut self, policy: OnUnknown) -> Self {
        self.on_unknown = policy;
        self
    }

    /// Starts with all its partitions paused: no record is handled before an operator resumes the group, the consumer or a
    /// part of it. Each start of the process is paused anew; pages say that it is paused by the application. A resume is
    /// a release that is written to the topic of holds while this instance runs, but not of a hold whose time was over; where
    /// there is no such topic, an admin command.
    pub fn start_paused(mut self) -> Self {
        self.start_paused = true;
        self
    }

    /// Starts as the holds say, though the defaults of an [`crate::App`] say [`Self::start_paused`]; it does unless told
    /// otherwise.
    pub fn start_running(mut self) -> Self {
        self.start_paused = false;
        self
    }

    /// Where KafkaFlow's admin commands and telemetry go: `kafkaflow.admin`, partition 0, unless told
    /// otherwise.
    pub fn admin_topic(mut self, topic: impl Into<String>, partition: i32) -> Self {
        self.commands = (topic.into(), partition);
        self.telemetry = self.commands.clone();
        self
    }

    /// Whether stop, start, restart, changes of the worker count, reset and rewind are read from the admin topic and
    /// obeyed; they are unless told otherwise. Pauses come from the holds in any case.
    pub fn admin_commands(mut self, obeyed: bool) -> Self {
        self.obey_commands = obeyed;
        self
    }

    /// Where telemetry goes; to the admin topic unless told otherwise. [`Self::admin_topic`] sets both, so call it first.
    pub fn telemetry_topic(mut self, topic: impl Into<String>, partition: i32) -> Self {
        self.telemetry = (topic.into(), partition);
        self
    }

    /// `flowdeck.holds` and `flowdeck.acks` unless told otherwise.
    pub fn flowdeck_topics(mut self, holds: impl Into<String>, acks: impl Into<String>) -> Self {
        self.holds = holds.into();
        self.acks = acks.into();
        self
    }

    /// `start` waits until the cluster answers, and fails after so many tries; 30 tries, 2 s apart, are a good choice.
    /// Unless told, it waits for nothing: Kafka may be away, and the agent goes on trying.
    pub fn wait_for_cluster(mut self, tries: u32, delay: Duration) -> Self {
        self.patience = Some(Patience { tries, delay });
        self
    }

    /// `start` creates those of these topics that are missing, and waits for the cluster first (30 tries, 2 s apart,
    /// unless told otherwise); none unless told. Called again it adds to them. It needs the right to create them.
    pub fn create_topics(mut self, topics: impl IntoIterator<Item = TopicSpec>) -> Self {
        self.create.extend(topics);
        self
    }

    /// What the dashboard shows beside each instance, such as `("region", "eu-1")`; nothing unless told. Up to 16 labels
    /// of 100 characters are sent. The label `version` is the service's own version: another one is a deployment on the
    /// group's chart.
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(name.into(), value.into());
        self
    }

    /// Periods and deadlines; [`Timings::default`] unless told otherwise.
    pub fn timings(mut self, timings: Timings) -> Self {
        self.timings = timings;
        self
    }

    /// What handles the records: a [`crate::Router`] of functions, or a [`Handler`] of one's own. There is no default.
    pub fn handler<N: Handler>(self, handler: N) -> AgentBuilder<N> {
        AgentBuilder {
            handler,
            config: self.config,
            group: self.group,
            consumer: self.consumer,
            topics: self.topics,
            workers: self.workers,
            buffer: self.buffer,
            thread_per_worker: self.thread_per_worker,
            distribution: self.distribution,
            instance: self.instance,
            on_error: self.on_error,
            mapping: self.mapping,
            dead_letters: self.dead_letters,
            retry_topics: self.retry_topics,
            breaker: self.breaker,
            handler_timeout: self.handler_timeout,
            on_unknown: self.on_unknown,
            start_paused: self.start_paused,
            commands: self.commands,
            obey_commands: self.obey_commands,
            telemetry: self.telemetry,
            holds: self.holds,
            acks: self.acks,
            timings: self.timings,
            labels: self.labels,
            patience: self.patience,
            create: self.create,
        }
    }
}

impl<H: Handler> AgentBuilder<H> {
    /// Starts the threads and workers and returns at once: Kafka may be away, the agent goes on trying (but for
    /// [`Self::wait_for_cluster`] and [`Self::create_topics`]).
    /// The handlers run on the tokio runtime that this is called on.
    ///
    /// # Errors
    /// For a configuration that can never work, without a tokio runtime, and where the cluster that is waited for does
    /// not answer or a topic cannot be created.
    pub async fn start(self) -> Result<Running, AgentError> {
        let Checked { config, settings, handler, create, patience } = self.checked()?;
        startup::prepare(&config, settings.group.as_str(), patience, &create).await?;
        running::start(config, settings, handler).await
    }
}
