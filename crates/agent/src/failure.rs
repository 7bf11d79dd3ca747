//! What a handler's failure means, and what follows from it.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// An error of any type, as `anyhow` and `tower` have it.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// What is to be done about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// Another try may succeed: as often as [`OnError::retries`] says.
    Retry,
    /// No other try would: what [`OnError::then`] says follows at once.
    Permanent,
    /// No other try would, and the record belongs into the dead letters, where the agent has a topic for them
    /// ([`crate::AgentBuilder::dead_letters`]); else as [`Self::Permanent`].
    DeadLetter,
}

/// Any error of a handler. As with `anyhow::Error`, every error converts into it by `?`; it may be tried again then,
/// unless the agent's mapping ([`crate::AgentBuilder::map_errors`]) says otherwise.
pub struct HandlerError {
    /// `None`: the mapping decides.
    failure: Option<Failure>,
    source: BoxError,
}

impl HandlerError {
    /// Another try may succeed, whatever the mapping says.
    pub fn retry(error: impl Into<BoxError>) -> Self {
        Self { failure: Some(Failure::Retry), source: error.into() }
    }

    /// No other try would succeed, whatever the mapping says.
    pub fn permanent(error: impl Into<BoxError>) -> Self {
        Self { failure: Some(Failure::Permanent), source: error.into() }
    }

    /// Into the dead letters, whatever the mapping says: see [`Failure::DeadLetter`].
    pub fn dead_letter(error: impl Into<BoxError>) -> Self {
        Self { failure: Some(Failure::DeadLetter), source: error.into() }
    }

    /// What was said by [`Self::retry`], [`Self::permanent`] or [`Self::dead_letter`].
    pub fn failure(&self) -> Option<Failure> {
        self.failure
    }

    /// The handler's own error.
    pub fn source(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.source
    }

    /// To go through a `tower::Layer`, whose errors are boxes.
    pub(crate) fn into_box(self) -> BoxError {
        match self.failure {
            None => self.source,
            Some(_) => Box::new(Boxed(self)),
        }
    }

    /// As it was before the layers; an error of a layer's own is one as any.
    pub(crate) fn from_box(error: BoxError) -> Self {
        match error.downcast::<Boxed>() {
            Ok(boxed) => boxed.0,
            Err(source) => Self { failure: None, source },
        }
    }
}

impl<E: Into<BoxError>> From<E> for HandlerError {
    fn from(error: E) -> Self {
        Self::from_box(error.into())
    }
}

impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

impl fmt::Debug for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

#[derive(Debug)]
struct Boxed(HandlerError);

impl fmt::Display for Boxed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Boxed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.source()
    }
}

/// What the host's own errors mean.
#[derive(Clone)]
pub(crate) struct Mapping(Arc<Map>);

type Map = dyn Fn(&(dyn Error + 'static)) -> Failure + Send + Sync;

impl Mapping {
    pub(crate) fn new(map: impl Fn(&(dyn Error + 'static)) -> Failure + Send + Sync + 'static) -> Self {
        Self(Arc::new(map))
    }

    pub(crate) fn failure(&self, error: &HandlerError) -> Failure {
        error.failure.unwrap_or_else(|| (self.0)(&*error.source))
    }
}

impl Default for Mapping {
    fn default() -> Self {
        Self::new(|_| Failure::Retry)
    }
}

impl fmt::Debug for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mapping")
    }
}

/// What happens when a handler fails (a panic counts as a failure): tried again up to `retries`
/// times, then `then`. While a record waits for its next try its partition is paused (by key: its key) and no worker
/// is taken; the gate is asked again before each try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnError {
    /// How often to try again after the first failure; 5 times by default.
    pub retries: u32,
    /// The wait before the first retry; doubled for each further one. None at all: at once. 200 ms by default.
    pub backoff: Duration,
    /// No wait is longer than this; 5 s by default.
    pub backoff_max: Duration,
    /// Each wait is a random one between half of it and all of it, so that instances that failed together do not
    /// come back together. On by default.
    pub jitter: bool,
    /// What happens after the last try, or after a permanent failure; [`Then::PausePartition`] by default.
    pub then: Then,
}

/// What happens with a record whose handler failed for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Then {
    /// The record counts as handled and the next one is taken.
    Skip,
    /// The partition is paused at this record, uncommitted, until a pause and a resume, a rebalance or
    /// a restart lets it be tried again. Telemetry lists it as paused.
    PausePartition,
    /// It goes to the topic of [`crate::AgentBuilder::dead_letters`], and counts as handled once it is there. Where that
    /// topic refuses it for what it is (its size), as [`Self::PausePartition`].
    DeadLetter,
}

