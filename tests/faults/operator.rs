//! Each group has an operator, who pauses and resumes all the while, and now and then stops and starts the consumer, or restarts it. Success
//! must be true: from an instance's first acknowledgement of a pause on no handler of it begins, and from the command's
//! confirmation on none at all, until the resume is asked for; and from the confirmation of a stop on none of those that were
//! stopped, until the start is asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::{Duration, Instant};

use flowdeck_testkit::Kafka;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::acks;
use crate::agents::{Agents, Ledger};
use crate::site::{Site, now};
use crate::support::{new_id, settled};
use crate::world::World;

const COMMANDS: &str = "/kafkaflow/api/v1/clusters/shop/commands";
/// After the faults the operator goes on until a pause was acknowledged, for so long: faults may follow each other so closely
/// that none was.
const QUIET: Duration = Duration::from_secs(60);
/// A command comes to an end by then, good or not: not before a broker is back and the network lets through for a while, which
/// takes its time on a busy machine.
const SETTLED: Duration = Duration::from_secs(300);

/// What became of commands.
#[derive(Clone, Debug, Default)]
pub(crate) struct Operated {
    /// Asked for, by what.
    asked: BTreeMap<String, usize>,
    confirmed: usize,
    /// Ended in another way, and said so.
    otherwise: usize,
    /// Not taken, by the reason that was said.
    refused: BTreeMap<String, usize>,
    /// The server was killed in the middle.
    cut: usize,
    /// Acknowledgements from which on nothing began.
    acknowledged: usize,
    /// Confirmed stops from which on nothing began.
    stopped: usize,
}

impl Operated {
    fn add(&mut self, other: Self) {
        let Self { asked, confirmed, otherwise, refused, cut, acknowledged, stopped } = other;
        for (counts, more) in [(&mut self.asked, asked), (&mut self.refused, refused)] {
            for (what, count) in more {
                *counts.entry(what).or_default() += count;
            }
        }
        self.confirmed += confirmed;
        self.otherwise += otherwise;
        self.cut += cut;
        self.acknowledged += acknowledged;
        self.stopped += stopped;
    }

    /// A run that looked at nothing has proven nothing.
    pub(crate) fn assert_tried(&self) {
        assert!(self.confirmed > 0, "no command was confirmed");
        assert!(self.acknowledged > 0, "no agent acknowledged a pause that was confirmed");
    }
}

impl fmt::Display for Operated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { asked, confirmed, otherwise, refused, cut, acknowledged, stopped } = self;
        let begun = confirmed + otherwise + cut;
        let refused: Vec<String> = refused.iter().map(|(why, count)| format!("{count} × {why}")).collect();
        write!(
            f,
            "commands: asked for {asked:?}; {begun} begun: {confirmed} confirmed, {otherwise} ended otherwise, {cut} cut off; \
             refused: {refused:?}; \
             {acknowledged} acknowledgements and {stopped} stops held"
        )
    }
}

pub(crate) struct Operating {
    stop: CancellationToken,
    tasks: Vec<JoinHandle<Operated>>,
}

/// `stops`: not pauses alone.
pub(crate) fn start(world: &World, seed: u64, stops: bool) -> Operating {
    let stop = CancellationToken::new();
    let of = |(agents, number): (&Agents, u64)| {
        let operator = Operator {
            site: world.site.clone(),
            kafka: (*world.kafka).clone(),
            group: agents.group.clone(),
            ledger: agents.ledger.clone(),
            random: StdRng::seed_from_u64(seed ^ (number + 1)),
            stops,
            counts: Operated::default(),
        };
        tokio::spawn(operator.run(stop.clone()))
    };
    let tasks = world.groups.iter().zip(0..).map(of).collect();
    Operating { tasks, stop }
}

