//! Reading forwards: the first records from a position on.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::backward;
use super::merge::{self, Lane, Side};
use super::range::{self, Range, Stopped, Then};
use super::read::{Found, Part, Plan};
use super::reader::Reader;
use super::{ReadEnd, ReadRequest, Record};
use crate::Deadline;

/// How long to look for a record before the position.
const LOOK_BACK: Duration = Duration::from_millis(500);

/// Reads from each part's position on, at most the limit of each, and merges, oldest first.
pub(super) fn read(reader: &Reader, plan: &Plan, parts: &mut [Part], stop: &CancellationToken) -> Found {
    let ReadRequest { limit_records, limit_bytes, max_value_bytes, deadline, neighbours, .. } = plan.request;
    let mut lanes: Vec<Lane> = parts.iter().map(|part| Lane::new(part.partition)).collect();
    // The first offset that was seen and not copied.
    let mut more: Vec<Option<i64>> = vec![None; lanes.len()];
    let readable =
        parts.iter().filter(|part| part.error.is_none() && part.at < part.end && limit_records > 0);
    let ranges: Vec<Range> =
        readable.map(|part| Range { partition: part.partition.get(), from: part.at, to: part.end }).collect();
    let mut seen = vec![0i64; lanes.len()];
    let (mut scanned, mut held) = (0u64, 0usize);
    let (stopped, progress) = range::read(reader, plan.topic.as_str(), &ranges, deadline, stop, |message| {
        let number = message.partition();
        // Parts are in the order of partitions.
        let Ok(at) = lanes.binary_search_by_key(&number, |lane| lane.partition.get()) else {
            return Then::On;
        };
        let lane = &mut lanes[at];
        let too_large = held > limit_bytes.saturating_mul(2) && !lane.records.is_empty();
        if lane.records.len() >= limit_records || too_large {
            more[at] = Some(message.offset());
            return Then::NextPartition;
        }
        scanned += 1;
        seen[at] += 1;
        let record = Record::copy(&plan.topic, lane.partition, message, max_value_bytes);
        held += record.kept();
        lane.records.push_back(record);
        // One more than the limit tells that there is more.
        if lane.records.len() >= limit_records && !neighbours { Then::NextPartition } else { Then::On }
    });
    let (records, bytes) = merge::take(&mut lanes, Side::Oldest, limit_records, limit_bytes, plan.now);
    for (((part, lane), more), seen) in parts.iter_mut().zip(&lanes).zip(more).zip(seen) {
        let progress = progress.get(&part.partition.get());
        part.error = part.error.take().or_else(|| progress.and_then(|progress| progress.error.clone()));
        let left = lane.records.front().map(|record| record.offset).or(more);
        part.from = part.at;
        part.unbroken = seen == part.end - part.at;
        part.next = left.or(progress.map(|progress| progress.next)).unwrap_or(part.at);
        part.none_shown = left.is_some() && !records.iter().any(|record| record.partition == part.partition);
    }
    let all = parts.iter().all(|part| part.error.is_some() || part.next >= part.end);
    let end = match stopped {
        Stopped::Cancelled => ReadEnd::Cancelled,
        _ if all => ReadEnd::Complete,
        Stopped::TimedOut if records.len() < limit_records => ReadEnd::TimedOut,
        _ => ReadEnd::LimitHit,
    };
    let newer = parts.iter().any(|part| part.next < part.end);
    let older = parts.iter().any(|part| part.error.is_none() && part.at > part.start) && {
        let look = Deadline::after(LOOK_BACK.min(deadline.left()));
        !neighbours || backward::is_any_before(reader, plan, parts, look, stop).unwrap_or(true)
    };
    Found { records, scanned, bytes, end, older, newer }
}
