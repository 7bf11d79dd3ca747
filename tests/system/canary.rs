//! A canary resume: one partition of a paused group with an agent runs first, then the rest, or back; through a kill of the
//! leader; and what cannot be controlled so narrowly is refused.

use std::collections::BTreeSet;
use std::time::Duration;

use flowdeck_testkit::{NodeOptions, PrivateKafka, port, private, wait_for};
use serde_json::{Value, json};

use crate::support::{Consumer, Server, cluster, command, heard, new_id};

const LIMIT: Duration = Duration::from_secs(60);
const COMMANDS: &str = "/api/v1/clusters/shop/commands";
const CANARIES: &str = "/api/v1/clusters/shop/canaries";

async fn produce(kafka: &PrivateKafka) {
    for partition in 0..3 {
        kafka.produce("orders", partition, (0..20).map(|n| n.to_string())).await;
    }
}

async fn paused(server: &Server, group: &str) {
    let mut body = command(&new_id(), "pause", group);
    body["forSeconds"] = json!(3_600);
    let sent = server.send(COMMANDS, &body).await;
    assert_eq!(sent.status, 202, "{}", sent.text);
    let id = sent.json()["id"].as_str().unwrap().to_owned();
    server.command("shop", &id, "paused", |view| view["state"] == "confirmed").await;
}

fn part(group: &str, partitions: &[i32]) -> Value {
    json!({"target": {"group": group, "topics": ["orders"], "partitions": partitions}, "reason": "INC-1"})
}

async fn reaches(server: &Server, id: &str, state: &str) -> Value {
    server.json_when(&format!("{CANARIES}/{id}"), state, |view| view["state"] == state).await
}

async fn begin(server: &Server, body: &Value) -> String {
    let sent = server.send(CANARIES, body).await;
    assert_eq!(sent.status, 202, "{}", sent.text);
    sent.json()["first"]["id"].as_str().unwrap().to_owned()
}

