//! KafkaFlow's lock-up (its defect 681): said, contained under a hold, and freed by the resume. The program, consumers that
//! lock up as KafkaFlow does, one Kafka.

use std::time::{Duration, Instant};

use flowdeck_testkit::PrivateKafka;
use serde_json::{Value, json};

use crate::locking_up::{self, consumer};
use crate::support::{Consumer, Server, cluster, heard, new_id};

const COMMANDS: &str = "/api/v1/clusters/shop/commands";
/// 90 s are given to a consumer that is brought back, and then 60 s to prove that records flow.
const LONG: Duration = Duration::from_secs(180);

struct Scene {
    kafka: PrivateKafka,
    server: Server,
    first: Consumer,
}

async fn scene() -> Scene {
    let kafka = locking_up::kafka();
    kafka.create_topic("orders", 4).await;
    kafka.create_topic("kafkaflow.admin", 1).await;
    for partition in 0..4 {
        kafka.produce("orders", partition, (0..1_000).map(|n| n.to_string())).await;
    }
    let server = Server::start(&cluster("shop", "control", kafka.bootstrap())).await;
    let first = consumer(&kafka, "flow-1");
    first.wait_handled(20).await;
    let scene = Scene { kafka, server, first };
    scene.group("it is heard", |view| heard(1)(view) && view["members"] == 1).await;
    scene
}

impl Scene {
    async fn group(&self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        self.server.group("shop", "billing", what, is).await
    }

    async fn confirmed(&self, fields: Value) -> Value {
        let mut body = json!({ "id": new_id(), "target": { "group": "billing" }, "reason": "INC-9" });
        for (name, value) in fields.as_object().unwrap() {
            body[name] = value.clone();
        }
        let sent = self.server.send(COMMANDS, &body).await;
        assert_eq!(sent.status, 202, "{}", sent.text);
        let path = format!("{COMMANDS}/{}", sent.json()["id"].as_str().unwrap());
        let until = Instant::now() + LONG;
        loop {
            let view = self.server.get(&path).await.json();
            if view["state"] == "confirmed" {
                return view;
            }
            assert!(
                Instant::now() < until && view["state"] != "timedOut",
                "{fields} is not confirmed: {view}"
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// The group is whole, and each of them handles records.
    async fn runs(&self, others: &[&Consumer]) {
        self.group("all are members", |view| view["members"] == 1 + others.len()).await;
        for one in others.iter().copied().chain([&self.first]) {
            let handled = one.handled().len();
            one.wait_handled(handled + 5).await;
        }
    }
}

/// A deploy under a pause: contained by stop, and healed by the resume, so that the next deploy does no harm.
#[tokio::test(flavor = "multi_thread")]
async fn a_lock_up_under_a_pause_turns_it_into_one_by_stop_and_the_resume_heals() {
    let scene = scene().await;
    scene.confirmed(json!({ "action": "pause", "by": "pause" })).await;
    let second = consumer(&scene.kafka, "flow-2");
    let contained = scene.group("kept by stop", |view| view["holds"][0]["by"] == "stop").await;
    let contains = &contained["commands"][0];
    assert!(contains["reason"].as_str().unwrap().contains("is locked up under the pause"), "{contained}");
    scene.group("paused", |view| view["members"] == 0 && view["verdict"] == "paused").await;

    let resumed = scene.confirmed(json!({ "action": "resume" })).await;
    assert!(resumed["notes"].to_string().contains("started anew, then paused"), "{resumed}");
    scene.group("released", |view| view["holds"] == json!([])).await;
    scene.runs(&[&second]).await;
    // Its defect is gone: another one joins.
    let third = consumer(&scene.kafka, "flow-3");
    scene.runs(&[&second, &third]).await;
}

/// Nobody looked when it locked up: the audit tells whom the hold had paused.
#[tokio::test(flavor = "multi_thread")]
async fn a_flowdeck_that_starts_while_an_instance_is_locked_up_under_a_pause_says_so_and_contains_it() {
    let mut scene = scene().await;
    scene.confirmed(json!({ "action": "pause", "by": "pause" })).await;
    scene.server.process.kill();
    let second = consumer(&scene.kafka, "flow-2");
    let state = ["--describe", "--state", "--group", "billing"];
    flowdeck_testkit::wait_for("the group waits for the first", LONG, async || {
        let told = scene.kafka.tool(flowdeck_testkit::Tool::ConsumerGroups, &state);
        told.contains("PreparingRebalance").then_some(())
    })
    .await;

    scene.server = Server::start(&cluster("shop", "control", scene.kafka.bootstrap())).await;
    let contained = scene.group("kept by stop", |view| view["holds"][0]["by"] == "stop").await;
    let reason = contained["commands"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("flow-1 is locked up under the pause"), "{contained}");
    scene.group("paused", |view| view["members"] == 0 && view["verdict"] == "paused").await;
    scene.confirmed(json!({ "action": "resume" })).await;
    scene.runs(&[&second]).await;
}

/// Where the hold names a topic it cannot be kept by stop: the group says it, and a resume frees it.
#[tokio::test(flavor = "multi_thread")]
async fn a_lock_up_is_said_and_counted_and_the_resume_frees_it() {
    let scene = scene().await;
    let target = json!({ "group": "billing", "topics": ["orders"] });
    scene.confirmed(json!({ "action": "pause", "target": target })).await;
    let second = consumer(&scene.kafka, "flow-2");
    let locked = scene.group("locked up", |view| view["verdict"] == "lockedUp").await;
    assert!(locked["why"].as_str().unwrap().contains("does not answer its group's rebalance"), "{locked}");
    let metric = "flowdeck_locked_up_instances{cluster=\"shop\"}";
    assert!(scene.server.metric(metric).await.is_some_and(|count| count >= 1.0));
    scene.confirmed(json!({ "action": "resume", "target": target })).await;
    scene.group("released", |view| view["holds"] == json!([]) && view["verdict"] != "lockedUp").await;
    scene.runs(&[&second]).await;
}
