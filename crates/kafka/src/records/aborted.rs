//! Which of the records that were read belong to aborted transactions, or to transactions that are still open.
//!
//! librdkafka hides what a broker says of that, so it is found by comparison: what a `read_committed` client is
//! not given, of records that are there, below the last stable offset, was aborted. That costs a second read of
//! the offsets that are shown. It is spared where no transaction can have ended among them: each leaves a marker,
//! which takes an offset, so where every offset up to the log's end is a record, there was none.

use std::collections::HashSet;

use tokio_util::sync::CancellationToken;

use super::range::{self, Range, Then};
use super::read::{Part, Plan};
use super::reader::Reader;
use super::{Record, Transaction};
use crate::Deadline;

/// Marks what is known without a second read; what is to be read for the rest.
pub(super) fn mark_known(parts: &[Part], records: &mut [Record]) -> Vec<Range> {
    let mut ranges = Vec::new();
    for part in parts {
        let mut rest: Option<(i64, i64)> = None;
        for record in records.iter_mut().filter(|record| record.partition == part.partition) {
            if part.stable.is_some_and(|stable| record.offset >= stable) {
                record.transaction = Transaction::Open;
            } else if part.unbroken && part.stable.is_some_and(|stable| stable >= part.end) {
                record.transaction = Transaction::Settled;
            } else {
                let (first, last) = rest.unwrap_or((record.offset, record.offset));
                rest = Some((first.min(record.offset), last.max(record.offset)));
            }
        }
        ranges.extend(rest.map(|(first, last)| Range {
            partition: part.partition.get(),
            from: first,
            to: last + 1,
        }));
    }
    ranges
}

/// Marks the records of these ranges, as far as it can be found out by the deadline.
pub(super) fn mark(
    (committed, uncommitted): (&Reader, &Reader),
    plan: &Plan,
    ranges: &[Range],
    records: &mut [Record],
    deadline: Deadline,
    stop: &CancellationToken,
) {
    let topic = plan.topic.as_str();
    let given = |reader: &Reader| {
        let mut given = HashSet::new();
        let (_, progress) = range::read(reader, topic, ranges, deadline, stop, |message| {
            given.insert((message.partition(), message.offset()));
            Then::On
        });
        (given, progress)
    };
    let (kept, progress) = given(committed);
    let is_read = |record: &Record| {
        let progress = progress.get(&record.partition.get());
        progress.is_some_and(|progress| progress.error.is_none() && record.offset < progress.next)
    };
    let mut is_any_missing = false;
    for record in records.iter_mut().filter(|record| record.transaction == Transaction::Unknown) {
        if kept.contains(&place(record)) {
            record.transaction = Transaction::Settled;
        } else {
            is_any_missing |= is_read(record);
        }
    }
    if !is_any_missing {
        return;
    }
    // Retention or compaction may have taken a record between the two reads: what is still there was there.
    let (there, _) = given(uncommitted);
    for record in records.iter_mut().filter(|record| record.transaction == Transaction::Unknown) {
        if is_read(record) && there.contains(&place(record)) {
            record.transaction = Transaction::Aborted;
        }
    }
}

fn place(record: &Record) -> (i32, i64) {
    (record.partition.get(), record.offset)
}
