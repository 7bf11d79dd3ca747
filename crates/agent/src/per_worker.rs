//! A count that each worker keeps for itself. One that all of them add to would move from core to core with each record,
//! and with it whatever lies beside it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Monotonic: the count of a worker that ended stays, for the next one that begins.
#[derive(Debug, Default)]
pub(crate) struct PerWorker(Mutex<Vec<Arc<WorkerCount>>>);

/// Of one worker: it alone adds. It shares no cache line (two are read at once).
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct WorkerCount(AtomicU64);

impl PerWorker {
    pub(crate) fn worker(&self) -> Arc<WorkerCount> {
        let mut counts = self.lock();
        if let Some(free) = counts.iter().find(|count| Arc::strong_count(count) == 1) {
            return Arc::clone(free);
        }
        let count = Arc::<WorkerCount>::default();
        counts.push(Arc::clone(&count));
        count
    }

    pub(crate) fn sum(&self) -> u64 {
        self.lock().iter().map(|count| count.0.load(Ordering::Acquire)).sum()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<WorkerCount>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WorkerCount {
    pub(crate) fn add_one(&self) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_of_a_worker_that_ended_stays_and_is_used_on() {
        let counts = PerWorker::default();
        let (one, other) = (counts.worker(), counts.worker());
        one.add_one();
        one.add_one();
        other.add_one();
        assert_eq!(counts.sum(), 3);
        drop(one);
        assert_eq!(counts.sum(), 3);
        let next = counts.worker();
        next.add_one();
        assert_eq!((counts.sum(), counts.lock().len()), (4, 2));
    }
}
