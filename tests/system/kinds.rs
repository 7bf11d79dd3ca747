//! Stop, start, restart, workers, rewind and reset of a KafkaFlow-like consumer: the program, a service as a process, one
//! Kafka. Each is confirmed by what Kafka and telemetry tell, and the preview says before what happens.

use std::time::Duration;

use flowdeck_model::Timestamp;
use flowdeck_testkit::{Kafka, NodeOptions, PrivateKafka, private, wait_for};
use serde_json::{Value, json};

use crate::support::{Answer, Consumer, Server, cluster, heard, new_id};

/// KafkaFlow waits 5 s within a restart, and an instance counts once it was heard for 10 s more.
const LONG: Duration = Duration::from_secs(70);
const COMMANDS: &str = "/api/v1/clusters/shop/commands";

struct Scene {
    kafka: PrivateKafka,
    server: Server,
    consumer: Consumer,
}

async fn produce(kafka: &Kafka) {
    for partition in 0..3 {
        kafka.produce("orders", partition, (0..20).map(|n| n.to_string())).await;
    }
}

async fn scene() -> Scene {
    let kafka = private(&NodeOptions::default());
    kafka.create_topic("orders", 4).await;
    kafka.create_topic("kafkaflow.admin", 1).await;
    // The last partition stays empty.
    produce(&kafka).await;
    let server = Server::start(&cluster("shop", "control", kafka.bootstrap())).await;
    let args = ["--group", "billing", "--consumer", "bills", "--topic", "orders", "--workers", "2"];
    let times = ["--commit-ms", "300", "--telemetry-ms", "1000"];
    let consumer = Consumer::start(&kafka, "kafkaflow", "flow-1", &[&args[..], &times[..]].concat());
    consumer.wait_handled(60).await;
    server.group("shop", "billing", "the instance is heard", heard(1)).await;
    Scene { kafka, server, consumer }
}

