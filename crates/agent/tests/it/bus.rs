//! The bus, between services on one broker.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use flowdeck_agent::bus::{Bus, BusError, BusOptions};
use flowdeck_agent::{HandlerError, Json};
use flowdeck_testkit::{DEADLINE, kafka, unique, wait_for};

type Seen = Arc<Mutex<Vec<u32>>>;

fn service(name: &str, prefix: &str) -> Bus {
    let mut config = kafka().client();
    config.set("auto.offset.reset", "earliest").set("session.timeout.ms", "6000");
    let options = BusOptions::default().prefix(prefix).tries(2, Duration::from_millis(100)).create_topics(2);
    Bus::new(config, format!("{prefix}-{name}"), options.timings(crate::common::quick())).unwrap()
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
