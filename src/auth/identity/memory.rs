//! Sessions of this process alone.
//!
//! It differs from tower-sessions' `MemoryStore` where that one would be unsafe here: `save` replaces and never makes
//! (a log-out is not undone by a request that was under way), it is bounded, in all and for each user, and expired
//! records are swept.

use std::collections::HashMap;
use std::sync::Mutex;

use async_trait::async_trait;
use tower_sessions::SessionStore;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{ExpiredDeletion, Result as StoreResult};

use super::record::Owner;
use crate::clock::Clock;
use crate::lock::lock;

/// Sessions and generations in this process: some MiB at most.
pub(super) const MOST_RECORDS: usize = 10_000;
/// Sessions of one user in this process: more log-ins end the user's own oldest ones, and nobody else's.
pub(in crate::auth) const MOST_OF_USER: usize = 50;

/// The records of this process.
pub(in crate::auth) struct Memory {
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
    pub(in crate::auth) fn new(most: usize, clock: Clock) -> Self {
        Self { records: Mutex::default(), most, clock }
    }

    fn with<T>(&self, work: impl FnOnce(&mut HashMap<Id, Record>) -> T) -> T {
        work(&mut lock(&self.records))
    }

    fn expired(&self, record: &Record) -> bool {
        i128::from(self.clock.now().millis()) * 1_000_000 >= record.expiry_date.unix_timestamp_nanos()
    }
}

/// Removes the least recently used sessions of a user who has as many as allowed.
fn evict_of(user: &str, records: &mut HashMap<Id, Record>) {
    let last_used =
        |record: &Record| Owner::of(record).filter(|owner| owner.user == user).map(|owner| owner.last_used);
    let mut own: Vec<_> =
        records.values().filter_map(|record| last_used(record).map(|used| (used, record.id))).collect();
    own.sort_unstable_by_key(|(used, _)| *used);
    let over = (own.len() + 1).saturating_sub(MOST_OF_USER);
    for (_, id) in &own[..over] {
        records.remove(id);
    }
}

#[async_trait]
impl SessionStore for Memory {
    /// Full: ends a session of the same user or, at the limit in all, the one that would end
    /// first.
    async fn create(&self, record: &mut Record) -> StoreResult<()> {
        self.with(|records| {
            while records.get(&record.id).is_some_and(|there| !self.expired(there)) {
                record.id = Id::default();
            }
            if let Some(owner) = Owner::of(record) {
                evict_of(owner.user, records);
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
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use flowdeck_model::Timestamp;
    use time::OffsetDateTime;

    use super::*;

    fn record(seconds: i64) -> Record {
        let expiry_date = OffsetDateTime::from_unix_timestamp(seconds).unwrap();
        Record { id: Id::default(), data: Default::default(), expiry_date }
    }

    #[tokio::test]
    async fn memory_store_is_bounded_and_swept() {
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
        assert!(store.load(&all[1].id).await.unwrap().is_none(), "the one that would end first was removed");
        now.store(20_000, Ordering::Relaxed);
        assert!(store.load(&all[2].id).await.unwrap().is_none(), "expired");
        store.delete_expired().await.unwrap();
        assert_eq!(store.with(|records| records.len()), 1);
    }
}