impl Operating {
    /// None ends before it is told to, unless something is wrong.
    pub(crate) async fn one_ended(&self) {
        while !self.tasks.iter().any(JoinHandle::is_finished) {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// What all of them did.
    pub(crate) async fn end(self) -> Operated {
        self.stop.cancel();
        let mut all = Operated::default();
        for task in self.tasks {
            all.add(task.await.expect("an operator"));
        }
        all
    }
}

enum Outcome {
    Confirmed(Value),
    /// With what was answered.
    Otherwise(String),
}

fn body(id: &str, action: &str, group: &str) -> Value {
    let target = match action {
        "pause" | "resume" => json!({ "group": group }),
        _ => json!({ "group": group, "consumer": group }),
    };
    json!({ "id": id, "action": action, "target": target, "reason": "INC-1" })
}

/// Of a command's view.
fn instances(view: &Value, is: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let all = view["instances"].as_array().unwrap().iter();
    let some = all.filter(|one| is(one["state"].as_str().unwrap()));
    some.filter_map(|one| Some(one["instance"].as_str()?.to_owned())).collect()
}

pub(crate) struct Operator {
    site: Site,
    kafka: Kafka,
    group: String,
    ledger: Ledger,
    random: StdRng,
    stops: bool,
    counts: Operated,
}

impl Operator {
    async fn run(mut self, stop: CancellationToken) -> Operated {
        let mut until = None;
        loop {
            if stop.is_cancelled() {
                let until = *until.get_or_insert_with(|| Instant::now() + QUIET);
                if self.counts.acknowledged > 0 || Instant::now() > until {
                    return self.counts;
                }
            }
            match self.random.random_range(0..12) {
                _ if !self.stops => self.pause_and_resume().await,
                0 => self.stop_and_start().await,
                1 => drop(self.give("restart").await),
                _ => self.pause_and_resume().await,
            }
            self.pause(200..1_500).await;
        }
    }

    async fn pause_and_resume(&mut self) {
        if let Outcome::Confirmed(view) = self.give("pause").await {
            let confirmed = now();
            let asked = self.asked_later().await;
            self.none_began(&view, confirmed, asked).await;
            self.ledger.forget(asked);
        }
        self.give("resume").await;
    }

    async fn stop_and_start(&mut self) {
        if let Outcome::Confirmed(view) = self.give("stop").await {
            let confirmed = now();
            let asked = self.asked_later().await;
            // One that came later was never told to stop.
            let stopped = instances(&view, |_| true);
            let began = self.ledger.begun(confirmed, asked).into_iter();
            let wrong: Vec<_> = began.filter(|one| stopped.contains(&*one.instance)).collect();
            assert!(
                wrong.is_empty(),
                "handlers began though stopped ({confirmed} to {asked}): {wrong:?}\n{view:#}"
            );
            self.ledger.forget(asked);
            self.counts.stopped += 1;
        }
        self.start().await;
    }

    /// Whatever became of the stop, some may have obeyed it. A start is refused where Kafka lists members: those that came
    /// since, or were killed a moment ago. A pause whose resume was cut off before may still be in force: it wins.
    async fn start(&mut self) {
        let until = Instant::now() + SETTLED * 4;
        loop {
            let mut said = vec![];
            for action in ["resume", "start", "restart"] {
                match self.give(action).await {
                    Outcome::Confirmed(_) if action != "resume" => return,
                    Outcome::Confirmed(_) => {}
                    Outcome::Otherwise(why) => said.push(format!("{action}: {why}")),
                }
            }
            assert!(Instant::now() < until, "nothing starts what was stopped in {}: {said:#?}", self.group);
            self.pause(500..1_000).await;
        }
    }

    /// When the next command is about to be given, some seconds later; the agents' lines until then have arrived.
    async fn asked_later(&mut self) -> i64 {
        self.pause(500..2_500).await;
        let asked = now();
        tokio::time::sleep(Duration::from_millis(300)).await;
        asked
    }

    async fn pause(&mut self, span: std::ops::Range<u64>) {
        tokio::time::sleep(Duration::from_millis(self.random.random_range(span))).await;
    }

    async fn none_began(&mut self, view: &Value, confirmed: i64, asked: i64) {
        let answered = instances(view, |state| ["acknowledged", "drained"].contains(&state));
        let acks = acks::first(&self.kafka, view["id"].as_str().unwrap(), answered).await;
        // Of an instance from its own answer on; of all from the confirmation on.
        let from = |instance: &str| acks.get(instance).map_or(confirmed, |at| confirmed.min(*at));
        let since = acks.values().copied().chain([confirmed]).min().unwrap();
        let begun = self.ledger.begun(since, asked);
        let wrong: Vec<_> = begun.iter().filter(|one| one.at > from(&one.instance)).collect();
        assert!(
            wrong.is_empty(),
            "{} handlers began under a confirmed pause ({confirmed} to {asked}), acknowledged at {acks:?}: {:?} …\n{view:#}",
            wrong.len(),
            &wrong[..wrong.len().min(4)]
        );
        self.counts.acknowledged += acks.len();
    }

    /// Asks for it and waits for its end.
    async fn give(&mut self, action: &str) -> Outcome {
        *self.counts.asked.entry(action.to_owned()).or_default() += 1;
        let body = body(&new_id(), action, &self.group);
        let Some(answer) = self.site.post(COMMANDS, &body).await else {
            self.counts.cut += 1;
            tokio::time::sleep(Duration::from_millis(500)).await;
            return Outcome::Otherwise("cut off".to_owned());
        };
        match answer.status {
            202 => self.follow(answer.json()["id"].as_str().unwrap().to_owned()).await,
            // Said with a reason: no answer from Kafka, nobody listens at the moment, or a start where Kafka lists members.
            409 | 422 | 503 => {
                let why = answer.json()["detail"].as_str().unwrap_or_default().to_owned();
                assert!(!why.is_empty(), "{}", answer.text);
                *self.counts.refused.entry(why.clone()).or_default() += 1;
                Outcome::Otherwise(why)
            }
            other => panic!("{action}: {other} {}", answer.text),
        }
    }

    async fn follow(&mut self, id: String) -> Outcome {
        let path = format!("{COMMANDS}/{id}");
        let followed = tokio::time::timeout(SETTLED, async {
            loop {
                tokio::time::sleep(Duration::from_millis(100)).await;
                let said = self.site.get(&path).await?;
                match said.status {
                    200 => {}
                    // Another life of the server remembers only the holds in force.
                    404 => return None,
                    other => panic!("{path}: {other} {}", said.text),
                }
                let view = said.json();
                if settled(&view) {
                    return Some(view);
                }
            }
        });
        let view = followed.await.unwrap_or_else(|_| panic!("command {id} comes to no end"));
        match view {
            None => {
                self.counts.cut += 1;
                Outcome::Otherwise("cut off".to_owned())
            }
            Some(view) if view["state"] == "confirmed" => {
                self.counts.confirmed += 1;
                Outcome::Confirmed(view)
            }
            Some(view) => {
                self.counts.otherwise += 1;
                Outcome::Otherwise(format!("{view:#}"))
            }
        }
    }
}
