//! A cluster of 10,000 groups with 28 commits each, at which nobody looks and where nothing moves: what the
//! server costs then, and how soon a look is answered with new numbers.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use super::Context;
use crate::figure::Figure;
use crate::groups::Layout;
use crate::server::Server;

const GROUPS: usize = 10_000;
const PARTITIONS: i32 = 28;
const LAYOUT: Layout = Layout { prefix: "idle", topics: 10, partitions: PARTITIONS };
/// Until a look at the server no longer counts as somebody who is there.
const FORGOTTEN: Duration = Duration::from_secs(45);
const MEASURED: Duration = Duration::from_secs(60);
/// Of one core, in per cent.
const LIMIT: f64 = 20.0;
/// From a look to numbers that were read after it, where the last ones are old.
const WOKEN_LIMIT: Duration = Duration::from_secs(5);
const READ_LIMIT: Duration = Duration::from_secs(120);

pub(super) async fn run(context: &Context) -> Result<Vec<Figure>> {
    LAYOUT.create_topics(&context.kafka).await;
    LAYOUT.commit(&context.kafka, 0..GROUPS)?;
    let mut server = Server::start(&context.server, context.kafka.bootstrap())?;
    server.wait_ok("/kafkaflow").await?;
    all_read(&server).await?;
    tokio::time::sleep(FORGOTTEN).await;
    let (before, began) = (server.cpu()?, Instant::now());
    tokio::time::sleep(MEASURED).await;
    let share = (server.cpu()? - before).as_secs_f64() / began.elapsed().as_secs_f64() * 100.0;
    let idle = Figure::percent("of one core, 280,000 rows, nobody looks", share, LIMIT);
    let woken = woken(&server).await?;
    let woken = Figure::once("a look after that, to numbers read since", woken, WOKEN_LIMIT);
    Ok(vec![idle, woken])
}

async fn all_read(server: &Server) -> Result<()> {
    let end = Instant::now() + READ_LIMIT;
    while Instant::now() < end {
        let answer = server.json("/kafkaflow/api/v1/groups?limit=1").await?;
        if answer["total"] == GROUPS && answer["partial"] == false {
            let partitions = server.metric("flowdeck_group_partitions").await?;
            ensure!(partitions == (GROUPS * PARTITIONS as usize) as f64, "{partitions} partitions are known");
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    bail!("the server has not read {GROUPS} groups within {} s", READ_LIMIT.as_secs())
}

/// From a look to the first answer whose numbers were read after it.
async fn woken(server: &Server) -> Result<Duration> {
    let began = Instant::now();
    let first = as_of(server).await?;
    while began.elapsed() < READ_LIMIT {
        if as_of(server).await? != first {
            return Ok(began.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    bail!("nothing was read within {} s of a look", READ_LIMIT.as_secs())
}

async fn as_of(server: &Server) -> Result<String> {
    let answer = server.json("/kafkaflow/api/v1/groups?limit=1").await?;
    ensure!(answer["clusters"][0]["error"].is_null(), "the cluster is not read: {answer}");
    Ok(answer["clusters"][0]["asOf"].to_string())
}
