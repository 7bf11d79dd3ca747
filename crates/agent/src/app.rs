//! A service with several consumers: one builder for its cluster, topics, producer and consumers, one handle for their
//! health and their end.

mod error;
mod publishers;
mod running;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use flowdeck_model::{ConsumerName, GroupId, TopicName};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use rdkafka::ClientConfig;

use crate::builder::{AgentBuilder, Checked};
use crate::environment::KafkaSettings;
use crate::error::AgentError;
use crate::failure::OnError;
use crate::handler::Handler;
use crate::producer::{EventFormat, Producer, TopicNaming};
use crate::publish::KafkaPublisher;
use crate::running::Running;
use crate::startup::{self, Patience, TopicSpec};

pub use error::AppError;
pub(crate) use publishers::Publishers;
pub use running::RunningApp;

/// The settings of a service with several consumers, before it starts.
///
/// The consumers of an app are named in the code and start and end together; a [`crate::bus::Bus`] subscribes and
/// unsubscribes while the service runs, one topic or queue at a time. Choose the app where all consumers are known when
/// the service starts, and the bus where they are not, or where services write to each other's queues.
///
/// ```no_run
/// use std::time::Duration;
///
/// use flowdeck_agent::environment::KafkaSettings;
/// use flowdeck_agent::producer::{Event, Producer, TopicFields};
/// use flowdeck_agent::{App, Context, HandlerError, Json, Router, State, TopicSpec};
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct OrderPaid { id: u64 }
///
/// impl Event for OrderPaid {
///     const TYPE: &'static str = "OrderPaid";
///
///     fn topic() -> TopicFields {
///         TopicFields::new("payments")
///     }
/// }
///
/// async fn placed(
///     State(producer): State<Producer>,
///     Json(id): Json<u64>,
///     context: Context,
/// ) -> Result<(), HandlerError> {
///     Ok(producer.publish_within(&context, &OrderPaid { id }).await?)
/// }
///
/// async fn paid(Json(order): Json<OrderPaid>) {
///     println!("order {} is paid", order.id);
/// }
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// // KAFKA_TOPIC_PREFIX=dev
/// let app = App::of(&KafkaSettings::from_env()?)?
///     .create_topics([TopicSpec::new("dev-orders").partitions(3), TopicSpec::new("dev-payments")])
///     .wait_for_cluster(30, Duration::from_secs(2))
///     .defaults(|consumer| consumer.workers(4).label("region", "eu-1"));
/// let router = Router::new(app.producer()).topic("dev-orders", placed);
/// let running = app
///     .consumer("orders", |consumer| consumer.topics(["dev-orders"]).handler(router))
///     .consumer("payments", |consumer| {
///         consumer.topics(["dev-payments"]).workers(1).handler(Router::new(()).message("OrderPaid", paid))
///     })
///     .start()
///     .await?;
/// running.run_until(async { drop(tokio::signal::ctrl_c().await) }).await?;
/// # Ok(()) }
/// ```
#[must_use = "nothing runs before start()"]
pub struct App {
    config: ClientConfig,
    publishers: Publishers,
    naming: TopicNaming,
    format: EventFormat,
    /// By the types of events.
    topics: BTreeMap<String, String>,
    producer: Producer,
    defaults: AgentBuilder,
    create: Vec<TopicSpec>,
    /// Of topics that are created.
    retention: Option<Duration>,
    patience: Option<Patience>,
    consumers: Vec<Consumer>,
    refused: Option<AppError>,
}

/// One that has not started.
struct Consumer {
    id: ConsumerId,
    retry_topics: Vec<TopicName>,
    start: Result<Starting, AgentError>,
}

type Starting = BoxFuture<'static, Result<Running, AgentError>>;

#[derive(Debug, Clone)]
pub(crate) struct ConsumerId {
    name: ConsumerName,
    group: GroupId,
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let consumers: Vec<&ConsumerId> = self.consumers.iter().map(|consumer| &consumer.id).collect();
        f.debug_struct("App")
            .field("naming", &self.naming)
            .field("create", &self.create)
            .field("consumers", &consumers)
            .finish_non_exhaustive()
    }
}