fn partitions(consumer: &Consumer, from: usize) -> BTreeSet<i32> {
    consumer.started()[from..].iter().map(|(_, partition, _)| *partition).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_runs_first_then_the_rest_or_back() {
    let mut kafka = private(&NodeOptions::default());
    kafka.create_topic("orders", 3).await;
    kafka.create_topic("kafkaflow.admin", 1).await;
    produce(&kafka).await;
    let config = cluster("shop", "control", kafka.bootstrap());
    let listen = format!("127.0.0.1:{}", port::free(1).unwrap()[0]);
    let mut server = Server::start_at(&config, &listen).await;
    let consumer = Consumer::start(&kafka, "consume", "a-1", &["--topics", "orders", "--group", "billing"]);
    consumer.wait_handled(60).await;
    server.group("shop", "billing", "the instance is heard", heard(1)).await;

    let refused = server.send(CANARIES, &part("billing", &[1])).await;
    assert_eq!(refused.status, 422, "nothing is paused: {}", refused.text);
    paused(&server, "billing").await;
    for (wrong, status) in [(json!({"target": {"group": "billing"}, "reason": "r"}), 400)] {
        assert_eq!(server.send(CANARIES, &wrong).await.status, status);
    }
    let preview = server.send(&format!("{CANARIES}/preview"), &part("billing", &[1])).await;
    assert_eq!(preview.status, 200, "{}", preview.text);
    assert_eq!(preview.json()["holds"][0]["except"][0]["partition"], 1, "{}", preview.text);
    let before = consumer.started().len();
    produce(&kafka).await;

    // Back.
    let id = begin(&server, &part("billing", &[1])).await;
    reaches(&server, &id, "waiting").await;
    consumer.wait_handled(before + 20).await;
    assert_eq!(partitions(&consumer, before), BTreeSet::from([1]), "the part alone");
    let order = format!("{CANARIES}/{id}/order");
    let would = server.send(&format!("{order}/preview"), &json!({"order": "back"})).await;
    assert_eq!(would.status, 200, "{}", would.text);
    let back = server.send(&order, &json!({"order": "back", "reason": "it fails"})).await;
    assert_eq!(back.status, 200, "{}", back.text);
    reaches(&server, &id, "pausedAgain").await;
    let both = |view: &Value| view["holds"].as_array().is_some_and(|holds| holds.len() == 2);
    let view = server.group("shop", "billing", "both are held", both).await;
    let [all, again] = &view["holds"].as_array().unwrap()[..] else { unreachable!("two of them") };
    assert!(all["until"].is_string() && all["until"] == again["until"], "as long as the rest: {view}");
    let late = server.send(&order, &json!({"order": "rest"})).await;
    assert_eq!(late.status, 409, "one of them: {}", late.text);
    let handled = consumer.started().len();
    produce(&kafka).await;

    // Another part, over a kill of the leader, and then the rest.
    let id = begin(&server, &part("billing", &[2])).await;
    reaches(&server, &id, "waiting").await;
    consumer.wait_handled(handled + 20).await;
    assert_eq!(partitions(&consumer, handled), BTreeSet::from([2]));
    server.process.kill();
    server = Server::start_at(&config, &listen).await;
    let view = reaches(&server, &id, "waiting").await;
    assert_eq!(view["orders"], json!(["rest", "back"]), "{view}");
    assert!(view["holds"][0].as_str().unwrap().contains("billing"), "{view}");
    let order = format!("{CANARIES}/{id}/order");
    // The part that failed is paused for itself: this rest would release that pause too.
    let refused = server.send(&order, &json!({"order": "rest"})).await;
    assert_eq!(refused.status, 409, "{}", refused.text);
    assert!(refused.text.contains("release that one first"), "{}", refused.text);
    let mut release = command(&new_id(), "resume", "billing");
    release["target"] = part("billing", &[1])["target"].clone();
    wait_for("that one is released", LIMIT, async || {
        (server.send(COMMANDS, &release).await.status == 202).then_some(())
    })
    .await;
    let one = |view: &Value| view["holds"].as_array().is_some_and(|holds| holds.len() == 1);
    server.group("shop", "billing", "the pause of all is left", one).await;
    wait_for("the rest is ordered", LIMIT, async || {
        (server.send(&order, &json!({"order": "rest"})).await.status == 200).then_some(())
    })
    .await;
    let view = reaches(&server, &id, "restResumed").await;
    let again = server.send(&order, &json!({"order": "rest"})).await;
    assert_eq!(again.json()["rest"]["id"], view["rest"]["id"], "given twice is given once");
    consumer.wait_handled(180).await;
    server.group("shop", "billing", "nothing is held", |view| view["holds"] == json!([])).await;
    server.assert_sound();

    // What is remembered is told without the audit topic.
    kafka.stop();
    let told = server.get(&format!("{CANARIES}/{id}")).await;
    assert_eq!((told.status, &told.json()["state"]), (200, &json!("restResumed")), "{}", told.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn kafkaflow_takes_no_partitions_and_says_so() {
    let kafka = private(&NodeOptions::default());
    for topic in ["orders", "refunds"] {
        kafka.create_topic(topic, 3).await;
    }
    kafka.create_topic("kafkaflow.admin", 1).await;
    produce(&kafka).await;
    let server = Server::start(&cluster("shop", "control", kafka.bootstrap())).await;
    let args = ["--group", "billing", "--consumer", "bills", "--topic", "orders", "--telemetry-ms", "1000"];
    let consumer = Consumer::start(&kafka, "kafkaflow", "flow-1", &args);
    consumer.wait_handled(60).await;
    server.group("shop", "billing", "the instance is heard", heard(1)).await;
    let mut body = command(&new_id(), "pause", "billing");
    body["by"] = json!("pause");
    let sent = server.send(COMMANDS, &body).await;
    assert_eq!(sent.status, 202, "{}", sent.text);
    let id = sent.json()["id"].as_str().unwrap().to_owned();
    server.command("shop", &id, "paused", |view| view["state"] == "confirmed").await;
    for path in [CANARIES.to_owned(), format!("{CANARIES}/preview")] {
        let refused = server.send(&path, &part("billing", &[1])).await;
        assert_eq!(refused.status, 422, "{}", refused.text);
        assert!(refused.text.contains("KafkaFlow"), "{}", refused.text);
    }
    let view = server.group("shop", "billing", "it stays paused", |_| true).await;
    assert_eq!(view["holds"].as_array().map(Vec::len), Some(1), "{view}");
}
