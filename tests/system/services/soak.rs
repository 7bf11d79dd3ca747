//! `cargo xtask soak fleets`: all four services under all their troubles, round after round, for as long as
//! `FLOWDECK_FLEETS_SECONDS` says. Without it there is nothing to do: each trouble has its test.

use std::time::{Duration, Instant};

use super::poison::POISON;
use super::{GROUPS, Scene};
use crate::support::setting;

/// Each trouble, and what may be told of it: a consumer that is one of several of its group does not leave it without
/// members. A poison record is told of where it lies, and has a way out of its own in each service.
const TROUBLES: [(&str, &[&str]); 7] = [
    ("slow", &["behind", "fallingBehind"]),
    ("hang", &["stalled", "behind", "fallingBehind"]),
    (POISON, &[]),
    ("dead-consumer", &["stopped", "behind", "fallingBehind", "stalled"]),
    ("rebalance-storm", &["rebalancingTooOften"]),
    ("hot-key", &["hotPartition"]),
    ("crash", &["stopped", "noActiveMembers"]),
];
/// Is said for 15 minutes.
const STAYS: &str = "rebalancingTooOften";

#[tokio::test(flavor = "multi_thread")]
async fn services_under_their_troubles() {
    let seconds = setting("FLOWDECK_FLEETS_SECONDS");
    let Some(limit) = seconds.map(Duration::from_secs) else { return };
    let scene = Scene::start("novatune,custom-service,convex,momentum").await;
    let (begun, mut round) = (Instant::now(), 0);
    while begun.elapsed() < limit {
        round += 1;
        for (trouble, told) in TROUBLES {
            futures::future::join_all(GROUPS.map(|(service, _)| suffer(&scene, service, trouble, told)))
                .await;
            println!(
                "round {round}, {:.0} s: {trouble} was told of all services",
                begun.elapsed().as_secs_f64()
            );
        }
    }
    scene.stop().await;
}

/// Begun, told, and ended or left by its way out.
async fn suffer(scene: &Scene, service: &str, trouble: &str, told: &[&str]) {
    if trouble == POISON {
        return scene.poisoned(service).await;
    }
    scene.begin(service, trouble).await;
    scene.told(service, told).await;
    scene.end(service, trouble).await;
    let over: Vec<&str> = told.iter().copied().filter(|one| *one != STAYS).collect();
    scene.over(service, &over).await;
}
