//! What of one partition was handled and what of that is committed. A partition is handled one
//! record at a time and in order, so what was handled is always a prefix: one number tells it.

/// Offsets as Kafka commits them: the next one to read.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Tracker {
    next: Option<i64>,
    committed: Option<i64>,
}

impl Tracker {
    /// The record at `offset` is done with. Never moves back: an old record that comes again after a
    /// rewind of the client must not take a later commit with it.
    pub(crate) fn handled(&mut self, offset: i64) {
        let next = offset.saturating_add(1);
        self.next = Some(self.next.map_or(next, |was| was.max(next)));
    }

    /// What should be committed now; `None` where nothing new was handled.
    pub(crate) fn due(&self) -> Option<i64> {
        self.next.filter(|next| Some(*next) != self.committed)
    }

    pub(crate) fn committed(&mut self, next: i64) {
        self.committed = Some(next);
    }

    /// A commit failed: what was taken for committed is due again.
    pub(crate) fn not_committed(&mut self) {
        self.committed = None;
    }

    pub(crate) fn position(&self) -> Option<i64> {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_handled_is_due_and_only_once() {
        let mut tracker = Tracker::default();
        assert_eq!(tracker.due(), None);
        tracker.handled(4);
        // A gap in the log (compaction, an aborted transaction) is no gap in what was handled.
        tracker.handled(9);
        assert_eq!(tracker.due(), Some(10));
        tracker.committed(10);
        assert_eq!(tracker.due(), None);
        tracker.handled(10);
        assert_eq!(tracker.due(), Some(11));
    }

    #[test]
    fn a_failed_commit_is_due_again_and_nothing_moves_back() {
        let mut tracker = Tracker::default();
        tracker.handled(7);
        tracker.committed(8);
        tracker.not_committed();
        assert_eq!(tracker.due(), Some(8));
        tracker.handled(3);
        assert_eq!(tracker.due(), Some(8));
    }
}