impl App {
    /// `config` as for [`crate::Agent::builder`]: for all consumers, and for the producer, where what is a consumer's in it is
    /// left out.
    ///
    /// # Errors
    /// For a configuration that the client refuses.
    pub fn new(config: ClientConfig) -> Result<Self, AppError> {
        let publishers = Publishers::new(&config).map_err(AppError::Client)?;
        let (naming, format, topics) =
            (TopicNaming::joined(None, ""), EventFormat::default(), BTreeMap::new());
        let producer = Producer::new(publishers.events.clone(), naming.clone());
        let defaults = AgentBuilder::template();
        let (create, retention, patience, consumers, refused) = (vec![], None, None, vec![], None);
        Ok(Self {
            config,
            publishers,
            naming,
            format,
            topics,
            producer,
            defaults,
            create,
            retention,
            patience,
            consumers,
            refused,
        })
    }

    /// By what the environment says: the cluster, the tries of a record and the delay between them, commits, the retention
    /// of topics that are created, the topics of events by their types; with a prefix topics are named
    /// `{prefix}-{topic}` ([`TopicNaming::prefixed`]), unless [`Self::naming`] says otherwise.
    ///
    /// # Errors
    /// As [`App::new`].
    pub fn of(settings: &KafkaSettings) -> Result<Self, AppError> {
        let mut app = Self::new(settings.client())?;
        let policy = settings.on_error(OnError::default());
        app.defaults = app.defaults.on_error(policy).timings(settings.timings());
        (app.retention, app.topics) = (settings.retention, settings.topics.clone());
        let naming = settings.topic_prefix.as_deref().map_or(app.naming.clone(), TopicNaming::prefixed);
        Ok(app.naming(naming))
    }

    /// How the topics of the producer's events are named; by the field `topic` alone unless told otherwise. Call it before
    /// [`Self::producer`].
    pub fn naming(mut self, naming: TopicNaming) -> Self {
        self.naming = naming;
        self.with_producer()
    }

    /// What the producer's values look like; [`EventFormat::default`] unless told otherwise. Call it before
    /// [`Self::producer`].
    pub fn format(mut self, format: EventFormat) -> Self {
        self.format = format;
        self.with_producer()
    }

    /// [`Self::start`] creates those of these topics that are missing, and waits for the cluster first; none unless told.
    /// What consumers say by [`AgentBuilder::create_topics`] is created with them. It needs the right to create them.
    pub fn create_topics(mut self, topics: impl IntoIterator<Item = TopicSpec>) -> Self {
        self.create.extend(topics);
        self
    }

    /// [`Self::start`] waits until the cluster answers, and fails after so many tries. Unless told, it waits where topics are
    /// created (30 tries, 2 s apart), and for nothing otherwise.
    pub fn wait_for_cluster(mut self, tries: u32, delay: Duration) -> Self {
        self.patience = Some(Patience { tries, delay });
        self
    }

    /// Settings of all consumers, each of which may say otherwise: workers, buffer, errors, dead letters, timings, labels
    /// (the label `version` is the service's), the instance's name, and whatever else an [`AgentBuilder`] has. Those of
    /// [`crate::Agent::builder`] unless told otherwise. A [`crate::CircuitBreaker`] named here is one for all consumers. Call it
    /// before [`Self::consumer`]: [`Self::start`] refuses defaults that came too late for a consumer.
    pub fn defaults(mut self, configure: impl FnOnce(AgentBuilder) -> AgentBuilder) -> Self {
        if let Some(Consumer { id, .. }) = self.consumers.first() {
            self.refused = Some(AppError::DefaultsTooLate { consumer: id.name.to_string() });
        }
        self.defaults = configure(self.defaults);
        self
    }

    /// One more consumer, of this group. `configure` gets a builder with the app's [defaults](Self::defaults), and says
    /// at least topics and handler. Its name is the group's unless [`AgentBuilder::consumer`] says otherwise; each consumer
    /// of an app has one of its own. What it sends to dead letters and retry topics is sent by the app's own client,
    /// unless it names another.
    pub fn consumer<H: Handler>(
        mut self,
        group: impl Into<GroupId>,
        configure: impl FnOnce(AgentBuilder) -> AgentBuilder<H>,
    ) -> Self {
        let template = self.defaults.clone().of_group(&self.config, group.into());
        let builder = configure(template).failed_records_by(&self.publishers.failed);
        let id = ConsumerId { name: builder.name().clone(), group: builder.group().clone() };
        let checked = builder.checked();
        let retry_topics = checked.as_ref().map(Checked::retry_topics).unwrap_or_default();
        let start = checked.map(|checked| self.starting(checked));
        self.consumers.push(Consumer { id, retry_topics, start });
        self
    }

