//! One operation over many groups, through the program: by pages without JavaScript, refused where somebody else changed a
//! group meanwhile, stopped by failures; and over many groups with SIGKILL in the middle, after which the next leader goes
//! on and undo brings all of them back.
//! `FLOWDECK_BULK_GROUPS`: another number of groups; `cargo xtask soak bulk` runs it with 200.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use flowdeck_testkit::{DEADLINE, Kafka, NodeOptions, port, private, wait_for};
use futures::StreamExt as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::{Value, json};

use crate::support::{Consumer, Server, cluster, command, heard, new_id, setting};

const BULKS: &str = "/api/v1/clusters/shop/bulks";
const PREVIEW: &str = "/api/v1/clusters/shop/bulks/preview";
/// Enough for several to be under way, and others to wait, when the server is killed.
const GROUPS: u64 = 20;

fn count(view: &Value, state: &str) -> u64 {
    view["counts"][state].as_u64().unwrap_or_else(|| panic!("no count {state}: {view}"))
}

/// A request that does what the preview showed.
fn request(preview: &Value, stop_after: u32) -> Value {
    let targets = preview["groups"].as_array().unwrap().iter().map(|plan| plan["target"].clone());
    let targets: Vec<Value> = targets.filter(|target| !target.is_null()).collect();
    let skipped = preview["skipped"].as_u64().unwrap();
    json!({
        "id": new_id(), "action": preview["action"], "groups": targets, "stopAfter": stop_after, "reason": "INC-15",
        "undoes": preview["undoes"], "skips": (skipped > 0).then_some(skipped),
    })
}

async fn submitted(server: &Server, request: &Value) -> String {
    let answer = server.send(BULKS, request).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    format!("{BULKS}/{}", request["id"].as_str().unwrap())
}

async fn over(server: &Server, path: &str, limit: Duration) -> Value {
    wait_for("the bulk operation is over", limit, async || {
        let view = server.get(path).await;
        let state =
            (view.status == 200).then(|| view.json()["state"].as_str().unwrap_or_default().to_owned());
        let is_over = state.is_some_and(|state| !["requested", "running"].contains(&state.as_str()));
        is_over.then(|| view.json())
    })
    .await
}

/// What each group has committed of the topic.
async fn committed(kafka: &Kafka, groups: &[String], partitions: i32) -> BTreeMap<String, Vec<i64>> {
    let one = |group: &String| {
        let (client, group) = (kafka.client(), group.clone());
        tokio::task::spawn_blocking(move || {
            let mut client = client;
            let client: BaseConsumer = client.set("group.id", &group).create().unwrap();
            let mut list = TopicPartitionList::new();
            for partition in 0..partitions {
                list.add_partition("orders", partition);
            }
            let found = client.committed_offsets(list, DEADLINE).unwrap();
            let offset = |offset| if let Offset::Offset(offset) = offset { offset } else { -1 };
            (group, found.elements().iter().map(|one| offset(one.offset())).collect())
        })
    };
    let all = futures::stream::iter(groups.iter().map(one)).buffer_unordered(8);
    all.map(Result::unwrap).collect().await
}

