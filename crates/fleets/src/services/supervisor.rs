//! `flowdeck-fleets run --fleet …`: each service as a process of its own, started again some time after it ended.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result};
use flowdeck_agent::CancellationToken;
use futures::future::try_join_all;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use tracing::warn;

use super::Fleet;
use crate::cluster::Cluster;
use crate::run::until_signal;

/// As a scheduler of containers backs off.
const RESTART: Duration = Duration::from_secs(20);
/// A service that is told to end has so long.
const STOP: Duration = Duration::from_secs(7);

pub async fn run(cluster: &Cluster, fleets: &[Fleet], troubles: bool) -> Result<()> {
    let stop = until_signal()?;
    let mut fleets = fleets.to_vec();
    fleets.sort();
    fleets.dedup();
    let services = fleets.into_iter().map(|fleet| supervise(cluster, fleet, troubles, stop.clone()));
    try_join_all(services).await.map(drop)
}

async fn supervise(cluster: &Cluster, fleet: Fleet, troubles: bool, stop: CancellationToken) -> Result<()> {
    let mut listen = "127.0.0.1:0".to_owned();
    loop {
        let mut child = spawn(cluster, fleet, troubles, &listen)?;
        let address = stop.run_until_cancelled(forward(&mut child)).await.flatten();
        listen = address.unwrap_or(listen);
        let status = tokio::select! {
            status = child.wait() => status.with_context(|| format!("wait for {}", fleet.name()))?,
            () = stop.cancelled() => return end(child, fleet).await,
        };
        warn!(fleet = fleet.name(), %status, "ended; it is started again in {} s", RESTART.as_secs());
        if stop.run_until_cancelled(tokio::time::sleep(RESTART)).await.is_none() {
            return Ok(());
        }
    }
}

fn spawn(cluster: &Cluster, fleet: Fleet, troubles: bool, listen: &str) -> Result<Child> {
    let program = std::env::current_exe().context("find this program")?;
    let mut command = Command::new(program);
    command.args(["service", fleet.name(), "--bootstrap", &cluster.bootstrap, "--listen", listen]);
    for (name, value) in &cluster.properties {
        command.arg("--property").arg(format!("{name}={value}"));
    }
    if troubles {
        command.arg("--troubles");
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    command.spawn().with_context(|| format!("start {}", fleet.name()))
}

/// Its line, and where its HTTP answers from now on. `None`: it ended before.
async fn forward(child: &mut Child) -> Option<String> {
    let mut lines = BufReader::new(child.stdout.take()?).lines();
    let line = lines.next_line().await.ok()??;
    println!("{line}");
    let address = line.rsplit_once("http://")?.1.to_owned();
    address.parse::<SocketAddr>().ok()?;
    Some(address)
}

async fn end(mut child: Child, fleet: Fleet) -> Result<()> {
    let pid = child.id().and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?));
    if let Some(pid) = pid {
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)
            .with_context(|| format!("end {}", fleet.name()))?;
    }
    match timeout(STOP, child.wait()).await {
        Ok(status) => status.map(drop).with_context(|| format!("wait for {}", fleet.name())),
        Err(_) => child.kill().await.with_context(|| format!("kill {}", fleet.name())),
    }
}
