//! A bus for services that think in topics and queues: publish and subscribe, send and receive.
//!
//! ```no_run
//! use flowdeck_agent::Json;
//! use flowdeck_agent::bus::Bus;
//! use flowdeck_agent::environment::KafkaSettings;
//!
//! #[derive(serde::Serialize, serde::Deserialize)]
//! struct BetPlaced { bet: u64 }
//!
//! async fn placed(Json(event): Json<BetPlaced>) {
//!     println!("bet {}", event.bet);
//! }
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let bus = Bus::of(&KafkaSettings::from_env()?)?;
//! let id = bus.subscribe("bet.placed", placed).await?;
//! bus.publish("bet.placed", &BetPlaced { bet: 456 }).await?;
//! bus.unsubscribe(id).await?;
//! bus.stop().await?;
//! # Ok(()) }
//! ```

mod options;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use flowdeck_model::{GroupId, TopicName};
use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use serde::Serialize;

use crate::builder::Agent;
use crate::dead_letters::DeadLetters;
use crate::environment::KafkaSettings;
use crate::error::AgentError;
use crate::failure::{OnError, Then};
use crate::function::HandlerFn;
use crate::producer::Correlation;
use crate::publish::{KafkaPublisher, Outgoing, PublishError, Publisher, PublisherMetrics};
use crate::router::Router;
use crate::running::Running;
use crate::startup::TopicSpec;

pub use options::BusOptions;

/// Which subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionId(u64);

/// What the bus could not do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BusError {
    /// The settings name no consumer group.
    #[error("the bus has no consumer group: set KAFKA_CONSUMER_GROUP")]
    NoGroup,
    /// A name, with its prefix, that Kafka does not take.
    #[error("{name:?} is no name of a topic: use letters, digits, '.', '_' and '-', 249 of them at most")]
    Topic {
        /// With the prefix.
        name: String,
    },
    /// It is no JSON.
    #[error("a message for {topic:?} could not be written as JSON")]
    Json {
        /// With the prefix.
        topic: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// Its consumers would share the topic's partitions, and each would get a part of the messages.
    #[error(
        "this bus subscribes to {topic:?} already, and a second subscription would get a part of its messages: call both functions from one, or use a bus with another group"
    )]
    AlreadySubscribed {
        /// With the prefix.
        topic: String,
    },
    /// It was ended already, or is of another bus.
    #[error("there is no such subscription: it was ended already, or is of another bus")]
    NoSubscription,
    /// Kafka did not take a message in time, or nobody knows whether it did.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The client refuses its configuration.
    #[error("the Kafka client of the bus could not be made")]
    Client(#[from] KafkaError),
    /// A consumer did not start, or did not end in order.
    #[error(transparent)]
    Agent(#[from] AgentError),
}

/// Messages of any type by the names of topics and queues; cheap to clone.
///
/// Each service that subscribes to a topic gets each message once, in whichever of its instances: its consumers are in
/// the group of the bus. What is sent to a queue one service gets alone: who receives is in a group of the queue's name.
/// Every consumer is an [`Agent`], seen and paused by its topic's name; a message that fails is tried again and then a
/// dead letter in Convex's form ([`DeadLetters::convex`]).
#[derive(Clone)]
pub struct Bus(Arc<Inner>);

struct Inner {
    config: ClientConfig,
    group: GroupId,
    options: BusOptions,
    publisher: KafkaPublisher,
    running: Mutex<BTreeMap<SubscriptionId, Subscription>>,
    subscribed: Arc<Mutex<BTreeSet<TopicName>>>,
    next: AtomicU64,
}

struct Subscription {
    running: Running,
    /// None of a queue, which several may receive from.
    topic: Option<SubscribedTopic>,
}

impl Subscription {
    async fn stop(self) -> Result<(), AgentError> {
        let Self { running, topic } = self;
        let stopped = running.stop().await;
        drop(topic);
        stopped
    }
}

/// A topic that has its subscription, until this is dropped.
struct SubscribedTopic {
    all: Arc<Mutex<BTreeSet<TopicName>>>,
    name: TopicName,
}

impl SubscribedTopic {
    fn new(all: &Arc<Mutex<BTreeSet<TopicName>>>, name: &TopicName) -> Result<Self, BusError> {
        let is_new = all.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone());
        if !is_new {
            return Err(BusError::AlreadySubscribed { topic: name.to_string() });
        }
        Ok(Self { all: Arc::clone(all), name: name.clone() })
    }
}

impl Drop for SubscribedTopic {
    fn drop(&mut self) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.name);
    }
}

impl std::fmt::Debug for Bus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bus").field("group", &self.0.group).finish_non_exhaustive()
    }
}

impl Bus {
    /// `config` as for [`Agent::builder`].
    ///
    /// # Errors
    /// For a configuration that the client refuses.
    pub fn new(
        config: ClientConfig,
        group: impl Into<GroupId>,
        options: BusOptions,
    ) -> Result<Self, BusError> {
        let publisher = KafkaPublisher::new(&config)?;
        let (running, subscribed, next) = (Mutex::default(), Arc::default(), AtomicU64::new(1));
        let group = group.into();
        Ok(Self(Arc::new(Inner { config, group, options, publisher, running, subscribed, next })))
    }

    /// By what the environment says: group, prefix, retries, retention.
    ///
    /// # Errors
    /// Where no group is named, and as [`Bus::new`].
    pub fn of(settings: &KafkaSettings) -> Result<Self, BusError> {
        let group = settings.group.clone().ok_or(BusError::NoGroup)?;
        Self::new(settings.client(), group, BusOptions::of(settings))
    }

