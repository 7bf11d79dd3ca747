//! The scenarios of the bench. `cargo xtask bench` builds everything in release, gives each run of a scenario
//! a fresh broker, repeats it, judges the figures and keeps them; here is only what is measured.

mod agents;
mod backlog;
mod figure;
mod groups;
mod kminion;
mod scenarios;
mod server;

use anyhow::Result;
use clap::{Parser, Subcommand};
use flowdeck_testkit::Kafka;

use scenarios::{Context, Scenario};

#[derive(Parser)]
#[command(name = "flowdeck-bench")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The names of the scenarios, one a line
    List,
    /// Run one, once; its figures come as one line of JSON
    Run {
        scenario: Scenario,
        /// A broker that nobody else uses
        #[arg(long, env = "KAFKA_BOOTSTRAP")]
        bootstrap: String,
        /// The server's binary
        #[arg(long, env = "FLOWDECK_BIN")]
        server: std::path::PathBuf,
    },
}

#[tokio::main]
async fn main() -> Result<()> {
    match Cli::parse().command {
        Command::List => Scenario::all().for_each(|name| println!("{name}")),
        Command::Run { scenario, bootstrap, server } => {
            let context = Context { kafka: Kafka::at(&bootstrap), server };
            let figures = scenario.run(&context).await?;
            println!("{}", serde_json::to_string(&figures)?);
        }
    }
    Ok(())
}