async fn commit(kafka: &Kafka, groups: &[String]) {
    let one = |(n, group): (usize, &String)| {
        let (client, group) = (kafka.client(), group.clone());
        tokio::task::spawn_blocking(move || {
            let mut client = client;
            let client: BaseConsumer = client.set("group.id", &group).create().unwrap();
            let mut list = TopicPartitionList::new();
            for partition in 0..2 {
                let offset = 10 + i64::from(partition) + i64::try_from(n).unwrap() % 50;
                list.add_partition_offset("orders", partition, Offset::Offset(offset)).unwrap();
            }
            let end = Instant::now() + DEADLINE;
            while let Err(error) = client.commit(&list, rdkafka::consumer::CommitMode::Sync) {
                assert!(Instant::now() < end, "{group} could not commit: {error}");
                std::thread::sleep(Duration::from_millis(50));
            }
        })
    };
    let all = futures::stream::iter(groups.iter().enumerate().map(one)).buffer_unordered(8);
    all.for_each(|done| async { done.unwrap() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bulk_killed_in_the_middle_goes_on_and_undo_brings_all_groups_back() {
    let number = setting("FLOWDECK_BULK_GROUPS").unwrap_or(GROUPS);
    let limit = DEADLINE + Duration::from_secs(2 * number);
    let kafka = private(&NodeOptions::default());
    kafka.create_topic("orders", 2).await;
    kafka.create_topic("kafkaflow.admin", 1).await;
    for partition in 0..2 {
        kafka.produce("orders", partition, (0..100).map(|n| n.to_string())).await;
    }
    let groups: Vec<String> = (0..number).map(|n| format!("group-{n:03}")).collect();
    commit(&kafka, &groups).await;
    let before = committed(&kafka, &groups, 2).await;
    let config = cluster("shop", "control", kafka.bootstrap()) + "offsets_quiet = \"1s\"\n";
    let listen = format!("127.0.0.1:{}", port::free(1).unwrap()[0]);
    let mut server = Server::start_at(&config, &listen).await;
    let ask = json!({ "action": "setOffsets", "groups": groups, "to": "earliest", "allTopics": true });
    let preview = server.json_by(PREVIEW, &ask, "all groups are ready", |view| view["ready"] == number).await;
    assert_eq!(committed(&kafka, &groups, 2).await, before, "a preview changes nothing");
    let request_one = request(&preview, 20);
    let began = Instant::now();
    wait_for("it is taken", DEADLINE, async || {
        (server.try_send(BULKS, &request_one).await == Some(202)).then_some(())
    })
    .await;
    let path = format!("{BULKS}/{}", request_one["id"].as_str().unwrap());
    server.json_when(&path, "some groups are done", |view| count(view, "confirmed") >= number / 10).await;
    let pid = server.process.pid().to_string();
    assert!(std::process::Command::new("kill").args(["-KILL", &pid]).status().unwrap().success());
    server.process.kill();
    drop(server);
    let middle = committed(&kafka, &groups, 2).await;
    let moved = middle.values().filter(|offsets| offsets.contains(&0)).count() as u64;
    assert!(moved > 0 && moved < number, "killed in the middle: {moved} of {number}");

    let mut server = Server::start_at(&config, &listen).await;
    let view = over(&server, &path, limit).await;
    println!(
        "{number} groups, {moved} moved when it was killed, over after {:.1} s",
        began.elapsed().as_secs_f64()
    );
    assert_eq!((view["state"].as_str(), count(&view, "confirmed")), (Some("done"), number), "{view}");
    let zeros = groups.iter().map(|group| (group.clone(), vec![0, 0])).collect::<BTreeMap<_, _>>();
    assert_eq!(committed(&kafka, &groups, 2).await, zeros);
    // Each group's own operation is in the audit, once.
    let search = format!(
        "/api/v1/clusters/shop/audit?kind=operations&limit=500&search={}",
        view["id"].as_str().unwrap()
    );
    let audit = server.json_when(&search, "the audit has all of it", |audit| {
        let entries = audit["entries"].as_array().unwrap();
        entries.iter().filter(|one| one["type"] == "operation").count() as u64 == number
    });
    audit.await;

    let ask = json!({ "undo": view["id"] });
    let preview =
        server.json_by(PREVIEW, &ask, "all can be taken back", |view| view["ready"] == number).await;
    let began = Instant::now();
    let path = submitted(&server, &request(&preview, 20)).await;
    let view = over(&server, &path, limit).await;
    println!("taken back after {:.1} s", began.elapsed().as_secs_f64());
    assert_eq!((view["state"].as_str(), count(&view, "confirmed")), (Some("done"), number), "{view}");
    assert_eq!(committed(&kafka, &groups, 2).await, before);
    server.assert_sound();
}

/// The values of the hidden fields of the form below the preview, in their order.
fn fields(page: &str) -> Vec<(String, String)> {
    let form = page.split("<form").find(|form| form.contains("name=\"reason\"")).expect("the form");
    let value = |input: &str, name: &str| {
        let value = input.split(&format!("{name}=\"")).nth(1)?.split('"').next()?;
        Some(value.replace("&amp;", "&").replace("&quot;", "\""))
    };
    let hidden = form.split("<input").filter(|input| input.contains("type=\"hidden\""));
    hidden.filter_map(|input| Some((value(input, "name")?, value(input, "value")?))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_selected_paused_and_taken_back_by_pages_alone() {
    let kafka = private(&NodeOptions::default());
    kafka.create_topic("orders", 2).await;
    kafka.create_topic("kafkaflow.admin", 1).await;
    kafka.commit("batch", &[("orders", 0, 0)]);
    let mut server = Server::start(&cluster("shop", "control", kafka.bootstrap())).await;
    let agents = ["billing", "payments", "shipping"].map(|group| {
        let args = ["--group", group, "--topics", "orders", "--metadata-interval-ms", "500"];
        Consumer::start(&kafka, "consume", group, &args)
    });
    for group in ["billing", "payments", "shipping"] {
        server.group("shop", group, "its agent is heard", heard(1)).await;
    }
    let table = server.get("/all-groups?selected=all").await.text;
    assert!(table.contains("name=\"group\" value=\"payments\"") && table.contains("checked"), "{table}");
    let chosen = [("group", "billing"), ("group", "payments"), ("group", "batch")];
    let page = server.form("/c/shop/bulk", &chosen).await;
    assert!(page.status == 200 && page.text.contains("3 groups"), "{}", page.text);
    let ask = [&chosen[..], &[("action", "pause"), ("minutes", "60")]].concat();
    let page = server.form("/c/shop/bulk", &ask).await;
    assert_eq!(page.status, 200, "{}", page.text);
    // Nobody listens in one of them: it is named, and left out.
    let text = page.text.replace("<!>", "");
    assert!(text.contains("2 groups are changed, 1 is left out"), "{text}");
    let form = fields(&page.text);
    let id = form.iter().find(|(name, _)| name == "id").unwrap().1.clone();
    let mut all: Vec<(&str, &str)> = form.iter().map(|(name, value)| (&**name, &**value)).collect();
    all.extend([("reason", "INC-15"), ("stopAfter", "1")]);
    // Somebody else is faster: nothing is done, and it says who.
    let other = new_id();
    assert_eq!(
        server.send("/api/v1/clusters/shop/commands", &command(&other, "pause", "payments")).await.status,
        202
    );
    server.command("shop", &other, "confirmed", |view| view["state"] == "confirmed").await;
    let refused = server.form("/c/shop/bulks", &all).await;
    assert_eq!(refused.status, 409, "{}", refused.text);
    for want in ["1 of 2 groups changed since the preview", "payments: Pause by", &other, "INC-15"] {
        assert!(refused.text.contains(want), "{want}: {}", refused.text);
    }
    assert_eq!(server.get(&format!("{BULKS}/{id}")).await.status, 404);
    // The new preview is on the page: of the other group alone, since a pause is in force.
    let form = fields(&refused.text);
    assert_eq!(form.iter().filter(|(name, _)| name == "group").count(), 1, "{form:?}");
    let id = form.iter().find(|(name, _)| name == "id").unwrap().1.clone();
    let mut all: Vec<(&str, &str)> = form.iter().map(|(name, value)| (&**name, &**value)).collect();
    all.extend([("reason", "INC-15"), ("stopAfter", "1")]);
    let sent = server.form("/c/shop/bulks", &all).await;
    assert_eq!((sent.status, sent.location.contains(&id)), (303, true), "{}", sent.text);
    let view = over(&server, &format!("{BULKS}/{id}"), DEADLINE).await;
    assert_eq!((view["state"].as_str(), count(&view, "confirmed")), (Some("done"), 1), "{view}");
    server.group("shop", "billing", "it is paused", |view| view["verdict"] == "paused").await;
    let page = server.get(&format!("/c/shop/bulks/{id}")).await.text;
    assert!(page.contains(&format!("/c/shop/bulk?undo={id}")), "{page}");
    let page = server.get(&format!("/c/shop/bulk?undo={id}")).await.text;
    let form = fields(&page);
    let undo = form.iter().find(|(name, _)| name == "id").unwrap().1.clone();
    let mut all: Vec<(&str, &str)> = form.iter().map(|(name, value)| (&**name, &**value)).collect();
    all.extend([("reason", "over"), ("stopAfter", "1")]);
    assert_eq!(server.form("/c/shop/bulks", &all).await.status, 303);
    over(&server, &format!("{BULKS}/{undo}"), DEADLINE).await;
    server
        .group("shop", "billing", "it runs", |view| view["holds"].as_array().is_some_and(Vec::is_empty))
        .await;
    let payments = server.group("shop", "payments", "it is there", |_| true).await;
    assert_eq!(payments["holds"].as_array().map(Vec::len), Some(1), "the other's pause stays: {payments}");
    // The topic was made a moment ago.
    wait_for("the audit's page", DEADLINE, async || {
        let audit = server.get("/c/shop/audit").await.text;
        (audit.contains("Pause 1 group") && audit.contains(&format!("/c/shop/bulks/{undo}"))).then_some(())
    })
    .await;
    drop(agents);
    server.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn bulk_stops_after_failures_and_by_order() {
    let kafka = private(&NodeOptions::default());
    kafka.create_topic("orders", 2).await;
    kafka.create_topic("kafkaflow.admin", 1).await;
    let groups: Vec<String> = (0..12).map(|n| format!("group-{n:03}")).collect();
    commit(&kafka, &groups).await;
    let config = cluster("shop", "control", kafka.bootstrap()) + "offsets_quiet = \"1s\"\n";
    let mut server = Server::start(&config).await;
    server.group("shop", "group-011", "its commits", |view| view["partitions"].is_array()).await;
    // Nobody listens in any of them, so each pause is refused.
    let targets: Vec<Value> = groups.iter().map(|group| json!({ "group": group })).collect();
    let pause =
        json!({ "id": new_id(), "action": "pause", "groups": targets, "stopAfter": 2, "reason": "x" });
    let path = submitted(&server, &pause).await;
    let view = over(&server, &path, DEADLINE).await;
    assert_eq!(view["state"], "stoppedByFailures", "{view}");
    assert_eq!((count(&view, "refused"), count(&view, "waiting")), (2, 10), "{view}");
    assert!(view["groups"][0]["note"].as_str().unwrap().contains("listens"), "{view}");
    // The same again is the same; another body under the id is not.
    assert_eq!(server.send(BULKS, &pause).await.status, 202);
    let mut other = pause.clone();
    other["reason"] = json!("y");
    assert_eq!(server.send(BULKS, &other).await.status, 409);
    assert_eq!(server.send(&format!("{path}/stop"), &json!({})).await.status, 409, "it is over");
    // By order: what is under way ends, nothing else is begun.
    let ask = json!({ "action": "setOffsets", "groups": groups, "to": "latest", "allTopics": true });
    let preview = server.json_by(PREVIEW, &ask, "all are ready", |view| view["ready"] == 12).await;
    let path = submitted(&server, &request(&preview, 1)).await;
    assert_eq!(server.send(&format!("{path}/stop"), &json!({})).await.status, 200);
    let view = over(&server, &path, DEADLINE).await;
    assert_eq!(view["state"], "stopped", "{view}");
    assert!(count(&view, "waiting") > 0 && count(&view, "sent") == 0, "{view}");
    // What it did can be taken back, and that alone.
    let undo = json!({ "undo": view["id"] });
    let done = count(&view, "confirmed");
    let preview = server.json_by(PREVIEW, &undo, "its undo", |preview| preview["ready"] == done).await;
    assert_eq!(preview["groups"].as_array().map(Vec::len), Some(usize::try_from(done).unwrap()), "{preview}");
    server.assert_sound();
}
