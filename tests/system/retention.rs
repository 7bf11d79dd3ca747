//! SIGKILL of the leader while a topic's retention is raised: the next start knows from the audit what was before, and puts
//! it back.

use std::time::Duration;

use flowdeck_testkit::{NodeOptions, Tool, port, private, wait_for};
use serde_json::{Value, json};

use crate::support::{Server, cluster, new_id};

const LIMIT: Duration = Duration::from_secs(60);

/// As Kafka's own tool shows what is set on the topic.
fn own(kafka: &flowdeck_testkit::PrivateKafka) -> String {
    let args = ["--describe", "--entity-type", "topics", "--entity-name", "orders"];
    kafka.tool(Tool::Configs, &args)
}

fn kill(mut server: Server) {
    let pid = server.process.pid().to_string();
    assert!(std::process::Command::new("kill").args(["-KILL", &pid]).status().unwrap().success());
    server.process.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn raised_retention_is_put_back_after_the_leader_was_killed() {
    let kafka = private(&NodeOptions::default());
    kafka.create_topic_with("orders", 1, &[("retention.ms", "600000"), ("retention.bytes", "1000000")]).await;
    let config = cluster("shop", "control", kafka.bootstrap());
    let listen = format!("127.0.0.1:{}", port::free(1).unwrap()[0]);
    let server = Server::start_at(&config, &listen).await;
    let path = "/api/v1/clusters/shop/topics/orders/retention";
    let query = json!({"forSeconds": 3_600, "bytes": 5_000_000});
    let preview = wait_for("a preview", LIMIT, async || {
        let preview = server.send(&format!("{path}/preview"), &query).await;
        (preview.status == 200).then(|| preview.json())
    })
    .await;
    let (mut body, id) = (preview["request"].clone(), new_id());
    (body["id"], body["reason"]) = (json!(id), json!("INC-1"));
    // Killed as soon as the request is in the audit: whatever was begun, the next one goes on from there.
    wait_for("it is taken", LIMIT, async || (server.send(path, &body).await.status == 202).then_some(()))
        .await;
    kill(server);
    let server = Server::start_at(&config, &listen).await;
    let its = format!("/api/v1/clusters/shop/retentions/{id}");
    let state = |view: &Value, state: &str| view["state"] == state;
    let view = server.json_when(&its, "it is raised", |view| state(view, "raised")).await;
    assert_eq!(view["before"]["ms"], json!({"value": 600_000, "own": true}), "{view}");
    let raised = own(&kafka);
    assert!(raised.contains(&format!("retention.ms={}", body["ms"])), "{raised}");
    assert!(raised.contains("retention.bytes=5000000"), "{raised}");
    kill(server);
    // Nobody leads, and nothing but the audit knows.
    let server = Server::start_at(&config, &listen).await;
    server.json_when(&its, "it is known again", |view| state(view, "raised")).await;
    let ended = server.send(&format!("{its}/end"), &json!({})).await;
    assert_eq!(ended.status, 200, "{}", ended.text);
    kill(server);
    let mut server = Server::start_at(&config, &listen).await;
    server.json_when(&its, "it is put back", |view| state(view, "putBack")).await;
    let back = own(&kafka);
    assert!(back.contains("retention.ms=600000") && back.contains("retention.bytes=1000000"), "{back}");
    server.assert_sound();
}
