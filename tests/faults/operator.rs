//! An operator who pauses and resumes all the while. Success must be true: from an instance's first acknowledgement
//! on no handler of it begins, and from the command's confirmation on none at all, until the resume is asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::{Duration, Instant};

use flowdeck_testkit::Kafka;
use rand::Rng as _;
use rand::rngs::StdRng;
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::acks;
use crate::agents::{GROUP, Ledger};
use crate::site::{Site, now};
use crate::support::{command, new_id, settled};
use crate::world::World;

const COMMANDS: &str = "/kafkaflow/api/v1/clusters/shop/commands";
/// After the faults the operator goes on until a pause was acknowledged, for so long: faults may follow each other so closely
/// that none was.
const QUIET: Duration = Duration::from_secs(60);
/// A command comes to an end by then, good or not: not before a broker is back, which takes its time on a busy machine.
const SETTLED: Duration = Duration::from_secs(120);

/// What became of commands.
#[derive(Clone, Debug, Default)]
pub(crate) struct Operated {
    confirmed: usize,
    /// Ended in another way, and said so.
    otherwise: usize,
    /// Not taken, by the reason that was said.
    refused: BTreeMap<String, usize>,
    /// The server was killed in the middle.
    cut: usize,
    /// Acknowledgements from which on nothing began.
    acknowledged: usize,
}

impl Operated {
    /// A run that looked at nothing has proven nothing.
    pub(crate) fn assert_tried(&self) {
        assert!(self.confirmed > 0, "no command was confirmed");
        assert!(self.acknowledged > 0, "no agent acknowledged a pause that was confirmed");
    }
}

impl fmt::Display for Operated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { confirmed, otherwise, refused, cut, acknowledged } = self;
        let refused: Vec<String> = refused.iter().map(|(why, count)| format!("{count} × {why}")).collect();
        write!(
            f,
            "commands: {confirmed} confirmed, {otherwise} ended otherwise, {cut} cut off; refused: {refused:?}; \
             {acknowledged} acknowledgements held"
        )
    }
}

pub(crate) struct Operating {
    stop: CancellationToken,
    task: JoinHandle<Operated>,
}

pub(crate) fn start(world: &World, random: StdRng) -> Operating {
    let stop = CancellationToken::new();
    let operator = Operator {
        site: world.site.clone(),
        kafka: (*world.kafka).clone(),
        ledger: world.agents.ledger.clone(),
        random,
        counts: Operated::default(),
    };
    Operating { task: tokio::spawn(operator.run(stop.clone())), stop }
}

impl Operating {
    pub(crate) async fn end(self) -> Operated {
        self.stop.cancel();
        self.task.await.expect("the operator")
    }
}

enum Outcome {
    Confirmed(Value),
    Otherwise,
}

pub(crate) struct Operator {
    site: Site,
    kafka: Kafka,
    ledger: Ledger,
    random: StdRng,
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
            if let Outcome::Confirmed(view) = self.give("pause").await {
                let confirmed = now();
                self.pause(1_000..4_000).await;
                let asked = now();
                // Lines of the agents on their way to us.
                tokio::time::sleep(Duration::from_millis(300)).await;
                self.none_began(&view, confirmed, asked).await;
                self.ledger.forget(asked);
            }
            self.give("resume").await;
            self.pause(500..3_000).await;
        }
    }

    async fn pause(&mut self, span: std::ops::Range<u64>) {
        tokio::time::sleep(Duration::from_millis(self.random.random_range(span))).await;
    }

    async fn none_began(&mut self, view: &Value, confirmed: i64, asked: i64) {
        let answered = |one: &&Value| ["acknowledged", "drained"].contains(&one["state"].as_str().unwrap());
        let answered = view["instances"].as_array().unwrap().iter().filter(answered);
        let answered: BTreeSet<_> =
            answered.map(|one| one["instance"].as_str().unwrap().to_owned()).collect();
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
        let id = new_id();
        let Some(answer) = self.site.post(COMMANDS, &command(&id, action, GROUP)).await else {
            self.counts.cut += 1;
            tokio::time::sleep(Duration::from_millis(500)).await;
            return Outcome::Otherwise;
        };
        match answer.status {
            202 => self.follow(answer.json()["id"].as_str().unwrap().to_owned()).await,
            // Said with a reason: no answer from Kafka, or nobody listens at the moment.
            422 | 503 => {
                let why = answer.json()["detail"].as_str().unwrap_or_default().to_owned();
                assert!(!why.is_empty(), "{}", answer.text);
                *self.counts.refused.entry(why).or_default() += 1;
                Outcome::Otherwise
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
                Outcome::Otherwise
            }
            Some(view) if view["state"] == "confirmed" => {
                self.counts.confirmed += 1;
                Outcome::Confirmed(view)
            }
            Some(_) => {
                self.counts.otherwise += 1;
                Outcome::Otherwise
            }
        }
    }
}
