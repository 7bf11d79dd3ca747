//! The clock by which sessions and tokens expire: the system's, or one that a test sets.

use std::sync::Arc;
use std::time::SystemTime;

use flowdeck_model::Timestamp;

#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    pub fn system() -> Self {
        Self::new(now)
    }

    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.0)()
    }
}

/// The system's time.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_system(SystemTime::now())
}