    /// Publishes events by the app's naming and format, as often as it is called with one client, and counted together.
    /// Acknowledged by all replicas in sync, unless the configuration says otherwise.
    pub fn producer(&self) -> Producer {
        self.producer.clone()
    }

    /// The client under [`Self::producer`], for messages without a type, or for a producer with another naming.
    #[must_use]
    pub fn publisher(&self) -> KafkaPublisher {
        self.publishers.events.clone()
    }

    /// Creates what topics are to be created, and starts the consumers in the order in which they were named. Kafka may
    /// be away, as for [`AgentBuilder::start`], unless topics are created or [`Self::wait_for_cluster`] was called.
    ///
    /// # Errors
    /// Before anything starts: without a consumer, where two have one name, for a consumer whose configuration can never
    /// work, where the cluster that is waited for does not answer, and where a topic cannot be created. Where a consumer
    /// does not start, those that did are ended in order; the error names it.
    pub async fn start(mut self) -> Result<RunningApp, AppError> {
        self.refused.take().map_or(Ok(()), Err)?;
        self.check_names()?;
        self.check_retry_topics()?;
        let topics = self.topics_to_create()?;
        let (mut starting, mut groups) = (vec![], vec![]);
        for Consumer { id, start, .. } in self.consumers {
            groups.push(id.group.to_string());
            match start {
                Ok(start) => starting.push((id, start)),
                Err(error) => return Err(id.not_started(error)),
            }
        }
        groups.dedup();
        startup::prepare(&self.config, &groups.join(", "), self.patience, &topics)
            .await
            .map_err(|error| AppError::NotPrepared(Box::new(error)))?;
        running::start(starting, self.producer, self.publishers.events).await
    }

    fn starting<H: Handler>(&mut self, checked: Checked<H>) -> Starting {
        let Checked { config, settings, handler, create, patience } = checked;
        self.create.extend(create);
        self.patience = self.patience.or(patience);
        crate::running::start(config, settings, handler).boxed()
    }

    fn check_names(&self) -> Result<(), AppError> {
        if self.consumers.is_empty() {
            return Err(AppError::NoConsumers);
        }
        let mut named: BTreeMap<&ConsumerName, &GroupId> = BTreeMap::new();
        for Consumer { id, .. } in &self.consumers {
            if let Some(other) = named.insert(&id.name, &id.group) {
                let (group, other_group) = (other.to_string(), id.group.to_string());
                return Err(AppError::SameName { consumer: id.name.to_string(), group, other_group });
            }
        }
        Ok(())
    }

    /// Within a group each retry topic has one consumer: another would get records that failed at the first.
    fn check_retry_topics(&self) -> Result<(), AppError> {
        let mut seen: BTreeMap<(&GroupId, &TopicName), &ConsumerName> = BTreeMap::new();
        for Consumer { id, retry_topics, .. } in &self.consumers {
            for topic in retry_topics {
                if let Some(other) = seen.insert((&id.group, topic), &id.name) {
                    let (consumer, other) = (id.name.to_string(), other.to_string());
                    return Err(AppError::SameRetryTopic { topic: topic.to_string(), consumer, other });
                }
            }
        }
        Ok(())
    }

    /// Each once: a default's come with each consumer.
    fn topics_to_create(&mut self) -> Result<Vec<TopicSpec>, AppError> {
        let mut all: BTreeMap<String, TopicSpec> = BTreeMap::new();
        for spec in self.create.drain(..).map(|spec| spec.retention_or(self.retention)) {
            spec.check().map_err(|error| AppError::NotPrepared(Box::new(error)))?;
            let name = spec.name().to_owned();
            if all.get(&name).is_some_and(|other| *other != spec) {
                return Err(AppError::TopicTwice { topic: name });
            }
            all.insert(name, spec);
        }
        Ok(all.into_values().collect())
    }

    fn with_producer(mut self) -> Self {
        self.producer = Producer::new(self.publishers.events.clone(), self.naming.clone())
            .format(self.format.clone())
            .topics(self.topics.clone());
        self
    }
}
