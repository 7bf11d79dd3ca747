//! How fast the agent works off a backlog, beside a consumer on rdkafka alone that keeps the same order and
//! commits the same way: 1, 3, 8 and 16 workers, handlers of 0, 1, 5 and 20 ms, 1 and 12 partitions. Then by key.

mod by_key;
mod pairs;
mod telemetry;
mod without_work;

use std::time::Duration;

use anyhow::Result;

use super::Context;
use crate::backlog::{Backlog, Load};
use crate::figure::Figure;
use pairs::{Pair, Spread};

const WORKERS: [usize; 4] = [1, 3, 8, 16];
const HANDLERS_MS: [u64; 3] = [1, 5, 20];
const PARTITIONS: [i32; 2] = [1, 12];
/// More than either handles while it is measured, on one partition as on many: near the end of a backlog the partitions
/// end one after the other, and the client waits at those that did.
const RECORDS: u64 = 4_000_000;
/// The least part of the plain consumer's rate, where handlers take time.
const RATE_MIN: f64 = 0.95;
/// One pair is measured where it is within the limit; else so many, of which the median counts: what else the
/// machine does can meet one of two.
const PAIRS: usize = 3;

pub(super) async fn run(context: &Context) -> Result<Vec<Figure>> {
    // As where Flowdeck runs: the agents read holds before their first record.
    for topic in ["kafkaflow.admin", "flowdeck.holds", "flowdeck.acks"] {
        context.kafka.create_topic(topic, 1).await;
    }
    let mut figures = vec![];
    for partitions in PARTITIONS {
        let topic = format!("bench-backlog-{partitions}");
        let backlog = Backlog::new(&context.kafka, &topic, partitions, RECORDS).await?;
        figures.extend(without_work::by_partition(context, &backlog).await?);
        figures.extend(without_work::by_key(context, &backlog).await?);
        for handler in HANDLERS_MS {
            for workers in WORKERS {
                let load = Load::by_partition(workers, Duration::from_millis(handler));
                figures.push(cell(context, &backlog, load).await?);
            }
        }
        figures.extend(by_key::run(context, &backlog).await?);
        figures.push(telemetry::run(context, &backlog).await?);
    }
    figures.push(without_work::uneven(context, PARTITIONS[1]).await?);
    Ok(figures)
}

async fn cell(context: &Context, backlog: &Backlog, load: Load) -> Result<Figure> {
    let limit = 1.0 / RATE_MIN;
    let (millis, partitions) = (load.takes.as_millis(), backlog.partitions);
    let what = format!("{} workers, {millis} ms, {partitions} partitions", load.workers);
    let mut pairs = vec![];
    while pairs.len() < PAIRS {
        pairs.push(Pair::measure(context, backlog, load, pairs.len() % 2 == 0).await?);
        pairs[pairs.len() - 1].tell(&what);
        if pairs.len() == 1 && pairs[0].ratio() <= limit {
            break;
        }
    }
    let ratio = Spread::of(pairs.iter().map(Pair::ratio)).median;
    let name = format!("time for a record over a plain consumer's, {what}");
    Ok(Figure::ratio(name, ratio, limit, pairs.len()))
}
