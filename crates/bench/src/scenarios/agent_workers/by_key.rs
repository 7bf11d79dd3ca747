//! Workers that share the partitions by key: how many handlers run at once on average (KafkaFlow 4 by key: 2.99 of 3,
//! 7.9 to 8.0 of 8, 15.97 of 16; where they block their thread 2.3, 3.4 to 4.1 and 3.5).

use std::time::Duration;

use anyhow::Result;

use super::{Context, PAIRS, Spread};
use crate::backlog::{Backlog, Load};
use crate::figure::Figure;

/// Workers, and how many of them shall handle at once on average.
const BUSY: [(usize, f64); 3] = [(3, 2.97), (8, 7.9), (16, 15.9)];
const HANDLERS_MS: [u64; 3] = [1, 5, 20];

pub(super) async fn run(context: &Context, backlog: &Backlog) -> Result<Vec<Figure>> {
    let mut figures = vec![];
    for millis in HANDLERS_MS {
        for (workers, least) in BUSY {
            let load = Load::by_key(workers, Duration::from_millis(millis));
            figures.push(busy(context, backlog, load, least).await?);
            figures.push(busy(context, backlog, load.blocking(), least).await?);
        }
    }
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
    Ok(Figure::ratio(name, workers / Spread::of(runs).median, workers / least, count))
}
