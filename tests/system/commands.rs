//! Pause and resume across the whole: the program, agents and KafkaFlow-like services as processes, one Kafka.

use std::collections::BTreeSet;
use std::time::Duration;

use flowdeck_testkit::{DEADLINE, Kafka, NodeOptions, private, wait_for};
use serde_json::{Value, json};

use crate::support::{Consumer, Server, cluster, command, heard, is_heard, new_id};

const PARTITIONS: i32 = 4;
/// A handler that leaks through a shut gate takes 5 ms; this is long enough to see one.
const WATCH: Duration = Duration::from_secs(2);

async fn produce(kafka: &Kafka, topic: &str, each: usize) {
    for partition in 0..PARTITIONS {
        kafka.produce(topic, partition, (0..each).map(|n| n.to_string())).await;
    }
}

fn agent(kafka: &Kafka, instance: &str) -> Consumer {
    let args = ["--group", "payments", "--topics", "orders", "--workers", "2", "--buffer", "20"];
    let more = ["--handle-ms", "5", "--metadata-interval-ms", "500"];
    Consumer::start(kafka, "consume", instance, &[&args[..], &more[..]].concat())
}

fn holds(kafka: &Kafka) -> usize {
    kafka.read_all("flowdeck.holds").len()
}

async fn all_handled(consumers: &[&Consumer], topic: &str, each: i64) {
    let want: BTreeSet<(String, i32, i64)> =
        (0..PARTITIONS).flat_map(|p| (0..each).map(move |n| (topic.to_owned(), p, n))).collect();
    wait_for("every record to be handled", DEADLINE, async || {
        let seen: BTreeSet<_> = consumers.iter().flat_map(|one| one.handled()).collect();
        want.is_subset(&seen).then_some(())
    })
    .await;
}

fn states(view: &Value) -> Vec<&str> {
    view["instances"].as_array().unwrap().iter().map(|one| one["state"].as_str().unwrap()).collect()
}

const COMMANDS: &str = "/api/v1/clusters/shop/commands";

#[tokio::test(flavor = "multi_thread")]
async fn pause_of_agents_survives_repeats_joiners_sigkill_and_another_flowdeck() {
    let kafka = private(&NodeOptions::default());
    kafka.create_topic("orders", PARTITIONS).await;
    kafka.create_topic("kafkaflow.admin", 1).await;
    produce(&kafka, "orders", 500).await;
    let config = cluster("shop", "control", kafka.bootstrap());
    let mut first = Server::start(&config).await;
    let (a, b) = (agent(&kafka, "a"), agent(&kafka, "b"));
    a.wait_handled(20).await;
    b.wait_handled(20).await;
    first.group("shop", "payments", "both agents are heard", heard(2)).await;

    let id = new_id();
    let body = command(&id, "pause", "payments");
    let sent = first.send(COMMANDS, &body).await;
    assert_eq!((sent.status, sent.json()["existing"].clone()), (202, Value::Bool(false)), "{}", sent.text);
    assert_eq!(sent.location, format!("/kafkaflow{COMMANDS}/{id}"));
    let view = first.command("shop", &id, "confirmed", |view| view["state"] == "confirmed").await;
    assert_eq!(view["instances"].as_array().unwrap().len(), 2, "{view}");
    assert!(states(&view).iter().all(|state| ["acknowledged", "drained"].contains(state)), "{view}");
    first.command("shop", &id, "drained", |view| states(view).iter().all(|state| *state == "drained")).await;
    let delivered = (a.started().len(), b.started().len());

    // Twice, under another body, by another form, from another caller: one command, one record.
    let again = first.send(COMMANDS, &body).await;
    assert_eq!((again.status, again.json()["id"].as_str()), (202, Some(&*id)));
    let mut twisted = body.clone();
    twisted["reason"] = json!("something else");
    assert_eq!(first.send(COMMANDS, &twisted).await.status, 409);
    let repeated = first.send(COMMANDS, &command(&new_id(), "pause", "payments")).await.json();
    assert_eq!((repeated["id"].as_str(), &repeated["existing"]), (Some(&*id), &Value::Bool(true)));
    let fields = [("id", &*new_id()), ("action", "pause"), ("group", "payments"), ("reason", "again")];
    for _ in 0..2 {
        let form = first.form("/c/shop/commands", &fields).await;
        assert_eq!((form.status, form.location), (303, format!("/kafkaflow/c/shop/commands/{id}")));
    }
    assert_eq!(holds(&kafka), 1);

    // One that starts under the pause delivers nothing, however long it runs.
    let late = agent(&kafka, "late");
    wait_for("the late one owns partitions", DEADLINE, async || (late.assigned().1 > 0).then_some(())).await;
    first
        .command("shop", &id, "the late one too", |view| view["instances"].as_array().unwrap().len() == 3)
        .await;
    tokio::time::sleep(WATCH).await;
    assert_eq!((a.started().len(), b.started().len(), late.started().len()), (delivered.0, delivered.1, 0));

    // Flowdeck dies in the middle. The hold is in Kafka, so it is still in force.
    first.assert_sound();
    first.process.kill();
    drop(first);
    let mut second = Server::start(&config).await;
    // Its page is complete.
    let view = second.command("shop", &id, "as it was", |view| states(view).len() == 3).await;
    assert_eq!((view["action"].as_str(), view["reason"].as_str()), (Some("pause"), Some("INC-1")));
    assert_eq!(
        (view["state"].as_str(), view["sent"].as_array().unwrap().len()),
        (Some("confirmed"), 1),
        "{view}"
    );
    second.group("shop", "payments", "held", |view| view["verdict"] == "paused").await;
    let repeated = second.send(COMMANDS, &command(&new_id(), "pause", "payments")).await;
    assert_eq!((repeated.status, repeated.json()["id"].as_str()), (202, Some(&*id)), "{}", repeated.text);
    assert_eq!(holds(&kafka), 1);
    second.group("shop", "payments", "all are heard again", heard(3)).await;
    let resume = new_id();
    let sent = second.send(COMMANDS, &command(&resume, "resume", "payments")).await;
    assert_eq!(sent.status, 202, "{}", sent.text);
    second.command("shop", &resume, "resumed", |view| view["state"] == "confirmed").await;
    all_handled(&[&a, &b, &late], "orders", 500).await;
    assert_eq!(holds(&kafka), 2);

    // Another replica: each takes commands, one of them writes, and both tell the same.
    let mut third = Server::start(&config).await;
    third.group("shop", "payments", "all are heard by the third", heard(3)).await;
    for (action, taker, other) in [("pause", &third, &second), ("resume", &second, &third)] {
        let id = new_id();
        let sent = taker.send(COMMANDS, &command(&id, action, "payments")).await;
        assert_eq!(sent.status, 202, "{}", sent.text);
        let confirmed = |view: &Value| view["state"] == "confirmed";
        let own = taker.command("shop", &id, "confirmed", confirmed).await;
        let told = other.command("shop", &id, "confirmed at the other", confirmed).await;
        assert_eq!((&own["sent"], &own["actor"]), (&told["sent"], &told["actor"]));
    }
    assert_eq!(holds(&kafka), 4);
    second.assert_sound();
    third.assert_sound();
}

