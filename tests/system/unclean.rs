//! An unclean leader election among three real brokers: a replica that lacks records becomes the leader, the log's end
//! goes back, and the group whose commit is beyond it is told so.

use flowdeck_testkit::{DEADLINE, NodeOptions, Tool, private_cluster, wait_for};
use serde_json::{Value, json};

use crate::support::{Server, cluster};

const GROUP: &str = "/clusters/three/groups/payments";

#[tokio::test(flavor = "multi_thread")]
async fn unclean_leader_election_is_said_as_what_it_is() {
    let mut kafka = private_cluster(3, &NodeOptions::default());
    let settings = ["--config", "unclean.leader.election.enable=true", "--config", "min.insync.replicas=1"];
    let create = ["--create", "--topic", "orders", "--replica-assignment", "2:3"];
    kafka.tool(Tool::Topics, &[&create[..], &settings].concat());
    kafka.produce_at("orders", (0..5).map(|n| (0, n.to_string()))).await;
    let server = Server::start(&cluster("three", "observe", kafka.bootstrap())).await;

    // What comes now is on the leader alone.
    kafka.kill(3);
    kafka.produce_at("orders", (5..20).map(|n| (0, n.to_string()))).await;
    kafka.commit("payments", &[("orders", 0, 18)]);
    server.group("three", "payments", "the lag before", |view| view["lag"] == 2).await;
    kafka.kill(2);
    kafka.start_again(3);
    wait_for("broker 3 to lead", DEADLINE, async || {
        (kafka.leaders("orders").get(&0) == Some(&3)).then_some(())
    })
    .await;

    let words = "The log of orders partition 0 went back from 20 to 5: records were lost, as by an unclean \
                 leader election";
    let is_said = |view: &Value| {
        let mut events = view["events"].as_array().unwrap().iter();
        events.any(|event| event["kind"] == "change" && event["text"] == words)
    };
    server.json_when(&format!("/api/v1{GROUP}/history"), "the lost records", is_said).await;
    let view = server
        .group("three", "payments", "what is unknown, and why", |view| {
            view["partitions"][0]["unknown"] == "truncated"
        })
        .await;
    let row = &view["partitions"][0];
    assert_eq!(
        (&row["committed"], &row["end"], &row["lag"]),
        (&json!(18), &json!(5), &json!(null)),
        "{view}"
    );
    let page = server.get("/c/three/groups/payments").await.text;
    assert!(page.contains(words), "{page}");
    assert!(page.contains("committed offset beyond the end, which went back"), "{page}");

    // Once the log is as long again nobody can tell any more: the lag is a number, and the event stays.
    kafka.produce_at("orders", (0..15).map(|n| (0, n.to_string()))).await;
    server.group("three", "payments", "the lag after", |view| view["lag"] == 2).await;
    assert!(is_said(&server.api(&format!("{GROUP}/history")).await));
}
