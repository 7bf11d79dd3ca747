//! Where sessions are kept: in this process, or in Redis where several replicas share them. Every
//! question has a deadline.
//!
//! The process's own store differs from tower-sessions' `MemoryStore` where that one would be
//! unsafe here: `save` replaces and never makes (a log-out is not undone by a request that was
//! under way), it is bounded, in all and for each user, and expired records are swept.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;
use tower_sessions::SessionStore;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{Error as BackendError, ExpiredDeletion, Result as StoreResult};

use super::session::Owner;
use super::settings::Redis;
use super::{Clock, SessionRules};

pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// Sessions and generations in this process: some MiB at most.
const MOST_RECORDS: usize = 10_000;
/// Sessions of one user in this process: who logs in again and again ends his own and nobody else's.
pub(super) const MOST_OF_USER: usize = 50;
const SWEEP_EVERY: Duration = Duration::from_secs(60);

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("could not {operation}")]
    Asked { operation: &'static str, source: BackendError },
    #[error("could not {operation}: no answer within {} s", PATIENCE.as_secs())]
    Deadline { operation: &'static str },
    #[error("could not {operation}: what was written is not there")]
    Lost { operation: &'static str },
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("auth.session.redis: {0}")]
    Redis(String),
    #[error("auth.session.redis_ca: {0}")]
    RedisCa(String),
    #[error("auth.session.redis: this build has no Redis; build it with the cargo feature `redis`")]
    NoRedis,
}

/// Logs what fails: callers only learn that it did.
pub(super) async fn ask<T>(
    operation: &'static str,
    work: impl Future<Output = StoreResult<T>>,
) -> Result<T, StoreError> {
    ask_within(PATIENCE, operation, work).await
}

async fn ask_within<T>(
    patience: Duration,
    operation: &'static str,
    work: impl Future<Output = StoreResult<T>>,
) -> Result<T, StoreError> {
    let error = match tokio::time::timeout(patience, work).await {
        Ok(Ok(answer)) => return Ok(answer),
        Ok(Err(source)) => StoreError::Asked { operation, source },
        Err(_) => StoreError::Deadline { operation },
    };
    let source = std::error::Error::source(&error).map(ToString::to_string);
    tracing::warn!(%error, source, "the session store failed");
    Err(error)
}

pub(super) async fn open(
    redis: Option<Redis>,
    rules: SessionRules,
    clock: &Clock,
    stop: CancellationToken,
) -> Result<Arc<dyn SessionStore>, OpenError> {
    if let Some(redis) = redis {
        #[cfg(feature = "redis")]
        return super::redis::open(&redis, stop).await;
        #[cfg(not(feature = "redis"))]
        return Err(OpenError::NoRedis);
    }
    let store = Arc::new(Memory::new(MOST_RECORDS, clock.clone()));
    let swept = store.clone();
    let every = SWEEP_EVERY.min(rules.idle);
    tokio::spawn(async move {
        while tokio::time::timeout(every, stop.cancelled()).await.is_err() {
            // This store cannot fail.
            let _ = swept.delete_expired().await;
        }
    });
    Ok(store)
}

/// The records of this process.
pub(super) struct Memory {
    records: Mutex<HashMap<Id, Record>>,
    most: usize,
    clock: Clock,
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Memory(…)")
    }
}

impl Memory {
    pub(super) fn new(most: usize, clock: Clock) -> Self {
        Self { records: Mutex::default(), most, clock }
    }

    fn with<T>(&self, work: impl FnOnce(&mut HashMap<Id, Record>) -> T) -> T {
        work(&mut self.records.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn expired(&self, record: &Record) -> bool {
        i128::from(self.clock.now().millis()) * 1_000_000 >= record.expiry_date.unix_timestamp_nanos()
    }
}

/// Makes room where the user has as many as he may: what was not used for longest goes.
fn make_room_of(user: &str, records: &mut HashMap<Id, Record>) {
    let his =
        |record: &Record| Owner::of(record).filter(|owner| owner.user == user).map(|owner| owner.last_used);
    let mut own: Vec<_> =
        records.values().filter_map(|record| his(record).map(|used| (used, record.id))).collect();
    own.sort_unstable_by_key(|(used, _)| *used);
    let over = (own.len() + 1).saturating_sub(MOST_OF_USER);
    for (_, id) in &own[..over] {
        records.remove(id);
    }
}

#[async_trait]
impl SessionStore for Memory {
    /// Full: makes room by ending a session of the same user or, where it is full in all, the one that would end
    /// first.
    async fn create(&self, record: &mut Record) -> StoreResult<()> {
        self.with(|records| {
            while records.get(&record.id).is_some_and(|there| !self.expired(there)) {
                record.id = Id::default();
            }
            if let Some(owner) = Owner::of(record) {
                make_room_of(owner.user, records);
            }
            if records.len() >= self.most {
                records.retain(|_, record| !self.expired(record));
            }
            while records.len() >= self.most {
                let first = records.values().min_by_key(|record| record.expiry_date).map(|record| record.id);
                let Some(first) = first else { break };
                records.remove(&first);
            }
            records.insert(record.id, record.clone());
        });
        Ok(())
    }

    async fn save(&self, record: &Record) -> StoreResult<()> {
        self.with(|records| {
            if let Some(there) = records.get_mut(&record.id) {
                *there = record.clone();
            }
        });
        Ok(())
    }

    async fn load(&self, id: &Id) -> StoreResult<Option<Record>> {
        Ok(self.with(|records| records.get(id).filter(|record| !self.expired(record)).cloned()))
    }

    async fn delete(&self, id: &Id) -> StoreResult<()> {
        self.with(|records| records.remove(id));
        Ok(())
    }
}

#[async_trait]
impl ExpiredDeletion for Memory {
    async fn delete_expired(&self) -> StoreResult<()> {
        self.with(|records| records.retain(|_, record| !self.expired(record)));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use flowdeck_model::Timestamp;
    use time::OffsetDateTime;

    use super::*;

    fn record(seconds: i64) -> Record {
        let expiry_date = OffsetDateTime::from_unix_timestamp(seconds).unwrap();
        Record { id: Id::default(), data: Default::default(), expiry_date }
    }

    #[tokio::test]
    async fn bounded_and_swept() {
        let now = Arc::new(AtomicI64::new(0));
        let clock = Clock::new({
            let now = now.clone();
            move || Timestamp::from_millis(now.load(Ordering::Relaxed))
        });
        let store = Memory::new(3, clock);
        let mut all = [record(10), record(5), record(20), record(30)];
        for record in &mut all {
            store.create(record).await.unwrap();
        }
        assert_eq!(store.with(|records| records.len()), 3);
        assert!(store.load(&all[1].id).await.unwrap().is_none(), "the one that would end first made room");
        now.store(20_000, Ordering::Relaxed);
        assert!(store.load(&all[2].id).await.unwrap().is_none(), "expired");
        store.delete_expired().await.unwrap();
        assert_eq!(store.with(|records| records.len()), 1);
    }

    #[tokio::test]
    async fn a_store_that_never_answers_is_given_up() {
        let error = ask_within(Duration::from_millis(1), "look", std::future::pending::<StoreResult<()>>())
            .await
            .unwrap_err();
        assert!(matches!(error, StoreError::Deadline { operation: "look" }));
    }
}
