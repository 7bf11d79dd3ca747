//! Workers that share the partitions by key: how many handlers run at once on average (KafkaFlow 4 by key: 2.99 of 3,
//! 7.9 to 8.0 of 8, 15.97 of 16; where they block their thread 2.3, 3.4 to 4.1 and 3.5), and what a record costs where its handler takes no time.

use std::time::Duration;

use anyhow::Result;

use super::{CPU_LIMIT_MICROS, Context, PAIRS, Pair, RATE_MIN_WITHOUT_WORK, median};
use crate::backlog::{Backlog, Load};
use crate::figure::Figure;

/// Workers, and how many of them shall handle at once on average.
const BUSY: [(usize, f64); 3] = [(3, 2.97), (8, 7.9), (16, 15.9)];
const HANDLERS_MS: [u64; 3] = [1, 5, 20];
const WORKERS_WITHOUT_WORK: usize = 3;

pub(super) async fn run(context: &Context, backlog: &Backlog) -> Result<Vec<Figure>> {
    let mut figures = vec![];
    for millis in HANDLERS_MS {
        for (workers, least) in BUSY {
            let load = Load::by_key(workers, Duration::from_millis(millis));
            figures.push(busy(context, backlog, load, least).await?);
            figures.push(busy(context, backlog, load.blocking(), least).await?);
        }
    }
    figures.extend(without_work(context, backlog).await?);
    Ok(figures)
}

/// Once, where that is enough; else the median of some runs.
async fn busy(context: &Context, backlog: &Backlog, load: Load, least: f64) -> Result<Figure> {
    let (workers, millis, partitions) = (load.workers, load.takes.as_millis(), backlog.partitions);
    let blocking = if load.blocks { ", blocking" } else { "" };
    let what = format!("{workers} workers by key, {millis} ms{blocking}, {partitions} partitions");
    let mut runs = vec![];
    while runs.len() < PAIRS {
        let measured = backlog.agent(&context.kafka, load).await?;
        eprintln!("{what}: {:.2} at once, {:.0}/s", measured.at_once, measured.records);
        runs.push(measured.at_once);
        if runs.len() == 1 && measured.at_once >= least {
            break;
        }
    }
    let (count, workers) = (runs.len(), workers as f64);
    let name = format!("workers over handlers at once, {what}");
    Ok(Figure::ratio(name, workers / median(runs), workers / least, count))
}

async fn without_work(context: &Context, backlog: &Backlog) -> Result<Vec<Figure>> {
    let by_key = Load::by_key(WORKERS_WITHOUT_WORK, Duration::ZERO);
    let what = format!("{WORKERS_WITHOUT_WORK} workers by key, 0 ms, {} partitions", backlog.partitions);
    let mut pairs = vec![];
    for number in 0..PAIRS {
        let plain_first = number % 2 == 0;
        let pair = super::pair(context, backlog, by_key, plain_first).await?;
        super::tell(&what, &pair);
        pairs.push(pair);
    }
    let ratio = median(pairs.iter().map(Pair::ratio).collect());
    let cpu = median(pairs.iter().map(|pair| pair.agent.cpu_micros_a_record).collect());
    let name = format!("time for a record over a plain consumer's, {what}");
    Ok(vec![
        Figure::ratio(name, ratio, 1.0 / RATE_MIN_WITHOUT_WORK, PAIRS),
        Figure::microseconds(format!("CPU for a record, {what}"), cpu, CPU_LIMIT_MICROS, PAIRS),
    ])
}