impl Default for OnError {
    /// Five retries from 200 ms to 5 s with jitter, then the partition is paused: nothing is lost without a word.
    fn default() -> Self {
        Self {
            retries: 5,
            backoff: Duration::from_millis(200),
            backoff_max: Duration::from_secs(5),
            jitter: true,
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
        let wait = self.backoff.saturating_mul(1 << doublings).min(self.backoff_max);
        Some(if self.jitter { wait.mul_f64(rand::random_range(0.5..=1.0)) } else { wait })
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
            jitter: false,
            then: Then::Skip,
        };
        let waits: Vec<_> = (1..=5).map(|n| policy.wait(n).map(|wait| wait.as_millis())).collect();
        assert_eq!(waits, vec![Some(100), Some(200), Some(350), Some(350), None]);
        let none = OnError { retries: 0, ..policy };
        assert_eq!(none.wait(1), None);
        let many = OnError { retries: u32::MAX, ..policy };
        assert_eq!(many.wait(u32::MAX), Some(Duration::from_millis(350)));
    }

    #[test]
    fn jitter_takes_up_to_half_of_a_wait() {
        let policy = OnError { jitter: true, ..OnError::default() };
        let waits: Vec<_> = (0..200).map(|_| policy.wait(2).unwrap()).collect();
        assert!(waits.iter().all(|wait| (200..=400).contains(&wait.as_millis())));
        assert!(waits.iter().any(|wait| *wait != waits[0]));
        let at_once = OnError { backoff: Duration::ZERO, ..policy };
        assert_eq!(at_once.wait(1), Some(Duration::ZERO));
    }

    #[derive(Debug)]
    struct Constraint;

    impl fmt::Display for Constraint {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a constraint of the database")
        }
    }

    impl Error for Constraint {}

    #[test]
    fn a_mapping_decides_what_the_handler_left_open() {
        let mapping = Mapping::new(|error| match error.downcast_ref::<Constraint>() {
            Some(_) => Failure::Permanent,
            None => Failure::Retry,
        });
        assert_eq!(mapping.failure(&HandlerError::from(Constraint)), Failure::Permanent);
        assert_eq!(mapping.failure(&HandlerError::retry(Constraint)), Failure::Retry);
        assert_eq!(mapping.failure(&HandlerError::from("a time-out")), Failure::Retry);
        assert_eq!(mapping.failure(&HandlerError::permanent("not JSON")), Failure::Permanent);
        assert_eq!(Mapping::default().failure(&HandlerError::from(Constraint)), Failure::Retry);
    }

    #[test]
    fn an_error_is_the_same_behind_layers() {
        let through = HandlerError::from_box(HandlerError::permanent(Constraint).into_box());
        assert_eq!(through.failure(), Some(Failure::Permanent));
        assert!(through.source().is::<Constraint>());
        let converted = HandlerError::from(HandlerError::permanent(Constraint).into_box());
        assert_eq!(converted.failure(), Some(Failure::Permanent));
        assert!(HandlerError::from(Constraint).into_box().is::<Constraint>(), "as a layer sees it");
    }
}