    /// To all who subscribe to the topic. Returns once Kafka has it.
    ///
    /// # Errors
    /// Where the topic's name is none, the message is no JSON, or Kafka did not take it.
    pub async fn publish(&self, topic: &str, message: &impl Serialize) -> Result<(), BusError> {
        self.write(topic, message, &Correlation::default()).await
    }

    /// The same, with the correlation id and trace of a request, or of the message that is being handled.
    ///
    /// # Errors
    /// As [`Bus::publish`].
    pub async fn publish_correlated(
        &self,
        topic: &str,
        message: &impl Serialize,
        correlation: &Correlation,
    ) -> Result<(), BusError> {
        self.write(topic, message, correlation).await
    }

    /// To one who receives from the queue. Returns once Kafka has it.
    ///
    /// # Errors
    /// As [`Bus::publish`].
    pub async fn send(&self, queue: &str, message: &impl Serialize) -> Result<(), BusError> {
        self.write(queue, message, &Correlation::default()).await
    }

    /// Calls the function for each message of the topic, in one instance of this service.
    ///
    /// # Errors
    /// Where the topic's name is none, this bus subscribes to it already, or the consumer does not start.
    pub async fn subscribe<A: 'static>(
        &self,
        topic: &str,
        function: impl HandlerFn<(), A>,
    ) -> Result<SubscriptionId, BusError> {
        let name = self.name(topic)?;
        let topic = SubscribedTopic::new(&self.0.subscribed, &name)?;
        self.consume(name, self.0.group.clone(), Some(topic), function).await
    }

    /// Calls the function for each message of the queue, in one instance of one service.
    ///
    /// # Errors
    /// Where the queue's name is none, or the consumer does not start.
    pub async fn receive<A: 'static>(
        &self,
        queue: &str,
        function: impl HandlerFn<(), A>,
    ) -> Result<SubscriptionId, BusError> {
        let name = self.name(queue)?;
        let group = GroupId::new(name.as_str());
        self.consume(name, group, None, function).await
    }

    /// Ends a subscription in order: what runs finishes, and what was handled is committed.
    ///
    /// # Errors
    /// Where there is none, or it did not end in order.
    pub async fn unsubscribe(&self, id: SubscriptionId) -> Result<(), BusError> {
        let running = self.running().remove(&id).ok_or(BusError::NoSubscription)?;
        Ok(running.stop().await?)
    }

    /// Ends all subscriptions, each in order.
    ///
    /// # Errors
    /// The first that did not; the others are ended all the same.
    pub async fn stop(&self) -> Result<(), BusError> {
        let all = std::mem::take(&mut *self.running());
        let ended = futures::future::join_all(all.into_values().map(Subscription::stop)).await;
        Ok(ended.into_iter().collect::<Result<(), _>>()?)
    }

    /// The name in Kafka: `{prefix}.{topic}`.
    ///
    /// # Errors
    /// Where Kafka takes no such name.
    pub fn topic_name(&self, topic: &str) -> Result<String, BusError> {
        self.name(topic).map(|name| name.to_string())
    }

    /// Of its publisher's Kafka client.
    pub fn metrics(&self) -> Option<PublisherMetrics> {
        self.0.publisher.metrics()
    }

    fn running(&self) -> std::sync::MutexGuard<'_, BTreeMap<SubscriptionId, Subscription>> {
        self.0.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn name(&self, topic: &str) -> Result<TopicName, BusError> {
        self.0.options.name(topic)
    }

    async fn write(
        &self,
        topic: &str,
        message: &impl Serialize,
        correlation: &Correlation,
    ) -> Result<(), BusError> {
        let topic = self.name(topic)?.to_string();
        let value =
            serde_json::to_vec(message).map_err(|source| BusError::Json { topic: topic.clone(), source })?;
        let mut outgoing = Outgoing::to(topic).value(value);
        for (name, value) in correlation.headers() {
            outgoing = outgoing.header(name, value);
        }
        Ok(self.0.publisher.publish(outgoing).await?)
    }

    async fn consume<A: 'static>(
        &self,
        topic: TopicName,
        group: GroupId,
        subscribed: Option<SubscribedTopic>,
        function: impl HandlerFn<(), A>,
    ) -> Result<SubscriptionId, BusError> {
        let Inner { config, options, .. } = &*self.0;
        let letters = options.name(&options.dead_letters)?;
        let mut created = vec![];
        if let Some(partitions) = options.partitions {
            for name in [&topic, &letters] {
                let spec = TopicSpec::new(name.as_str()).partitions(partitions);
                created.push(options.retention.into_iter().fold(spec, TopicSpec::retention));
            }
        }
        let policy = OnError {
            retries: options.tries.saturating_sub(1),
            backoff: options.delay,
            backoff_max: options.delay,
            jitter: false,
            then: Then::DeadLetter,
        };
        let agent = Agent::builder(config.clone(), group)
            .consumer(topic.as_str())
            .topics([topic.as_str()])
            .workers(options.workers)
            .buffer(options.buffer)
            .timings(options.timings)
            .create_topics(created)
            .on_error(policy)
            .dead_letters(DeadLetters::to(letters.as_str()).convex());
        let running = agent.handler(Router::new(()).fallback(function)).start().await?;
        let id = SubscriptionId(self.0.next.fetch_add(1, Ordering::Relaxed));
        self.running().insert(id, Subscription { running, topic: subscribed });
        Ok(id)
    }
}
