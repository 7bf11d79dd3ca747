//! One agent as a process of its own, driven by flags; tests start and kill it. Its standard output
//! is line by line: `ready`, `assigned <running> <paused>`, and with `--trace`
//! `started <topic> <partition> <offset> <epoch ms>` and `handled …` the same.

use std::io::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use flowdeck_agent::{
    Agent, Delivery, Handler, HandlerError, OnUnknown, Record, Running, Timings, async_trait,
};

use crate::cluster::Cluster;
use crate::run::until_signal;

#[derive(Debug, Args)]
pub struct Consume {
    #[command(flatten)]
    cluster: Cluster,
    #[arg(long)]
    group: String,
    /// The consumer's name; the group's unless given
    #[arg(long)]
    consumer: Option<String>,
    /// May be repeated, or separated by commas
    #[arg(long, required = true, value_delimiter = ',')]
    topics: Vec<String>,
    #[arg(long, default_value_t = 1)]
    workers: usize,
    #[arg(long, default_value_t = 100)]
    buffer: usize,
    /// How long the handler takes for one record
    #[arg(long, default_value_t = 0)]
    handle_ms: u64,
    #[arg(long, value_enum, default_value_t = Protocol::ClassicEager)]
    protocol: Protocol,
    /// The instance's name; `HOST-PID` unless given
    #[arg(long)]
    instance: Option<String>,
    /// What to do while the holds cannot be read
    #[arg(long, value_enum, default_value_t = Unknown::Run)]
    on_unknown: Unknown,
    #[arg(long, default_value = "kafkaflow.admin")]
    admin_topic: String,
    #[arg(long, default_value = "flowdeck.holds")]
    holds_topic: String,
    #[arg(long, default_value = "flowdeck.acks")]
    acks_topic: String,
    /// How often to look for topics that are missing
    #[arg(long, default_value_t = 5_000)]
    metadata_interval_ms: u64,
    /// How long after its end a hold that nobody released still counts
    #[arg(long, default_value_t = 60_000)]
    expiry_ms: u64,
    /// How long to try to read the holds before they count as unknown
    #[arg(long, default_value_t = 10_000)]
    holds_ms: u64,
    /// What the dashboard shows beside it: NAME=VALUE, such as version=1.4.2; may be repeated
    #[arg(long = "label", value_name = "NAME=VALUE")]
    labels: Vec<String>,
    /// The first try fails of each record whose offset is a multiple of this
    #[arg(long)]
    fail_every: Option<i64>,
    /// Print a line for each record
    #[arg(long)]
    trace: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Protocol {
    ClassicEager,
    ClassicCooperative,
    /// group.protocol=consumer
    Kip848,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Unknown {
    Run,
    Pause,
}

impl Protocol {
    fn properties(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::ClassicEager => &[("partition.assignment.strategy", "range,roundrobin")],
            Self::ClassicCooperative => &[("partition.assignment.strategy", "cooperative-sticky")],
            Self::Kip848 => &[("group.protocol", "consumer")],
        }
    }
}

pub async fn run(args: Consume) -> Result<()> {
    let stop = until_signal()?;
    let running = start(&args).await?;
    say("ready");
    let mut last = None;
    loop {
        let partitions = running.partitions();
        let runs = partitions.iter().filter(|(_, _, runs)| *runs).count();
        let now = Some((runs, partitions.len() - runs));
        if now != last {
            say(&format!("assigned {runs} {}", partitions.len() - runs));
            last = now;
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(50)) => {}
            () = running.ended() => break,
            () = stop.cancelled() => break,
        }
    }
    running.stop().await.context("stop the consumer")
}

async fn start(args: &Consume) -> Result<Running> {
    let mut config = args.cluster.consumer();
    for (name, value) in args.protocol.properties() {
        config.set(*name, *value);
    }
    // What the command line says wins.
    for (name, value) in &args.cluster.properties {
        config.set(name, value);
    }
    let defaults = Timings::default();
    let mut agent = Agent::builder(config, args.group.as_str())
        .consumer(args.consumer.clone().unwrap_or_else(|| args.group.clone()))
        .topics(args.topics.iter().cloned())
        .workers(args.workers)
        .buffer(args.buffer)
        .on_unknown(match args.on_unknown {
            Unknown::Run => OnUnknown::Run,
            Unknown::Pause => OnUnknown::Pause,
        })
        .admin_topic(args.admin_topic.as_str(), 0)
        .flowdeck_topics(args.holds_topic.as_str(), args.acks_topic.as_str())
        .timings(Timings {
            metadata_interval: Duration::from_millis(args.metadata_interval_ms),
            expiry: Duration::from_millis(args.expiry_ms),
            holds: Duration::from_millis(args.holds_ms),
            shutdown_timeout: Duration::from_secs(3),
            ..defaults
        });
    if let Some(instance) = &args.instance {
        agent = agent.instance(instance.as_str());
    }
    for (name, value) in args.labels.iter().filter_map(|label| label.split_once('=')) {
        agent = agent.label(name, value);
    }
    let handler = Traced {
        takes: Duration::from_millis(args.handle_ms),
        fail_every: args.fail_every.filter(|every| *every > 0),
        trace: args.trace,
    };
    agent.handler(handler).start().await.context("start the consumer")
}

struct Traced {
    takes: Duration,
    fail_every: Option<i64>,
    trace: bool,
}

#[async_trait]
impl Handler for Traced {
    async fn handle(&self, record: Delivery<'_>) -> Result<(), HandlerError> {
        self.line("started", &record);
        if !self.takes.is_zero() {
            tokio::time::sleep(self.takes).await;
        }
        if self.fail_every.is_some_and(|every| record.offset() % every == 0) && record.attempt() == 1 {
            return Err("it was told to fail".into());
        }
        self.line("handled", &record);
        Ok(())
    }
}

impl Traced {
    fn line(&self, what: &str, record: &Record) {
        if self.trace {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
            say(&format!("{what} {} {} {} {now}", record.topic(), record.partition(), record.offset()));
        }
    }
}

/// A reader that went away is no reason to end.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}
