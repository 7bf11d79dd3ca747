//! Handlers that take no time. The rate is then the client library's, the broker's and the scheduler's as much as the
//! agent's, on the same cores, and differs from run to run: so there is a fixed number of pairs, of which the median
//! counts, and how far they lie apart is told.

use std::time::Duration;

use anyhow::Result;

use super::pairs::{Pair, Spread};
use super::{Context, WORKERS};
use crate::backlog::{Backlog, Load};
use crate::figure::Figure;

/// The least part of the plain consumer's rate.
const RATE_MIN: f64 = 0.97;
const PAIRS: usize = 5;
/// Of a record.
const CPU_LIMIT_MICROS: f64 = 4.0;
const WORKERS_BY_KEY: usize = 3;
/// Of a backlog on one partition of many, and the time for a record of it. The client has one request at a time for all
/// partitions of a broker, and that may wait at those that have nothing: with its own 500 ms a record took 34 µs.
const UNEVEN: u64 = 500_000;
const UNEVEN_WORKERS: usize = 3;
const UNEVEN_LIMIT_MICROS: f64 = 15.0;

pub(super) async fn by_partition(context: &Context, backlog: &Backlog) -> Result<Vec<Figure>> {
    let mut figures = vec![];
    for workers in WORKERS {
        let what = format!("{workers} workers, 0 ms, {} partitions", backlog.partitions);
        let load = Load::by_partition(workers, Duration::ZERO);
        figures.extend(cell(context, backlog, load, &what).await?);
    }
    Ok(figures)
}

pub(super) async fn by_key(context: &Context, backlog: &Backlog) -> Result<Vec<Figure>> {
    let what = format!("{WORKERS_BY_KEY} workers by key, 0 ms, {} partitions", backlog.partitions);
    cell(context, backlog, Load::by_key(WORKERS_BY_KEY, Duration::ZERO), &what).await
}

pub(super) async fn uneven(context: &Context, partitions: i32) -> Result<Figure> {
    let backlog = Backlog::uneven(&context.kafka, "bench-uneven", partitions, UNEVEN).await?;
    let load = Load::by_partition(UNEVEN_WORKERS, Duration::ZERO);
    let mut times = vec![];
    for _ in 0..PAIRS {
        times.push(1e6 / backlog.agent(&context.kafka, load).await?.records);
    }
    let time = Spread::of(times);
    let what = format!("a backlog on one of {partitions} partitions, {UNEVEN_WORKERS} workers, 0 ms");
    eprintln!("{what}: {:.1} µs a record ({:.1} to {:.1})", time.median, time.least, time.most);
    let name = format!("time for a record, {what}");
    Ok(Figure::microseconds(name, time.median, UNEVEN_LIMIT_MICROS, PAIRS))
}

async fn cell(context: &Context, backlog: &Backlog, load: Load, what: &str) -> Result<Vec<Figure>> {
    let mut pairs = vec![];
    for number in 0..PAIRS {
        let pair = Pair::measure(context, backlog, load, number % 2 == 0).await?;
        pair.tell(what);
        pairs.push(pair);
    }
    let ratio = Spread::of(pairs.iter().map(Pair::ratio));
    let cpu = Spread::of(pairs.iter().map(|pair| pair.agent.cpu_micros_a_record));
    tell(what, "agent", pairs.iter().map(|pair| pair.agent.records));
    tell(what, "plain", pairs.iter().map(|pair| pair.plain.records));
    eprintln!("{what}: {:.2} of its time ({:.2} to {:.2})", ratio.median, ratio.least, ratio.most);
    Ok(vec![
        Figure::ratio(
            format!("time for a record over a plain consumer's, {what}"),
            ratio.median,
            1.0 / RATE_MIN,
            PAIRS,
        ),
        Figure::microseconds(format!("CPU for a record, {what}"), cpu.median, CPU_LIMIT_MICROS, PAIRS),
    ])
}

fn tell(what: &str, who: &str, rates: impl Iterator<Item = f64>) {
    let rates = Spread::of(rates);
    eprintln!("{what}: {who} {:.0}/s ({:.0} to {:.0})", rates.median, rates.least, rates.most);
}
