//! Warm readers: a fresh one costs its connections' time. Few, reused, closed once idle.

use std::sync::{Arc, Mutex};
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
    idle: Mutex<Vec<(Instant, Reader)>>,
}

impl Pool {
    pub(crate) fn new(purpose: Purpose) -> Self {
        let turns = if purpose == Purpose::Search { SEARCHERS } else { READERS };
        Self { purpose, turns: Arc::new(Semaphore::new(turns)), idle: Mutex::new(Vec::new()) }
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
        match idle.iter().rposition(|(_, reader)| reader.isolation() == isolation) {
            Some(at) => Ok(idle.remove(at).1),
            None => {
                drop(idle);
                Reader::open(config, isolation, self.purpose)
            }
        }
    }

    /// Keeps the reader for the next one, for a while. Call within a runtime.
    pub(crate) fn put_back(self: &Arc<Self>, reader: Reader) {
        let mut idle = lock(&self.idle);
        idle.push((Instant::now(), reader));
        if idle.len() > 2 * READERS {
            idle.remove(0);
        }
        drop(idle);
        let pool = Arc::downgrade(self);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                tokio::time::sleep(IDLE).await;
                if let Some(pool) = pool.upgrade() {
                    lock(&pool.idle).retain(|(since, _)| since.elapsed() < IDLE);
                }
            });
        }
    }
}
