//! A consumer that behaves as KafkaFlow v4 does, for the demo and for tests on machines without
//! .NET. It speaks KafkaFlow's own messages and nothing of Flowdeck's: no acks, no holds, no marks
//! on its telemetry. Its sharp edges are KafkaFlow's, on purpose; each is said where it is played.
//!
//! Its standard output is line by line: `ready <instance>` once commands are heard and partitions
//! are assigned (none of them, maybe), and with `--trace`
//! `started <topic> <partition> <offset> <epoch ms>` and `handled …` the same.
//!
//! Its host is in UTC. Not played: consumers that assign partitions by hand, KIP-848 (KafkaFlow has none).

mod admin;
mod consumer;
mod flow;
mod lock_up;
mod offsets;
mod telemetry;
mod workers;

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use flowdeck_model::{ConsumerName, GroupId, InstanceName};
use tokio_util::sync::CancellationToken;

use crate::cluster::Cluster;
use crate::run::until_signal;
use consumer::Consumer;

/// How long a stopping process waits for the records in hand.
const LAST_RECORDS: Duration = Duration::from_secs(3);
/// From the signal to the end of the process.
const STOP: Duration = Duration::from_millis(4_500);

#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    #[command(flatten)]
    cluster: Cluster,
    #[arg(long)]
    group: String,
    /// The consumer's name; without one it is a new GUID, as KafkaFlow gives
    #[arg(long)]
    consumer: Option<String>,
    /// A topic to read, or a pattern that starts with ^; may be given again
    #[arg(long = "topic", required = true)]
    topics: Vec<String>,
    #[arg(long, default_value_t = 1)]
    workers: usize,
    /// Records that wait for each worker
    #[arg(long, default_value_t = 100)]
    buffer: usize,
    /// Where commands are read
    #[arg(long, default_value = "kafkaflow.admin")]
    admin_topic: String,
    #[arg(long, default_value_t = 0)]
    admin_partition: i32,
    /// Where telemetry is sent; the admin topic when not given
    #[arg(long)]
    telemetry_topic: Option<String>,
    #[arg(long, default_value_t = 0)]
    telemetry_partition: i32,
    /// The instance's name; `<machine>-<pid>` when not given
    #[arg(long)]
    instance: Option<String>,
    /// How long one record takes
    #[arg(long, default_value_t = 0)]
    handle_ms: u64,
    /// How often offsets are committed
    #[arg(long, default_value_t = 5_000)]
    commit_ms: u64,
    /// How often telemetry is sent
    #[arg(long, default_value_t = 5_000)]
    telemetry_ms: u64,
    #[arg(long, value_enum, default_value_t = Protocol::ClassicEager)]
    protocol: Protocol,
    /// Lock up as KafkaFlow does, where a pause of all partitions meets a backlog and the group rebalances
    #[arg(long)]
    locks_up: bool,
    /// Print a line for each record
    #[arg(long)]
    trace: bool,
}

/// KafkaFlow has no KIP-848.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Protocol {
    /// All partitions are given back at each rebalance: "stop the world".
    ClassicEager,
    ClassicCooperative,
}

impl Options {
    fn telemetry_topic(&self) -> &str {
        self.telemetry_topic.as_deref().unwrap_or(&self.admin_topic)
    }
}

/// What the process is called, decided once at its start.
#[derive(Debug, Clone)]
struct Identity {
    group: GroupId,
    consumer: ConsumerName,
    instance: InstanceName,
}

impl Identity {
    fn of(options: &Options) -> Self {
        let consumer = options.consumer.clone().unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
        let instance =
            options.instance.clone().unwrap_or_else(|| format!("{}-{}", machine_name(), std::process::id()));
        Self { group: options.group.as_str().into(), consumer: consumer.into(), instance: instance.into() }
    }
}

fn machine_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| hostname_variable());
    name.map_or_else(|_| "localhost".to_owned(), |name| name.trim().to_owned())
}

fn hostname_variable() -> std::io::Result<String> {
    std::env::var("HOSTNAME").map_err(std::io::Error::other)
}

/// Runs until SIGINT or SIGTERM; the process ends at most `STOP` after that.
pub async fn run(options: Options) -> Result<()> {
    let end = until_signal()?;
    // Whatever ends this ends the blocking threads too; the runtime waits for them.
    let _ended = end.clone().drop_guard();
    let mut running = tokio::spawn(play(options, end.clone()));
    tokio::select! {
        result = &mut running => return result.context("the consumer's task")?,
        () = end.cancelled() => {}
    }
    match tokio::time::timeout(STOP, running).await {
        Ok(result) => result.context("the consumer's task")?,
        Err(_) => {
            tracing::warn!("did not stop in time");
            // A blocking call into Kafka still runs; the runtime would wait for it.
            std::process::exit(1)
        }
    }
}

async fn play(options: Options, end: CancellationToken) -> Result<()> {
    let identity = Identity::of(&options);
    let consumer = Arc::new(Consumer::new(options.clone(), identity.clone(), end.clone()));
    let Some(admin) = admin::subscribe(&options, &end).await? else { return Ok(()) };
    let commands = tokio::task::spawn_blocking({
        let (consumer, end) = (consumer.clone(), end.clone());
        move || admin::obey(&admin, &consumer, &end)
    });
    consumer.start().context("starting the consumer")?;
    let telemetry = tokio::spawn(telemetry::report(options, consumer.clone(), end.clone()));

    tokio::select! {
        () = consumer.assigned() => say(&format!("ready {}", identity.instance)),
        () = end.cancelled() => {}
    }
    end.cancelled().await;
    tokio::task::spawn_blocking(move || consumer.stop()).await.context("stopping the consumer")?;
    telemetry.await.context("the telemetry's task")?;
    commands.await.context("the admin topic's task")
}

/// A reader that went away is no reason to end.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}
