//! One bounded read of a topic: takes the log's bounds, finds each partition's position, and reads
//! backwards or forwards from there.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use flowdeck_model::{Partition, Timestamp};
use tokio_util::sync::CancellationToken;

use super::pool::{Pool, Turn};
use super::reader::Reader;
use super::scan::{Filter, Scan};
use super::throttle::Throttle;
use super::{
    Isolation, PartitionRead, ReadEnd, ReadOutcome, ReadRequest, ReadStart, Record, Transaction, aborted,
    backward, forward,
};
use crate::error::{Cause, Error, Operation};
use crate::{Cluster, Deadline, OffsetSpec, Topic};

/// How long to look for aborted transactions among what was read.
const MARKING: Duration = Duration::from_millis(500);

/// One partition's part of a read.
pub(super) struct Part {
    pub(super) partition: Partition,
    /// The log's bounds when the read began.
    pub(super) start: i64,
    pub(super) end: i64,
    /// The read's position: it covers what lies before it, or from it on.
    pub(super) at: i64,
    /// What was read lies in `from..next`.
    pub(super) from: i64,
    pub(super) next: i64,
    pub(super) none_shown: bool,
    /// Every offset from the first that was read to the log's end is a record: no transaction ended there.
    pub(super) unbroken: bool,
    /// The last stable offset, taken after `end`.
    pub(super) stable: Option<i64>,
    pub(super) error: Option<Cause>,
}

pub(super) struct Plan {
    pub(super) request: ReadRequest,
    pub(super) topic: Topic,
    /// When the read began, in milliseconds.
    pub(super) now: i64,
}

/// What a read gave, beside what it noted at the parts.
pub(super) struct Found {
    pub(super) records: Vec<Record>,
    pub(super) scanned: u64,
    pub(super) bytes: usize,
    pub(super) end: ReadEnd,
    pub(super) older: bool,
    pub(super) newer: bool,
}

impl Cluster {
    /// Reads within the request's bounds. Dropping the future or cancelling stops the work. Partitions
    /// that cannot be read say so in the outcome; `Err` where nothing could be.
    pub async fn read(&self, request: ReadRequest, cancel: CancellationToken) -> Result<ReadOutcome, Error> {
        let failed = |cause| Error::new(Operation::Read, cause);
        let (plan, parts) = self.plan(request).await?;
        let deadline = plan.request.deadline;
        let turn = self.pool().turn(deadline).await.map_err(failed)?;
        let stop = cancel.child_token();
        // Where this future is dropped, the threads learn of it.
        let _stop = stop.clone().drop_guard();
        let places: Vec<_> = parts.iter().map(|part| (plan.topic.clone(), part.partition)).collect();
        let pool = self.pool().clone();
        let work = self.on_a_thread(pool, plan.clone(), stop.clone(), turn, move |reader, plan, stop| {
            run(reader, plan, parts, stop)
        });
        let (work, stable) = tokio::join!(work, self.stable(&plan, &places));
        let ((mut found, mut parts), turn) = work.map_err(failed)?;
        for (part, stable) in parts.iter_mut().zip(stable) {
            part.stable = stable.ok();
        }
        if plan.request.transactions {
            found.records = self.marked(&plan, &parts, found.records, stop, turn).await.map_err(failed)?;
        }
        Ok(outcome(found, parts))
    }

