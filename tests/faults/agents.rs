//! Groups of two agents as processes, one killed now and then and replaced by another, and what all agents of a group did
//! together.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};

use flowdeck_testkit::Kafka;

use crate::relay;
use crate::support::{Consumer, Process};

/// The first group, whose pages are read, and its topic.
pub(crate) const GROUP: &str = "payments";
const TOPIC: &str = "orders";
/// The first group has the first, the next one the next, and so on.
const PROTOCOLS: [&str; 3] = ["classic-eager", "classic-cooperative", "kip848"];

/// A handler that was begun.
#[derive(Clone, Debug)]
#[allow(dead_code, reason = "printed where it should not have begun")]
pub(crate) struct Begun {
    pub(crate) instance: Arc<str>,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    /// By the agent's clock, which is ours, in epoch milliseconds.
    pub(crate) at: i64,
}

/// What all agents did, the dead ones too.
#[derive(Clone, Default)]
pub(crate) struct Ledger(Arc<Mutex<Book>>);

#[derive(Default)]
struct Book {
    begun: Vec<Begun>,
    handled: BTreeMap<i32, HashSet<i64>>,
}

impl Ledger {
    /// A line of an agent's output: `started <topic> <partition> <offset> <epoch ms>`, `handled …`.
    fn line(&self, instance: &Arc<str>, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let [what @ ("started" | "handled"), _, partition, offset, at] = words[..] else { return };
        let (partition, offset) = (partition.parse().unwrap(), offset.parse().unwrap());
        let mut book = self.0.lock().unwrap();
        if what == "handled" {
            book.handled.entry(partition).or_default().insert(offset);
            return;
        }
        let at = at.parse().unwrap();
        book.begun.push(Begun { instance: Arc::clone(instance), partition, offset, at });
    }

    /// What was begun from `from` on and before `until`.
    pub(crate) fn begun(&self, from: i64, until: i64) -> Vec<Begun> {
        let book = self.0.lock().unwrap();
        book.begun.iter().filter(|one| one.at >= from && one.at < until).cloned().collect()
    }

    /// Nobody asks for what was begun before.
    pub(crate) fn forget(&self, before: i64) {
        self.0.lock().unwrap().begun.retain(|one| one.at >= before);
    }

    pub(crate) fn handled(&self) -> usize {
        self.0.lock().unwrap().handled.values().map(HashSet::len).sum()
    }

    /// Records below these ends that nobody handled.
    pub(crate) fn missing(&self, ends: &BTreeMap<i32, i64>) -> Vec<(i32, i64)> {
        let book = self.0.lock().unwrap();
        let none = HashSet::new();
        let of = |(&partition, &end): (&i32, &i64)| {
            let handled = book.handled.get(&partition).unwrap_or(&none);
            (0..end)
                .filter(|offset| !handled.contains(offset))
                .map(|offset| (partition, offset))
                .collect::<Vec<_>>()
        };
        ends.iter().flat_map(of).collect()
    }
}

/// Of one group.
pub(crate) struct Agents {
    kafka: Kafka,
    pub(crate) group: String,
    pub(crate) topic: String,
    protocol: &'static str,
    pub(crate) ledger: Ledger,
    running: Vec<Process>,
    made: usize,
}

pub(crate) fn topic(number: usize) -> String {
    numbered(TOPIC, number)
}

fn numbered(name: &str, number: usize) -> String {
    if number == 0 { name.to_owned() } else { format!("{name}-{number}") }
}

impl Agents {
    /// Of the group with this number; its topic is there.
    pub(crate) fn start(kafka: &Kafka, number: usize) -> Self {
        let mut agents = Self {
            kafka: kafka.clone(),
            group: numbered(GROUP, number),
            topic: topic(number),
            protocol: PROTOCOLS[number % PROTOCOLS.len()],
            ledger: Ledger::default(),
            running: vec![],
            made: 0,
        };
        for _ in 0..2 {
            let one = agents.one();
            agents.running.push(one);
        }
        agents
    }

    fn one(&mut self) -> Process {
        let name: Arc<str> = format!("{}-agent-{}", self.group, self.made).into();
        self.made += 1;
        // Unknown holds pause it: with `run`, the default, a start without Kafka would run and say so.
        let mut args = vec!["--group", &self.group, "--topics", &self.topic, "--protocol", self.protocol];
        args.extend(["--workers", "2", "--buffer", "40", "--handle-ms", "10"]);
        args.extend(["--acks-topic", relay::SENT, "--metadata-interval-ms", "500", "--on-unknown", "pause"]);
        // A member that was killed is gone soon: while the brokers still count it, no pause can be confirmed. Of KIP-848
        // the broker says it.
        if self.protocol != "kip848" {
            args.extend(["--property", "session.timeout.ms=6000"]);
        }
        let command = Consumer::command(&self.kafka, "consume", &name, &args);
        let ledger = self.ledger.clone();
        Process::spawn_to(command, move |line| ledger.line(&name, &line))
    }

    /// SIGKILL to one, and another in its place.
    pub(crate) fn replace(&mut self, at: usize) {
        self.running[at].kill();
        self.running[at] = self.one();
    }

    /// None ended by itself, none panicked.
    pub(crate) fn assert_sound(&mut self) {
        for agent in &mut self.running {
            assert!(agent.is_running(), "an agent ended: {}", agent.log());
            assert!(!agent.log().contains("panicked"), "{}", agent.log());
        }
    }
}
