//! The whole fleet as the demo starts it: what it creates, who is heard, and that it ends in time.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use flowdeck_fleets::plan::{ADMIN_TOPIC, Plan};
use flowdeck_protocol::kafkaflow::{Decoded, Message, decode};
use flowdeck_testkit::{kafka, unique, wait_for};

const BIN: &str = env!("CARGO_BIN_EXE_flowdeck-fleets");

/// Groups with a consumer on the admin topic.
fn heard() -> Vec<String> {
    let records = kafka().read_all(ADMIN_TOPIC);
    let groups =
        records.iter().filter_map(|record| match decode(&record.headers(), record.value.as_deref()) {
            Decoded::Message(Message::Telemetry(one)) if !one.running.is_empty() => {
                Some(one.group.to_string())
            }
            _ => None,
        });
    groups.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fleet_starts_is_heard_and_ends_within_five_seconds() {
    let prefix = unique("fleet");
    let plan = Plan::new(&prefix);
    let mut child = Command::new(BIN)
        .args(["run", "--prefix", &prefix, "--bootstrap", kafka().bootstrap()])
        .stdout(Stdio::null())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let want =
        [plan.audio_processor(), plan.deletion_processor(), plan.storage_indexer(), plan.search_indexer()];
    wait_for("telemetry of all agents", Duration::from_secs(60), async || {
        let topics = kafka().topics();
        if !topics.iter().any(|(name, _)| name == ADMIN_TOPIC) {
            return None;
        }
        let heard = heard();
        want.iter().all(|group| heard.contains(group)).then_some(())
    })
    .await;
    let topics = kafka().topics();
    for topic in plan.topics() {
        let found = topics.iter().find(|(name, _)| *name == topic.name);
        assert!(found.is_some(), "{} was not created", topic.name);
    }

    let pid = rustix::process::Pid::from_child(&child);
    let start = Instant::now();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let status = tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap();
    assert!(status.success(), "{status}");
    assert!(start.elapsed() < Duration::from_secs(5), "it took {:?} to end", start.elapsed());
}

#[test]
fn the_plan_touches_nothing_and_names_what_it_would_create() {
    let out = Command::new(BIN).args(["plan", "--prefix", "qa"]).output().unwrap();
    assert!(out.status.success());
    assert_eq!(String::from_utf8(out.stdout).unwrap(), Plan::new("qa").to_string());
}