fn body(fields: Value) -> Value {
    let mut body =
        json!({ "id": new_id(), "target": { "group": "billing", "consumer": "bills" }, "reason": "INC-9" });
    for (name, value) in fields.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

impl Scene {
    async fn preview(&self, fields: Value) -> Value {
        let answer = self.server.send(&format!("{COMMANDS}/preview"), &body(fields)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }

    async fn send(&self, fields: Value) -> Answer {
        self.server.send(COMMANDS, &body(fields)).await
    }

    /// Until it is confirmed.
    async fn confirmed(&self, fields: Value) -> Value {
        let sent = self.send(fields.clone()).await;
        assert_eq!(sent.status, 202, "{}", sent.text);
        let id = sent.json()["id"].as_str().unwrap().to_owned();
        let view = self.settled(&format!("{COMMANDS}/{id}")).await;
        assert_eq!(view["state"], "confirmed", "{fields}: {view}");
        view
    }

    async fn settled(&self, path: &str) -> Value {
        wait_for("the command is settled", LONG, async || {
            let view = self.server.get(path).await.json();
            (!["requested", "sent"].contains(&view["state"].as_str().unwrap())).then_some(view)
        })
        .await
    }

    async fn group(&self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        self.server.group("shop", "billing", what, is).await
    }
}

fn detail(view: &Value) -> &str {
    view["instances"][0]["detail"].as_str().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_is_restarted_stopped_started_and_given_other_workers() {
    let scene = scene().await;
    let preview = scene.preview(json!({ "action": "restart" })).await;
    assert_eq!(preview["messages"][0]["message"], "RestartConsumerByName");
    assert_eq!(preview["instances"].as_array().unwrap().len(), 1);

    let running = scene.send(json!({ "action": "start" })).await;
    assert_eq!(running.status, 409, "{}", running.text);
    assert!(running.text.contains("restart it instead"), "{}", running.text);

    let restarted = scene.confirmed(json!({ "action": "restart" })).await;
    assert!(detail(&restarted).contains("left the group and joined it again"), "{restarted}");

    let changed = scene.confirmed(json!({ "action": "changeWorkers", "workers": 5 })).await;
    assert!(detail(&changed).contains("5 workers"), "{changed}");
    scene.group("5 workers in telemetry", |view| view["consumers"][0]["instances"][0]["workers"] == 5).await;

    let stopped = scene.confirmed(json!({ "action": "stop" })).await;
    assert!(detail(&stopped).contains("none of the consumer's members"), "{stopped}");
    let group = scene.group("no members", |view| view["members"] == 0).await;
    assert_eq!(group["consumers"][0]["instances"][0]["lost"], false, "telemetry goes on");

    let handled = scene.consumer.handled().len();
    produce(&scene.kafka).await;
    scene.confirmed(json!({ "action": "start" })).await;
    scene.consumer.wait_handled(handled + 60).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_are_rewound_and_reset_and_records_are_handled_again() {
    let scene = scene().await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let between = Timestamp::from_system(std::time::SystemTime::now());
    tokio::time::sleep(Duration::from_millis(50)).await;
    produce(&scene.kafka).await;
    scene.consumer.wait_handled(120).await;
    scene.group("all is committed", |view| view["lag"] == 0).await;

    let rewind = json!({ "action": "rewind", "to": between.to_string() });
    let preview = scene.preview(rewind.clone()).await;
    let offsets = preview["offsets"].as_array().unwrap();
    let to = |n: usize| offsets[n]["to"].clone();
    assert_eq!((to(0), to(3)), (json!({ "offset": 20 }), json!("noRecord")), "{preview}");
    assert_eq!(offsets[0]["from"], 40);
    assert!(preview["notes"].to_string().contains("which is UTC by the configuration"), "{preview}");

    let sent = scene.send(rewind.clone()).await;
    assert_eq!(sent.status, 202, "{}", sent.text);
    let second = scene.send(json!({ "action": "reset" })).await;
    assert_eq!(second.status, 409, "one at a time: {}", second.text);
    // Three partitions, 20 records of each a second time.
    scene.consumer.wait_handled(180).await;
    let path = format!("{COMMANDS}/{}", sent.json()["id"].as_str().unwrap());
    let view = scene.settled(&path).await;
    assert_eq!(view["state"], "confirmed", "{view}");
    assert!(detail(&view).contains("3 commits moved"), "{view}");
    assert_eq!(view["offsets"][0], offsets[0], "as the preview said");

    let reset = scene.confirmed(json!({ "action": "reset" })).await;
    assert_eq!(reset["offsets"][0]["to"], json!({ "offset": 0 }));
    scene.consumer.wait_handled(300).await;
}

/// Messages on the admin topic but telemetry, by KafkaFlow's names.
fn admin_messages(kafka: &Kafka) -> Vec<String> {
    let all = kafka.read_all("kafkaflow.admin");
    let kinds = all.iter().filter_map(|record| record.headers().last("Message-Type").map(<[u8]>::to_vec));
    let names = kinds.map(|kind| String::from_utf8(kind).unwrap());
    let names = names.filter_map(|kind| Some(kind.split(',').next()?.rsplit('.').next()?.to_owned()));
    names.filter(|name| name != "ConsumerTelemetryMetric").collect()
}

/// Of KafkaFlow's own HTTP contracts: a second reset while the first goes on, and a group that is not there.
#[tokio::test(flavor = "multi_thread")]
async fn kafkaflows_own_routes_write_its_record_whatever_still_runs() {
    let scene = scene().await;
    let telemetry = scene.server.get("/telemetry").await.json();
    let consumer = &telemetry["groups"][0]["consumers"][0];
    assert_eq!((&consumer["name"], &consumer["workersCount"]), (&json!("bills"), &json!(2)), "{telemetry}");

    let reset = "/groups/billing/consumers/bills/reset-offsets";
    let mut asked = vec![];
    for (path, body) in [
        (reset, json!({ "confirm": true })),
        (reset, json!({ "confirm": true })),
        ("/groups/nobody/pause", json!(null)),
    ] {
        let answer = scene.server.send(path, &body).await;
        assert_eq!((answer.status, answer.text.as_str()), (202, ""), "{path}");
        asked.push(answer.location.strip_prefix("/kafkaflow").unwrap().to_owned());
    }
    let want = ["ResetConsumerOffset", "ResetConsumerOffset", "PauseConsumersByGroup"];
    assert_eq!(admin_messages(&scene.kafka), want);
    // Each is an operation, which tells what came of it.
    let first = scene.settled(&asked[0]).await;
    assert_eq!((&first["reason"], &first["actor"]["via"]), (&json!("KafkaFlow API"), &json!("KafkaFlow")));
    scene.consumer.wait_handled(120).await;
    let nobody = scene.server.get(&asked[2]).await.json();
    assert!(nobody["notes"].to_string().contains("there is no group"), "{nobody}");
    assert_eq!(nobody["instances"], json!([]));
}
