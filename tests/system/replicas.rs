//! Two replicas on one cluster, as processes: the one that writes is killed, and the other goes on.

use std::time::{Duration, Instant};

use flowdeck_testkit::{DEADLINE, NodeOptions, private, wait_for};
use serde_json::Value;

use crate::support::{Consumer, Server, cluster, command, heard, new_id};

const COMMANDS: &str = "/api/v1/clusters/shop/commands";
/// From the kill of the replica that writes until the other one has written.
const TAKEOVER: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn another_replica_writes_within_ten_seconds_of_a_kill() {
    let kafka = private(&NodeOptions::default());
    kafka.create_topic("orders", 2).await;
    kafka.create_topic("kafkaflow.admin", 1).await;
    let config = cluster("shop", "control", kafka.bootstrap());
    let args = ["--group", "payments", "--topics", "orders", "--metadata-interval-ms", "500"];
    let _agent = Consumer::start(&kafka, "consume", "a", &args);
    // The first one is elected before there is another.
    let mut first = Server::start(&config).await;
    first.group("shop", "payments", "the agent is heard", heard(1)).await;
    let confirmed = |view: &Value| view["state"] == "confirmed";
    let mut second = Server::start(&config).await;
    second.group("shop", "payments", "the agent is heard", heard(1)).await;
    let pause = new_id();
    let sent = second.send(COMMANDS, &command(&pause, "pause", "payments")).await;
    assert_eq!(sent.status, 202, "{}", sent.text);
    let told = first.command("shop", &pause, "confirmed", confirmed).await;

    first.process.kill();
    let (resume, killed) = (new_id(), Instant::now());
    let sent = second.send(COMMANDS, &command(&resume, "resume", "payments")).await;
    let took = killed.elapsed();
    assert_eq!(sent.status, 202, "{}", sent.text);
    println!("from the kill to the command written by the other: {took:?}");
    assert!(took <= TAKEOVER, "{took:?}");
    assert_eq!(kafka.read_all("flowdeck.holds").len(), 2);
    second.command("shop", &resume, "confirmed", confirmed).await;

    // What was given before the kill is complete at the other, and at one that is started anew.
    let again = Server::start(&config).await;
    for server in [&second, &again] {
        let view = server.command("shop", &pause, "complete", confirmed).await;
        for field in ["actor", "reason", "sent", "instances", "holds", "requestedAt"] {
            assert_eq!(view[field], told[field], "{field}");
        }
    }
    // The election is no group of anybody's consumers.
    let fleet = wait_for("the fleet", DEADLINE, async || {
        let fleet = second.api("/groups").await;
        (fleet["groups"].as_array()?.len() == 2).then_some(fleet)
    })
    .await;
    let own =
        fleet["groups"].as_array().unwrap().iter().find(|row| row["group"] == "flowdeck.writer").unwrap();
    assert_eq!((&own["type"], &own["lag"]), (&Value::from("flowdeck"), &Value::Null), "{own}");
    let counted: u64 =
        fleet["counts"].as_array().unwrap().iter().filter_map(|one| one["groups"].as_u64()).sum();
    assert_eq!(counted, 1, "{}", fleet["counts"]);
    second.assert_sound();
}
