//! Convex: a bus. Users are created and bets are placed (publish, subscribe); each new user is sent a notification (send,
//! receive). What fails after its tries lies in `convex.dlq`.

pub mod messages;

use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::Router as HttpRouter;
use flowdeck_agent::bus::{Bus, BusOptions};
use flowdeck_agent::producer::Correlation;
use flowdeck_agent::{Context, HandlerError, Json, KafkaPublisher, Outgoing};
use futures::future::BoxFuture;
use tracing::{debug, warn};

use super::{Runtime, Trouble, managed, sources};
use crate::events::timestamp;
use messages::{BetPlacedEvent, NotificationMessage, UserCreatedEvent};

const USERS: Duration = Duration::from_millis(900);
const BETS: Duration = Duration::from_millis(400);
/// A bet that is refused as long as the service is not mended.
const POISON: &[u8] = br#"{"BetId":0,"UserId":0,"Amount":0.0,"Odds":0.0}"#;

pub async fn start(runtime: &Runtime) -> Result<HttpRouter> {
    let settings = &runtime.settings;
    let group = settings.group.clone().context("convex needs KAFKA_CONSUMER_GROUP")?;
    let options = BusOptions::of(settings).create_topics(3);
    let options = options.defaults(|consumer| consumer.timings(runtime.timings()));
    let bus = Bus::new(runtime.consumer(&[]), group.as_str(), options).context("make the bus")?;

    let sender = bus.clone();
    let created =
        move |Json(user): Json<UserCreatedEvent>, context: Context| welcome(sender.clone(), user, context);
    bus.subscribe("user.created", created).await.context("subscribe to user.created")?;
    bus.receive("user.notifications", notify).await.context("receive from user.notifications")?;
    let (placed, again) = (bus.clone(), runtime.clone());
    let start = move || bets(placed.clone(), again.clone());
    managed::troubled(runtime, Box::new(start)).await.context("subscribe to bet.placed")?;

    let (stop, ending) = (runtime.stop.clone(), bus.clone());
    runtime.tasks.spawn(async move {
        stop.cancelled().await;
        if let Err(error) = ending.stop().await {
            warn!("{:#}", anyhow::Error::from(error));
        }
    });
    produce(runtime, &bus, &group)?;
    Ok(HttpRouter::new())
}

/// The new user is told so.
async fn welcome(bus: Bus, user: UserCreatedEvent, context: Context) -> Result<(), HandlerError> {
    let message = NotificationMessage {
        user_id: user.user_id,
        r#type: "Welcome".to_owned(),
        content: "Welcome to Convex!".to_owned(),
    };
    Ok(bus.publish_correlated("user.notifications", &message, &Correlation::of(&context)).await?)
}

async fn notify(Json(message): Json<NotificationMessage>) {
    debug!(user = message.user_id, "notified");
}

fn bets(bus: Bus, runtime: Runtime) -> BoxFuture<'static, Result<managed::Stop>> {
    Box::pin(async move {
        let troubles = runtime.troubles;
        let placed = move |Json(bet): Json<BetPlacedEvent>, context: Context| {
            let troubles = troubles.clone();
            async move {
                troubles.in_handler(context.cancellation()).await?;
                if bet.bet_id == 0 && troubles.is(Trouble::PoisonRecord) {
                    return Err(HandlerError::from("there is no market for bet 0"));
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
                Ok(())
            }
        };
        let id = bus.subscribe("bet.placed", placed).await?;
        let stop: managed::Stop = Box::new(move || {
            Box::pin(async move {
                // The bus itself may have ended it.
                if let Err(error) = bus.unsubscribe(id).await {
                    debug!("{error}");
                }
            })
        });
        Ok(stop)
    })
}

fn produce(runtime: &Runtime, bus: &Bus, group: &str) -> Result<()> {
    let users = bus.clone();
    runtime.every(USERS, move || {
        let (bus, user_id) = (users.clone(), rand::random_range(1..1_000_000));
        async move {
            let email = format!("user{user_id}@example.com");
            let event = UserCreatedEvent { user_id, email, created_at: timestamp() };
            logged(bus.publish("user.created", &event).await);
        }
    });
    let bets = bus.clone();
    runtime.every(BETS, move || {
        let bus = bets.clone();
        async move { logged(bus.publish("bet.placed", &bet()).await) }
    });
    let topic = bus.topic_name("bet.placed")?;
    let publisher = KafkaPublisher::new(&runtime.client()).context("make the producer")?;
    sources::poison_records(runtime, publisher.clone(), topic.clone(), POISON);
    sources::rebalance_storm(runtime, group.to_owned(), topic.clone());
    sources::hot_key(runtime, publisher, move || {
        Outgoing::to(&topic).key("user-7").value(serde_json::to_vec(&bet()).unwrap_or_default())
    });
    Ok(())
}

fn bet() -> BetPlacedEvent {
    BetPlacedEvent {
        bet_id: rand::random_range(1..1_000_000),
        user_id: rand::random_range(1..1_000),
        amount: 100.0,
        odds: 2.5,
        placed_at: timestamp(),
    }
}

fn logged(published: Result<(), flowdeck_agent::bus::BusError>) {
    if let Err(error) = published {
        warn!("not published: {:#}", anyhow::Error::from(error));
    }
}
