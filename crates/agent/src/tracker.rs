//! What of one partition is committed. A partition is handled one record at a time and in order, so what was
//! handled is always a prefix: one number tells it, its position.

/// Offsets as Kafka commits them: the next one to read.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Tracker {
    committed: Option<i64>,
}

impl Tracker {
    /// What should be committed now; `None` where nothing new was handled.
    pub(crate) fn due(&self, position: Option<i64>) -> Option<i64> {
        position.filter(|next| Some(*next) != self.committed)
    }

    pub(crate) fn committed(&mut self, next: i64) {
        self.committed = Some(next);
    }

    /// A commit failed: what was taken for committed is due again.
    pub(crate) fn not_committed(&mut self) {
        self.committed = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_handled_is_due_and_only_once() {
        let mut tracker = Tracker::default();
        assert_eq!(tracker.due(None), None);
        assert_eq!(tracker.due(Some(10)), Some(10));
        tracker.committed(10);
        assert_eq!(tracker.due(Some(10)), None);
        assert_eq!(tracker.due(Some(11)), Some(11));
    }

    #[test]
    fn a_failed_commit_is_due_again() {
        let mut tracker = Tracker::default();
        tracker.committed(8);
        tracker.not_committed();
        assert_eq!(tracker.due(Some(8)), Some(8));
    }
}
