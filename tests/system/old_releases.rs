//! Releases of Kafka that run with ZooKeeper: lag, pause, records and offsets work on them, and what they do not offer
//! is said.

use std::collections::BTreeMap;

use flowdeck_testkit::{Kafka, OldRelease, old};
use serde_json::{Value, json};

use crate::support::{Consumer, Server, cluster, heard, new_id};

const COMMANDS: &str = "/api/v1/clusters/shop/commands";
const PARTITIONS: i32 = 3;
/// Of each partition.
const RECORDS: usize = 40;

#[tokio::test(flavor = "multi_thread")]
async fn kafka_3_6_with_zookeeper() {
    works_on(OldRelease::V3_6, &["KIP-848 groups"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kafka_2_8_with_zookeeper() {
    works_on(OldRelease::V2_8, &["KIP-848 groups"]).await;
}

/// `without`: what the brokers' page says that the release does not offer.
async fn works_on(release: OldRelease, without: &[&str]) {
    let kafka = old(release);
    kafka.create_topic("orders", PARTITIONS).await;
    kafka.create_topic("kafkaflow.admin", 1).await;
    for partition in 0..PARTITIONS {
        kafka.produce("orders", partition, (0..RECORDS).map(|n| format!("record {n}"))).await;
    }
    kafka.commit("idle", &[("orders", 0, 10), ("orders", 1, 20)]);
    let config = cluster("shop", "control", kafka.bootstrap()) + "offsets_quiet = \"1s\"\n";
    let mut server = Server::start(&config).await;
    is_missing(&server, without).await;
    lag_is_as_kafkas_tool_has_it(&server, &kafka).await;
    records_are_read(&server).await;
    offsets_are_set(&server, &kafka).await;
    a_live_group_is_paused_and_resumed(&server, &kafka).await;
    server.assert_sound();
}

async fn is_missing(server: &Server, without: &[&str]) {
    let path = "/api/v1/clusters/shop/brokers";
    let is = |view: &Value| view["capabilities"].as_array().is_some_and(|rows| !rows.is_empty());
    let view = server.json_when(path, "its capabilities", is).await;
    let rows = view["capabilities"].as_array().unwrap();
    let no = rows.iter().filter(|row| row["offered"] == "no");
    let names: Vec<&str> = no.map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, without, "{view}");
}

async fn lag_is_as_kafkas_tool_has_it(server: &Server, kafka: &Kafka) {
    let numbers = |view: &Value| -> BTreeMap<i64, (Option<i64>, Option<i64>)> {
        let rows = view["partitions"].as_array().into_iter().flatten();
        let of = |row: &Value| (row["committed"].as_i64(), row["lag"].as_i64());
        rows.filter_map(|row| Some((row["partition"].as_i64()?, of(row))))
            .filter(|row| row.1.0.is_some())
            .collect()
    };
    let theirs: BTreeMap<i64, (Option<i64>, Option<i64>)> = kafka
        .judge("idle")
        .into_iter()
        .map(|row| (i64::from(row.partition), (row.committed, row.lag)))
        .collect();
    assert_eq!(theirs.len(), 2);
    server.group("shop", "idle", "the lag of Kafka's own tool", |view| numbers(view) == theirs).await;
}

async fn records_are_read(server: &Server) {
    let view = server.api("/clusters/shop/topics/orders/messages?limit=500").await;
    let records = view["records"].as_array().unwrap();
    assert_eq!(records.len(), RECORDS * PARTITIONS as usize, "{view}");
}

async fn offsets_are_set(server: &Server, kafka: &Kafka) {
    let ask = json!({ "group": "idle", "to": "earliest", "topics": ["orders:0,1"] });
    let path = "/api/v1/clusters/shop/offsets/preview";
    let preview = server.json_by(path, &ask, "a preview", |view| view["changed"] == 2).await;
    let id = new_id();
    let operation = json!({ "id": id, "action": "setOffsets", "target": { "group": "idle" }, "reason": "INC-9",
        "to": preview["to"], "offsets": preview["moves"] });
    let sent = server.send(COMMANDS, &operation).await;
    assert_eq!(sent.status, 202, "{}", sent.text);
    server.command("shop", &id, "confirmed", |view| view["state"] == "confirmed").await;
    let committed = kafka.judge("idle").into_iter().map(|row| row.committed);
    assert_eq!(committed.collect::<Vec<_>>(), [Some(0), Some(0)]);
}

async fn a_live_group_is_paused_and_resumed(server: &Server, kafka: &Kafka) {
    let args = ["--group", "billing", "--topics", "orders", "--metadata-interval-ms", "500"];
    let agent = Consumer::start(kafka, "consume", "one", &args);
    let all = RECORDS * PARTITIONS as usize;
    agent.wait_handled(all).await;
    server.group("shop", "billing", "its agent is heard", heard(1)).await;
    let give = async |action: &str| {
        let id = new_id();
        let command =
            json!({ "id": id, "action": action, "target": { "group": "billing" }, "reason": "INC-9" });
        let sent = server.send(COMMANDS, &command).await;
        assert_eq!(sent.status, 202, "{}", sent.text);
        server.command("shop", &id, "confirmed", |view| view["state"] == "confirmed").await;
    };
    give("pause").await;
    kafka.produce("orders", 0, ["one more"].map(str::to_owned)).await;
    server.group("shop", "billing", "one record waits", |view| view["lag"] == 1).await;
    assert_eq!(agent.handled().len(), all);
    give("resume").await;
    agent.wait_handled(all + 1).await;
}
