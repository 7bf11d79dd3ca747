//! `flowdeck test-alerts`: whether each receiver of the configuration takes what it is sent.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::bail;
use flowdeck::alerts::pages;
use flowdeck::config::{Config, Environment, Flags};
use flowdeck_model::Timestamp;

use crate::print;

pub(crate) fn run(config: Option<PathBuf>, only: Option<&str>) -> anyhow::Result<ExitCode> {
    let flags = Flags { config, ..Flags::default() };
    let config = Config::load(&flags, &Environment::of_process())?;
    let receivers: Vec<_> =
        config.alerts.iter().filter(|one| only.is_none_or(|name| one.name == name)).collect();
    if receivers.is_empty() {
        match only {
            Some(name) => bail!("no receiver of alerts is named {name:?} in the configuration"),
            None => bail!("the configuration has no [[alerts]]: nobody is told anything"),
        }
    }
    let pages = pages(&config);
    if pages.is_none() {
        print("public_url is not set: messages have no links\n")?;
    }
    let mut good = true;
    for receiver in receivers {
        let now = Timestamp::from_system(SystemTime::now());
        let clusters = &receiver.selection.clusters;
        let of_receiver = clusters.first().or(config.clusters.first().map(|cluster| &cluster.name));
        let Some(cluster) = of_receiver.cloned() else { bail!("no cluster is configured") };
        let (name, at) = (&receiver.name, receiver.channel.origin());
        match flowdeck_alerts::test(receiver, cluster, pages.as_deref(), now) {
            Ok(took) => print(&format!("{name} at {at}: taken, in {} ms\n", took.as_millis()))?,
            Err(words) => {
                good = false;
                print(&format!("{name} at {at}: {words}\n"))?;
            }
        }
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
