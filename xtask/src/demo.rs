//! `cargo xtask demo`: everything on this machine with one command, and nothing left of it after.

use std::fs;
use std::io::{BufRead, IsTerminal};
use std::path::Path;
use std::sync::mpsc;

use anyhow::{Context, Result, bail};
use clap::ValueEnum as _;
use flowdeck_broker::{Broker, KafkaHome, NodeOptions, stop};

use crate::build::{self, Programs};
use crate::machine::{self, Need};
use crate::say;
use crate::site::{self, Profile};
use crate::stack::{self, Plan, Stack};
use crate::workspace::{port_must_be_free, target_dir};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Use this cluster instead of a Kafka of our own
    #[arg(long, value_name = "HOST:PORT")]
    bootstrap: Option<String>,
    /// Where the dashboard listens, on 127.0.0.1
    #[arg(long, default_value_t = 8077)]
    port: u16,
    /// Forget what our own Kafka kept from earlier demos
    #[arg(long)]
    fresh: bool,
    /// Do not ask before writing to the cluster of --bootstrap
    #[arg(long)]
    yes: bool,
    /// A service in place of the demo's fleet; may be repeated, or separated by commas. Where each takes its commands
    /// is in fleet.log
    #[arg(long, value_enum, value_delimiter = ',')]
    fleet: Vec<Fleet>,
    /// Troubles come to the services by themselves, one after the other
    #[arg(long, requires = "fleet")]
    troubles: bool,
}

/// The services of `flowdeck-fleets`.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Fleet {
    Novatune,
    CustomService,
    Convex,
    Momentum,
}

impl Args {
    /// For `flowdeck-fleets`.
    fn services(&self) -> Vec<String> {
        let names =
            self.fleet.iter().filter_map(|fleet| Some(fleet.to_possible_value()?.get_name().to_owned()));
        let named = names.flat_map(|name| ["--fleet".to_owned(), name]);
        named.chain(self.troubles.then(|| "--troubles".to_owned())).collect()
    }
}

pub(crate) fn run(args: &Args) -> Result<()> {
    port_must_be_free(args.port)?;
    let mut needs = vec![Need::Wasm, Need::Native];
    if args.bootstrap.is_none() {
        needs.push(Need::Kafka);
    }
    say::step("checking this machine");
    let machine = machine::check(&needs)?;
    let home = match args.bootstrap {
        Some(_) => None,
        None => Some(KafkaHome::resolve(&mut say::step)?),
    };
    let site = site::build(Profile::Debug)?;
    let programs = build::programs(&machine)?;
    stop::check()?;

    // By port, so that two demos with two ports do not share a Kafka.
    let dir = target_dir(&format!("demo/{}", args.port))?;
    let (bootstrap, broker) = match (&args.bootstrap, home) {
        (Some(bootstrap), _) => {
            agree(bootstrap, &programs, args)?;
            (bootstrap.clone(), None)
        }
        (None, Some(home)) => {
            let broker = start_broker(&home, &dir, args.fresh)?;
            (broker.bootstrap(), Some(broker))
        }
        (None, None) => bail!("no Kafka to use"),
    };
    let services = args.services();
    let plan = Plan {
        programs: &programs,
        site: &site,
        bootstrap,
        cluster: "demo",
        port: args.port,
        services: &services,
        dir: &dir,
    };
    let mut stack = Stack::start(&plan, broker)?;
    say::step(&format!("ready; Kafka is at {}, logs are in {}", plan.bootstrap, dir.display()));
    println!("{}", stack.url());
    say::step("Ctrl-C stops everything");
    while !stop::requested() {
        stack.check()?;
        std::thread::sleep(stop::TICK);
    }
    say::step("stopping all that was started");
    drop(stack);
    say::step("stopped");
    Ok(())
}

fn start_broker(home: &KafkaHome, dir: &Path, fresh: bool) -> Result<Broker> {
    let dir = dir.join("kafka");
    if fresh && dir.exists() {
        fs::remove_dir_all(&dir).with_context(|| format!("remove {}", dir.display()))?;
    }
    say::step("starting Kafka");
    Broker::start(home, &dir, &NodeOptions::default())
}

/// Says what will be created on somebody's cluster, and waits for their word.
fn agree(bootstrap: &str, programs: &Programs, args: &Args) -> Result<()> {
    println!("At {bootstrap} the demo will create and run, and write to its topics:");
    println!("{}", stack::planned(programs, &args.services())?.trim_end());
    println!(
        "Flowdeck's own topics, since the cluster will be in control mode: flowdeck.holds, flowdeck.acks, flowdeck.audit, flowdeck.samples"
    );
    if args.yes {
        return Ok(());
    }
    println!("Go on? y/N");
    if answer()?.trim().eq_ignore_ascii_case("y") {
        return Ok(());
    }
    let hint = if std::io::stdin().is_terminal() { "" } else { " (without a terminal: --yes)" };
    bail!("nothing was created{hint}");
}

/// One line from standard input; a stop request ends the wait.
fn answer() -> Result<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line);
        // Nobody waits any more: the run was stopped.
        let _ = sender.send(read.map(|_| line));
    });
    loop {
        stop::check()?;
        match receiver.recv_timeout(stop::TICK) {
            Ok(line) => return line.context("read the answer"),
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => bail!("no answer could be read"),
        }
    }
}