/// One that ended cannot answer: it is silent, until Kafka itself tells that it left. What is there is
/// resumed meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn resume_is_confirmed_once_kafka_reports_that_silent_instances_left() {
    let kafka = private(&NodeOptions::default());
    kafka.create_topic("orders", PARTITIONS).await;
    kafka.create_topic("kafkaflow.admin", 1).await;
    let server = Server::start(&cluster("shop", "control", kafka.bootstrap())).await;
    let (stays, mut stopped) = (agent(&kafka, "stays"), agent(&kafka, "stopped"));
    // Its session outlasts the time in which an agent answers.
    let args = ["--group", "payments", "--topics", "orders", "--property", "session.timeout.ms=15000"];
    let killed = Consumer::start(&kafka, "consume", "killed", &args);
    let all_own = |view: &Value| {
        let instances = view["consumers"][0]["instances"].as_array().cloned().unwrap_or_default();
        instances.len() == 3 && instances.iter().all(|one| one["running"][0]["topic"] == "orders")
    };
    server.group("shop", "payments", "all three own partitions", all_own).await;
    let pause = new_id();
    assert_eq!(server.send(COMMANDS, &command(&pause, "pause", "payments")).await.status, 202);
    server.command("shop", &pause, "confirmed", |view| view["state"] == "confirmed").await;

    drop(killed);
    stopped.stop().await;
    let resume = new_id();
    assert_eq!(server.send(COMMANDS, &command(&resume, "resume", "payments")).await.status, 202);
    let of = |view: &Value, name: &str| {
        let all = view["instances"].as_array().unwrap();
        all.iter().find(|one| one["instance"] == name).expect("an instance").clone()
    };
    let part = server
        .command("shop", &resume, "partially confirmed", |view| view["state"] == "partiallyConfirmed")
        .await;
    // While the group waits for the one that was killed, it may own nothing.
    assert!(
        ["acknowledged", "nothingToDo"].contains(&of(&part, "stays")["state"].as_str().unwrap()),
        "{part}"
    );
    let silent = of(&part, "killed");
    assert_eq!(silent["state"], "noResponse", "its session runs still: {part}");
    assert!(silent["detail"].as_str().unwrap().starts_with("last heard "), "{part}");
    let whole = server.command("shop", &resume, "whole", |view| view["state"] == "confirmed").await;
    for name in ["stopped", "killed"] {
        let gone = of(&whole, name);
        assert_eq!(gone["state"], "nothingToDo", "{whole}");
        assert!(gone["detail"].as_str().unwrap().starts_with("left the group: "), "{whole}");
    }
    produce(&kafka, "orders", 5).await;
    all_handled(&[&stays], "orders", 5).await;
}

