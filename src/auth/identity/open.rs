//! Where sessions are kept: in this process, or in Redis where several replicas share them.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tower_sessions::{ExpiredDeletion as _, SessionStore};

use super::memory::{MOST_RECORDS, Memory};
use super::store::OpenError;
use crate::auth::settings::session::{Redis, SessionRules};
use crate::clock::Clock;

const SWEEP_EVERY: Duration = Duration::from_secs(60);

pub(in crate::auth) async fn open(
    redis: Option<Redis>,
    rules: SessionRules,
    clock: &Clock,
    stop: CancellationToken,
) -> Result<Arc<dyn SessionStore>, OpenError> {
    #[cfg(feature = "redis")]
    if let Some(redis) = redis {
        return super::redis::open(&redis, stop).await;
    }
    #[cfg(not(feature = "redis"))]
    if redis.is_some() {
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
