//! A cluster of 1,000 groups with 100 commits each, over 10 topics of 100 partitions: the fleet page, the
//! refreshes and the memory of the server.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use flowdeck_testkit::Kafka;

use super::Context;
use crate::figure::Figure;
use crate::groups::Layout;
use crate::kminion;
use crate::server::Server;

const GROUPS: usize = 1_000;
const PARTITIONS: i32 = 100;
const LAYOUT: Layout = Layout { prefix: "bench", topics: 10, partitions: PARTITIONS };
const SAMPLES: usize = 300;
/// Between two pages, so that some of them meet a refresh.
const BETWEEN: Duration = Duration::from_millis(40);
const REFRESHES: usize = 10;
const PAGE_LIMIT: Duration = Duration::from_millis(50);
/// Committed, start, end and state of all groups.
const REFRESH_LIMIT: Duration = Duration::from_millis(600);
const SCRAPES: usize = 10;
const SCRAPE_LIMIT: Duration = Duration::from_millis(300);
/// A refresh reads the same rows for a part of what a scrape of kminion takes.
const KMINION_LIMIT: f64 = 0.25;
const MEMORY_LIMIT: u64 = 96_000_000;
/// An answer to Prometheus with a line for each partition takes memory of its own while it is made.
const SCRAPED_LIMIT: u64 = 160_000_000;
const SEEN_LIMIT: Duration = Duration::from_secs(60);

pub(super) async fn run(context: &Context) -> Result<Vec<Figure>> {
    prepare(&context.kafka).await?;
    let mut server = Server::start(&context.server, context.kafka.bootstrap())?;
    server.wait_ok("/kafkaflow").await?;
    wait_for_groups(&server).await?;
    let mut samples = Vec::with_capacity(SAMPLES);
    for _ in 0..SAMPLES {
        samples.push(server.first_byte("/kafkaflow").await?);
        tokio::time::sleep(BETWEEN).await;
    }
    let page = Figure::p95("fleet page, first byte, p95", samples, PAGE_LIMIT)?;
    check(&server).await?;
    let refreshes = refreshes(&server).await?;
    let refresh = Figure::most("refresh of 1,000 groups, the longest of ten", &refreshes, REFRESH_LIMIT)?;
    let memory = Figure::megabytes("resident after ten refreshes", server.resident()?, MEMORY_LIMIT);
    let scrape = Figure::most(
        "scrape of 100,000 partitions, the longest of ten",
        &scrapes(&server).await?,
        SCRAPE_LIMIT,
    )?;
    let scraped = Figure::megabytes("resident after ten scrapes", server.resident()?, SCRAPED_LIMIT);
    drop(server);
    let mut figures = vec![page, refresh, memory, scrape, scraped];
    let rows = GROUPS * PARTITIONS as usize;
    if let Some(beside) = kminion::scrapes(context.kafka.bootstrap(), rows).await? {
        let name = "refresh of 100,000 rows beside a scrape of kminion, medians".to_owned();
        figures.push(Figure::ratio(name, median(&refreshes) / median(&beside), KMINION_LIMIT, SCRAPES));
    }
    Ok(figures)
}

/// In seconds.
fn median(all: &[Duration]) -> f64 {
    let mut sorted = all.to_vec();
    sorted.sort();
    sorted[sorted.len() / 2].as_secs_f64()
}

/// Each with a line for every partition.
async fn scrapes(server: &Server) -> Result<Vec<Duration>> {
    let series = server.metric("flowdeck_metrics_series ").await?;
    ensure!(series > (GROUPS * PARTITIONS as usize) as f64, "{series} series are given");
    let mut took = Vec::with_capacity(SCRAPES);
    for _ in 0..SCRAPES {
        took.push(server.scrape().await?);
        tokio::time::sleep(BETWEEN).await;
    }
    Ok(took)
}

/// What is measured is what was prepared: each partition of each group, one record behind.
async fn check(server: &Server) -> Result<()> {
    let partitions = server.metric("flowdeck_group_partitions").await?;
    ensure!(partitions == (GROUPS * PARTITIONS as usize) as f64, "{partitions} partitions are known");
    let answer = server.json("/kafkaflow/api/v1/groups?limit=1000").await?;
    let groups = answer["groups"].as_array().map(Vec::as_slice).unwrap_or_default();
    let behind = groups.iter().filter(|group| group["lag"] == PARTITIONS && group["unknownPartitions"] == 0);
    ensure!(behind.count() == GROUPS, "not every group is {PARTITIONS} records behind");
    Ok(())
}

/// How long each of ten refreshes took, read off once after each: `/metrics` has a line for each of the
/// 100,000 partitions, and asking for it during a refresh would be measured too.
async fn refreshes(server: &Server) -> Result<Vec<Duration>> {
    let end = Instant::now() + SEEN_LIMIT;
    let mut seen = as_of(server).await?;
    let mut took = Vec::with_capacity(REFRESHES);
    while took.len() < REFRESHES {
        ensure!(Instant::now() < end, "only {} refreshes within {} s", took.len(), SEEN_LIMIT.as_secs());
        tokio::time::sleep(Duration::from_millis(50)).await;
        let now = as_of(server).await?;
        if now != seen {
            seen = now;
            took.push(Duration::from_secs_f64(server.metric("flowdeck_refresh_last_seconds").await?));
        }
    }
    ensure!(server.metric("flowdeck_refreshes_failed_total").await? == 0.0, "a refresh failed");
    Ok(took)
}

async fn as_of(server: &Server) -> Result<String> {
    let answer = server.json("/kafkaflow/api/v1/groups?limit=1").await?;
    ensure!(answer["clusters"][0]["error"].is_null(), "the cluster is not read: {answer}");
    Ok(answer["clusters"][0]["asOf"].to_string())
}

async fn prepare(kafka: &Kafka) -> Result<()> {
    LAYOUT.create_topics(kafka).await;
    LAYOUT.commit(kafka, 0..GROUPS)?;
    for topic in 0..LAYOUT.topics {
        kafka
            .produce_at(&LAYOUT.topic(topic), (0..PARTITIONS).map(|partition| (partition, "a record")))
            .await;
    }
    Ok(())
}

/// Until the server has read all of them once.
async fn wait_for_groups(server: &Server) -> Result<()> {
    let end = Instant::now() + SEEN_LIMIT;
    loop {
        let answer = server.json("/kafkaflow/api/v1/groups?limit=1").await?;
        if answer["total"].as_u64() >= Some(GROUPS as u64) && answer["partial"] == false {
            return Ok(());
        }
        if Instant::now() >= end {
            bail!(
                "the server has not read {GROUPS} groups within {} s; it says: {answer}",
                SEEN_LIMIT.as_secs()
            );
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
