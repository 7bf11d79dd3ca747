//! Offsets of a live KafkaFlow group: its consumers are stopped, the commits are set, and the consumers are started again,
//! also where the commits could not be set, and where the server is killed in between.

use std::collections::BTreeMap;
use std::time::Duration;

use flowdeck_testkit::{DEADLINE, NodeOptions, PrivateKafka, port, private, wait_for};
use serde_json::{Value, json};

use crate::support::{Consumer, Server, cluster, heard, new_id, settled};

const COMMANDS: &str = "/api/v1/clusters/shop/commands";
const PREVIEW: &str = "/api/v1/clusters/shop/offsets/preview";
const PARTITIONS: i32 = 3;
const RECORDS: usize = 150;
const FLOW: [&str; 10] = [
    "--group",
    "billing",
    "--consumer",
    "bills",
    "--topic",
    "orders",
    "--commit-ms",
    "300",
    "--telemetry-ms",
    "1000",
];
/// A stop, the quiet time, a start, and the time that it is heard on.
const LONG: Duration = Duration::from_secs(180);

struct Scene {
    kafka: PrivateKafka,
    config: String,
    listen: String,
    server: Server,
    consumer: Consumer,
}

impl Scene {
    /// All records are handled and committed.
    async fn new(quiet: &str) -> Self {
        let kafka = private(&NodeOptions::default());
        kafka.create_topic("orders", PARTITIONS).await;
        kafka.create_topic("kafkaflow.admin", 1).await;
        for partition in 0..PARTITIONS {
            kafka.produce("orders", partition, (0..50).map(|n| n.to_string())).await;
        }
        let config =
            cluster("shop", "control", kafka.bootstrap()) + &format!("offsets_quiet = \"{quiet}\"\n");
        let listen = format!("127.0.0.1:{}", port::free(1).unwrap()[0]);
        let server = Server::start_at(&config, &listen).await;
        let consumer = Consumer::start(&kafka, "kafkaflow", "flow-1", &FLOW);
        consumer.wait_handled(RECORDS).await;
        let scene = Self { kafka, config, listen, server, consumer };
        wait_for("its commits", DEADLINE, async || (scene.committed() == all(50)).then_some(())).await;
        scene.runs().await;
        scene
    }

    fn committed(&self) -> BTreeMap<i32, i64> {
        let rows = self.kafka.judge("billing");
        rows.into_iter().filter_map(|row| Some((row.partition, row.committed?))).collect()
    }

    async fn runs(&self) {
        let is = |view: &Value| heard(1)(view) && view["members"] == 1 && view["lag"] == 0;
        self.server.group("shop", "billing", "it runs, and is at the end", is).await;
    }

    async fn preview(&self, to: &str) -> Value {
        let ask = json!({ "group": "billing", "to": to, "topics": ["orders:0,2"] });
        let is = |view: &Value| view["way"] == "stopAndStart" && view["changed"] == 2;
        self.server.json_by(PREVIEW, &ask, "it would be stopped", is).await
    }

    async fn submitted(&self, operation: &Value) -> String {
        let sent = self.server.send(COMMANDS, operation).await;
        assert_eq!(sent.status, 202, "{}", sent.text);
        operation["id"].as_str().unwrap().to_owned()
    }

    async fn end(&self, id: &str) -> Value {
        let path = format!("{COMMANDS}/{id}");
        wait_for("its end", LONG, async || {
            let found = self.server.get(&path).await;
            (found.status == 200 && settled(&found.json())).then(|| found.json())
        })
        .await
    }

    /// Its commits are next.
    async fn stopped(&self, id: &str) {
        let is = |view: &Value| line(view, "kafkaFlow").1.starts_with("stopped");
        self.server.json_when(&format!("{COMMANDS}/{id}"), "it is stopped", is).await;
    }
}

fn all(offset: i64) -> BTreeMap<i32, i64> {
    (0..PARTITIONS).map(|partition| (partition, offset)).collect()
}

fn operation(preview: &Value) -> Value {
    json!({ "id": new_id(), "action": "setOffsets", "target": { "group": "billing" }, "reason": "INC-9",
        "to": preview["to"], "offsets": preview["moves"], "by": "stop" })
}

