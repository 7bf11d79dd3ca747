//! From the click on pause to the last record that is handed to a handler, over pauses and resumes of a
//! busy group with two agents; and the first pause after a start of the server by itself.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use flowdeck_testkit::wait_for;

use super::Context;
use crate::agents::{Agents, GROUP};
use crate::figure::Figure;
use crate::server::Server;

const SAMPLES: usize = 200;
const LIMIT: Duration = Duration::from_millis(500);
const READY_LIMIT: Duration = Duration::from_secs(60);
/// From the open page to the click: nobody reads and gives a reason faster.
const READS: Duration = Duration::from_secs(2);

pub(super) async fn run(context: &Context) -> Result<Vec<Figure>> {
    context.kafka.create_topic("kafkaflow.admin", 1).await;
    let mut server = Server::start(&context.server, context.kafka.bootstrap())?;
    server.wait_ok("/health/ready").await?;
    wait_for_own_topics(context).await;
    let agents = Agents::start(&context.kafka).await?;
    agents.settle().await;
    wait_for_instances(&server).await?;

    // The first that anybody looks at this server.
    server.first_byte(&format!("/kafkaflow/c/bench/groups/{GROUP}?form=pause")).await?;
    tokio::time::sleep(READS).await;
    let first = pause(&server, &agents).await?.context("no record was handed over after the first click")?;
    let mut samples = Vec::with_capacity(SAMPLES);
    let mut stalled = 0;
    while samples.len() < SAMPLES {
        order(&server, "resume").await?;
        match pause(&server, &agents).await? {
            Some(took) => samples.push(took),
            None => stalled += 1,
        }
        ensure!(stalled <= SAMPLES / 20, "the stream of records stalls by itself: nothing can be measured");
    }
    agents.stop().await?;
    Ok(vec![
        Figure::once("the first pause after a start, to the last record handed over", first, LIMIT),
        Figure::p95("click on pause to the last record handed over, p95", samples, LIMIT)?,
    ])
}

/// Pauses the flowing group; from the click to the last record that a handler got. `None`: it got none after
/// the click, since the stream itself stalled on a busy machine, so nothing was measured.
async fn pause(server: &Server, agents: &Agents) -> Result<Option<Duration>> {
    agents.flow().await;
    let click = Instant::now();
    let command = order(server, "pause").await?;
    confirmed(server, &command).await?;
    let last = agents.until_stopped().await?;
    Ok(last.checked_duration_since(click))
}

/// Sends the page's form; the path of the command's page.
async fn order(server: &Server, action: &str) -> Result<String> {
    let id = uuid::Uuid::new_v4().to_string();
    let fields = [("id", id.as_str()), ("action", action), ("group", GROUP), ("reason", "bench")];
    let page = server.form("/kafkaflow/c/bench/commands", &fields).await?;
    ensure!(page.ends_with(&id), "{action} led to {page}: another command is in force");
    Ok(page)
}

/// Until each instance has acknowledged it.
async fn confirmed(server: &Server, page: &str) -> Result<()> {
    let path = page.replacen("/kafkaflow/c/", "/kafkaflow/api/v1/clusters/", 1);
    let end = Instant::now() + READY_LIMIT;
    loop {
        let command = server.json(&path).await?;
        match command["state"].as_str() {
            Some("confirmed") => {
                let instances = command["instances"].as_array().map_or(0, Vec::len);
                ensure!(instances == 2, "{instances} instances were asked, not 2: {command}");
                return Ok(());
            }
            Some("requested" | "sent") if Instant::now() < end => {}
            _ => bail!("the command does not come to its end: {command}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Flowdeck creates its topics when it starts on a cluster for the first time; an agent that finds them
/// need not look for them again.
async fn wait_for_own_topics(context: &Context) {
    wait_for("Flowdeck's own topics", READY_LIMIT, async || {
        let topics = context.kafka.topics();
        let there = |name: &str| topics.iter().any(|(topic, _)| topic == name);
        (there("flowdeck.holds") && there("flowdeck.acks")).then_some(())
    })
    .await;
}

/// Asked of what machines read: a look at a page would already make the writer ready.
async fn wait_for_instances(server: &Server) -> Result<()> {
    wait_for("both agents are heard", READY_LIMIT, async || {
        let heard = server.metric("flowdeck_instances_heard").await;
        heard.map(|heard| (heard >= 2.0).then_some(())).transpose()
    })
    .await?;
    // What they say of partitions after they shared them comes with their next telemetry.
    tokio::time::sleep(Duration::from_secs(1)).await;
    Ok(())
}
