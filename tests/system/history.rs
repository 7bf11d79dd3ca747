//! The history of lag, and what happened meanwhile, outlasts the process: SIGKILL costs the minute that is under way, and
//! no more.

use std::time::Duration;

use flowdeck_model::Timestamp;
use flowdeck_testkit::{DEADLINE, Kafka, NodeOptions, private, wait_for};
use serde_json::Value;

use crate::support::{Consumer, Server, cluster};

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

/// Of a group with agents: kinds and texts of what was marked, deployments first.
async fn marks(server: &Server) -> Vec<(String, String)> {
    let view = server.api("/clusters/shop/groups/billing/history?range=1h").await;
    let events = view["events"].as_array().unwrap().iter();
    let kind = |event: &Value| event["kind"].as_str().unwrap().to_owned();
    let marks = events.filter(|event| ["deployment", "errors"].contains(&&*kind(event)));
    let mut marks: Vec<_> = marks.map(|one| (kind(one), one["text"].as_str().unwrap().to_owned())).collect();
    marks.sort();
    marks
}

fn agent(kafka: &Kafka, version: &str, more: &[&str]) -> Consumer {
    let label = format!("version={version}");
    let args = ["--group", "billing", "--topics", "bills", "--label", &label];
    Consumer::start(kafka, "consume", "billing-1", &[&args[..], more].concat())
}

/// Another version of a service, of whose five records one fails at first.
async fn deploy_what_fails(kafka: &Kafka, server: &Server) -> Vec<(String, String)> {
    let reported = async |version: &str| {
        let path = "/api/v1/clusters/shop/groups/billing/agents";
        let is = |view: &Value| {
            let all = view["agents"].as_array().unwrap();
            all.iter().any(|one| one["confirmed"] == true && one["report"]["labels"]["version"] == version)
        };
        server.json_when(path, "the agent's report", is).await;
    };
    kafka.create_topic("bills", 1).await;
    kafka.create_topic("kafkaflow.admin", 1).await;
    kafka.produce_at("bills", (0..5).map(|n| (0, n.to_string()))).await;
    let mut old = agent(kafka, "1.4", &[]);
    old.wait_handled(5).await;
    server.group("shop", "billing", "the group", |view| view["lag"].is_u64()).await;
    reported("1.4").await;
    // Each refresh looks at what was reported.
    tokio::time::sleep(Duration::from_secs(5)).await;
    old.stop().await;
    let mut new = agent(kafka, "1.5", &["--fail-every", "7"]);
    reported("1.5").await;
    kafka.produce_at("bills", (5..10).map(|n| (0, n.to_string()))).await;
    let marks = wait_for("both marks", DEADLINE, async || {
        let marks = marks(server).await;
        (marks.len() == 2).then_some(marks)
    })
    .await;
    new.stop().await;
    marks
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
    let marked = deploy_what_fails(&kafka, &server).await;
    let want = [
        ("deployment", "Deployment of billing: version 1.5 after 1.4"),
        ("errors", "1 call of a handler failed"),
    ];
    assert_eq!(marked, want.map(|(kind, text)| (kind.to_owned(), text.to_owned())));
    let written = wait_for("the minutes of both in the topic", MINUTES, async || {
        let values = kafka.read_all("flowdeck.samples").into_iter().filter_map(|record| record.value);
        let text: String = values.map(|value| String::from_utf8_lossy(&value).into_owned()).collect();
        (text.contains("\"deployment\"") && text.contains("\"failedCalls\"")).then(|| minutes(&kafka))
    })
    .await;
    server.process.kill();

    let (mut again, other) = (Server::start(&config).await, Server::start(&config).await);
    for server in [&again, &other] {
        let path = "/api/v1/clusters/shop/groups/payments/history?range=1h";
        server.json_when(path, "the topic is read", |view| view["storage"] == "topic").await;
        let known = points(server).await;
        assert!(written.iter().all(|minute| known.contains(minute)), "{written:?}, and {known:?}");
        assert_eq!(marks(server).await, marked);
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
