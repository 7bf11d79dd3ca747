//! The history of lag outlasts the process: SIGKILL costs the minute that is under way, and no more.

use std::time::Duration;

use flowdeck_model::Timestamp;
use flowdeck_testkit::{Kafka, NodeOptions, private, wait_for};
use serde_json::Value;

use crate::support::{Server, cluster};

/// A minute, and what a machine that has much to do adds to it.
const MINUTES: Duration = Duration::from_secs(180);
const MINUTE: i64 = 60_000;

fn minutes(kafka: &Kafka) -> Vec<i64> {
    let values = kafka.read_all("flowdeck.samples").into_iter().filter_map(|record| record.value);
    values.map(|value| serde_json::from_slice::<Value>(&value).unwrap()["at"].as_i64().unwrap()).collect()
}

/// Times of the points of the last hour that have a lag.
async fn points(server: &Server) -> Vec<i64> {
    let view = server.api("/clusters/shop/groups/payments/history?range=1h").await;
    let points = view["points"].as_array().unwrap().iter();
    let known = points.filter(|point| point["lag"] == 3);
    known.map(|point| point["at"].as_str().unwrap().parse::<Timestamp>().unwrap().millis()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn history_survives_sigkill_and_another_replica_has_it() {
    let kafka = private(&NodeOptions::default());
    kafka.create_topic("orders", 1).await;
    kafka.produce_at("orders", (0..5).map(|n| (0, n.to_string()))).await;
    kafka.commit("payments", &[("orders", 0, 2)]);
    let config = cluster("shop", "control", kafka.bootstrap());
    let mut server = Server::start(&config).await;
    server.group("shop", "payments", "its lag", |view| view["lag"] == 3).await;
    let written = wait_for("a minute in the topic", MINUTES, async || {
        let written = minutes(&kafka);
        (!written.is_empty()).then_some(written)
    })
    .await;
    server.process.kill();

    let (mut again, other) = (Server::start(&config).await, Server::start(&config).await);
    for server in [&again, &other] {
        let path = "/api/v1/clusters/shop/groups/payments/history?range=1h";
        server.json_when(path, "the topic is read", |view| view["storage"] == "topic").await;
        let known = points(server).await;
        assert!(written.iter().all(|minute| known.contains(minute)), "{written:?}, and {known:?}");
    }
    // No more than the minute of the kill can be missing, and one of both goes on to write.
    let last = *written.iter().max().unwrap();
    let next = wait_for("another minute in the topic", MINUTES, async || {
        minutes(&kafka).into_iter().filter(|minute| *minute > last).min()
    })
    .await;
    assert!(next <= last + 2 * MINUTE, "{last}, then {next}");
    assert!(points(&again).await.contains(&next));
    again.assert_sound();
}
