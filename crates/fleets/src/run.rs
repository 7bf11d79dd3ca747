//! Everything at once, until it is told to stop.

use std::time::Duration;

use anyhow::{Context as _, Result};
use futures::future::join_all;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

use crate::cluster::Cluster;
use crate::plan::Plan;
use crate::{gone, novatune, plain, producers, topics};

/// All that runs ends within this time.
const STOP: Duration = Duration::from_millis(4_500);

/// Cancelled by SIGINT and SIGTERM.
pub fn until_signal() -> Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let stop = CancellationToken::new();
    let told = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        told.cancel();
    });
    Ok(stop)
}

pub async fn run(cluster: Cluster, plan: Plan) -> Result<()> {
    let stop = until_signal()?;
    tokio::select! {
        created = topics::create_with_patience(&cluster, &plan) => created?,
        () = stop.cancelled() => return Ok(()),
    }
    let running = novatune::start(&cluster, &plan).await?;
    let tasks = TaskTracker::new();
    for part in ["events", "plain consumer", "consumer that leaves"] {
        let (cluster, plan, stop) = (cluster.clone(), plan.clone(), stop.clone());
        tasks.spawn(async move {
            let result = match part {
                "events" => producers::run(&cluster, &plan, stop).await,
                "plain consumer" => plain::run(&cluster, &plan, stop).await,
                _ => gone::run(&cluster, &plan, stop).await,
            };
            if let Err(error) = result {
                warn!(part, "ended: {error:#}");
            }
        });
    }
    tasks.close();
    println!("fleet ready");
    stop.cancelled().await;

    let stops = async {
        let agents = join_all(running.into_iter().map(flowdeck_agent::Running::stop));
        let (agents, ()) = tokio::join!(agents, tasks.wait());
        for error in agents.into_iter().filter_map(Result::err) {
            warn!("{:#}", anyhow::Error::from(error));
        }
    };
    if timeout(STOP, stops).await.is_err() {
        warn!("not everything ended in time; what was not committed is read again");
    }
    Ok(())
}
