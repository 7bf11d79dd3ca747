//! What was: lag, time lag and rates of each group over time, in memory of a bounded size, and what happened to it.
//!
//! `store` is pure and holds the rings, `record` fills it from published snapshots, `read` gives a view of a window.
//! Minutes are written to `flowdeck.samples` elsewhere; `replay` reads them and `restore` takes them in.

mod agents;
mod compact;
mod failed_calls;
mod read;
mod record;
mod replay;
mod restore;
mod ring;
mod series;
mod store;
mod told;
mod trend;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(crate) use read::view;
pub use record::record;
pub use replay::{Replay, newest_minute};
pub use restore::Restore;
pub use ring::Point;
pub use series::Resolution;
pub use store::{Problems, Store, StoreLimits};

/// One cluster's history; cheap to clone. It is locked for short: reading or writing some groups.
#[derive(Clone, Default)]
pub struct History(Arc<Mutex<Store>>);

impl History {
    pub fn lock(&self) -> MutexGuard<'_, Store> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why minutes are not read from their topic, or not written to it.
    pub fn problems(&self) -> Vec<String> {
        let Problems { read, write } = self.lock().problems.clone();
        read.into_iter().chain(write).collect()
    }
}
