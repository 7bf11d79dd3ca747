//! Troubles that no operator of the dashboard ends: it tells them as what they are, and that they are over.

use super::Scene;

#[tokio::test(flavor = "multi_thread")]
async fn consumer_that_is_dead_is_told_as_stopped() {
    let scene = Scene::start("novatune").await;
    scene.begin("novatune", "dead-consumer").await;
    let view = scene.told("novatune", &["stopped"]).await;
    assert_eq!((&view["level"], &view["members"]), (&"critical".into(), &0.into()), "{view}");
    scene.end("novatune", "dead-consumer").await;
    scene.over("novatune", &["stopped"]).await;
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn process_that_crashed_is_told_as_stopped_until_it_is_back() {
    let scene = Scene::start("momentum").await;
    scene.begin("momentum", "crash").await;
    let view = scene.told("momentum", &["stopped"]).await;
    assert_eq!(view["members"], 0, "{view}");
    let back = scene.over("momentum", &["stopped"]).await;
    assert_eq!(back["members"], 1, "{back}");
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_that_come_and_go_are_told_as_rebalancing_too_often() {
    let scene = Scene::start("momentum").await;
    scene.begin("momentum", "rebalance-storm").await;
    let view = scene.told("momentum", &["rebalancingTooOften"]).await;
    let of = |one: &&serde_json::Value| one["verdict"] == "rebalancingTooOften";
    let told = view["verdicts"].as_array().unwrap().iter().find(of).unwrap();
    assert!(told["evidence"].as_str().unwrap().contains("rebalances in the last"), "{told}");
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn key_that_most_events_have_is_told_as_a_hot_partition() {
    let scene = Scene::start("custom-service").await;
    scene.begin("custom-service", "hot-key").await;
    let view = scene.told("custom-service", &["hotPartition"]).await;
    assert!(view.to_string().contains("customservice.item.deleted partition"), "{view}");
    scene.end("custom-service", "hot-key").await;
    scene.stop().await;
}
