//! Pause, look, resume; skip; restart; re-drive.

use flowdeck_testkit::wait_for;
use serde_json::Value;

use super::poison::{CONVEX_LETTERS, STOPS, TROUBLED};
use super::{LIMIT, Scene};

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
    let scene = Scene::start("custom-service").await;
    let stopped = scene.stopped_by_poison().await;
    let (partition, offset) = (stopped.partition, stopped.offset);
    let at = format!("/clusters/shop/topics/{STOPS}/messages?partition={partition}&from=offset:{offset}");
    let looked = scene.server.api(&at).await;
    assert!(looked["records"][0].to_string().contains("not what was agreed on"), "{looked}");

    // The page of the record has what its agent says, and the way past it.
    let page = format!("/c/shop/groups/audit-service/stuck?topic={STOPS}&partition={partition}");
    let page = wait_for("the agent's error on the record's page", LIMIT, async || {
        let page = scene.server.get(&page).await.text;
        page.contains("failed. The last error comes first.").then_some(page)
    })
    .await;
    let past = format!("Skip it: set offset {}", offset + 1);
    assert!(page.contains(&past) && page.contains("not what was agreed on"), "{page}");
    // The verdict leads there without a partition: it is the one that waits the longest.
    wait_for("the link at the verdict", LIMIT, async || {
        let group = scene.server.get("/c/shop/groups/audit-service").await.text;
        group.contains("groups/audit-service/stuck\"").then_some(())
    })
    .await;
    let longest = scene.server.get("/c/shop/groups/audit-service/stuck").await.text;
    assert!(longest.contains(&past), "{longest}");

    scene.skip(TROUBLED, &stopped).await;
    scene.goes_on("custom-service").await;
    scene.stop().await;
}

/// Convex: the tries are over, the message lies in the dead letters, and is handled by a re-drive once the service is mended.
#[tokio::test(flavor = "multi_thread")]
async fn dead_letter_is_looked_at_and_redriven_once_the_service_is_mended() {
    let scene = Scene::start("convex").await;
    let letter = scene.dead_letter("convex").await;
    assert_eq!(letter["originalTopic"], "convex.bet.placed", "{letter}");
    let done = scene.redrive_bets().await;
    assert_eq!(done["progress"]["copied"], 1, "{done}");
    // No dead letter followed.
    assert_eq!(scene.kafka.read_all(CONVEX_LETTERS).len(), 1);
    scene.stop().await;
}
