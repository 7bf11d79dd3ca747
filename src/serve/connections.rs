//! How many connections are open, and whether more find a place: for `/metrics`, `/health` and the log, which
//! hears of trouble once and not at each try.

use std::io::ErrorKind;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::lock::lock;

/// Between two words on a bound that is reached again and again.
const SAY_AGAIN: Duration = Duration::from_secs(60);
/// Trouble counts for health so long after it was last met.
const LATELY: Duration = Duration::from_secs(5);

/// Of one listener.
#[derive(Debug, Default)]
pub struct Connections {
    open: AtomicUsize,
    max: AtomicUsize,
    failed: AtomicU64,
    failing: AtomicBool,
    full: Mutex<Full>,
}

#[derive(Debug, Default)]
struct Full {
    met: Option<Instant>,
    said: Option<Instant>,
}

impl Connections {
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// As many as may be open at once.
    pub fn max(&self) -> usize {
        self.max.load(Ordering::Relaxed)
    }

    /// Tries to accept a client that failed.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Why new clients are not let in; `None` where they are.
    pub fn trouble(&self) -> Option<String> {
        if self.failing.load(Ordering::Relaxed) {
            return Some(
                "new connections cannot be accepted; most often no file handles are left".to_owned(),
            );
        }
        let full = lock(&self.full);
        let waits = full.met.is_some_and(|at| at.elapsed() < LATELY) || self.open() >= self.max();
        (waits && self.max() > 0)
            .then(|| format!("{} connections are open, as many as may be; new ones wait", self.open()))
    }

    pub(super) fn bound(&self, max: usize) {
        self.max.store(max, Ordering::Relaxed);
    }

    /// A new client has to wait for a place.
    pub(super) fn full(&self) {
        let now = Instant::now();
        let mut full = lock(&self.full);
        full.met = Some(now);
        if full.said.is_none_or(|at| now.duration_since(at) >= SAY_AGAIN) {
            full.said = Some(now);
            tracing::warn!(max = self.max(), "as many connections are open as may be: new ones wait");
        }
    }

    /// A client that went before it was accepted is none of ours.
    pub(super) fn accept_failed(&self, error: &std::io::Error) {
        if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset) {
            return;
        }
        self.failed.fetch_add(1, Ordering::Relaxed);
        if !self.failing.swap(true, Ordering::Relaxed) {
            tracing::warn!(%error, "connections cannot be accepted; it is tried again and again");
        }
    }

    pub(super) fn accepted(&self) {
        if self.failing.swap(false, Ordering::Relaxed) {
            tracing::info!("connections are accepted again");
        }
    }

    pub(super) fn enter(self: &std::sync::Arc<Self>) -> Open {
        self.open.fetch_add(1, Ordering::Relaxed);
        Open(std::sync::Arc::clone(self))
    }
}

/// One connection; counted until it is dropped.
pub(super) struct Open(std::sync::Arc<Connections>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn trouble_is_reported_while_it_lasts() {
        let connections = Arc::<Connections>::default();
        connections.bound(2);
        connections.accept_failed(&ErrorKind::ConnectionAborted.into());
        assert_eq!(connections.trouble(), None);
        connections.accept_failed(&std::io::Error::other("no handles"));
        assert!(connections.trouble().unwrap().contains("file handles"));
        connections.accepted();
        assert_eq!((connections.trouble(), connections.failed()), (None, 1));
        let places = [connections.enter(), connections.enter()];
        assert!(connections.trouble().unwrap().starts_with("2 connections are open"));
        drop(places);
        assert_eq!((connections.trouble(), connections.open()), (None, 0));
    }
}
