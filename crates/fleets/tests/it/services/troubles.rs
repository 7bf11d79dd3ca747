//! Troubles by command, and services as processes.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc;

use flowdeck_fleets::services::{Fleet, Trouble};
use flowdeck_testkit::{NodeOptions, private, wait_for};

use super::{LIMIT, start};

const BIN: &str = env!("CARGO_BIN_EXE_flowdeck-fleets");

#[tokio::test(flavor = "multi_thread")]
async fn troubles_come_and_go_by_command() {
    let service = start(Fleet::Convex, &[]).await;
    let client = reqwest::Client::new();
    let url = format!("{}/troubles", service.url);
    for trouble in [Trouble::Slow, Trouble::DeadConsumer] {
        assert_eq!(client.post(format!("{url}/{}", trouble.name())).send().await.unwrap().status(), 204);
    }
    let all: Vec<String> = client.get(&url).send().await.unwrap().json().await.unwrap();
    assert_eq!(all, ["slow", "dead-consumer"]);
    let unknown = client.post(format!("{url}/flood")).send().await.unwrap();
    assert_eq!(unknown.status(), 404);
    assert!(unknown.text().await.unwrap().contains("rebalance-storm"));
    // Nobody reads the bets any more, until it is over.
    let members =
        || service.kafka.judge("convex-group").into_iter().filter(|row| row.topic == "convex.bet.placed");
    wait_for("no reader of bets", LIMIT, async || members().all(|row| row.client.is_none()).then_some(()))
        .await;
    assert_eq!(client.delete(format!("{url}/dead-consumer")).send().await.unwrap().status(), 204);
    let read = || members().count() == 3 && members().all(|row| row.client.is_some());
    wait_for("a reader of bets", LIMIT, async || read().then_some(())).await;
    service.end().await;
}

/// Two services by one command; one crashes and the other goes on; both end with the supervisor.
#[tokio::test(flavor = "multi_thread")]
async fn services_run_together_and_one_that_crashes_is_started_again() {
    let kafka = private(&NodeOptions::default());
    kafka.create_topic("kafkaflow.admin", 1).await;
    let mut child = Command::new(BIN)
        .args(["run", "--fleet", "convex,momentum", "--bootstrap", kafka.bootstrap()])
        .env("RUST_LOG", "flowdeck_fleets=warn")
        .stdout(Stdio::piped())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let (sender, lines) = mpsc::channel();
    let out = child.stdout.take().unwrap();
    std::thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    let mut urls = std::collections::BTreeMap::new();
    wait_for("both services", LIMIT, async || {
        for line in lines.try_iter() {
            let (name, url) = line.split_once(": ").expect("a name and an address");
            urls.insert(name.to_owned(), url.to_owned());
        }
        (urls.len() == 2).then_some(())
    })
    .await;
    let client = reqwest::Client::new();
    let crashed = client.post(format!("{}/troubles/crash", urls["momentum"])).send().await.unwrap();
    assert_eq!(crashed.status(), 204);
    let health = || client.get(format!("{}/health", urls["momentum"])).send();
    wait_for("the crash", LIMIT, async || health().await.is_err().then_some(())).await;
    let others = client.get(format!("{}/troubles", urls["convex"])).send().await.unwrap();
    assert_eq!(others.status(), 200, "the other one goes on");
    wait_for("it is started again, at its old address", LIMIT, async || {
        health().await.is_ok_and(|answer| answer.status() == 200).then_some(())
    })
    .await;

    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let status = tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap();
    assert!(status.success(), "{status}");
    for url in urls.values() {
        assert!(client.get(format!("{url}/troubles")).send().await.is_err(), "{url} is left behind");
    }
}

#[test]
fn the_plan_of_services_touches_nothing_and_names_what_they_would_create() {
    let out = Command::new(BIN).args(["plan", "--fleet", "novatune,convex"]).output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(
        out.status.success() && text.contains("dev-audio-events") && text.contains("convex.dlq"),
        "{text}"
    );
    assert!(!text.contains("momentum"), "{text}");
}
