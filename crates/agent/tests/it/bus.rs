//! The bus, between services on one broker.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flowdeck_agent::bus::{Bus, BusError, BusOptions};
use flowdeck_agent::health::HealthStatus;
use flowdeck_agent::producer::{Event, TopicFields};
use flowdeck_agent::{HandlerError, Json, Message, Router, State};
use flowdeck_testkit::{DEADLINE, kafka, unique, wait_for};
use tower::util::MapRequestLayer;

type Seen = Arc<Mutex<Vec<u32>>>;

fn service(name: &str, prefix: &str) -> Bus {
    let mut config = kafka().client();
    config.set("auto.offset.reset", "earliest").set("session.timeout.ms", "6000");
    let options = BusOptions::default().prefix(prefix).tries(2, Duration::from_millis(100)).create_topics(2);
    Bus::new(config, format!("{prefix}-{name}"), options.defaults(|all| all.timings(crate::common::quick())))
        .unwrap()
}

fn noting(seen: &Seen) -> impl Fn(Json<u32>) -> std::future::Ready<()> + Clone + Send + Sync + 'static {
    let seen = Arc::clone(seen);
    move |Json(number)| {
        seen.lock().unwrap().push(number);
        std::future::ready(())
    }
}

fn sorted(seen: &Seen) -> Vec<u32> {
    let mut all = seen.lock().unwrap().clone();
    all.sort_unstable();
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn each_service_gets_what_is_published_and_one_what_is_sent() {
    let prefix = unique("bus");
    let (one, other) = (service("one", &prefix), service("other", &prefix));
    let [events_one, events_other, queue] = [Seen::default(), Seen::default(), Seen::default()];
    let id = one.subscribe("events", noting(&events_one)).await.unwrap();
    let again = one.subscribe("events", noting(&events_one)).await;
    assert!(matches!(again, Err(BusError::AlreadySubscribed { .. })), "it would split the topic");
    other.subscribe("events", noting(&events_other)).await.unwrap();
    one.receive("queue", noting(&queue)).await.unwrap();
    other.receive("queue", noting(&queue)).await.unwrap();
    for number in 1..=20 {
        one.publish("events", &number).await.unwrap();
        other.send("queue", &number).await.unwrap();
    }
    let all: Vec<u32> = (1..=20).collect();
    for (what, seen) in [("one", &events_one), ("other", &events_other), ("the queue", &queue)] {
        wait_for(what, DEADLINE, async || (sorted(seen) == all).then_some(())).await;
    }

    one.unsubscribe(id).await.unwrap();
    assert!(matches!(one.unsubscribe(id).await, Err(BusError::NoSubscription)));
    one.publish("events", &21).await.unwrap();
    wait_for("the other one goes on", DEADLINE, async || (sorted(&events_other).len() == 21).then_some(()))
        .await;
    assert_eq!(sorted(&events_one), all);
    one.stop().await.unwrap();
    other.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_after_its_tries_is_a_dead_letter_of_the_bus() {
    let prefix = unique("bus");
    let bus = service("one", &prefix);
    let refuse = |Json(number): Json<u32>| async move {
        Err::<(), HandlerError>(format!("{number} is refused").into())
    };
    bus.subscribe("events", refuse).await.unwrap();
    bus.publish("events", &7).await.unwrap();
    let letters = wait_for("the dead letter", DEADLINE, async || {
        Some(kafka().read_all(&format!("{prefix}.dlq"))).filter(|letters| !letters.is_empty())
    });
    let letter: serde_json::Value =
        serde_json::from_slice(letters.await[0].value.as_deref().unwrap()).unwrap();
    assert_eq!(letter["OriginalTopic"], format!("{prefix}.events"));
    assert_eq!((&letter["OriginalMessage"], &letter["ErrorMessage"]), (&7.into(), &"7 is refused".into()));
    bus.stop().await.unwrap();
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Placed(u32);

#[derive(serde::Serialize, serde::Deserialize)]
struct Won(u32);

impl Event for Placed {
    const TYPE: &'static str = "BetPlaced";

    fn topic() -> TopicFields {
        TopicFields::new("bets")
    }
}

impl Event for Won {
    const TYPE: &'static str = "BetWon";

    fn topic() -> TopicFields {
        TopicFields::new("bets")
    }
}

/// What was placed, and what was won.
type Bets = (Seen, Seen);

async fn placed(State((placed, _)): State<Bets>, Json(Placed(bet)): Json<Placed>) {
    placed.lock().unwrap().push(bet);
}

async fn won(State((_, won)): State<Bets>, Json(Won(bet)): Json<Won>) {
    won.lock().unwrap().push(bet);
}

#[tokio::test(flavor = "multi_thread")]
async fn bus_has_a_router_by_type_with_a_layer_and_the_health_of_its_subscriptions() {
    let (prefix, bets, calls) = (unique("bus"), Bets::default(), Arc::new(AtomicUsize::new(0)));
    let bus = service("one", &prefix);
    let count = {
        let calls = Arc::clone(&calls);
        move |message: Message| {
            calls.fetch_add(1, Ordering::Relaxed);
            message
        }
    };
    let router = Router::new(bets.clone())
        .message("BetPlaced", placed)
        .message("BetWon", won)
        .layer(MapRequestLayer::new(count));
    let id = bus.subscribe_with("bets", router).await.unwrap();
    let queue = Seen::default();
    bus.receive_with("queue", Router::new(()).fallback(noting(&queue))).await.unwrap();
    let producer = bus.producer();
    for bet in 1..=5 {
        producer.publish(&Placed(bet)).await.unwrap();
        bus.send("queue", &bet).await.unwrap();
    }
    producer.publish(&Won(3)).await.unwrap();
    wait_for("the bets", DEADLINE, async || {
        let all = (sorted(&bets.0).len(), sorted(&bets.1).len(), sorted(&queue).len());
        (all == (5, 1, 5)).then_some(())
    })
    .await;
    assert_eq!((sorted(&bets.1), calls.load(Ordering::Relaxed)), (vec![3], 6));

    let health = bus.health();
    let names = || health.health().consumers.into_keys().collect::<Vec<_>>();
    assert_eq!((health.health().status, health.is_live()), (HealthStatus::Healthy, true));
    assert_eq!(names(), [format!("{prefix}.bets"), format!("{prefix}.queue")]);
    bus.unsubscribe(id).await.unwrap();
    assert_eq!(names(), [format!("{prefix}.queue")]);
    bus.stop().await.unwrap();
    assert_eq!((names(), health.health().status), (vec![], HealthStatus::Healthy));
}
