//! Whether this process leads now, by its own clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Says at any moment, and to any thread, whether this process leads. Cheap to clone.
#[derive(Clone)]
pub struct Leadership(Arc<Term>);

impl Leadership {
    pub(super) fn of(term: Arc<Term>) -> Self {
        Self(term)
    }

    /// False at the latest when another process can be elected, whatever events still wait to be received.
    pub fn is_held(&self) -> bool {
        self.0.is_running(Instant::now())
    }
}

/// Until when this process leads.
pub(super) struct Term {
    base: Instant,
    /// In microseconds after `base`; 0: it does not lead.
    until: AtomicU64,
}

impl Term {
    pub(super) fn new() -> Self {
        Self { base: Instant::now(), until: AtomicU64::new(0) }
    }

    pub(super) fn is_running(&self, now: Instant) -> bool {
        now < self.base + Duration::from_micros(self.until.load(Ordering::Acquire))
    }

    pub(super) fn begin(&self, until: Instant) {
        let micros = until.saturating_duration_since(self.base).as_micros();
        // A span that was read from the clock is far below the bound.
        self.until.store(u64::try_from(micros).unwrap_or(0), Ordering::Release);
    }

    /// Puts the end off; false where it has come already.
    pub(super) fn extend(&self, now: Instant, until: Instant) -> bool {
        let running = self.is_running(now);
        if running {
            self.begin(until);
        }
        running
    }

    pub(super) fn end(&self) {
        self.until.store(0, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn term_that_has_ended_is_not_extended() {
        let term = Term::new();
        let after = |seconds| term.base + Duration::from_secs(seconds);
        assert!(!term.is_running(after(0)) && !term.extend(after(0), after(9)));
        term.begin(after(5));
        assert!(term.is_running(after(4)) && !term.is_running(after(5)));
        assert!(term.extend(after(4), after(7)) && term.is_running(after(6)));
        // Frozen until after its end: an answer that came since changes nothing.
        assert!(!term.extend(after(8), after(13)) && !term.is_running(after(8)));
        term.begin(after(20));
        term.end();
        assert!(!term.is_running(after(10)));
    }
}
