//! How much more the disks need: an estimate from the rate at which records come, and from the size of the newest ones.

use std::time::Duration;

use flowdeck_kafka::{Cluster, Deadline, Isolation, ReadRequest, ReadStart, Record};
use flowdeck_model::TopicName;
use flowdeck_model::rate::Windows;
use flowdeck_model::view::{DiskGrowth, TopicView};
use tokio_util::sync::CancellationToken;

/// Records that are looked at, and for how long.
const SAMPLE: usize = 200;
const LOOK: Duration = Duration::from_millis(1_500);
/// What a record needs beside key, value and headers, about.
const OVERHEAD: usize = 12;

/// The rate over the longest window for which it is known, in records a second, and its minutes.
pub(super) fn rate(written: &Windows) -> Option<(f64, u32)> {
    let all = [(written.fifteen_minutes, 15), (written.five_minutes, 5), (written.one_minute, 1)];
    all.into_iter().find_map(|(rate, minutes)| Some((rate?.per_second(), minutes)))
}

/// The size of the newest records, on average, and how many were looked at. `None`: none was read.
pub(super) async fn record_size(
    cluster: &Cluster,
    topic: &TopicName,
    cancel: CancellationToken,
) -> Option<(u64, u32)> {
    let request = ReadRequest {
        topic: topic.clone(),
        partitions: None,
        start: ReadStart::Newest,
        limit_records: SAMPLE,
        limit_bytes: 1024 * 1024,
        max_value_bytes: 1,
        isolation: Isolation::ReadUncommitted,
        neighbours: false,
        transactions: false,
        deadline: Deadline::after(LOOK),
    };
    let read = cluster.read(request, cancel).await.ok()?;
    let sizes: usize = read.records.iter().map(size).sum();
    let average = sizes.checked_div(read.records.len())?;
    Some((average as u64, u32::try_from(read.records.len()).unwrap_or(u32::MAX)))
}

fn size(record: &Record) -> usize {
    let headers =
        record.headers.iter().map(|(name, value)| name.len() + value.as_ref().map_or(0, |it| it.len()));
    OVERHEAD + record.key_size + record.value_size + headers.sum::<usize>()
}

pub(super) fn of(
    (rate, minutes): (f64, u32),
    (record_bytes, sampled): (u64, u32),
    span: Duration,
    topic: &TopicView,
) -> DiskGrowth {
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let replicas = topic.partitions.iter().map(|one| one.replicas.len()).max().unwrap_or(1).max(1);
    // A float of that size is whole, and a cast of one that is too large ends at the largest number.
    let records = (rate * span.as_secs_f64()).ceil() as u64;
    DiskGrowth {
        bytes: records.saturating_mul(record_bytes).saturating_mul(replicas as u64),
        records,
        record_bytes,
        sampled,
        minutes,
        replicas: count(replicas),
        partitions: count(topic.partitions.len()),
    }
}
