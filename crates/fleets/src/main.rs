//! The demo's command line.

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use flowdeck_fleets::cluster::Cluster;
use flowdeck_fleets::consume::Consume;
use flowdeck_fleets::plan::Plan;
use flowdeck_fleets::{consume, kafkaflow, run, send, topics};
use tracing_subscriber::EnvFilter;

/// The demo's services: producers and consumers to look at.
#[derive(Debug, Parser)]
#[command(name = "flowdeck-fleets")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print what the fleet would create and run; touches nothing
    Plan(Prefix),
    /// Create the fleet's topics
    Topics {
        #[command(flatten)]
        cluster: Cluster,
        #[command(flatten)]
        prefix: Prefix,
    },
    /// Run the whole fleet until SIGINT or SIGTERM
    Run {
        #[command(flatten)]
        cluster: Cluster,
        #[command(flatten)]
        prefix: Prefix,
    },
    /// Run one consumer on the agent
    Consume(Consume),
    /// Run one consumer that behaves as KafkaFlow does
    Kafkaflow(kafkaflow::Options),
    /// Write records that are given byte by byte, one line of JSON each
    #[command(hide = true)]
    Send(send::Send),
}

#[derive(Debug, Args)]
struct Prefix {
    /// Before the names of topics and groups
    #[arg(long, default_value = "dev")]
    prefix: String,
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // It would tell of a log that nobody reads any more by a panic.
        .log_internal_errors(false)
        .init();
    match Cli::parse().command {
        Command::Plan(prefix) => {
            print!("{}", Plan::new(&prefix.prefix));
            Ok(())
        }
        Command::Topics { cluster, prefix } => topics::create(&cluster, &Plan::new(&prefix.prefix)).await,
        Command::Run { cluster, prefix } => run::run(cluster, Plan::new(&prefix.prefix)).await,
        Command::Consume(args) => consume::run(args).await,
        Command::Kafkaflow(options) => kafkaflow::run(options).await,
        Command::Send(args) => send::run(args).await,
    }
}
