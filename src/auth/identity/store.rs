//! Requests to the session store, each with a deadline.

use std::future::Future;
use std::time::Duration;

use tower_sessions::session_store::{Error as BackendError, Result as StoreResult};

pub(in crate::auth) const PATIENCE: Duration = Duration::from_secs(2);

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
pub(in crate::auth) async fn ask<T>(
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn session_store_times_out() {
        let error = ask_within(Duration::from_millis(1), "look", std::future::pending::<StoreResult<()>>())
            .await
            .unwrap_err();
        assert!(matches!(error, StoreError::Deadline { operation: "look" }));
    }
}
