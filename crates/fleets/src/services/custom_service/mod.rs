//! CustomService: commands over HTTP, an event for each, and three services that read the events, one consumer for each
//! handler and one group for each service.

pub mod events;
pub mod items;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::Router as HttpRouter;
use flowdeck_agent::producer::{Correlation, Event as _, Producer, TopicNaming};
use flowdeck_agent::{
    Agent, Context, HandlerError, Json, KafkaPublisher, OnError, Outgoing, Router, Running, State, Then,
    TopicSpec,
};
use futures::future::BoxFuture;
use serde_json::Value;
use tracing::debug;

use super::{Runtime, managed, metrics, sources};
use crate::services::Troubles;
use events::{CustomItemCreatedEvent, CustomItemDeletedEvent, CustomItemUpdatedEvent};
use items::{Change, Items};

const COMMANDS: Duration = Duration::from_millis(800);

const KINDS: [&str; 3] = ["created", "updated", "deleted"];
/// Services with the events that they read.
const SERVICES: [(&str, &[&str]); 3] =
    [("analytics-service", &KINDS), ("notification-service", &["created"]), ("audit-service", &KINDS)];
/// The handler that troubles are about.
const TROUBLED: (&str, &str) = ("audit-service", "deleted");

pub async fn start(runtime: &Runtime) -> Result<HttpRouter> {
    let naming = TopicNaming::new("{service}.{domain}.{event-type}")?.set("service", "customservice");
    let publisher = KafkaPublisher::new(&runtime.client()).context("make the producer")?;
    let producer = Producer::new(publisher.clone(), naming).topics(runtime.settings.topics.clone());
    let items = Items::new(producer.clone());
    for (service, kinds) in SERVICES {
        for kind in kinds {
            let runtime = runtime.clone();
            if (service, *kind) == TROUBLED {
                let again = runtime.clone();
                let start = move || -> BoxFuture<'static, Result<managed::Stop>> {
                    let started = consumer(again.clone(), service, kind);
                    Box::pin(async move { Ok(managed::stop_of(started.await?)) })
                };
                managed::troubled(&runtime, Box::new(start)).await?;
            } else {
                managed::untroubled(&runtime, consumer(runtime.clone(), service, kind).await?);
            }
        }
    }
    produce(runtime, &items, &publisher);
    Ok(items.router().merge(metrics::router(vec![("customservice-producer", producer)])))
}

/// The pattern's name, or what `Kafka__Topics__CustomItemCreatedEvent` and its kin say.
fn topic(runtime: &Runtime, kind: &str) -> String {
    let event = match kind {
        "created" => CustomItemCreatedEvent::TYPE,
        "updated" => CustomItemUpdatedEvent::TYPE,
        _ => CustomItemDeletedEvent::TYPE,
    };
    let renamed = runtime.settings.topics.get(event).cloned();
    renamed.unwrap_or_else(|| format!("customservice.item.{kind}"))
}

/// One handler's.
async fn consumer(runtime: Runtime, service: &'static str, kind: &'static str) -> Result<Running> {
    // Nothing is lost: a record that fails for good waits for an operator.
    let policy = OnError { retries: 3, then: Then::PausePartition, ..OnError::default() };
    let troubles = ((service, kind) == TROUBLED).then(|| runtime.troubles.clone());
    Agent::builder(runtime.consumer(&[("client.id", service)]), service)
        .consumer(format!("{service}-item-{kind}"))
        .topics([topic(&runtime, kind)])
        .workers(2)
        .create_topics(KINDS.map(|kind| TopicSpec::new(topic(&runtime, kind)).partitions(3)))
        .on_error(policy)
        .timings(runtime.timings())
        .handler(Router::new(Arc::new(troubles)).fallback(handle))
        .start()
        .await
        .with_context(|| format!("start {service}"))
}

async fn handle(
    Json(event): Json<Value>,
    State(troubles): State<Arc<Option<Troubles>>>,
    context: Context,
) -> Result<(), HandlerError> {
    if event["eventId"].as_str().is_none() {
        return Err(HandlerError::permanent("the event has no eventId"));
    }
    if let Some(troubles) = &*troubles {
        troubles.in_handler(context.cancellation()).await?;
    }
    tokio::time::sleep(Duration::from_millis(15)).await;
    debug!(id = %event["eventId"], correlation = context.correlation_id(), "handled");
    Ok(())
}

/// Clients of the service, and troubles.
fn produce(runtime: &Runtime, items: &Items, publisher: &KafkaPublisher) {
    let own = items.clone();
    runtime.every(COMMANDS, move || {
        let items = own.clone();
        async move {
            let correlation = Correlation::default().traced();
            let change =
                |name: &str| Change { name: name.to_owned(), description: String::new(), user_id: None };
            let item = items.create(change("Sample Item"), correlation.clone()).await;
            items.update(item.id, change("Updated Item Name"), correlation.clone()).await;
            items.delete(item.id, correlation).await;
        }
    });
    let deleted = topic(runtime, TROUBLED.1);
    sources::poison_records(runtime, publisher.clone(), deleted.clone(), sources::POISON);
    sources::rebalance_storm(runtime, TROUBLED.0.to_owned(), deleted.clone());
    let item = items::Item {
        id: uuid::Uuid::new_v4(),
        user_id: uuid::Uuid::new_v4(),
        name: "Item of a busy user".to_owned(),
        description: String::new(),
        status: "Active",
    };
    sources::hot_key(runtime, publisher.clone(), move || {
        let event = CustomItemDeletedEvent::new(&item, "hot", "user@example.com".to_owned());
        Outgoing::to(&deleted)
            .key(item.user_id.to_string())
            .header("Message-Type", "CustomItemDeletedEvent")
            .value(serde_json::to_vec(&event).unwrap_or_default())
    });
}
