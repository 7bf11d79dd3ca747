//! `flowdeck serve --check`: what is in force, with secrets hidden, and what each cluster can do.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use flowdeck::config::Config;
use flowdeck::{Certificate, exposed_key, kafka};

const PROBES: Duration = Duration::from_secs(10);

pub(crate) async fn run(config: &Config) -> anyhow::Result<ExitCode> {
    say(&config.in_force())?;
    let mut good = !config.clusters.is_empty();
    if config.clusters.is_empty() {
        say("\nno cluster is configured: name one with --cluster NAME=HOST:PORT or in flowdeck.toml\n")?;
    }
    if let Some(files) = &config.tls {
        match Certificate::read(files).map(drop).map_err(anyhow::Error::from) {
            Ok(()) => say("\ntls: the certificate and its key belong together\n")?,
            Err(error) => {
                good = false;
                say(&format!("\n{error:#}\n"))?;
            }
        }
        if let Some(warning) = exposed_key(files) {
            say(&format!("{warning}\n"))?;
        }
    }
    for cluster in &config.clusters {
        say(&format!("\ncluster {} at {}\n", cluster.name, cluster.bootstrap))?;
        if let Err(error) = kafka::validate(cluster) {
            good = false;
            say(&format!("  {error}\n"))?;
            continue;
        }
        match kafka::probe(cluster, PROBES).await {
            Ok(probe) => {
                good &= probe.reached;
                for (name, found) in &probe.rows {
                    say(&format!("  {name:<26} {found}\n"))?;
                }
            }
            Err(error) => {
                good = false;
                say(&format!("  its configuration cannot work: {error}\n"))?;
            }
        }
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn say(text: &str) -> anyhow::Result<()> {
    std::io::stdout().lock().write_all(text.as_bytes()).context("write to standard output")
}
