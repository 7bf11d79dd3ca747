//! The demo's command line.

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use flowdeck_fleets::cluster::Cluster;
use flowdeck_fleets::consume::Consume;
use flowdeck_fleets::plan::Plan;
use flowdeck_fleets::services::options::ServiceOptions;
use flowdeck_fleets::services::{Fleet, supervisor};
use flowdeck_fleets::{consume, kafkaflow, run, send, services, topics};
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
    Plan {
        #[command(flatten)]
        prefix: Prefix,
        #[command(flatten)]
        services: Services,
    },
    /// Create the fleet's topics
    Topics {
        #[command(flatten)]
        cluster: Cluster,
        #[command(flatten)]
        prefix: Prefix,
    },
    /// Run the demo's fleet, or services, until SIGINT or SIGTERM
    Run {
        #[command(flatten)]
        cluster: Cluster,
        #[command(flatten)]
        prefix: Prefix,
        #[command(flatten)]
        services: Services,
    },
    /// Run one of the services, by its environment
    Service(ServiceOptions),
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

#[derive(Debug, Args)]
struct Services {
    /// A service instead of the demo's fleet; may be repeated, or separated by commas
    #[arg(long, value_enum, value_delimiter = ',')]
    fleet: Vec<Fleet>,
    /// Troubles come by themselves, one after the other
    #[arg(long, requires = "fleet")]
    troubles: bool,
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
        Command::Plan { prefix, services } => {
            match &services.fleet[..] {
                [] => print!("{}", Plan::new(&prefix.prefix)),
                fleets => print!("{}", services::plan(fleets)),
            }
            Ok(())
        }
        Command::Topics { cluster, prefix } => topics::create(&cluster, &Plan::new(&prefix.prefix)).await,
        Command::Run { cluster, prefix, services } => match &services.fleet[..] {
            [] => run::run(cluster, Plan::new(&prefix.prefix)).await,
            fleets => supervisor::run(&cluster, fleets, services.troubles).await,
        },
        Command::Service(options) => services::options::run(options).await,
        Command::Consume(args) => consume::run(args).await,
        Command::Kafkaflow(options) => kafkaflow::run(options).await,
        Command::Send(args) => send::run(args).await,
    }
}
