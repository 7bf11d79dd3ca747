//! What runs, and what failed lately.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use flowdeck_model::{Partition, Timestamp, TopicName};

use crate::failure::HandlerError;
use crate::handler::Delivery;
use crate::processing::{Counted, Histogram};
use crate::record::{Record, TopicPartition};
use crate::shared::now;

/// Failures that are kept.
const KEPT: usize = 50;
/// In characters.
const TEXT_MAX: usize = 1_000;

/// A call of the handler that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FailedCall {
    /// When it ended, by this machine's clock.
    pub at: Timestamp,
    /// Of the record.
    pub topic: TopicName,
    /// Of the record.
    pub partition: Partition,
    /// Of the record.
    pub offset: i64,
    /// As [`crate::Context::attempt`]: 1 for the first try; on a retry topic those before it count too.
    pub attempt: u32,
    /// The handler's error, or a panic's text; cut after 1,000 characters.
    pub error: String,
}

/// A call of the handler that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunningCall {
    /// By this machine's clock.
    pub since: Timestamp,
    /// Of the record.
    pub topic: TopicName,
    /// Of the record.
    pub partition: Partition,
    /// Of the record.
    pub offset: i64,
}

#[derive(Debug, Default)]
pub(crate) struct History {
    failed: Mutex<VecDeque<FailedCall>>,
    workers: Mutex<Vec<Weak<Current>>>,
}

/// What one worker handles now. Its worker writes it for each record, so without a lock but for the partition, and
/// into cache lines of its own.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Current {
    at: Mutex<Option<Arc<TopicPartition>>>,
    offset: AtomicI64,
    /// In epoch milliseconds; -1 while nothing runs.
    since: AtomicI64,
    times: Histogram,
}

/// When a worker took its lane, by both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TakenAt {
    instant: Instant,
    millis: i64,
}

impl History {
    pub(crate) fn failed(&self, delivery: Delivery<'_>, error: &HandlerError) {
        let mut failed = lock(&self.failed);
        if failed.len() == KEPT {
            failed.pop_front();
        }
        failed.push_back(FailedCall {
            at: now(),
            topic: delivery.topic().clone(),
            partition: delivery.partition(),
            offset: delivery.offset(),
            attempt: delivery.attempt(),
            error: error.to_string().chars().take(TEXT_MAX).collect(),
        });
    }

    pub(crate) fn failures(&self) -> Vec<FailedCall> {
        lock(&self.failed).iter().cloned().collect()
    }

    /// Of a worker that begins.
    pub(crate) fn worker(&self) -> Arc<Current> {
        let current = Arc::new(Current {
            at: Mutex::new(None),
            offset: AtomicI64::new(0),
            since: AtomicI64::new(-1),
            times: Histogram::default(),
        });
        let mut workers = lock(&self.workers);
        workers.retain(|worker| worker.strong_count() > 0);
        workers.push(Arc::downgrade(&current));
        current
    }

    /// How long calls took that ended since the last time. What a worker that ended counted last is left out.
    pub(crate) fn take_times(&self, into: &mut Counted) {
        for worker in lock(&self.workers).iter().filter_map(Weak::upgrade) {
            worker.times.take(into);
        }
    }

    /// The longest first.
    pub(crate) fn running(&self) -> Vec<RunningCall> {
        let workers: Vec<_> = lock(&self.workers).iter().filter_map(Weak::upgrade).collect();
        let mut running: Vec<_> = workers.iter().filter_map(|worker| worker.call()).collect();
        running.sort_by_key(|call| call.since);
        running
    }
}

impl Current {
    pub(crate) fn takes(&self, at: &Arc<TopicPartition>, instant: Instant) -> TakenAt {
        *lock(&self.at) = Some(Arc::clone(at));
        TakenAt { instant, millis: now().millis() }
    }

    pub(crate) fn begins(&self, record: &Record, taken: TakenAt, began: Instant) {
        let later = began.saturating_duration_since(taken.instant).as_millis();
        self.offset.store(record.offset(), Ordering::Relaxed);
        let since = taken.millis.saturating_add(i64::try_from(later).unwrap_or(i64::MAX));
        self.since.store(since, Ordering::Release);
    }

    pub(crate) fn ends(&self, took: Duration) {
        self.times.add(took);
        self.since.store(-1, Ordering::Release);
    }

    fn call(&self) -> Option<RunningCall> {
        let since = self.since.load(Ordering::Acquire);
        let at = lock(&self.at).clone()?;
        let offset = self.offset.load(Ordering::Relaxed);
        let (topic, partition) = (at.topic.clone(), at.partition);
        (since >= 0).then(|| RunningCall { since: Timestamp::from_millis(since), topic, partition, offset })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_util::sync::CancellationToken;

    #[test]
    fn the_last_fifty_failures_are_kept() {
        let (history, cancellation) = (History::default(), CancellationToken::new());
        for offset in 0..60 {
            let record = Record::test("t", 0, offset);
            let error = HandlerError::from("x".repeat(2_000));
            history.failed(Delivery::new(&record, 2, &cancellation), &error);
        }
        let failures = history.failures();
        assert_eq!((failures.len(), failures[0].offset, failures[49].offset), (50, 10, 59));
        assert_eq!((failures[0].attempt, failures[0].error.len()), (2, 1_000));
    }

    #[test]
    fn what_runs_is_known_until_its_worker_ends() {
        let history = History::default();
        let (one, other) = (history.worker(), history.worker());
        assert!(history.running().is_empty());
        for (worker, partition) in [(&one, 1), (&other, 2)] {
            let record = Record::test("t", partition, 7);
            let began = Instant::now();
            let taken = worker.takes(record.at(), began);
            worker.begins(&record, taken, began);
        }
        assert_eq!(history.running().len(), 2);
        other.ends(Duration::ZERO);
        let running = history.running();
        assert_eq!((running.len(), running[0].partition.get(), running[0].offset), (1, 1, 7));
        drop(one);
        assert!(history.running().is_empty());
    }
}
