//! What must hold once the faults are over: nothing is lost, nothing is paused that nobody wants paused, the numbers are the
//! broker's, and the server has given back what it took.

use std::time::Duration;

use flowdeck_testkit::Network;

use crate::agents::{Agents, GROUP};
use crate::figures::thirds;
use crate::plan::{self, Sample};
use crate::support::{command, is_heard, new_id, settled};
use crate::world::{CLUSTER, World};

const SETTLED: Duration = Duration::from_secs(120);
/// Growth of the resident memory from the first third of the server's last life to its last third.
pub(crate) const GROWTH_MB: u64 = 32;
/// Handles and tasks above those of a server that has just begun. Where librdkafka connected again, it keeps pipes of what
/// was before: with six groups 23 to 25 handles more, after 14 minutes of faults as after 45.
const MORE_HANDLES: usize = 12;
const MORE_HANDLES_OF_A_GROUP: usize = 3;
const MORE_TASKS: u64 = 3;

pub(crate) async fn check(world: &mut World, samples: &[Sample]) {
    world.proxy.set(Network::Pass);
    for agents in &world.groups {
        resumed(world, &agents.group).await;
    }
    world.stop_producing();
    // The producer still sends what waits in its queue.
    tokio::time::sleep(Duration::from_secs(2)).await;
    for agents in &world.groups {
        all_handled(world, agents).await;
        numbers_agree(world, &agents.group).await;
    }
    memory_is_flat(samples);
    everything_is_given_back(world).await;
    world.assert_agents_sound();
    world.server.assert_sound();
}

/// Until no hold is left. A resume that went through while a dead member was still counted stays `partiallyConfirmed`, and
/// is what the next one is answered with: the group's own view decides.
async fn resumed(world: &World, group: &str) {
    let path = format!("/api/v1/clusters/{CLUSTER}/commands");
    let page = format!("/api/v1/clusters/{CLUSTER}/groups/{group}");
    let begun = std::time::Instant::now();
    loop {
        let answer = world.server.send(&path, &command(&new_id(), "resume", group)).await;
        let view = world.server.get(&page).await;
        let runs = |row: &serde_json::Value| {
            row["paused"] == false && row["holds"].as_array().is_some_and(Vec::is_empty)
        };
        if answer.status == 202
            && view.status == 200
            && view.json()["partitions"].as_array().is_some_and(|rows| rows.iter().all(runs))
        {
            return;
        }
        let said = format!("{}\n{}", answer.text, view.text);
        assert!(begun.elapsed() < SETTLED, "a hold is left: {said}\n{}", world.server.process.log());
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn all_handled(world: &World, agents: &Agents) {
    let ends = world.ends(&agents.topic);
    let total: i64 = ends.values().sum();
    assert!(total > 200, "only {total} records were written");
    let begun = std::time::Instant::now();
    loop {
        let missing = agents.ledger.missing(&ends);
        if missing.is_empty() {
            println!("{}: {total} records were written, and all were handled", agents.group);
            return;
        }
        let some = &missing[..missing.len().min(10)];
        assert!(
            begun.elapsed() < SETTLED,
            "{} of {total} records of {} were never handled: {some:?}",
            missing.len(),
            agents.group
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn numbers_agree(world: &World, group: &str) {
    let at_rest = |view: &serde_json::Value| view["lag"] == 0 && view["clusterInfo"]["error"].is_null();
    world.server.group(CLUSTER, group, "no lag is left", at_rest).await;
    let judged: i64 = world.kafka.judge(group).iter().filter_map(|row| row.lag).sum();
    assert_eq!(judged, 0, "Kafka's own tool sees a lag");
}

fn memory_is_flat(samples: &[Sample]) {
    let figures: Vec<_> = samples.iter().map(|one| one.figures).collect();
    let (early, late) = thirds(&figures);
    println!("memory: {early} MB in the first third of the server's last life, {late} MB in the last");
    assert!(late <= early + GROWTH_MB, "memory grows: {early} MB, then {late} MB");
}

/// At rest the old server has no more handles and tasks than a new one that has done the same once.
async fn everything_is_given_back(world: &mut World) {
    exercised(world).await;
    // Warm readers of records are closed after a minute without a request.
    tokio::time::sleep(Duration::from_secs(62)).await;
    let old = lowest(world).await;
    world.stop_server().await;
    exercised(world).await;
    let new = lowest(world).await;
    println!("at rest: {old:?}; a new server: {new:?}");
    let more = MORE_HANDLES + (world.groups.len() - 1) * MORE_HANDLES_OF_A_GROUP;
    let (handles, tasks) = (new.figures.handles + more, new.tasks + MORE_TASKS);
    assert!(
        old.figures.handles <= handles,
        "handles are not given back: {old:?}, and {new:?} of a new server"
    );
    assert!(old.tasks <= tasks, "tasks are left: {old:?}, and {new:?} of a new server");
}

/// Everything once that keeps something: a pause, a resume, a look at records.
async fn exercised(world: &World) {
    world.server.group(CLUSTER, GROUP, "an agent is heard", is_heard).await;
    let path = format!("/api/v1/clusters/{CLUSTER}/commands");
    for action in ["pause", "resume"] {
        let answer = world.server.send(&path, &command(&new_id(), action, GROUP)).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        let id = answer.json()["id"].as_str().unwrap().to_owned();
        world.server.command(CLUSTER, &id, action, settled).await;
    }
    let messages = world.server.get(&format!("/api/v1/clusters/{CLUSTER}/topics/orders/messages")).await;
    assert_eq!(messages.status, 200, "{}", messages.text);
}

/// The lowest of some looks: refreshes come and go.
async fn lowest(world: &World) -> Sample {
    let mut lowest = plan::sample(world).await;
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let now = plan::sample(world).await;
        lowest.tasks = lowest.tasks.min(now.tasks);
        lowest.figures.handles = lowest.figures.handles.min(now.figures.handles);
    }
    lowest
}
