//! Holds that are kept by stop: the program, KafkaFlow-like services as processes, one Kafka. A paused group with a backlog
//! leaves Kafka's membership, stays out of it whoever joins, and comes back with its commits.

use std::collections::BTreeSet;
use std::time::Duration;

use flowdeck_protocol::kafkaflow::{Command, external_command_record};
use flowdeck_testkit::{Kafka, NodeOptions, PrivateKafka, Tool, private, wait_for};
use serde_json::{Value, json};

use crate::support::{Consumer, Server, cluster, heard, new_id};

const COMMANDS: &str = "/api/v1/clusters/shop/commands";
const GROUP: [&str; 6] = ["--group", "billing", "--consumer", "bills", "--topic", "orders"];
/// A backlog of some 30 s, and little in the buffers.
const SLOW: [&str; 10] =
    ["--workers", "2", "--buffer", "5", "--handle-ms", "20", "--commit-ms", "300", "--telemetry-ms", "1000"];
/// KafkaFlow has 60 s to start, and the group's members are asked for meanwhile.
const LONG: Duration = Duration::from_secs(100);

struct Scene {
    kafka: PrivateKafka,
    server: Server,
    consumer: Consumer,
}

fn flow(kafka: &Kafka, instance: &str) -> Consumer {
    Consumer::start(kafka, "kafkaflow", instance, &[&GROUP[..], &SLOW[..]].concat())
}

async fn scene(records: usize) -> Scene {
    let kafka = private(&NodeOptions::default());
    kafka.create_topic("orders", 4).await;
    kafka.create_topic("kafkaflow.admin", 1).await;
    for partition in 0..4 {
        kafka.produce("orders", partition, (0..records).map(|n| n.to_string())).await;
    }
    let server = Server::start(&cluster("shop", "control", kafka.bootstrap())).await;
    let consumer = flow(&kafka, "flow-1");
    consumer.wait_handled(20).await;
    let scene = Scene { kafka, server, consumer };
    scene.group("the instance is heard, and commits", |view| heard(1)(view) && view["members"] == 1).await;
    scene
}

