//! A cluster in observe mode, on a broker that creates topics for whoever names one: after every
//! page, form and call it has the same topics with the same records.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use flowdeck::config::{Config, Environment, Flags};
use flowdeck::kafka;
use flowdeck_testkit::{DEADLINE, Kafka, NodeOptions, PrivateKafka, private, wait_for};
use http::{Request, StatusCode};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::support::{ask, form, get, options, post};

fn broker() -> PrivateKafka {
    let create = ("auto.create.topics.enable".to_owned(), "true".to_owned());
    private(&NodeOptions { properties: vec![create], ..NodeOptions::default() })
}

/// Every topic, Kafka's own too, with its records.
fn contents(kafka: &Kafka) -> Vec<(String, usize, usize)> {
    let with_records = |(name, partitions): (String, usize)| {
        let records = kafka.read_all(&name).len();
        (name, partitions, records)
    };
    kafka.topics().into_iter().map(with_records).collect()
}

/// Every door there is, for a topic that exists, one that does not, and one that cannot.
fn doors() -> Vec<(Request<Body>, StatusCode)> {
    let (ok, not_found, forbidden) = (StatusCode::OK, StatusCode::NOT_FOUND, StatusCode::FORBIDDEN);
    let mut doors = vec![
        (get("/kafkaflow"), ok),
        (get("/kafkaflow?search=ghost"), ok),
        (get("/kafkaflow/api/v1/groups"), ok),
        (get("/kafkaflow/fn/fleet?query="), ok),
        (get("/kafkaflow/c/demo/topics"), ok),
        (get("/kafkaflow/api/v1/clusters/demo/topics"), ok),
        (get("/kafkaflow/fn/topics?cluster=demo"), ok),
        (get("/health/ready"), ok),
        (get("/metrics"), ok),
    ];
    for (group, status) in [("payments", ok), ("ghost-group", not_found)] {
        doors.push((get(&format!("/kafkaflow/c/demo/groups/{group}")), status));
        doors.push((get(&format!("/kafkaflow/c/demo/groups/{group}?form=pause")), status));
        doors.push((get(&format!("/kafkaflow/api/v1/clusters/demo/groups/{group}")), status));
    }
    for (topic, status) in [("orders", ok), ("ghost-topic", not_found), ("~YS9i", not_found)] {
        doors.push((get(&format!("/kafkaflow/c/demo/topics/{topic}")), status));
        doors.push((get(&format!("/kafkaflow/c/demo/topics/{topic}?partition=0&from=offset:0")), status));
        doors.push((get(&format!("/kafkaflow/api/v1/clusters/demo/topics/{topic}")), status));
        doors.push((get(&format!("/kafkaflow/api/v1/clusters/demo/topics/{topic}/messages")), status));
        doors.push((
            get(&format!("/kafkaflow/api/v1/clusters/demo/topics/{topic}/messages?from=earliest")),
            status,
        ));
    }
    for action in ["pause", "resume"] {
        for (group, topic) in [("payments", "orders"), ("payments", "ghost-topic"), ("ghost-group", "")] {
            let id = uuid::Uuid::new_v4().to_string();
            let fields =
                [("id", &*id), ("action", action), ("group", group), ("topic", topic), ("reason", "x")];
            doors.push((form("/kafkaflow/c/demo/commands", &fields), forbidden));
            let topics: Vec<&str> = Some(topic).filter(|topic| !topic.is_empty()).into_iter().collect();
            let target = json!({ "group": group, "topics": topics });
            let body = json!({ "action": action, "target": target, "reason": "x" });
            let path = "/kafkaflow/api/v1/clusters/demo/commands";
            doors.push((post(path, "application/json", body.to_string()), forbidden));
        }
    }
    doors
}

async fn knows_the_group(router: &Router) {
    wait_for("the group", DEADLINE, async || {
        let answer = ask(router, get("/kafkaflow/api/v1/clusters/demo/groups/payments")).await;
        (answer.status == StatusCode::OK && answer.json()["lag"] == 3).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_door_writes_or_creates_anything() {
    let broker = tokio::task::spawn_blocking(broker).await.unwrap();
    broker.create_topic("orders", 2).await;
    broker.produce("orders", 0, ["a", "b", "c"]).await;
    broker.commit("payments", &[("orders", 0, 0)]);
    let kafka = Kafka::at(broker.bootstrap());
    let contents = || {
        let kafka = kafka.clone();
        async move { tokio::task::spawn_blocking(move || contents(&kafka)).await.unwrap() }
    };
    let before = contents().await;

    let flags = Flags { clusters: vec![format!("demo={}", broker.bootstrap())], ..Flags::default() };
    let config = Config::load(&flags, &Environment::default()).unwrap();
    let stop = CancellationToken::new();
    let admin = kafka::start(&config, stop.clone());
    let router = flowdeck::service(admin.bind(), flowdeck::Options { work: admin.work(), ..options() });
    knows_the_group(&router).await;
    for (request, status) in doors() {
        let what = format!("{} {}", request.method(), request.uri());
        let answer = ask(&router, request).await;
        assert_eq!(answer.status, status, "{what}: {}", answer.body.get(..300).unwrap_or(&answer.body));
    }
    stop.cancel();
    assert!(admin.join(Duration::from_secs(10)).await);
    assert_eq!(contents().await, before);
    // The broker does create what is named: it was us who did not name it.
    let careless = kafka.client().set("allow.auto.create.topics", "true").create();
    let careless: BaseConsumer = careless.unwrap();
    wait_for("a topic that was only named", DEADLINE, async || {
        let _ = careless.fetch_metadata(Some("ghost-of-another"), DEADLINE);
        kafka.topics().iter().any(|(name, _)| name == "ghost-of-another").then_some(())
    })
    .await;
}
