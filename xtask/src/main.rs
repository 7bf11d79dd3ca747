//! `cargo xtask`: every command of the README. This file parses the command line and nothing else.

mod bench;
mod build;
mod ci;
mod container;
mod demo;
mod http;
mod kafka;
mod machine;
mod packages;
mod say;
mod sbom;
mod site;
mod soak;
mod stack;
mod test;
mod tools;
mod workspace;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use flowdeck_broker::stop;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Flowdeck's commands", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The whole thing on this machine: a real Kafka, services that consume, and the dashboard
    Demo(demo::Args),
    /// All tests, with what they need; or those whose name holds FILTER (`e2e…`: in the browser)
    Test(test::Args),
    /// The server alone, as a debug build; what follows `--` goes to it
    Run(build::RunArgs),
    /// One binary with all assets in it
    Build(build::BuildArgs),
    /// The pages' wasm, JavaScript and CSS, into target/site
    Site(site::Args),
    /// Every gate of a change but the image and the tests: .ci/run runs all of it
    Ci(ci::Args),
    /// Builds the image without Docker, then runs it as compose.yaml says
    Container(container::Args),
    /// What the release binary is made of, as CycloneDX
    Sbom(sbom::Args),
    /// Measures a release build against a real Kafka; fails over a limit
    Bench(bench::Args),
    /// The tests' fault run for many minutes: memory, handles and tasks must stay flat
    Soak(soak::Args),
    /// A Kafka of one node on loopback, for work on the side
    #[command(subcommand)]
    Kafka(kafka::Command),
}

fn main() -> ExitCode {
    say::begin();
    let cli = Cli::parse();
    match signals().and_then(|()| run(cli.command)) {
        Ok(code) => code,
        Err(error) if error.is::<stop::Stopped>() || stop::requested() => ExitCode::from(130),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Demo(args) => demo::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Test(args) => test::run(&args),
        Command::Run(args) => build::run(&args),
        Command::Build(args) => build::build(&args).map(|()| ExitCode::SUCCESS),
        Command::Site(args) => site::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Ci(args) => ci::run(&args),
        Command::Container(args) => container::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Sbom(args) => sbom::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Bench(args) => bench::run(&args),
        Command::Soak(args) => soak::run(&args),
        Command::Kafka(command) => kafka::run(&command).map(|()| ExitCode::SUCCESS),
    }
}

/// The first signal asks for an orderly stop, the second ends this process at once; the children's
/// supervisors then end the children.
fn signals() -> Result<()> {
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register_conditional_shutdown(signal, 130, stop::flag())
            .context("watch for signals")?;
        signal_hook::flag::register(signal, Arc::clone(&stop::flag())).context("watch for signals")?;
    }
    Ok(())
}
