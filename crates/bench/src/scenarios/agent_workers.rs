//! How fast the agent works off a backlog, beside a consumer on rdkafka alone that keeps the same order and
//! commits the same way: 1, 3, 8 and 16 workers, handlers of 0, 1, 5 and 20 ms, 1 and 12 partitions. Then by key.

mod by_key;
mod telemetry;

use std::time::Duration;

use anyhow::Result;

use super::Context;
use crate::backlog::{Backlog, Load, Measured};
use crate::figure::Figure;

const WORKERS: [usize; 4] = [1, 3, 8, 16];
const HANDLERS_MS: [u64; 4] = [0, 1, 5, 20];
const PARTITIONS: [i32; 2] = [1, 12];
/// More than either handles while it is measured.
const RECORDS: u64 = 1_000_000;
/// The least part of the plain consumer's rate.
const RATE_MIN: f64 = 0.95;
const RATE_MIN_WITHOUT_WORK: f64 = 0.97;
/// One pair is measured where it is within the limit; else so many, of which the median counts: what else the
/// machine does can meet one of two.
const PAIRS: usize = 3;
/// Of a record in a handler without work, with three workers on 12 partitions.
const CPU_LIMIT_MICROS: f64 = 4.0;

struct Pair {
    agent: Measured,
    plain: Measured,
}

impl Pair {
    /// The agent's time for a record over the plain consumer's.
    fn ratio(&self) -> f64 {
        self.plain.records / self.agent.records
    }
}

pub(super) async fn run(context: &Context) -> Result<Vec<Figure>> {
    // As where Flowdeck runs: the agents read holds before their first record.
    for topic in ["kafkaflow.admin", "flowdeck.holds", "flowdeck.acks"] {
        context.kafka.create_topic(topic, 1).await;
    }
    let mut figures = vec![];
    for partitions in PARTITIONS {
        let topic = format!("bench-backlog-{partitions}");
        let backlog = Backlog::new(&context.kafka, &topic, partitions, RECORDS).await?;
        for handler in HANDLERS_MS {
            for workers in WORKERS {
                let load = Load::by_partition(workers, Duration::from_millis(handler));
                figures.extend(cell(context, &backlog, load).await?);
            }
        }
        figures.extend(by_key::run(context, &backlog).await?);
        figures.push(telemetry::run(context, &backlog).await?);
    }
    Ok(figures)
}

async fn cell(context: &Context, backlog: &Backlog, load: Load) -> Result<Vec<Figure>> {
    let least = if load.takes.is_zero() { RATE_MIN_WITHOUT_WORK } else { RATE_MIN };
    let limit = 1.0 / least;
    let (millis, partitions) = (load.takes.as_millis(), backlog.partitions);
    let what = format!("{} workers, {millis} ms, {partitions} partitions", load.workers);
    let mut pairs = vec![];
    while pairs.len() < PAIRS {
        pairs.push(pair(context, backlog, load, pairs.len() % 2 == 0).await?);
        tell(&what, &pairs[pairs.len() - 1]);
        if pairs.len() == 1 && pairs[0].ratio() <= limit {
            break;
        }
    }
    let ratio = median(pairs.iter().map(Pair::ratio).collect());
    let name = format!("time for a record over a plain consumer's, {what}");
    let mut figures = vec![Figure::ratio(name, ratio, limit, pairs.len())];
    if millis == 0 && load.workers == 3 && partitions == 12 {
        let cpu = median(pairs.iter().map(|pair| pair.agent.cpu_micros_a_record).collect());
        figures.push(Figure::microseconds(
            format!("CPU for a record, {what}"),
            cpu,
            CPU_LIMIT_MICROS,
            pairs.len(),
        ));
    }
    Ok(figures)
}

fn tell(what: &str, Pair { agent, plain }: &Pair) {
    eprintln!(
        "{what}: {:.0}/s, {:.1} µs of CPU; plain {:.0}/s, {:.1} µs",
        agent.records, agent.cpu_micros_a_record, plain.records, plain.cpu_micros_a_record
    );
}

/// Both take turns in being the first.
async fn pair(context: &Context, backlog: &Backlog, load: Load, plain_first: bool) -> Result<Pair> {
    if plain_first {
        let plain = backlog.plain(&context.kafka, load).await?;
        return Ok(Pair { agent: backlog.agent(&context.kafka, load).await?, plain });
    }
    let agent = backlog.agent(&context.kafka, load).await?;
    Ok(Pair { agent, plain: backlog.plain(&context.kafka, load).await? })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![1.0]), 1.0);
    }
}
