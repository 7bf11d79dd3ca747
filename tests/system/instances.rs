//! A group of a thousand instances, some of them processes: a command of the whole group is answered by each, and one that does
//! not answer is named. `FLOWDECK_INSTANCES_REAL`: as `cargo xtask soak instances` sets it, which also asks for 2 s.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use flowdeck_testkit::{DEADLINE, Kafka, NodeOptions, private, wait_for};
use serde_json::Value;

use crate::simulated::{self, Simulated};
use crate::support::{Consumer, Server, cluster, command, heard, new_id, setting};

const SIMULATED: usize = 1_000;
const GROUP: &str = "payments";
const COMMANDS: &str = "/api/v1/clusters/shop/commands";
/// Of the usual run. The limit is no measure there: it runs beside other tests, in a debug build.
const REAL: usize = 4;
const ROUNDS: usize = 1;
const WITHIN: Duration = Duration::from_secs(30);
/// Of the soak.
const SOAK_ROUNDS: usize = 10;
const SOAK_WITHIN: Duration = Duration::from_secs(2);
/// A handler that leaks through a shut gate is seen in this time.
const WATCH: Duration = Duration::from_secs(1);

struct Scale {
    real: usize,
    rounds: usize,
    within: Duration,
}

impl Scale {
    fn of_run() -> Self {
        match setting("FLOWDECK_INSTANCES_REAL") {
            Some(real) => Self { real: real as usize, rounds: SOAK_ROUNDS, within: SOAK_WITHIN },
            None => Self { real: REAL, rounds: ROUNDS, within: WITHIN },
        }
    }
}

struct Scene {
    server: Server,
    simulated: Simulated,
    real: Vec<Consumer>,
    /// All of them.
    names: BTreeSet<String>,
}

fn real_name(number: usize) -> String {
    format!("real-{number}")
}

fn start(kafka: &Kafka, number: usize) -> Consumer {
    let args = ["--group", GROUP, "--topics", "orders", "--workers", "2", "--handle-ms", "20"];
    Consumer::start(kafka, "consume", &real_name(number), &args)
}

impl Scene {
    /// All instances are heard.
    async fn start(kafka: &Kafka, real: usize) -> Self {
        kafka.create_topic("orders", real as i32).await;
        kafka.create_topic("kafkaflow.admin", 1).await;
        let partitions = (0..real as i32).flat_map(|partition| std::iter::repeat_n(partition, 2_000));
        kafka.produce_at("orders", partitions.map(|partition| (partition, "order"))).await;
        let server = Server::start(&cluster("shop", "control", kafka.bootstrap())).await;
        wait_for("Flowdeck's topics", DEADLINE, async || {
            let topics = kafka.topics();
            let is_there = |name| topics.iter().any(|(topic, _)| topic == name);
            (is_there("flowdeck.holds") && is_there("flowdeck.acks")).then_some(())
        })
        .await;
        let consumers: Vec<Consumer> = (0..real).map(|number| start(kafka, number)).collect();
        for one in &consumers {
            one.wait_handled(1).await;
        }
        let simulated = Simulated::start(kafka, GROUP, SIMULATED);
        server.group("shop", GROUP, "all instances are heard", heard(SIMULATED + real)).await;
        let names = (0..SIMULATED).map(simulated::name).chain((0..real).map(real_name)).collect();
        Self { server, simulated, real: consumers, names }
    }

    /// Its id, and when it was sent.
    async fn send(&self, action: &str) -> (String, Instant) {
        let (id, begun) = (new_id(), Instant::now());
        let sent = self.server.send(COMMANDS, &command(&id, action, GROUP)).await;
        assert_eq!(sent.status, 202, "{action}: {}", sent.text);
        (id, begun)
    }

    /// How long it took until each instance had answered, as who asks every 100 ms sees it.
    async fn answered(&self, action: &str) -> Duration {
        let (id, begun) = self.send(action).await;
        let view = self.server.command("shop", &id, "confirmed", |view| view["state"] == "confirmed").await;
        let took = begun.elapsed();
        assert_eq!(names(&view, is_done), self.names);
        took
    }

    fn begun(&self) -> Vec<usize> {
        self.real.iter().map(|one| one.started().len()).collect()
    }
}

fn is_done(state: &str) -> bool {
    ["acknowledged", "drained", "nothingToDo"].contains(&state)
}

/// Instances of a command in such a state.
fn names(view: &Value, is: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let all = view["instances"].as_array().expect("instances").iter();
    let such = all.filter(|one| is(one["state"].as_str().expect("a state")));
    such.map(|one| one["instance"].as_str().expect("a name").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn group_command_is_answered_by_a_thousand_instances() {
    let scale = Scale::of_run();
    let kafka = private(&NodeOptions::default());
    let mut scene = Scene::start(&kafka, scale.real).await;
    let mut slowest = Duration::ZERO;
    for round in 1..=scale.rounds {
        let paused = scene.answered("pause").await;
        let begun = scene.begun();
        tokio::time::sleep(WATCH).await;
        assert_eq!(scene.begun(), begun, "a handler began under the pause");
        let resumed = scene.answered("resume").await;
        println!(
            "round {round}: {} instances paused in {paused:?}, resumed in {resumed:?}",
            scene.names.len()
        );
        slowest = slowest.max(paused).max(resumed);
    }
    let page = scene.server.get(&format!("/c/shop/groups/{GROUP}")).await;
    println!("the group's page: {:?}, {} bytes", page.took, page.text.len());
    assert_eq!(page.status, 200);
    // Every page of the group is sent these.
    let view = scene.server.api(&format!("/clusters/shop/groups/{GROUP}")).await;
    let listed = |command: &Value| command["instances"].as_array().map_or(0, Vec::len);
    let all: usize = view["commands"].as_array().expect("commands").iter().map(listed).sum();
    assert!(all <= 4_000, "{all} instances of commands in the group's view");

    // One that does not answer is named as such, and all others as those that did.
    scene.simulated.silence_one();
    let silent = BTreeSet::from([simulated::name(0)]);
    let (id, _) = scene.send("pause").await;
    let view = scene.server.command("shop", &id, "all but one", |view| {
        view["state"] == "partiallyConfirmed" && names(view, |state| !is_done(state)) == silent
    });
    let view = view.await;
    assert_eq!(names(&view, |state| state == "noResponse"), silent, "{view}");
    assert_eq!(names(&view, |_| true), scene.names);
    scene.server.assert_sound();
    assert!(slowest <= scale.within, "a group command took {slowest:?}");
}
