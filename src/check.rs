//! `flowdeck serve --check`: what is in force, with secrets hidden, and what each cluster can do.

use std::process::ExitCode;
use std::time::Duration;

use flowdeck::config::Config;
use flowdeck::{Certificate, exposed_key, kafka};

const PROBES: Duration = Duration::from_secs(10);

pub(crate) async fn run(config: &Config) -> anyhow::Result<ExitCode> {
    print!("{}", config.in_force());
    let mut good = !config.clusters.is_empty();
    if config.clusters.is_empty() {
        println!("\nno cluster is configured: name one with --cluster NAME=HOST:PORT or in flowdeck.toml");
    }
    if let Some(files) = &config.tls {
        match Certificate::read(files).map(drop).map_err(anyhow::Error::from) {
            Ok(()) => println!("\ntls: the certificate and its key belong together"),
            Err(error) => {
                good = false;
                println!("\n{error:#}");
            }
        }
        if let Some(warning) = exposed_key(files) {
            println!("{warning}");
        }
    }
    for cluster in &config.clusters {
        println!("\ncluster {} at {}", cluster.name, cluster.bootstrap);
        if let Err(error) = kafka::validate(cluster) {
            good = false;
            println!("  {error}");
            continue;
        }
        match kafka::probe(cluster, PROBES).await {
            Ok(probe) => {
                good &= probe.reached;
                probe.rows.iter().for_each(|(name, found)| println!("  {name:<26} {found}"));
            }
            Err(error) => {
                good = false;
                println!("  its configuration cannot work: {error}");
            }
        }
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
