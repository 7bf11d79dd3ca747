//! `flowdeck serve --check`: what is in force, with secrets hidden, and what each cluster can do.

use std::process::ExitCode;
use std::time::Duration;

use flowdeck::config::Config;
use flowdeck::{Certificate, exposed_key, kafka};

use crate::print;

const PROBES: Duration = Duration::from_secs(10);

pub(crate) async fn run(config: &Config) -> anyhow::Result<ExitCode> {
    print(&config.in_force())?;
    let mut good = !config.clusters.is_empty();
    if config.clusters.is_empty() {
        print("\nno cluster is configured: name one with --cluster NAME=HOST:PORT or in flowdeck.toml\n")?;
    }
    if let Some(files) = &config.tls {
        match Certificate::read(files).map(drop).map_err(anyhow::Error::from) {
            Ok(()) => print("\ntls: the certificate and its key belong together\n")?,
            Err(error) => {
                good = false;
                print(&format!("\n{error:#}\n"))?;
            }
        }
        if let Some(warning) = exposed_key(files) {
            print(&format!("{warning}\n"))?;
        }
    }
    for cluster in &config.clusters {
        print(&format!("\ncluster {} at {}\n", cluster.name, cluster.bootstrap))?;
        if let Err(error) = kafka::validate(cluster) {
            good = false;
            print(&format!("  {error}\n"))?;
            continue;
        }
        match kafka::probe(cluster, PROBES).await {
            Ok(probe) => {
                good &= probe.reached;
                for (name, found) in &probe.rows {
                    print(&format!("  {name:<26} {found}\n"))?;
                }
            }
            Err(error) => {
                good = false;
                print(&format!("  its configuration cannot work: {error}\n"))?;
            }
        }
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