/// State and detail of the first line of this kind.
fn line(view: &Value, kind: &str) -> (String, String) {
    let mut lines = view["instances"].as_array().unwrap().iter();
    let one = lines.find(|one| one["kind"] == kind).unwrap_or_else(|| panic!("no line of {kind}: {view}"));
    let text = |field: &str| one[field].as_str().unwrap_or_default().to_owned();
    (text("state"), text("detail"))
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_of_a_live_kafkaflow_group_are_set_between_stop_and_start() {
    let mut scene = Scene::new("10s").await;
    let preview = scene.preview("20").await;
    assert!(preview["notes"].to_string().contains("StopConsumerByName: bills"), "{preview}");
    let page = [("to", "offset"), ("offset", "20"), ("topic", "orders")];
    let page = scene.server.form("/c/shop/groups/billing/offsets", &page).await.text;
    assert!(page.contains("name=\"by\" value=\"stop\"") && page.contains("Stop the consumers"), "{page}");
    // It has to be asked for.
    let mut unasked = operation(&preview);
    unasked.as_object_mut().unwrap().remove("by");
    let refused = scene.server.send(COMMANDS, &unasked).await;
    assert!(refused.status == 422 && refused.text.contains("stop"), "{}", refused.text);

    let id = scene.submitted(&operation(&preview)).await;
    let view = scene.end(&id).await;
    assert_eq!(view["state"], "confirmed", "{view}");
    assert_eq!(line(&view, "commits").1, "2 commits as asked for, read again", "{view}");
    assert!(line(&view, "kafkaFlow").1.contains("3 partitions run"), "{view}");
    assert_eq!(view["offsets"][0]["from"], 50, "{view}");
    scene.consumer.wait_handled(RECORDS + 60).await;
    scene.runs().await;

    // Somebody commits while it is stopped: nothing is changed, and it is started.
    let id = scene.submitted(&operation(&scene.preview("10").await)).await;
    scene.stopped(&id).await;
    // What it committed last is read within a moment.
    tokio::time::sleep(Duration::from_secs(1)).await;
    scene.kafka.commit("billing", &[("orders", 0, 45)]);
    let view = scene.end(&id).await;
    assert_eq!(view["state"], "partiallyConfirmed", "{view}");
    let (state, why) = line(&view, "commits");
    assert!(state == "refused" && why.contains("committed is 45, and was 50"), "{view}");
    assert_eq!(line(&view, "kafkaFlow").0, "acknowledged", "{view}");
    scene.consumer.wait_handled(RECORDS + 65).await;
    scene.runs().await;

    // A start under a pause would find a backlog.
    let pause = json!({ "id": new_id(), "action": "pause", "by": "pause", "reason": "x", "target": { "group": "billing" } });
    let pause = scene.submitted(&pause).await;
    scene.server.command("shop", &pause, "paused", |view| view["state"] == "confirmed").await;
    let refused = scene.server.send(COMMANDS, &operation(&scene.preview("10").await)).await;
    assert!(refused.status == 409 && refused.text.contains("resume it first"), "{}", refused.text);
    scene.server.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_stop_and_start_says_what_was_done_and_starts() {
    let mut scene = Scene::new("20s").await;
    let id = scene.submitted(&operation(&scene.preview("20").await)).await;
    scene.stopped(&id).await;
    let pid = scene.server.process.pid().to_string();
    assert!(std::process::Command::new("kill").args(["-KILL", &pid]).status().unwrap().success());
    scene.server.process.kill();
    let Scene { kafka, config, listen, server, consumer } = scene;
    drop(server);
    let server = Server::start_at(&config, &listen).await;
    let mut scene = Scene { kafka, config, listen, server, consumer };
    let view = scene.end(&id).await;
    assert_eq!(view["state"], "partiallyConfirmed", "{view}");
    let (state, why) = line(&view, "commits");
    assert!(state == "refused" && why.contains("the replica that writes changed"), "{view}");
    assert_eq!(line(&view, "kafkaFlow").0, "acknowledged", "{view}");
    assert_eq!(scene.committed(), all(50));
    scene.runs().await;
    scene.kafka.produce("orders", 0, ["more".to_owned()]).await;
    scene.consumer.wait_handled(RECORDS + 1).await;
    scene.server.assert_sound();
}
