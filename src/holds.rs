//! `flowdeck holds`: the holds on Kafka itself, where no Flowdeck can be reached.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use flowdeck::cli::{Holds, OnKafka};
use flowdeck::config::{ClusterConfig, Config, Environment};
use flowdeck::kafka;
use flowdeck_model::actor::ActorView;
use flowdeck_model::{ActorKind, Hold, HoldBy, Scope, Via, shown};

use crate::print;

pub(crate) fn run(args: &Holds) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let code = runtime.block_on(async {
        match args {
            Holds::List { at, json } => list(at, *json).await,
            Holds::Release { at, group, id, reason } => {
                if reason.trim().is_empty() {
                    bail!("--reason is empty: say why, the next person on call reads it");
                }
                let is_meant = |hold: &Hold| hold.scope.group == *group && id.is_none_or(|id| hold.id == id);
                release(at, reason, is_meant).await
            }
        }
    });
    // A broker that never answers must not hold the end.
    runtime.shutdown_timeout(std::time::Duration::from_millis(500));
    code
}

async fn list(at: &OnKafka, json: bool) -> anyhow::Result<ExitCode> {
    let (config, cluster) = cluster(at)?;
    let holds = kafka::holds(&config, &cluster)?.list().await.map_err(anyhow::Error::msg)?;
    if json {
        print(&format!("{}\n", serde_json::to_string(&holds)?))?;
        return Ok(ExitCode::SUCCESS);
    }
    if holds.is_empty() {
        print("No hold is in force.\n")?;
    }
    for hold in &holds {
        print(&format!("{}\n", line(hold)))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn release(at: &OnKafka, reason: &str, is_meant: impl Fn(&Hold) -> bool) -> anyhow::Result<ExitCode> {
    let (config, cluster) = cluster(at)?;
    let name =
        std::env::var("USER").ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "unknown".to_owned());
    let actor = ActorView { name, kind: ActorKind::External, via: Via::Cli, address: None };
    let holds = kafka::holds(&config, &cluster)?;
    let released = holds.release(&actor, reason, is_meant).await.map_err(anyhow::Error::msg)?;
    if released.is_empty() {
        print("No such hold is in force: nothing was written.\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    for one in &released {
        print(&format!("released at offset {}: {}\n", one.offset, line(&one.hold)))?;
        if one.hold.by == HoldBy::Stop {
            print(STOPPED)?;
        }
        if let Some(why) = &one.not_audited {
            print(&format!("  it is not in the audit: {why}\n"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

const STOPPED: &str = "  KafkaFlow consumers that it kept stopped stay so until a Flowdeck that runs starts them, or their \
    processes are restarted\n";

fn cluster(at: &OnKafka) -> anyhow::Result<(Config, ClusterConfig)> {
    let config = Config::load(&at.flags(), &Environment::of_process())?;
    let is_meant = |one: &&ClusterConfig| match (&at.cluster, &at.bootstrap) {
        (Some(name), _) => one.name == *name,
        (None, Some(brokers)) => one.bootstrap == *brokers,
        (None, None) => true,
    };
    let found: Vec<&ClusterConfig> = config.clusters.iter().filter(is_meant).collect();
    let one = match found[..] {
        [one] => one.clone(),
        [] => bail!("no such cluster is configured: name its brokers with --bootstrap HOST:PORT"),
        _ => {
            let names: Vec<&str> = found.iter().map(|one| one.name.as_str()).collect();
            bail!("say which with --cluster: {}", names.join(", "))
        }
    };
    kafka::validate(&one).context("its configuration cannot work")?;
    Ok((config, one))
}

fn line(hold: &Hold) -> String {
    let Scope { group, consumer, topic, partition, instance } = &hold.scope;
    let parts = [
        Some(format!("group {}", group.shown())),
        consumer.as_ref().map(|name| format!("consumer {}", name.shown())),
        topic.as_ref().map(|name| format!("topic {name}")),
        partition.map(|partition| format!("partition {partition}")),
        instance.as_ref().map(|name| format!("instance {}", name.shown())),
    ];
    let scope: Vec<String> = parts.into_iter().flatten().collect();
    let until = hold.until.map(|until| format!(", until {until}")).unwrap_or_default();
    let except = if hold.except.is_empty() { "" } else { ", in part" };
    format!(
        "{}  {}{except}  since {}{until}  by {}: {}",
        hold.id,
        scope.join(", "),
        hold.since,
        shown::name(&hold.owner),
        shown::text(&hold.reason)
    )
}
