//! When a call must have ended. A point in time, not a span, so that it can be handed down.

use std::time::Duration;

use tokio::time::Instant;

/// The moment by which a call ends, with an answer or with an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    pub fn after(span: Duration) -> Self {
        // A day is further away than any call may last, and keeps the sum in range.
        Self(Instant::now() + span.min(Duration::from_secs(86_400)))
    }

    pub fn instant(self) -> Instant {
        self.0
    }

    /// What is left; zero once it has passed.
    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    pub fn passed(self) -> bool {
        self.left().is_zero()
    }

    /// What is left in librdkafka's unit, at least 1 (0 and -1 have meanings of their own).
    fn millis(self) -> i32 {
        i32::try_from(self.left().as_millis()).unwrap_or(i32::MAX).max(1)
    }

    /// A little less: for requests to several brokers, of which one that does not answer would else cost the
    /// answers of the others, too. They come when librdkafka gives up on the one.
    pub(crate) fn millis_to_answer(self) -> i32 {
        let left = self.millis();
        (left - (left / 10).min(500)).max(1)
    }
}

impl From<Duration> for Deadline {
    fn from(span: Duration) -> Self {
        Self::after(span)
    }
}

impl From<Instant> for Deadline {
    fn from(instant: Instant) -> Self {
        Self(instant)
    }
}
