//! One bounded read of a topic: takes the log's bounds, reads ranges until it has enough, merges.

use std::collections::{HashMap, VecDeque};

use flowdeck_model::Partition;
use tokio_util::sync::CancellationToken;

use super::merge::{self, Reached};
use super::range::{self, Progress, Range, Stopped, Then};
use super::reader::Reader;
use super::{Isolation, PartitionRead, ReadEnd, ReadOutcome, ReadRequest, ReadStart, Record};
use crate::error::{Cause, Error, Operation};
use crate::{Cluster, OffsetSpec, Topic};

/// Records fetched for one that is shown, at the most, and some: what compaction and a skewed topic may
/// cost before a read of the newest says that it stops.
const SCANNED_A_RECORD: u64 = 100;
const SCANNED_AT_LEAST: u64 = 10_000;

/// One partition's part of a read.
struct Part {
    partition: Partition,
    /// The log's bounds when the read began.
    start: i64,
    end: i64,
    /// What was covered so far: `from..next`.
    from: i64,
    next: i64,
    error: Option<Cause>,
}

struct Plan {
    request: ReadRequest,
    topic: Topic,
    parts: Vec<Part>,
}

impl Cluster {
    /// Reads within the request's bounds. Dropping the future or cancelling stops the work. Partitions
    /// that cannot be read say so in the outcome; `Err` where nothing could be.
    pub async fn read(&self, request: ReadRequest, cancel: CancellationToken) -> Result<ReadOutcome, Error> {
        let failed = |cause| Error::new(Operation::Read, cause);
        let plan = self.plan(request).await?;
        let deadline = plan.request.deadline;
        let turn = self.pool().turn(deadline).await.map_err(failed)?;
        let (pool, config) = (self.pool().clone(), self.config().clone());
        let isolation = plan.request.isolation;
        let stop = cancel.child_token();
        // Where this future is dropped, the thread learns of it.
        let _stop = stop.clone().drop_guard();
        let work = tokio::task::spawn_blocking(move || {
            let reader = pool.take(&config, isolation)?;
            let outcome = run(&reader, plan, &stop);
            pool.give_back(reader);
            drop(turn);
            Ok(outcome)
        });
        match work.await {
            Ok(Ok(outcome)) => Ok(outcome),
            Ok(Err(error)) => Err(failed(Cause::Unsupported(config_words(error)))),
            Err(_) => Err(failed(Cause::Closing)),
        }
    }

    async fn plan(&self, request: ReadRequest) -> Result<Plan, Error> {
        let deadline = request.deadline;
        let metadata = self.metadata_with(&request.topic, Operation::Read, deadline).await?;
        let Some(topic) = metadata.topic(&request.topic) else {
            return Err(Error::new(Operation::Read, Cause::UnknownTopic));
        };
        let all = || topic.partitions.iter().map(|partition| partition.partition);
        let mut wanted: Vec<Partition> = match &request.partitions {
            None => all().collect(),
            Some(some) => some.clone(),
        };
        wanted.sort_unstable();
        wanted.dedup();
        if wanted.iter().any(|partition| !all().any(|known| known == *partition)) {
            return Err(Error::new(Operation::Read, Cause::UnknownTopic));
        }
        let name = topic.name.clone();
        let asked: Vec<_> = wanted.iter().map(|&partition| (name.clone(), partition)).collect();
        let end = match request.isolation {
            Isolation::ReadUncommitted => OffsetSpec::Latest,
            Isolation::ReadCommitted => OffsetSpec::LatestCommitted,
        };
        let by_time = async {
            match request.start {
                ReadStart::At(time) => Some(self.offsets(&asked, OffsetSpec::At(time), deadline).await),
                _ => None,
            }
        };
        let (starts, ends, times) = tokio::join!(
            self.offsets(&asked, OffsetSpec::Earliest, deadline),
            self.offsets(&asked, end, deadline),
            by_time
        );
        let mut parts = Vec::with_capacity(wanted.len());
        for (place, partition) in wanted.into_iter().enumerate() {
            let at = times.as_ref().map(|times| times[place].clone());
            parts.push(part(partition, starts[place].clone(), ends[place].clone(), at, request.start));
        }
        if let Some(cause) = parts.iter().all(|part| part.error.is_some()).then(|| parts.first()).flatten() {
            let cause = cause.error.clone().unwrap_or(Cause::UnknownTopic);
            return Err(Error::new(Operation::Read, cause));
        }
        Ok(Plan { request, topic: name, parts })
    }
}

fn config_words(error: crate::ConfigError) -> String {
    format!("a reader could not be made: {error}")
}