/// Partition and committed offset of each instance that records flow at.
fn proofs(view: &Value) -> Vec<(i32, i64)> {
    let details = view["instances"].as_array().unwrap().iter().filter_map(|one| one["detail"].as_str());
    let proof = |detail: &str| {
        let (partition, committed) =
            detail.strip_prefix("records flow: partition ")?.split_once(" committed ")?;
        Some((partition.parse().ok()?, committed.parse().ok()?))
    };
    details.filter_map(proof).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn kafkaflow_process_that_joins_after_a_pause_is_listed_and_paused_again() {
    let kafka = private(&NodeOptions::default());
    kafka.create_topic("orders", PARTITIONS).await;
    kafka.create_topic("kafkaflow.admin", 1).await;
    produce(&kafka, "orders", 300).await;
    let flow = |instance: &str| {
        let args = ["--group", "flow", "--consumer", "orders", "--topic", "orders", "--buffer", "5"];
        let times = ["--handle-ms", "10", "--commit-ms", "500", "--telemetry-ms", "500"];
        Consumer::start(&kafka, "kafkaflow", instance, &[&args[..], &times[..]].concat())
    };
    let mut server = Server::start(&cluster("shop", "control", kafka.bootstrap())).await;
    let one = flow("flow-1");
    one.wait_handled(20).await;
    server.group("shop", "flow", "is heard", is_heard).await;
    let id = new_id();
    // Records wait, so that the default were a stop.
    let mut pause = command(&id, "pause", "flow");
    pause["by"] = "pause".into();
    assert_eq!(server.send(COMMANDS, &pause).await.status, 202);
    let view = server.command("shop", &id, "confirmed", |view| view["state"] == "confirmed").await;
    assert_eq!(states(&view), ["fetchStopped"], "by its own partition lists: {view}");
    let sent = view["sent"].as_array().unwrap().len();

    let two = flow("flow-2");
    let joined = server
        .command("shop", &id, "the joiner is shown", |view| view.to_string().contains(" after the pause"));
    let joined = joined.await;
    let of_two = joined["instances"].as_array().unwrap().iter().find(|one| one["instance"] == "flow-2");
    assert!(of_two.unwrap()["detail"].as_str().unwrap().starts_with("joined "), "{joined}");
    let page = server.get(&format!("/c/shop/commands/{id}")).await;
    assert!(page.text.contains(" after the pause"), "the page says it, too");
    let view = server.command("shop", &id, "sent again, and obeyed by both", |view| {
        let all = states(view);
        all.len() == 2 && all.iter().all(|state| *state == "fetchStopped")
    });
    let view = view.await;
    assert!(view["sent"].as_array().unwrap().len() > sent, "{view}");
    assert!(view["sentAgain"]["times"].as_u64().unwrap() > 0, "{view}");
    let page = server.get(&format!("/c/shop/commands/{id}")).await;
    assert!(page.text.contains("Sent again"), "the page says it, too");
    let metrics = server.get("/metrics").await.text;
    for known_by in ["commit", "telemetry"] {
        for name in ["pauses_not_obeyed", "pauses_not_obeyed_partitions"] {
            let series = format!(r#"flowdeck_{name}{{cluster="shop",known_by="{known_by}"}} "#);
            assert!(metrics.contains(&series), "{series}: {metrics}");
        }
    }
    // What was fetched may still finish; then nothing more comes.
    let count = || one.started().len() + two.started().len();
    let mut last = count();
    wait_for("what was fetched to be finished", DEADLINE, async || {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let now = count();
        (std::mem::replace(&mut last, now) == now).then_some(())
    })
    .await;
    tokio::time::sleep(WATCH).await;
    assert_eq!(count(), last, "a record was handled under the pause");
    assert!(last < 4 * 300, "all was handled before the pause");

    let handled: Vec<_> = [&one, &two].iter().flat_map(|process| process.handled()).collect();
    let resume = new_id();
    assert_eq!(server.send(COMMANDS, &command(&resume, "resume", "flow")).await.status, 202);
    let view = server.command("shop", &resume, "resumed", |view| view["state"] == "confirmed").await;
    // What was buffered is committed after the resume, too: only a commit beyond it is proof.
    for detail in proofs(&view) {
        let drained = handled.iter().filter(|record| record.1 == detail.0).map(|record| record.2 + 1).max();
        assert!(Some(detail.1) > drained, "{drained:?} was drained: {view}");
    }
    assert!(!proofs(&view).is_empty(), "{view}");
    all_handled(&[&one, &two], "orders", 300).await;
    server.assert_sound();
}
