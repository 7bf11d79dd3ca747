//! A process that behaves as a KafkaFlow application; see `flowdeck_fleets::kafkaflow`.

use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use flowdeck_fleets::kafkaflow::{Options, run};
use tokio_util::sync::CancellationToken;

/// A consumer that behaves as KafkaFlow does, for demo and tests
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
}

/// From the signal to the end of the process.
const STOP: Duration = Duration::from_millis(4_500);

#[tokio::main]
async fn main() -> Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter).init();
    let options = Arguments::parse().options;
    let end = CancellationToken::new();
    let mut running = tokio::spawn(run(options, end.clone()));
    tokio::select! {
        result = &mut running => return result?,
        () = asked_to_stop() => end.cancel(),
    }
    if tokio::time::timeout(STOP, running).await.is_err() {
        tracing::warn!("did not stop in time");
    }
    // A blocking call into Kafka may still run; nothing waits for it.
    std::process::exit(0)
}

async fn asked_to_stop() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => return,
                _ = tokio::signal::ctrl_c() => return,
            }
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