/// Where a part begins. The newest begin at the end and go backwards.
fn part(
    partition: Partition,
    start: Result<i64, Cause>,
    end: Result<i64, Cause>,
    at: Option<Result<i64, Cause>>,
    from: ReadStart,
) -> Part {
    let failed = |cause| Part { partition, start: 0, end: 0, from: 0, next: 0, error: Some(cause) };
    let (start, end) = match (start, end) {
        (Ok(start), Ok(end)) => (start, end.max(start)),
        (Err(cause), _) | (_, Err(cause)) => return failed(cause),
    };
    let from = match (from, at) {
        (ReadStart::Newest, _) => end,
        (ReadStart::Earliest, _) => start,
        (ReadStart::Offset(offset), _) => offset.clamp(start, end),
        (ReadStart::At(_), Some(Ok(offset))) if offset >= 0 => offset.clamp(start, end),
        (ReadStart::At(_), Some(Err(cause))) => return failed(cause),
        // No record is as late.
        (ReadStart::At(_), _) => end,
    };
    Part { partition, start, end, from, next: from, error: None }
}

fn run(reader: &Reader, plan: Plan, stop: &CancellationToken) -> ReadOutcome {
    match plan.request.start {
        ReadStart::Newest => newest(reader, plan, stop),
        _ => forward(reader, plan, stop),
    }
}

/// Reads windows backwards from the ends, larger each time, of those partitions only that may still hold
/// records of the newest.
fn newest(reader: &Reader, mut plan: Plan, stop: &CancellationToken) -> ReadOutcome {
    let most = plan.request.limit_records;
    let readable =
        plan.parts.iter().filter(|part| part.error.is_none() && part.end > part.start).count().max(1);
    let mut window = if readable == 1 { most } else { (2 * most.div_ceil(readable)).max(4).min(most) } as i64;
    let mut oldest: HashMap<Partition, i64> = HashMap::new();
    let (mut found, mut scanned) = (Vec::<Record>::new(), 0u64);
    let scan_most = SCANNED_AT_LEAST.saturating_add(SCANNED_A_RECORD.saturating_mul(most as u64));
    let end = loop {
        let times: Vec<i64> = found.iter().map(Record::millis).collect();
        let ranges: Vec<Range> = plan
            .parts
            .iter()
            .filter(|part| {
                let reached =
                    Reached { more: part.from > part.start, oldest: oldest.get(&part.partition).copied() };
                part.error.is_none() && merge::needs_more(reached, &times, most)
            })
            .map(|part| Range {
                partition: part.partition.get(),
                from: part.from.saturating_sub(window).max(part.start),
                to: part.from,
            })
            .collect();
        if ranges.is_empty() {
            break ReadEnd::Complete;
        }
        let (topic, deadline) = (plan.topic.clone(), plan.request.deadline);
        let (stopped, progress) = range::read(reader, topic.as_str(), &ranges, deadline, stop, |message| {
            scanned += 1;
            let Some(partition) = Partition::new(message.partition()) else { return Then::On };
            let record = Record::copy(&topic, partition, message, plan.request.max_value_bytes);
            let first = oldest.entry(partition).or_insert(i64::MAX);
            *first = record.millis().min(*first);
            found.push(record);
            if found.len() > most.saturating_mul(4).saturating_add(1000) {
                merge::newest_first(&mut found);
                found.truncate(most);
            }
            if scanned > scan_most { Then::Stop } else { Then::On }
        });
        for range in &ranges {
            let Some(part) = plan.parts.iter_mut().find(|part| part.partition.get() == range.partition)
            else {
                continue;
            };
            if let Some(progress) = progress.get(&range.partition) {
                part.cover(range, progress, &mut found);
            }
        }
        merge::newest_first(&mut found);
        found.truncate(most);
        match stopped {
            Stopped::Done => {}
            Stopped::Enough => break ReadEnd::LimitHit,
            Stopped::TimedOut => break ReadEnd::TimedOut,
            Stopped::Cancelled => break ReadEnd::Cancelled,
        }
        window = window.saturating_mul(4);
    };
    let before = found.len();
    let bytes = merge::fit(&mut found, most, plan.request.limit_bytes);
    let end = if end == ReadEnd::Complete && found.len() < before { ReadEnd::LimitHit } else { end };
    outcome(plan.parts, found, scanned, bytes, end)
}

impl Part {
    /// Notes that a range before what was covered so far was read, as a whole or in part. What it
    /// covers must have no hole: of a part that does not reach what follows, nothing is shown.
    fn cover(&mut self, range: &Range, progress: &Progress, found: &mut Vec<Record>) {
        self.error = progress.error.clone();
        let whole = progress.done && progress.error.is_none();
        if whole {
            self.from = range.from;
        } else if self.from == self.end {
            self.from = range.from;
            self.next = progress.next;
        } else {
            found.retain(|record| record.partition != self.partition || record.offset >= self.from);
        }
    }
}

