//! Pause, look, resume; skip; restart; re-drive.

use flowdeck_testkit::wait_for;
use serde_json::{Value, json};

use super::{LIMIT, Scene};
use crate::support::new_id;

/// The rest of the cluster's API.
const API: &str = "/api/v1/clusters/shop";

#[tokio::test(flavor = "multi_thread")]
async fn slow_handler_is_paused_looked_at_and_resumed() {
    let scene = Scene::start("novatune").await;
    scene.begin("novatune", "slow").await;
    scene.told("novatune", &["behind", "fallingBehind"]).await;
    let paused = scene.command("novatune", None, "pause").await;
    scene.told("novatune", &["paused"]).await;
    // What waits, and how long handlers take.
    let messages = scene.server.api("/clusters/shop/topics/dev-track-deletions/messages").await;
    assert!(messages["records"][0]["value"]["text"].as_str().unwrap().contains("trackId"), "{messages}");
    let agents = scene.server.get(&scene.path("novatune", "/agents")).await;
    assert!(agents.status == 200 && agents.text.contains("p99"), "{}", agents.text);
    scene.end("novatune", "slow").await;
    assert_eq!(paused["state"], "confirmed");
    scene.command("novatune", None, "resume").await;
    scene.over("novatune", &["paused", "behind", "fallingBehind"]).await;
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn handler_that_hangs_is_told_as_stalled_and_ended_by_a_restart() {
    let scene = Scene::start("novatune").await;
    scene.begin("novatune", "hang").await;
    let view = scene.told("novatune", &["stalled"]).await;
    assert!(view.to_string().contains("dev-track-deletions partition"), "{view}");
    let hanging = |view: &Value| view.to_string().contains("\"running\":[{");
    let path = scene.path("novatune", "/agents");
    scene.server.json_when(&path, "the calls that hang", hanging).await;
    scene.command("novatune", Some("dev-deletion-processor"), "restart").await;
    let view = scene.over("novatune", &["stalled", "behind", "fallingBehind"]).await;
    assert_eq!(view["members"], 1, "{view}");
    scene.stop().await;
}

/// CustomService has no dead letters: a record that nobody can read stops its partition, and is skipped by its offset.
#[tokio::test(flavor = "multi_thread")]
async fn poison_record_stops_its_partition_and_is_looked_at_and_skipped() {
    let (scene, topic) = (Scene::start("custom-service").await, "customservice.item.deleted");
    // Where nothing was handled before there is no commit either.
    wait_for("commits of all partitions", LIMIT, async || {
        let rows = scene.kafka.judge("audit-service");
        let committed = rows.iter().filter(|row| row.topic == topic && row.committed.is_some());
        (committed.count() == 3).then_some(())
    })
    .await;
    scene.begin("custom-service", "poison-record").await;
    scene.told("custom-service", &["pausedByApplication"]).await;
    scene.end("custom-service", "poison-record").await;
    // Where it stops is where the group's commit is.
    let poison =
        scene.kafka.read_all(topic).into_iter().find(|record| record.key.as_deref() == Some(b"poison"));
    let poison = poison.expect("the record");
    let row = wait_for("the commit before it", LIMIT, async || {
        let rows = scene.kafka.judge("audit-service");
        rows.into_iter().find(|row| {
            row.topic == topic && row.partition == poison.partition && row.committed == Some(poison.offset)
        })
    });
    assert!(row.await.lag.is_some_and(|lag| lag > 0));
    let at = format!(
        "/clusters/shop/topics/{topic}/messages?partition={}&from=offset:{}",
        poison.partition, poison.offset
    );
    let looked = scene.server.api(&at).await;
    assert!(looked["records"][0].to_string().contains("not what was agreed on"), "{looked}");

    // The page of the record has what its agent says, and the way past it.
    let page = format!("/c/shop/groups/audit-service/stuck?topic={topic}&partition={}", poison.partition);
    let page = wait_for("the agent's error on the record's page", LIMIT, async || {
        let page = scene.server.get(&page).await.text;
        page.contains("failed. The last error comes first.").then_some(page)
    })
    .await;
    let past = format!("Skip it: set offset {}", poison.offset + 1);
    assert!(page.contains(&past) && page.contains("not what was agreed on"), "{page}");

    let ask =
        json!({ "group": "audit-service", "to": "+1", "topics": [format!("{topic}:{}", poison.partition)] });
    let path = format!("{API}/offsets/preview");
    let preview = scene.server.json_by(&path, &ask, "a preview", |view| view["changed"] == 1).await;
    let id = new_id();
    let skip = json!({ "id": id, "action": "setOffsets", "target": { "group": "audit-service" }, "reason": "INC-18",
        "to": preview["to"], "offsets": preview["moves"], "skips": preview["skipped"] });
    scene.confirmed(&id, &skip).await;
    let over = ["pausedByApplication", "behind", "fallingBehind", "stalled"];
    scene.over("custom-service", &over).await;
    scene.stop().await;
}

/// Convex: the tries are over, the message lies in the dead letters, and is handled by a re-drive once the service is mended.
#[tokio::test(flavor = "multi_thread")]
async fn dead_letter_is_looked_at_and_redriven_once_the_service_is_mended() {
    let scene = Scene::start("convex").await;
    scene.begin("convex", "poison-record").await;
    let path = format!("{API}/dead-letters/convex.dlq");
    let letters = scene.server.json_when(&path, "the dead letter", |view| {
        view.to_string().contains("there is no market for bet 0")
    });
    assert!(letters.await.to_string().contains("convex.bet.placed"));
    scene.end("convex", "poison-record").await;
    let id = new_id();
    let body = json!({ "id": id, "topic": "convex.dlq", "records": { "matching": {} }, "to": "original", "reason": "INC-18" });
    wait_for("it is taken", LIMIT, async || {
        (scene.server.send(&format!("{API}/redrives"), &body).await.status == 202).then_some(())
    })
    .await;
    let path = format!("{API}/redrives/{id}");
    let done = scene.server.json_when(&path, "it is done", |view| view["state"] == "done").await;
    assert_eq!(done["progress"]["copied"], 1, "{done}");
    let again = |record: &flowdeck_testkit::Read| {
        let text = String::from_utf8_lossy(record.value.as_deref().unwrap_or_default()).into_owned();
        text.contains("\"BetId\":0,")
    };
    let copy = scene.kafka.read_all("convex.bet.placed").into_iter().rfind(again).expect("the copy");
    // Handled: it is committed, and no dead letter followed.
    wait_for("the copy is handled", LIMIT, async || {
        let rows = scene.kafka.judge("convex-group");
        let of =
            rows.iter().find(|row| row.topic == "convex.bet.placed" && row.partition == copy.partition)?;
        (of.committed? > copy.offset).then_some(())
    })
    .await;
    assert_eq!(scene.kafka.read_all("convex.dlq").len(), 1);
    scene.stop().await;
}
