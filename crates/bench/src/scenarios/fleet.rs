//! A cluster of 1,000 groups with 100 commits each, over 10 topics of 100 partitions: the fleet page, the
//! refreshes and the memory of the server.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use flowdeck_testkit::Kafka;

use super::Context;
use crate::figure::Figure;
use crate::server::Server;

const GROUPS: usize = 1_000;
const TOPICS: usize = 10;
const PARTITIONS: i32 = 100;
const SAMPLES: usize = 300;
const PAGE_LIMIT: Duration = Duration::from_millis(50);
/// Committed, start, end and state of all groups.
const REFRESH_LIMIT: Duration = Duration::from_millis(600);
const MEMORY_LIMIT: u64 = 96_000_000;
const SEEN_LIMIT: Duration = Duration::from_secs(60);

pub(super) async fn run(context: &Context) -> Result<Vec<Figure>> {
    prepare(&context.kafka).await?;
    let mut server = Server::start(&context.server, context.kafka.bootstrap())?;
    server.wait_ok("/kafkaflow").await?;
    wait_for_groups(&server).await?;
    let mut samples = Vec::with_capacity(SAMPLES);
    for _ in 0..SAMPLES {
        samples.push(server.first_byte("/kafkaflow").await?);
    }
    let page = Figure::p95("fleet page, first byte, p95", samples, PAGE_LIMIT)?;
    let refreshes = refreshes(&server).await?;
    let refresh = Figure::most("refresh of 1,000 groups, the longest of ten", &refreshes, REFRESH_LIMIT)?;
    let memory = Figure::megabytes("resident after ten refreshes", server.resident()?, MEMORY_LIMIT);
    Ok(vec![page, refresh, memory])
}

/// How long each of ten refreshes took, read off as it ends.
async fn refreshes(server: &Server) -> Result<Vec<Duration>> {
    let end = Instant::now() + SEEN_LIMIT;
    let mut total = server.metric("flowdeck_refresh_seconds_total").await?;
    let mut took = Vec::with_capacity(10);
    while took.len() < 10 {
        if Instant::now() >= end {
            bail!("only {} refreshes within {} s", took.len(), SEEN_LIMIT.as_secs());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        let now = server.metric("flowdeck_refresh_seconds_total").await?;
        if now > total {
            took.push(Duration::from_secs_f64(now - total));
            total = now;
        }
    }
    Ok(took)
}

/// Group `i` has committed on all partitions of topic `i % 10`, as an application that stopped there.
async fn prepare(kafka: &Kafka) -> Result<()> {
    for topic in 0..TOPICS {
        kafka.create_topic(&name(topic), PARTITIONS).await;
    }
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                loop {
                    let group = next.fetch_add(1, Ordering::Relaxed);
                    if group >= GROUPS {
                        break;
                    }
                    let topic = name(group % TOPICS);
                    let offsets: Vec<_> =
                        (0..PARTITIONS).map(|partition| (topic.as_str(), partition, 0)).collect();
                    kafka.commit(&format!("bench-group-{group:04}"), &offsets);
                }
            });
        }
    });
    for topic in 0..TOPICS {
        kafka.produce_at(&name(topic), (0..PARTITIONS).map(|partition| (partition, "a record"))).await;
    }
    Ok(())
}

fn name(topic: usize) -> String {
    format!("bench-topic-{topic}")
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
