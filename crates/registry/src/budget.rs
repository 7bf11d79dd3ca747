//! What asking may take: records may be made that name very many schemas, each of which would be asked for.

use std::time::{Duration, Instant};

pub(crate) const WINDOW: Duration = Duration::from_secs(10);
const ASKED_MAX: u32 = 200;
const TIME_MAX: Duration = Duration::from_secs(4);

/// Of one registry, within a window of time.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    since: Option<Instant>,
    asked: u32,
    spent: Duration,
}

impl Budget {
    /// Whether one more may be asked for.
    pub(crate) fn allows(&mut self, now: Instant) -> bool {
        if self.since.is_none_or(|since| now.saturating_duration_since(since) >= WINDOW) {
            *self = Self { since: Some(now), ..Self::default() };
        }
        self.asked < ASKED_MAX && self.spent < TIME_MAX
    }

    pub(crate) fn spend(&mut self, took: Duration) {
        self.asked += 1;
        self.spent += took;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_has_a_number_and_a_time() {
        let now = Instant::now();
        let mut budget = Budget::default();
        let mut allowed = 0;
        while budget.allows(now) {
            budget.spend(Duration::from_millis(1));
            allowed += 1;
        }
        assert_eq!(allowed, ASKED_MAX);
        assert!(!budget.allows(now + WINDOW / 2));
        assert!(budget.allows(now + WINDOW));
        budget.spend(TIME_MAX);
        assert!(!budget.allows(now + WINDOW));
        assert!(budget.allows(now + WINDOW * 2));
    }
}
