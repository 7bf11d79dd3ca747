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
//!
//! A bus subscribes and unsubscribes while the service runs, one topic or queue at a time. Where all consumers are known
//! when the service starts, use [`crate::App`].

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

use crate::app::Publishers;
use crate::dead_letters::DeadLetters;
use crate::environment::KafkaSettings;
use crate::error::AgentError;
use crate::function::HandlerFn;
use crate::handler::Handler;
use crate::health::HealthHandle;
use crate::producer::{Correlation, Producer};
use crate::publish::{Outgoing, PublishError, Publisher, PublisherMetrics};
use crate::router::Router;
use crate::running::Running;

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
    /// Its subscriptions share a group, so each would get records of the others from a retry topic.
    #[error(
        "a bus has no retry topics: leave them out of BusOptions::defaults, or use an App whose consumers each have their own"
    )]
    RetryTopics,
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
/// Every consumer is an [`crate::Agent`], seen and paused by its topic's name; a message that fails is tried again and then a
/// dead letter in Convex's form ([`DeadLetters::convex`]).
#[derive(Clone)]
pub struct Bus(Arc<Inner>);

struct Inner {
    config: ClientConfig,
    group: GroupId,
    options: BusOptions,
    publishers: Publishers,
    producer: Producer,
    running: Mutex<BTreeMap<SubscriptionId, Subscription>>,
    subscribed: Arc<Mutex<BTreeSet<TopicName>>>,
    next: AtomicU64,
}

struct Subscription {
    name: TopicName,
    running: Running,
    /// None of a queue, which several may receive from.
    topic: Option<SubscribedTopic>,
}

impl Subscription {
    async fn stop(self) -> Result<(), AgentError> {
        let Self { running, topic, .. } = self;
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
    /// `config` as for [`crate::Agent::builder`].
    ///
    /// # Errors
    /// For a configuration that the client refuses, and retry topics.
    pub fn new(
        config: ClientConfig,
        group: impl Into<GroupId>,
        options: BusOptions,
    ) -> Result<Self, BusError> {
        if options.consumers.has_retry_topics() {
            return Err(BusError::RetryTopics);
        }
        let publishers = Publishers::new(&config)?;
        let producer = Producer::new(publishers.events.clone(), options.naming());
        let (running, subscribed, next) = (Mutex::default(), Arc::default(), AtomicU64::new(1));
        let group = group.into();
        Ok(Self(Arc::new(Inner { config, group, options, publishers, producer, running, subscribed, next })))
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
    /// As [`Bus::subscribe_with`].
    pub async fn subscribe<A: 'static>(
        &self,
        topic: &str,
        function: impl HandlerFn<(), A>,
    ) -> Result<SubscriptionId, BusError> {
        self.subscribe_with(topic, Router::new(()).fallback(function)).await
    }

    /// Hands each message of the topic to the handler, in one instance of this service: a [`Router`] chooses a function by
    /// the message's type, and has state and layers.
    ///
    /// # Errors
    /// Where the topic's name is none, this bus subscribes to it already, or the consumer does not start.
    pub async fn subscribe_with(
        &self,
        topic: &str,
        handler: impl Handler,
    ) -> Result<SubscriptionId, BusError> {
        let name = self.name(topic)?;
        let topic = SubscribedTopic::new(&self.0.subscribed, &name)?;
        self.consume(name, self.0.group.clone(), Some(topic), handler).await
    }

    /// Calls the function for each message of the queue, in one instance of one service.
    ///
    /// # Errors
    /// As [`Bus::receive_with`].
    pub async fn receive<A: 'static>(
        &self,
        queue: &str,
        function: impl HandlerFn<(), A>,
    ) -> Result<SubscriptionId, BusError> {
        self.receive_with(queue, Router::new(()).fallback(function)).await
    }

    /// Hands each message of the queue to the handler, in one instance of one service, as [`Bus::subscribe_with`].
    ///
    /// # Errors
    /// Where the queue's name is none, or the consumer does not start.
    pub async fn receive_with(&self, queue: &str, handler: impl Handler) -> Result<SubscriptionId, BusError> {
        let name = self.name(queue)?;
        let group = GroupId::new(name.as_str());
        self.consume(name, group, None, handler).await
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

    /// Publishes typed events to the topics of the bus, `{prefix}.{topic}`: a [`Router`] of those who subscribe
    /// ([`Bus::subscribe_with`]) chooses its function by their types.
    pub fn producer(&self) -> Producer {
        self.0.producer.clone()
    }

    /// For probes, as [`Running::health`]: of all subscriptions that there are when it is asked, each by the name of its
    /// topic or queue. Healthy and live where all are, and where there is none.
    pub fn health(&self) -> HealthHandle {
        let bus = Arc::downgrade(&self.0);
        HealthHandle::of_all(move || {
            bus.upgrade().map_or_else(Vec::new, |inner| Self(inner).health_by_name())
        })
    }

    /// Of its publisher's Kafka client.
    pub fn metrics(&self) -> Option<PublisherMetrics> {
        self.0.publishers.events.metrics()
    }

    fn health_by_name(&self) -> Vec<(String, HealthHandle)> {
        let health = |it: &Subscription| (it.name.to_string(), it.running.health());
        self.running().values().map(health).collect()
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
        Ok(self.0.publishers.events.publish(outgoing).await?)
    }

    async fn consume(
        &self,
        topic: TopicName,
        group: GroupId,
        subscribed: Option<SubscribedTopic>,
        handler: impl Handler,
    ) -> Result<SubscriptionId, BusError> {
        let Inner { config, options, publishers, .. } = &*self.0;
        let letters = options.name(&options.dead_letters)?;
        let agent = options.consumers.clone().of_group(config, group);
        let agent = agent
            .consumer(topic.as_str())
            .topics([topic.as_str()])
            .create_topics(options.topics_to_create([&topic, &letters]))
            .dead_letters(DeadLetters::to(letters.as_str()).convex())
            .failed_records_by(&publishers.failed);
        let running = agent.handler(handler).start().await?;
        let id = SubscriptionId(self.0.next.fetch_add(1, Ordering::Relaxed));
        self.running().insert(id, Subscription { name: topic, running, topic: subscribed });
        Ok(id)
    }
}
