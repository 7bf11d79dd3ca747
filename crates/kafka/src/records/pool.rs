//! Warm readers: a fresh one costs its connections' time. Few, reused, closed once idle.

use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Isolation;
use super::reader::{Purpose, Reader};
use crate::Deadline;
use crate::client::lock;
use crate::config::{ClusterConfig, ConfigError};
use crate::error::Cause;

/// Reads at a time on one cluster; more wait their turn, within their deadline. One may take a second reader,
/// of the other isolation.
const READERS: usize = 4;
/// Searches at a time on one cluster, at the most.
const SEARCHERS: usize = 8;
/// An idle reader holds connections to brokers: it is closed after this.
const IDLE: Duration = Duration::from_secs(60);

pub(crate) struct Pool {
    purpose: Purpose,
    turns: Arc<Semaphore>,
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    /// The longest idle first.
    readers: Vec<(Instant, Reader)>,
    /// A task waits to close what stays idle: one is enough, however often readers are used.
    watched: bool,
}

impl Pool {
    pub(crate) fn new(purpose: Purpose) -> Self {
        let turns = if purpose == Purpose::Search { SEARCHERS } else { READERS };
        Self { purpose, turns: Arc::new(Semaphore::new(turns)), idle: Mutex::default() }
    }
}

/// The right to read, given back when dropped.
pub(crate) struct Turn {
    _permit: OwnedSemaphorePermit,
}

impl Pool {
    pub(crate) async fn turn(&self, deadline: Deadline) -> Result<Turn, Cause> {
        let permit = tokio::time::timeout_at(deadline.instant(), self.turns.clone().acquire_owned()).await;
        match permit {
            Ok(Ok(permit)) => Ok(Turn { _permit: permit }),
            Ok(Err(_)) => Err(Cause::Closing),
            Err(_) => Err(Cause::Timeout),
        }
    }

    /// A reader for whoever has a turn.
    pub(crate) fn take(&self, config: &ClusterConfig, isolation: Isolation) -> Result<Reader, ConfigError> {
        let mut idle = lock(&self.idle);
        // The last used is the warmest.
        match idle.readers.iter().rposition(|(_, reader)| reader.isolation() == isolation) {
            Some(at) => Ok(idle.readers.remove(at).1),
            None => {
                drop(idle);
                Reader::open(config, isolation, self.purpose)
            }
        }
    }

    /// Keeps the reader for the next one, for a while. Call within a runtime.
    pub(crate) fn put_back(self: &Arc<Self>, reader: Reader) {
        let mut idle = lock(&self.idle);
        idle.readers.push((Instant::now(), reader));
        if idle.readers.len() > 2 * READERS {
            idle.readers.remove(0);
        }
        if idle.watched {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            idle.watched = true;
            runtime.spawn(close_idle(Arc::downgrade(self)));
        }
    }

    /// Closes what was idle for long enough. How long to wait for the next one; `None`: no reader is left.
    fn close_expired(&self) -> Option<Duration> {
        let mut idle = lock(&self.idle);
        let expired = idle.readers.partition_point(|(since, _)| since.elapsed() >= IDLE);
        let closed: Vec<_> = idle.readers.drain(..expired).collect();
        let next = idle.readers.first().map(|(since, _)| IDLE.saturating_sub(since.elapsed()));
        idle.watched = next.is_some();
        drop(idle);
        drop(closed);
        next
    }
}

async fn close_idle(pool: Weak<Pool>) {
    let mut wait = IDLE;
    loop {
        tokio::time::sleep(wait).await;
        let Some(next) = pool.upgrade().and_then(|pool| pool.close_expired()) else { return };
        wait = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_task_closes_idle_readers_however_often_they_are_used() {
        let config = ClusterConfig::new("127.0.0.1:1");
        let pool = Arc::new(Pool::new(Purpose::Peek));
        for _ in 0..20 {
            let reader = pool.take(&config, Isolation::ReadCommitted).unwrap();
            pool.put_back(reader);
        }
        assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 1);
        assert_eq!(lock(&pool.idle).readers.len(), 1);
    }
}
