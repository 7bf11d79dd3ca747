//! What was: lag, time lag and rates of each group over time, in memory of a bounded size, and what happened to it.
//!
//! `store` is pure and holds the rings, `record` fills it from published snapshots, `read` gives a view of a window.

mod compact;
mod read;
mod record;
mod ring;
mod series;
mod store;
mod trend;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(crate) use read::view;
pub use record::record;
pub use ring::Point;
pub use series::Resolution;
pub use store::{Store, StoreLimits};

/// One cluster's history; cheap to clone. It is locked for short: reading or writing some groups.
#[derive(Clone, Default)]
pub struct History(Arc<Mutex<Store>>);

impl History {
    pub fn lock(&self) -> MutexGuard<'_, Store> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
