//! Deploys, crashes and scale-outs under holds of both kinds, at random, with consumers that lock up as KafkaFlow does: after
//! each resume the group is whole again, or names the process that must be ended.
//! `FLOWDECK_HOLDS_ROUNDS` and `FLOWDECK_HOLDS_SEED`: as `cargo xtask soak holds` sets them.

use std::time::{Duration, Instant};

use flowdeck_testkit::{Kafka, PrivateKafka, wait_for};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

use crate::locking_up;
use crate::support::{Consumer, Server, cluster, new_id, setting};

const COMMANDS: &str = "/api/v1/clusters/shop/commands";
const PARTITIONS: i32 = 6;
const MOST: usize = 4;
/// A lock-up is said after 15 s; the one of a process that was killed begins when Kafka gives it up, after 45 s.
const SAID: Duration = Duration::from_secs(20);
const GIVEN_UP: Duration = Duration::from_secs(50);
/// 90 s until what was locked up is back, then 60 s for the proof that records flow.
const ANSWERED_WITHIN: Duration = Duration::from_secs(180);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Deploy,
    Crash,
    ScaleOut,
}

struct Soak {
    kafka: PrivateKafka,
    server: Server,
    /// By their numbers.
    consumers: Vec<(usize, Consumer)>,
    started: usize,
    random: StdRng,
    /// What processes handled that are gone.
    gone: usize,
    /// Records that ran under a hold.
    ran: usize,
    /// Processes that were named, and ended.
    ended: usize,
    slowest: Duration,
}

impl Soak {
    async fn new(seed: u64) -> Self {
        let kafka = locking_up::kafka();
        kafka.create_topic("orders", PARTITIONS).await;
        kafka.create_topic("kafkaflow.admin", 1).await;
        let server = Server::start(&cluster("shop", "control", kafka.bootstrap())).await;
        let mut soak = Self {
            kafka,
            server,
            consumers: vec![],
            started: 0,
            random: StdRng::seed_from_u64(seed),
            gone: 0,
            ran: 0,
            ended: 0,
            slowest: Duration::ZERO,
        };
        soak.produce(600).await;
        soak.start();
        soak.runs("at first").await;
        soak
    }

    async fn produce(&self, records: usize) {
        for partition in 0..PARTITIONS {
            self.kafka.produce("orders", partition, (0..records).map(|n| n.to_string())).await;
        }
    }

    fn start(&mut self) {
        self.started += 1;
        let kafka: &Kafka = &self.kafka;
        let consumer = locking_up::consumer(kafka, &format!("flow-{}", self.started));
        self.consumers.push((self.started, consumer));
    }

    fn kill(&mut self, at: usize) {
        let (_, mut consumer) = self.consumers.remove(at);
        consumer.kill();
        self.gone += consumer.handled().len();
    }

    async fn stop(&mut self, at: usize) {
        let (_, mut consumer) = self.consumers.remove(at);
        consumer.stop().await;
        self.gone += consumer.handled().len();
    }

    fn handled(&self) -> usize {
        self.gone + self.consumers.iter().map(|(_, one)| one.handled().len()).sum::<usize>()
    }

    async fn group(&self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        self.server.group("shop", "billing", what, is).await
    }

    /// The group is whole and stable, and each of them handles records. One that ended a moment ago may run still, as far as
    /// telemetry tells: a pause would name it.
    async fn runs(&self, when: &str) {
        let count = self.consumers.len();
        let is_whole = |view: &Value| {
            let instances = view["consumers"][0]["instances"].as_array();
            let heard = instances.map(|all| all.iter().filter(|one| one["lost"] == false).count());
            view["members"] == count && view["rebalancingSince"].is_null() && heard == Some(count)
        };
        self.group(&format!("{count} members, {when}"), is_whole).await;
        for (_, one) in &self.consumers {
            one.wait_handled(one.handled().len() + 3).await;
        }
    }