    /// Reads as `read` does, and gives only the records that the filter lets through: `limit_records` and
    /// `limit_bytes` are of those, and a scan backwards may give some more, since it keeps what it has covered whole.
    /// `until`: no record of this time or later, forwards. `transactions` and `neighbours` are not looked for.
    pub async fn scan(
        &self,
        request: ReadRequest,
        until: Option<Timestamp>,
        filter: Filter,
        throttle: Arc<Throttle>,
        cancel: CancellationToken,
    ) -> Result<ReadOutcome, Error> {
        let failed = |cause| Error::new(Operation::Read, cause);
        let (plan, mut parts) = self.plan(request).await?;
        let deadline = plan.request.deadline;
        if let Some(until) = until {
            let places: Vec<_> = parts.iter().map(|part| (plan.topic.clone(), part.partition)).collect();
            let ends = self.offsets(&places, OffsetSpec::At(until), deadline).await;
            for (part, end) in parts.iter_mut().zip(ends) {
                match end {
                    // None is as late.
                    Ok(end) if end >= 0 => part.end = end.clamp(part.start, part.end),
                    Ok(_) => {}
                    Err(cause) => part.error = part.error.take().or(Some(cause)),
                }
                part.at = part.at.min(part.end);
            }
        }
        let turn = self.searches().turn(deadline).await.map_err(failed)?;
        let stop = cancel.child_token();
        // Where this future is dropped, the thread learns of it.
        let _stop = stop.clone().drop_guard();
        let pool = self.searches().clone();
        let work = self.on_a_thread(pool, plan, stop, turn, move |reader, plan, stop| {
            let scan = Scan::new(plan, &filter, &throttle, stop);
            let found = match plan.request.start {
                ReadStart::Newest | ReadStart::Before(_) => scan.backward(reader, &mut parts),
                _ => scan.forward(reader, &mut parts),
            };
            (found, parts)
        });
        let ((found, parts), _turn) = work.await.map_err(failed)?;
        Ok(outcome(found, parts))
    }

    /// Runs with a reader, and gives the turn back with what came of it.
    async fn on_a_thread<T: Send + 'static>(
        &self,
        pool: Arc<Pool>,
        plan: Arc<Plan>,
        stop: CancellationToken,
        turn: Turn,
        run: impl FnOnce(&Reader, &Plan, &CancellationToken) -> T + Send + 'static,
    ) -> Result<(T, Turn), Cause> {
        let config = self.config().clone();
        let work = tokio::task::spawn_blocking(move || {
            let reader = pool.take(&config, plan.request.isolation).map_err(of_config)?;
            let result = run(&reader, &plan, &stop);
            pool.put_back(reader);
            Ok((result, turn))
        });
        work.await.unwrap_or(Err(Cause::Closing))
    }

    /// The last stable offsets, where they are needed. Asked for once the ends are known: they may be compared.
    async fn stable(&self, plan: &Plan, places: &[(Topic, Partition)]) -> Vec<Result<i64, Cause>> {
        let is_asked = plan.request.transactions && plan.request.isolation == Isolation::ReadUncommitted;
        if !is_asked {
            return vec![];
        }
        self.offsets(places, OffsetSpec::LatestCommitted, plan.request.deadline).await
    }

    async fn marked(
        &self,
        plan: &Arc<Plan>,
        parts: &[Part],
        mut records: Vec<Record>,
        stop: CancellationToken,
        turn: Turn,
    ) -> Result<Vec<Record>, Cause> {
        if plan.request.isolation == Isolation::ReadCommitted {
            records.iter_mut().for_each(|record| record.transaction = Transaction::Settled);
            return Ok(records);
        }
        let ranges = aborted::mark_known(parts, &mut records);
        if ranges.is_empty() {
            return Ok(records);
        }
        let (pool, config) = (self.pool().clone(), self.config().clone());
        let first = pool.clone();
        let work = self.on_a_thread(first, plan.clone(), stop, turn, move |reader, plan, stop| {
            // Without a second reader it is not known.
            if let Ok(committed) = pool.take(&config, Isolation::ReadCommitted) {
                let deadline = Deadline::after(plan.request.deadline.left().min(MARKING));
                aborted::mark((&committed, reader), plan, &ranges, &mut records, deadline, stop);
                pool.put_back(committed);
            }
            records
        });
        work.await.map(|(records, _)| records)
    }

    async fn plan(&self, request: ReadRequest) -> Result<(Arc<Plan>, Vec<Part>), Error> {
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
            parts.push(part(partition, starts[place].clone(), ends[place].clone(), at, &request.start));
        }
        if let Some(cause) = parts.iter().all(|part| part.error.is_some()).then(|| parts.first()).flatten() {
            let cause = cause.error.clone().unwrap_or(Cause::UnknownTopic);
            return Err(Error::new(Operation::Read, cause));
        }
        let now = Timestamp::from_system(SystemTime::now()).millis();
        Ok((Arc::new(Plan { request, topic: name, now }), parts))
    }
}