/// Reads from each partition's start on, at most the limit of each, and merges by time.
fn forward(reader: &Reader, mut plan: Plan, stop: &CancellationToken) -> ReadOutcome {
    let ReadRequest { limit_records, limit_bytes, max_value_bytes, deadline, .. } = plan.request;
    let mut found: Vec<(Partition, VecDeque<Record>)> =
        plan.parts.iter().map(|part| (part.partition, VecDeque::new())).collect();
    let ranges: Vec<Range> = plan
        .parts
        .iter()
        .filter(|part| part.error.is_none() && part.from < part.end && limit_records > 0)
        .map(|part| Range { partition: part.partition.get(), from: part.from, to: part.end })
        .collect();
    let (mut scanned, mut held) = (0u64, 0usize);
    let topic = plan.topic.clone();
    let (stopped, progress) = range::read(reader, topic.as_str(), &ranges, deadline, stop, |message| {
        scanned += 1;
        let number = message.partition();
        let Some((partition, records)) = found.iter_mut().find(|(partition, _)| partition.get() == number)
        else {
            return Then::On;
        };
        let record = Record::copy(&topic, *partition, message, max_value_bytes);
        held += record.kept();
        records.push_back(record);
        if held > limit_bytes.saturating_mul(2) {
            Then::Stop
        } else if records.len() >= limit_records {
            Then::NextPartition
        } else {
            Then::On
        }
    });
    let (records, bytes) = merge::oldest_first(&mut found, limit_records, limit_bytes);
    for (part, (_, left)) in plan.parts.iter_mut().zip(&found) {
        let progress = progress.get(&part.partition.get());
        part.error = part.error.take().or_else(|| progress.and_then(|progress| progress.error.clone()));
        // What was fetched and not taken is read again by whoever goes on.
        part.next = left
            .front()
            .map(|record| record.offset)
            .or(progress.map(|progress| progress.next))
            .unwrap_or(part.from);
    }
    let all = plan.parts.iter().all(|part| part.error.is_some() || part.next >= part.end);
    let end = match stopped {
        Stopped::Cancelled => ReadEnd::Cancelled,
        _ if all => ReadEnd::Complete,
        Stopped::TimedOut if records.len() < limit_records => ReadEnd::TimedOut,
        _ => ReadEnd::LimitHit,
    };
    outcome(plan.parts, records, scanned, bytes, end)
}

fn outcome(parts: Vec<Part>, records: Vec<Record>, scanned: u64, bytes: usize, end: ReadEnd) -> ReadOutcome {
    let partitions = parts.into_iter().map(|part| PartitionRead {
        partition: part.partition,
        start: part.start,
        end: part.end,
        from: part.from,
        next: part.next,
        error: part.error,
    });
    ReadOutcome { records, scanned, bytes: bytes as u64, end, partitions: partitions.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(from: i64) -> Part {
        let partition = Partition::new(0).expect("a partition");
        Part { partition, start: 0, end: 100, from, next: 100, error: None }
    }

    fn progress(next: i64, done: bool) -> Progress {
        Progress { next, done, error: None }
    }

    #[test]
    fn what_was_covered_has_no_hole() {
        // Covered so far, range, how far it came, and then: covered from, next.
        let cases = [
            (100, (90, 100), progress(100, true), (90, 100)),
            (100, (90, 100), progress(95, false), (90, 95)),
            (90, (50, 90), progress(90, true), (50, 100)),
            (90, (50, 90), progress(60, false), (90, 100)),
        ];
        for (covered, (from, to), progress, want) in cases {
            let mut part = part(covered);
            part.cover(&Range { partition: 0, from, to }, &progress, &mut Vec::new());
            assert_eq!((part.from, part.next), want, "{covered} {from}..{to} {progress:?}");
        }
    }

    #[test]
    fn where_a_part_begins() {
        let from = |start, at| {
            let partition = Partition::new(0).expect("a partition");
            let part = super::part(partition, Ok(10), Ok(20), at, start);
            (part.from, part.error)
        };
        let time = flowdeck_model::Timestamp::from_millis(0);
        assert_eq!(from(ReadStart::Newest, None), (20, None));
        assert_eq!(from(ReadStart::Earliest, None), (10, None));
        assert_eq!(from(ReadStart::Offset(3), None), (10, None));
        assert_eq!(from(ReadStart::Offset(15), None), (15, None));
        assert_eq!(from(ReadStart::Offset(99), None), (20, None));
        assert_eq!(from(ReadStart::At(time), Some(Ok(12))), (12, None));
        assert_eq!(from(ReadStart::At(time), Some(Ok(-1))), (20, None));
        assert_eq!(from(ReadStart::At(time), Some(Err(Cause::Timeout))), (0, Some(Cause::Timeout)));
    }
}