fn body(fields: Value) -> Value {
    let mut body = json!({ "id": new_id(), "target": { "group": "billing" }, "reason": "INC-9" });
    for (name, value) in fields.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

impl Scene {
    async fn group(&self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        self.server.group("shop", "billing", what, is).await
    }

    async fn preview(&self, fields: Value) -> Value {
        let answer = self.server.send(&format!("{COMMANDS}/preview"), &body(fields)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }

    async fn confirmed(&self, fields: Value) -> Value {
        let sent = self.server.send(COMMANDS, &body(fields.clone())).await;
        assert_eq!(sent.status, 202, "{}", sent.text);
        let path = format!("{COMMANDS}/{}", sent.json()["id"].as_str().unwrap());
        // Evidence that comes late improves the outcome.
        wait_for(&format!("{fields} is confirmed"), LONG, async || {
            let view = self.server.get(&path).await.json();
            (view["state"] == "confirmed").then_some(view)
        })
        .await
    }

    async fn external(&self, command: Command) {
        let record = external_command_record(uuid::Uuid::new_v4(), command);
        self.kafka.send_record("kafkaflow.admin", &record).await;
    }
}

fn is_stopped(view: &Value) -> bool {
    view["members"] == 0 && view["verdict"] == "paused" && view["holds"][0]["by"] == "stop"
}

fn notes(view: &Value) -> String {
    view["notes"].to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_with_a_backlog_is_held_by_stop_whoever_joins_and_comes_back_with_its_commits() {
    let scene = scene(400).await;
    let preview = scene.preview(json!({ "action": "pause" })).await;
    assert_eq!(
        (&preview["by"], &preview["messages"][0]["message"]),
        (&json!("stop"), &json!("StopConsumerByName"))
    );
    assert!(notes(&preview).contains("workers × buffer"), "{preview}");
    let other = scene.preview(json!({ "action": "pause", "by": "pause" })).await;
    assert_eq!(other["messages"][0]["message"], "PauseConsumersByGroup");

    let paused = scene.confirmed(json!({ "action": "pause" })).await;
    let detail = paused["instances"][0]["detail"].as_str().unwrap();
    assert!(detail.contains("Kafka lists none of the consumer's members"), "{paused}");
    let view = scene.group("paused, and not without members", is_stopped).await;
    assert_eq!(view["why"], "by anonymous; its KafkaFlow consumers are kept stopped");

    // A deploy: who joins is stopped as soon as it is seen.
    let joiner = flow(&scene.kafka, "flow-2");
    let path = format!("{COMMANDS}/{}", paused["id"].as_str().unwrap());
    let was_told = |view: &Value| view["sentAgain"]["times"].as_u64().is_some_and(|times| times > 0);
    let view = scene.server.json_when(&path, "a stop is sent to the joiner", was_told).await;
    assert!(view["instances"].to_string().contains("flow-2"), "{view}");
    let handled = || scene.consumer.handled().len() + joiner.handled().len();
    wait_for("nothing runs any more", LONG, async || {
        let before = handled();
        tokio::time::sleep(Duration::from_secs(3)).await;
        (handled() == before).then_some(())
    })
    .await;
    scene.group("paused as before", is_stopped).await;

    let start = json!({ "action": "start", "target": { "group": "billing", "consumer": "bills" } });
    let refused = scene.server.send(COMMANDS, &body(start)).await;
    assert_eq!(refused.status, 409, "{}", refused.text);

    // Kafka deletes the offsets of a group without members.
    let is_kept = |view: &Value| view["offsets"].as_array().is_some_and(|all| !all.is_empty());
    let kept = scene.server.json_when(&path, "the commits are kept", is_kept).await;
    assert_eq!(kept["offsets"][0]["to"], "kept");
    scene.kafka.tool(Tool::ConsumerGroups, &["--delete", "--group", "billing"]);

    let resumed = scene.confirmed(json!({ "action": "resume" })).await;
    // Of the partitions that were read.
    assert!(notes(&resumed).contains("that Kafka had deleted w"), "{resumed}");
    let all = || [scene.consumer.handled(), joiner.handled()].concat();
    wait_for("all is handled", LONG, async || (all().len() >= 1_600).then_some(())).await;
    let distinct: BTreeSet<_> = all().into_iter().collect();
    assert_eq!((distinct.len(), all().len()), (1_600, 1_600), "nothing is lost, and nothing runs twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_elses_start_ends_a_hold_by_stop_and_somebody_elses_resume_starts() {
    let scene = scene(400).await;
    let consumer = || "bills".into();
    for round in 0..2 {
        let paused = scene.confirmed(json!({ "action": "pause", "by": "stop" })).await;
        scene.group("stopped", is_stopped).await;
        let handled = scene.consumer.handled().len();
        let command = match round {
            0 => Command::StartConsumerByName { consumer: consumer() },
            _ => Command::ResumeConsumersByGroup { group: "billing".into(), topics: vec![] },
        };
        scene.external(command).await;
        let view = scene.group("released", |view| view["holds"] == json!([])).await;
        assert_eq!(view["commands"][0]["actor"]["name"], "external", "{view}");
        assert_ne!(view["commands"][0]["id"], paused["id"]);
        scene.group("it runs again", |view| view["members"] == 1).await;
        scene.consumer.wait_handled(handled + 20).await;
    }
}

/// Whether the admin topic takes any record.
fn admin_topic_takes(kafka: &Kafka, is: bool) {
    let bytes = format!("max.message.bytes={}", if is { 1_000_000 } else { 10 });
    let topic = ["--entity-type", "topics", "--entity-name", "kafkaflow.admin"];
    kafka.tool(Tool::Configs, &[&["--alter", "--add-config", &bytes][..], &topic].concat());
}

fn starts(kafka: &Kafka) -> usize {
    let is_start = |record: &flowdeck_testkit::Read| {
        let mut texts = record.headers.iter().map(|(_, value)| value).chain(&record.value);
        texts.any(|text| String::from_utf8_lossy(text).contains("StartConsumerByName"))
    };
    kafka.read_all("kafkaflow.admin").iter().filter(|record| is_start(record)).count()
}

/// The hold is released, and its leader is killed before it could tell KafkaFlow to start.
#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_is_killed_between_the_release_and_the_start_leaves_it_to_the_next() {
    let mut scene = scene(400).await;
    scene.confirmed(json!({ "action": "pause", "by": "stop" })).await;
    scene.group("stopped", is_stopped).await;
    admin_topic_takes(&scene.kafka, false);
    let resume = body(json!({ "action": "resume" }));
    let is_released = wait_for("the release", LONG, async || {
        let holds = scene.kafka.read_all("flowdeck.holds");
        holds.last().is_some_and(|record| record.value.is_none()).then_some(())
    });
    // Whether it is answered before the end does not matter.
    let (_, ()) = tokio::join!(scene.server.try_send(COMMANDS, &resume), is_released);
    scene.server.process.kill();
    admin_topic_takes(&scene.kafka, true);
    assert_eq!(starts(&scene.kafka), 0, "it was killed too late");

    scene.server = Server::start(&cluster("shop", "control", scene.kafka.bootstrap())).await;
    let handled = scene.consumer.handled().len();
    let path = format!("{COMMANDS}/{}", resume["id"].as_str().unwrap());
    let view = wait_for("the end of it", LONG, async || {
        let view = scene.server.get(&path).await.json();
        let is_open = view["status"] == 404 || view["state"] == "requested" || view["state"] == "sent";
        (!is_open).then_some(view)
    })
    .await;
    assert_eq!(view["state"], "confirmed", "the next one starts it: {view}\n{}", scene.server.process.log());
    assert_eq!(starts(&scene.kafka), 1, "a second start would damage it");
    scene.group("it is back", |view| view["members"] == 1 && view["holds"] == json!([])).await;
    scene.consumer.wait_handled(handled + 20).await;
}
