//! What a service gives to the agent: a handler, and what to do when it fails.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use crate::record::Record;

/// The service's own work. Called for one record of a partition at a time, in the order of the log (other orders:
/// [`crate::Distribution`]); records of different partitions run side by side, as many as there are workers.
///
/// A record may come twice (at least once): after a crash, a retry, or a rebalance that did not wait
/// for it.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    async fn handle(&self, record: &Record) -> Result<(), HandlerError>;
}

/// Any error of a handler. As with `anyhow::Error`, every error converts into it by `?`.
pub struct HandlerError(Box<dyn std::error::Error + Send + Sync>);

impl<E: Into<Box<dyn std::error::Error + Send + Sync>>> From<E> for HandlerError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What happens when a handler fails (a panic counts as a failure): tried again up to `retries`
/// times, then `then`. While a record waits for its next try its partition is paused and no worker is
/// taken; the gate is asked again before each try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnError {
    /// How often to try again after the first failure.
    pub retries: u32,
    /// The wait before the first retry; doubled for each further one.
    pub backoff: Duration,
    /// No wait is longer than this.
    pub backoff_max: Duration,
    pub then: Then,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// The record counts as handled and the next one is taken.
    Skip,
    /// The partition is paused at this record, uncommitted, until a pause and a resume, a rebalance or
    /// a restart lets it be tried again. Telemetry lists it as paused.
    PausePartition,
}

impl Default for OnError {
    /// Five retries from 200 ms to 5 s, then the partition is paused: nothing is lost without a word.
    fn default() -> Self {
        Self {
            retries: 5,
            backoff: Duration::from_millis(200),
            backoff_max: Duration::from_secs(5),
            then: Then::PausePartition,
        }
    }
}

impl OnError {
    /// The wait before the try after `failures` failures (1 or more); `None` where there is none left.
    pub(crate) fn wait(&self, failures: u32) -> Option<Duration> {
        if failures > self.retries {
            return None;
        }
        let doublings = failures.saturating_sub(1).min(20);
        Some(self.backoff.saturating_mul(1 << doublings).min(self.backoff_max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_their_limit_and_end() {
        let policy = OnError {
            retries: 4,
            backoff: Duration::from_millis(100),
            backoff_max: Duration::from_millis(350),
            then: Then::Skip,
        };
        let waits: Vec<_> = (1..=5).map(|n| policy.wait(n).map(|wait| wait.as_millis())).collect();
        assert_eq!(waits, vec![Some(100), Some(200), Some(350), Some(350), None]);
        let none = OnError { retries: 0, ..policy };
        assert_eq!(none.wait(1), None);
        let many = OnError { retries: u32::MAX, ..policy };
        assert_eq!(many.wait(u32::MAX), Some(Duration::from_millis(350)));
    }
}
