//! `cargo xtask kafka start|stop`: a broker that outlives this command, for work on the side.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Subcommand;
use flowdeck_broker::{KafkaHome, Node, NodeOptions, ScramUser, stop};

use crate::machine::{self, Need};
use crate::say;
use crate::workspace::{port_must_be_free, target_dir};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Start it and print its address
    Start {
        /// Its port; a free one if not given
        #[arg(long)]
        port: Option<u16>,
        /// Its name: another name is another broker with other data
        #[arg(long, default_value = "dev")]
        name: String,
        /// A second listener with SASL_SSL and SCRAM-SHA-256 (user `alice`, password `alice-secret`) behind ACLs
        #[arg(long)]
        secure: bool,
        /// Forget the data of the last run
        #[arg(long)]
        fresh: bool,
    },
    /// Stop it; its data stays
    Stop {
        #[arg(long, default_value = "dev")]
        name: String,
    },
}

pub(crate) fn run(command: &Command) -> Result<()> {
    match command {
        Command::Start { port, name, secure, fresh } => start(name, *port, *secure, *fresh),
        Command::Stop { name } => stop_named(name),
    }
}

fn start(name: &str, port: Option<u16>, secure: bool, fresh: bool) -> Result<()> {
    let dir = directory(name)?;
    if running(&dir).is_some() {
        bail!(
            "the broker `{name}` runs already: `cargo xtask kafka stop --name {name}` first, or another --name"
        );
    }
    if let Some(port) = port {
        port_must_be_free(port)?;
    }
    machine::check(&[Need::Kafka])?;
    let home = KafkaHome::resolve(&mut say::step)?;
    if fresh {
        remove(&dir)?;
    }
    let user = ScramUser::new("alice", "alice-secret");
    let users = if secure { vec![user.clone()] } else { Vec::new() };
    let node = Node::prepare(&home, &dir, &NodeOptions { port, users, ..NodeOptions::default() })?;
    let child = spawn(&node)?;
    fs::write(dir.join("pid"), child.id().to_string()).context("write the broker's pid")?;
    if let Err(error) = wait(&node, child) {
        let _ = stop_named(name);
        return Err(error);
    }
    println!("{}", node.bootstrap());
    say::step(&format!("Kafka is ready; its log: {}", node.log().display()));
    for (key, value) in node.secure().map(|secure| secure.client_properties(&user)).unwrap_or_default() {
        say::step(&format!("secure listener: {key}={value}"));
    }
    Ok(())
}

/// In a process group of its own and with no terminal, so that it stays when we end.
fn spawn(node: &Node) -> Result<Child> {
    let log = fs::File::create(node.log()).context("create the broker's log")?;
    let mut command: Process = node.command();
    command
        .stdin(Stdio::null())
        .stderr(log.try_clone().context("share the log")?)
        .stdout(log)
        .process_group(0);
    command.spawn().context("start java")
}

fn wait(node: &Node, mut child: Child) -> Result<()> {
    node.wait_ready(|| Ok(child.try_wait().context("look at the broker")?.is_none()))
}

fn stop_named(name: &str) -> Result<()> {
    let dir = directory(name)?;
    let Some(pid) = running(&dir) else { bail!("no broker `{name}` runs") };
    signal("-TERM", pid)?;
    let end = Instant::now() + Duration::from_secs(15);
    while running(&dir).is_some() {
        if Instant::now() >= end {
            signal("-KILL", pid)?;
            break;
        }
        std::thread::sleep(stop::TICK);
    }
    fs::remove_file(dir.join("pid")).context("remove the broker's pid")?;
    say::step(&format!("the broker `{name}` is stopped"));
    Ok(())
}

fn directory(name: &str) -> Result<PathBuf> {
    let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    ensure!(plain, "a broker's name is of letters, digits, `-` and `_`: {name:?} is not");
    target_dir(&format!("kafka/{name}"))
}

fn remove(dir: &Path) -> Result<()> {
    fs::remove_dir_all(dir).with_context(|| format!("remove {}", dir.display()))
}

/// The broker's pid, if that process is really this broker: a pid may have been given to another since.
fn running(dir: &Path) -> Option<u32> {
    let pid: u32 = fs::read_to_string(dir.join("pid")).ok()?.trim().parse().ok()?;
    let listed =
        Process::new("ps").args(["-ww", "-o", "stat=,args=", "-p", &pid.to_string()]).output().ok()?;
    let line = String::from_utf8_lossy(&listed.stdout).into_owned();
    let ours =
        line.contains("kafka.Kafka") && line.contains(&dir.join("server.properties").display().to_string());
    (ours && !line.starts_with('Z')).then_some(pid)
}

fn signal(signal: &str, pid: u32) -> Result<()> {
    let status = Process::new("kill").args([signal, &pid.to_string()]).status().context("run kill")?;
    ensure!(status.success(), "the broker with pid {pid} could not be stopped");
    Ok(())
}
