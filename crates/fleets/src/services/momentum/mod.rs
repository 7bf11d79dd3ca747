//! Momentum: CloudEvents on topics that a pattern names, in structured mode for other services and in binary mode for
//! its own; retries on a topic of their own, dead letters, a circuit breaker, and its health.

pub mod events;
pub mod health;

use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::Router as HttpRouter;
use flowdeck_agent::producer::{Correlation, Event as _, EventFormat, Producer, TopicNaming, environment};
use flowdeck_agent::{
    Agent, CircuitBreaker, CloudEvent, Context, DeadLetters, HandlerError, KafkaPublisher, OnError, Outgoing,
    RetryTopics, Router, Running, State, Then, TopicSpec,
};
use futures::future::BoxFuture;
use tracing::{info, warn};

use super::{Runtime, managed, metrics, sources};
use crate::services::Troubles;
use events::{CustomerCreated, CustomerUpdated, PaymentProcessed, SOURCE};

const CUSTOMERS: Duration = Duration::from_millis(500);
const PAYMENTS: Duration = Duration::from_millis(700);
const RETRY: Duration = Duration::from_secs(10);
/// After so many failures in a row it is paused for so long.
const BREAKER: (u32, Duration) = (5, Duration::from_secs(30));

#[derive(Clone)]
struct Service {
    runtime: Runtime,
    /// `dev`, `prod`
    environment: String,
    naming: TopicNaming,
    /// For other services.
    public: Producer,
    /// For itself.
    internal: Producer,
    health: health::Consumer,
}

pub async fn start(runtime: &Runtime) -> Result<HttpRouter> {
    let environment = environment(&runtime.environment);
    let naming = TopicNaming::new("{environment}.{domain}.{scope}.{topic}.{version}")?
        .set("environment", environment.as_str());
    let publisher = KafkaPublisher::new(&runtime.client()).context("make the producer")?;
    let producer = |format| Producer::new(publisher.clone(), naming.clone()).format(format);
    let source = || SOURCE.to_owned();
    let service = Service {
        public: producer(EventFormat::CloudEventsStructured { source: source() }),
        internal: producer(EventFormat::CloudEventsBinary { source: source() }),
        runtime: runtime.clone(),
        environment,
        naming,
        health: health::Consumer::default(),
    };
    let again = service.clone();
    let start = move || -> BoxFuture<'static, Result<managed::Stop>> {
        let service = again.clone();
        Box::pin(async move {
            let running = service.consume().await?;
            service.health.set(Some(running.health()));
            let (health, stop) = (service.health.clone(), managed::stop_of(running));
            let stop: managed::Stop = Box::new(move || {
                health.set(None);
                stop()
            });
            Ok(stop)
        })
    };
    managed::troubled(runtime, Box::new(start)).await.context("start the consumer")?;
    service.produce(publisher)?;
    let producers = vec![("sales-api", service.public.clone()), ("sales-api-internal", service.internal)];
    Ok(health::router(service.health).merge(metrics::router(producers)))
}

impl Service {
    /// One for the application in each environment.
    fn group(&self) -> String {
        format!("{}.sales-api", self.environment)
    }

    fn topics(&self) -> Result<[String; 3]> {
        Ok([
            self.naming.name(&CustomerCreated::topic())?,
            self.naming.name(&CustomerUpdated::topic())?,
            self.naming.name(&PaymentProcessed::topic())?,
        ])
    }

    async fn consume(&self) -> Result<Running> {
        let (topics, group) = (self.topics()?, self.group());
        let (retries, letters) = (format!("{group}.retry"), format!("{group}.dlq"));
        let policy = OnError {
            retries: 2,
            backoff: Duration::from_millis(200),
            backoff_max: Duration::from_secs(5),
            jitter: true,
            then: Then::DeadLetter,
        };
        let others = [&retries, &letters].map(|topic| TopicSpec::new(topic.as_str()));
        let specs = topics.iter().map(|topic| TopicSpec::new(topic.as_str()).partitions(3)).chain(others);
        let router = Router::new((self.internal.clone(), self.runtime.troubles.clone()))
            .message(CustomerCreated::TYPE, created)
            .message(CustomerUpdated::TYPE, updated)
            .message(PaymentProcessed::TYPE, paid)
            .fallback(created);
        let agent = Agent::builder(self.runtime.consumer(&[]), group)
            .consumer("sales-api")
            .create_topics(specs)
            .topics(topics)
            .workers(3)
            .on_error(policy)
            .retry_topics(RetryTopics::new().topic(retries, RETRY))
            .dead_letters(DeadLetters::to(letters))
            .circuit_breaker(CircuitBreaker::new(BREAKER.0, BREAKER.1))
            .timings(self.runtime.timings())
            .label("environment", self.environment.as_str());
        Ok(agent.handler(router).start().await?)
    }

    fn produce(&self, publisher: KafkaPublisher) -> Result<()> {
        let customers = self.public.clone();
        self.runtime.every(CUSTOMERS, move || {
            let producer = customers.correlated(Correlation::default().traced());
            async move { producer.publish_or_log(&CustomerCreated::random()).await }
        });
        let payments = self.public.clone();
        self.runtime.every(PAYMENTS, move || {
            let producer = payments.correlated(Correlation::default().traced());
            let event = PaymentProcessed { order_id: uuid::Uuid::new_v4(), amount: 42.5 };
            async move { producer.publish_or_log(&event).await }
        });
        let [topic, ..] = self.topics()?;
        sources::poison_records(&self.runtime, publisher.clone(), topic.clone(), sources::POISON);
        sources::rebalance_storm(&self.runtime, self.group(), topic.clone());
        let one = CustomerCreated::random();
        sources::hot_key(&self.runtime, publisher, move || {
            let mut message = Outgoing::to(&topic).key(one.customer_id.to_string());
            for (name, value) in [("id", "1"), ("source", SOURCE), ("type", CustomerCreated::TYPE)] {
                message = message.header(format!("ce_{name}"), value);
            }
            message.header("ce_specversion", "1.0").value(serde_json::to_vec(&one).unwrap_or_default())
        });
        Ok(())
    }
}

type Used = (Producer, Troubles);

/// Tells itself of it, within the same correlation and trace.
async fn created(
    event: CloudEvent<CustomerCreated>,
    State((internal, troubles)): State<Used>,
    context: Context,
) -> Result<(), HandlerError> {
    troubles.in_handler(context.cancellation()).await?;
    tokio::time::sleep(Duration::from_millis(20)).await;
    let update = CustomerUpdated { customer_id: event.data.customer_id, name: event.data.name };
    internal.publish_within(&context, &update).await?;
    Ok(())
}

async fn updated(event: CloudEvent<CustomerUpdated>) {
    info!(id = event.id, customer = %event.data.customer_id, "updated");
}

async fn paid(event: CloudEvent<PaymentProcessed>) -> Result<(), HandlerError> {
    if event.data.amount < 0.0 {
        warn!(id = event.id, "a payment below zero");
        return Err(HandlerError::permanent("a payment is not below zero"));
    }
    Ok(())
}
