//! The same cluster with 100, 1,000 and 10,000 groups of 28 commits each, at which somebody looks all the time: what the
//! server costs at each size, and how soon after its start all of it is known.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use super::Context;
use crate::figure::Figure;
use crate::groups::Layout;
use crate::server::Server;

const SIZES: [usize; 3] = [100, 1_000, 10_000];
const PARTITIONS: i32 = 28;
const LAYOUT: Layout = Layout { prefix: "growth", topics: 10, partitions: PARTITIONS };
/// Somebody looks so often, as an open page does.
const LOOKS_EVERY: Duration = Duration::from_millis(500);
const MEASURED: Duration = Duration::from_secs(30);
const PAGES: usize = 200;
const PAGE_LIMIT: Duration = Duration::from_millis(50);
/// Of one core, in per cent.
const CPU_LIMIT: f64 = 20.0;
/// The bound that is set where the configuration sets none.
const REQUESTS_LIMIT: f64 = 1_500.0;
const MEMORY_LIMIT: u64 = 300_000_000;
/// From the server's start to the first answer that knows every row.
const KNOWN_LIMIT: Duration = Duration::from_secs(3);
const GIVEN_UP: Duration = Duration::from_secs(120);

pub(super) async fn run(context: &Context) -> Result<Vec<Figure>> {
    LAYOUT.create_topics(&context.kafka).await;
    let mut figures = vec![];
    let mut made = 0;
    for size in SIZES {
        LAYOUT.commit(&context.kafka, made..size)?;
        made = size;
        figures.extend(at_size(context, size).await?);
    }
    Ok(figures)
}

async fn at_size(context: &Context, size: usize) -> Result<Vec<Figure>> {
    let began = Instant::now();
    let mut server = Server::start(&context.server, context.kafka.bootstrap())?;
    server.wait_ok("/kafkaflow").await?;
    all_known(&server, size, began + GIVEN_UP).await?;
    let known = began.elapsed();
    // What a start costs is over.
    look(&server, MEASURED / 2).await?;
    let (cpu, asked, began) = (server.cpu()?, requests(&server).await?, Instant::now());
    look(&server, MEASURED).await?;
    let seconds = began.elapsed().as_secs_f64();
    let cpu = (server.cpu()? - cpu).as_secs_f64() / seconds * 100.0;
    let asked = (requests(&server).await? - asked) / seconds;
    let mut pages = Vec::with_capacity(PAGES);
    for _ in 0..PAGES {
        pages.push(server.first_byte("/kafkaflow").await?);
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    let of = |what: &str| format!("{size} groups: {what}");
    Ok(vec![
        Figure::once(of("all known after the start"), known, KNOWN_LIMIT),
        Figure::percent(of("of one core, somebody looks"), cpu, CPU_LIMIT),
        Figure::per_second(of("requests to the brokers"), asked, REQUESTS_LIMIT),
        Figure::p95(of("fleet page, first byte, p95"), pages, PAGE_LIMIT)?,
        Figure::megabytes(of("resident"), server.resident()?, MEMORY_LIMIT),
    ])
}

async fn all_known(server: &Server, size: usize, end: Instant) -> Result<()> {
    while Instant::now() < end {
        let answer = server.json("/kafkaflow/api/v1/groups?limit=1").await?;
        // Beside them there may be the group of the writer of a server before.
        if answer["total"].as_u64() >= Some(size as u64) && answer["partial"] == false {
            let partitions = server.metric("flowdeck_group_partitions").await?;
            ensure!(partitions >= (size * PARTITIONS as usize) as f64, "{partitions} partitions are known");
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bail!("the server has not read {size} groups within {} s", GIVEN_UP.as_secs())
}

async fn look(server: &Server, time: Duration) -> Result<()> {
    let end = Instant::now() + time;
    while Instant::now() < end {
        server.json("/kafkaflow/api/v1/groups?limit=50").await?;
        tokio::time::sleep(LOOKS_EVERY).await;
    }
    Ok(())
}

async fn requests(server: &Server) -> Result<f64> {
    server.metric("flowdeck_sampling_requests_total").await
}
