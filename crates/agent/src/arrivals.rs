//! Partitions whose queue in the client got records while it was empty. The client's threads add to the list,
//! under a lock of the client's; so nothing here waits for anything.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::record::TopicPartition;

#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    /// Each partition at most once.
    list: Mutex<Vec<Arc<Arrival>>>,
    any: AtomicBool,
    /// There is work: wakes one worker.
    pub(crate) work: Notify,
}

#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) at: Arc<TopicPartition>,
    listed: AtomicBool,
}

impl Arrival {
    pub(crate) fn new(at: Arc<TopicPartition>) -> Arc<Self> {
        Arc::new(Self { at, listed: AtomicBool::new(false) })
    }
}

impl Arrivals {
    pub(crate) fn add(&self, arrival: &Arc<Arrival>) {
        if !arrival.listed.swap(true, Ordering::AcqRel) {
            self.list().push(Arc::clone(arrival));
            self.any.store(true, Ordering::Release);
            self.work.notify_one();
        }
    }

    /// Costs next to nothing while there are none.
    pub(crate) fn any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    pub(crate) fn take(&self) -> Vec<Arc<Arrival>> {
        if !self.any.swap(false, Ordering::AcqRel) {
            return vec![];
        }
        let taken = std::mem::take(&mut *self.list());
        for arrival in &taken {
            // What arrives from now on is listed again.
            arrival.listed.store(false, Ordering::Release);
        }
        taken
    }

    fn list(&self) -> MutexGuard<'_, Vec<Arc<Arrival>>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_listed_once_until_it_is_taken() {
        let arrivals = Arrivals::default();
        let arrival = Arrival::new(Arc::new(TopicPartition::parse("t", 0).unwrap()));
        assert!(!arrivals.any());
        arrivals.add(&arrival);
        arrivals.add(&arrival);
        assert!(arrivals.any());
        assert_eq!(arrivals.take().len(), 1);
        assert_eq!(arrivals.take().len(), 0);
        arrivals.add(&arrival);
        assert_eq!(arrivals.take().len(), 1);
    }
}