fn of_config(error: crate::ConfigError) -> Cause {
    Cause::Unsupported(format!("a reader could not be made: {error}"))
}

/// A partition and its position within the log's bounds.
fn part(
    partition: Partition,
    start: Result<i64, Cause>,
    end: Result<i64, Cause>,
    at_time: Option<Result<i64, Cause>>,
    from: &ReadStart,
) -> Part {
    let at = match (from, at_time) {
        (ReadStart::Newest, _) => Ok(i64::MAX),
        (ReadStart::Earliest, _) => Ok(0),
        (ReadStart::Offset(offset), _) => Ok(*offset),
        (ReadStart::At(_), Some(Ok(offset))) if offset >= 0 => Ok(offset),
        (ReadStart::At(_), Some(Err(cause))) => Err(cause),
        // No record is as late.
        (ReadStart::At(_), _) => Ok(i64::MAX),
        (ReadStart::Before(positions) | ReadStart::From(positions), _) => {
            let position = positions.iter().find(|(named, _)| *named == partition);
            Ok(position.map_or(0, |(_, offset)| *offset))
        }
    };
    let failed = |at: i64, cause| Part {
        partition,
        start: 0,
        end: 0,
        at,
        from: at,
        next: at,
        none_shown: false,
        unbroken: false,
        stable: None,
        error: Some(cause),
    };
    match (start, end, at) {
        (Ok(start), Ok(end), Ok(at)) => {
            let end = end.max(start);
            let at = at.clamp(start, end);
            let (none_shown, unbroken) = (false, false);
            Part {
                partition,
                start,
                end,
                at,
                from: at,
                next: at,
                none_shown,
                unbroken,
                stable: None,
                error: None,
            }
        }
        (Err(cause), _, at) | (_, Err(cause), at) => failed(at.unwrap_or(i64::MAX), cause),
        (_, _, Err(cause)) => failed(i64::MAX, cause),
    }
}

fn run(reader: &Reader, plan: &Plan, mut parts: Vec<Part>, stop: &CancellationToken) -> (Found, Vec<Part>) {
    let found = match plan.request.start {
        ReadStart::Newest | ReadStart::Before(_) => backward::read(reader, plan, &mut parts, stop),
        _ => forward::read(reader, plan, &mut parts, stop),
    };
    (found, parts)
}

fn outcome(found: Found, parts: Vec<Part>) -> ReadOutcome {
    let partitions = parts.into_iter().map(|part| PartitionRead {
        partition: part.partition,
        start: part.start,
        end: part.end,
        from: part.from,
        next: part.next,
        none_shown: part.none_shown,
        error: part.error,
    });
    ReadOutcome {
        records: found.records,
        scanned: found.scanned,
        bytes: found.bytes as u64,
        end: found.end,
        older: found.older,
        newer: found.newer,
        partitions: partitions.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_lies_within_the_log() {
        let partition = |number| Partition::new(number).expect("a partition");
        let at = |start: ReadStart, time| {
            let part = part(partition(1), Ok(10), Ok(20), time, &start);
            (part.at, part.error)
        };
        let time = Timestamp::from_millis(0);
        let positions = |offset| vec![(partition(0), 11), (partition(1), offset)];
        assert_eq!(at(ReadStart::Newest, None), (20, None));
        assert_eq!(at(ReadStart::Earliest, None), (10, None));
        assert_eq!(at(ReadStart::Offset(3), None), (10, None));
        assert_eq!(at(ReadStart::Offset(15), None), (15, None));
        assert_eq!(at(ReadStart::Offset(99), None), (20, None));
        assert_eq!(at(ReadStart::At(time), Some(Ok(12))), (12, None));
        assert_eq!(at(ReadStart::At(time), Some(Ok(-1))), (20, None));
        assert_eq!(at(ReadStart::At(time), Some(Err(Cause::Timeout))), (i64::MAX, Some(Cause::Timeout)));
        assert_eq!(at(ReadStart::Before(positions(13)), None), (13, None));
        assert_eq!(at(ReadStart::From(positions(99)), None), (20, None));
        // A partition that was added since has nothing before a position, and all of it after.
        assert_eq!(at(ReadStart::From(vec![(partition(0), 11)]), None), (10, None));
    }
}
