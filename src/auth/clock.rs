//! The clock by which sessions and tokens expire: the system's, or one that a test sets.

use std::sync::Arc;
use std::time::SystemTime;

use flowdeck_model::Timestamp;

#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    pub fn system() -> Self {
        Self::new(|| Timestamp::from_system(SystemTime::now()))
    }

    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.0)()
    }
}