    /// `None`: it was not confirmed in time.
    async fn command(&self, fields: Value) -> Option<Value> {
        let mut body = json!({ "id": new_id(), "target": { "group": "billing" }, "reason": "INC-9" });
        for (name, value) in fields.as_object().unwrap() {
            body[name] = value.clone();
        }
        let sent = self.server.send(COMMANDS, &body).await;
        assert!([200, 202].contains(&sent.status), "{}", sent.text);
        let path = format!("{COMMANDS}/{}", sent.json()["id"].as_str().unwrap());
        let until = Instant::now() + ANSWERED_WITHIN;
        loop {
            let view = self.server.get(&path).await.json();
            if view["state"] == "confirmed" {
                return Some(view);
            }
            if Instant::now() > until {
                println!("not confirmed: {view}");
                return None;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn fault(&mut self, fault: Fault) {
        self.start();
        match fault {
            Fault::ScaleOut => {}
            Fault::Crash => {
                let victim = self.random.random_range(0..self.consumers.len() - 1);
                self.kill(victim);
            }
            Fault::Deploy => {
                for nth in 0..self.consumers.len() - 1 {
                    if nth > 0 {
                        self.start();
                    }
                    self.stop(0).await;
                }
            }
        }
    }

    /// Resumed until the group is whole; a process that is named is ended, as an operator would.
    async fn resume(&mut self) {
        let began = Instant::now();
        for _ in 0..3 {
            let resumed = self.command(json!({ "action": "resume" })).await;
            let view = self.group("it is read", |_| true).await;
            if resumed.is_some() && view["verdict"] != "lockedUp" {
                break;
            }
            let why = view["verdicts"].to_string();
            println!("  {} s after the resume: {why}", began.elapsed().as_secs());
            let named = |number: usize| why.contains(&format!("flow-{number} was paused as a whole"));
            let at = self.consumers.iter().position(|(number, _)| named(*number));
            if let Some(at) = at.filter(|_| why.contains("its process must be ended")) {
                self.kill(at);
                self.start();
                self.ended += 1;
            }
        }
        self.runs("after the resume").await;
        println!("  whole {:.1} s after the resume", began.elapsed().as_secs_f64());
        self.slowest = self.slowest.max(began.elapsed());
    }

    async fn round(&mut self, by: &str, fault: Fault) {
        self.produce(300).await;
        let paused = self.command(json!({ "action": "pause", "by": by })).await;
        assert!(paused.is_some(), "a group that is whole obeys a pause");
        // What was buffered runs to its end.
        wait_for("nothing runs", ANSWERED_WITHIN, async || {
            let before = self.handled();
            tokio::time::sleep(Duration::from_secs(1)).await;
            (self.handled() == before).then_some(())
        })
        .await;
        let before = self.handled();
        self.fault(fault).await;
        let long = if fault == Fault::Crash { GIVEN_UP + SAID } else { SAID };
        tokio::time::sleep(long + Duration::from_millis(self.random.random_range(0..3_000))).await;
        let ran = self.handled() - before;
        self.ran += ran;
        println!("{} processes, by {by}, {fault:?}: {ran} records ran under the hold", self.consumers.len());
        self.resume().await;
        while self.consumers.len() > MOST {
            self.stop(0).await;
            self.runs("with one less").await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn holds_survive_deploys_crashes_and_scale_outs() {
    let (rounds, seed) =
        (setting("FLOWDECK_HOLDS_ROUNDS").unwrap_or(1), setting("FLOWDECK_HOLDS_SEED").unwrap_or(12));
    let mut soak = Soak::new(seed).await;
    for _ in 0..rounds {
        // One round is one with a lock-up.
        let by = if rounds > 1 && soak.random.random_bool(0.5) { "stop" } else { "pause" };
        let fault = match soak.random.random_range(0..3) {
            _ if rounds == 1 => Fault::ScaleOut,
            0 => Fault::Deploy,
            1 => Fault::Crash,
            _ => Fault::ScaleOut,
        };
        soak.round(by, fault).await;
    }
    println!(
        "{rounds} rounds, seed {seed}: slowest resume {:.1} s, {} processes had to be ended, {} records ran under holds",
        soak.slowest.as_secs_f64(),
        soak.ended,
        soak.ran
    );
    soak.server.assert_sound();
}
