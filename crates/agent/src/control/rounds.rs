//! When the reader is assigned anew. Pure.
//!
//! Each assignment begins a round, which ends with the end of the holds: of an assignment before it the client tells
//! nothing any more, so that this end is the one that the broker has now. Who waits for an end names the first round whose
//! end it may trust: one that has begun before it asked may have found an end that is older than what it waits for.
//!
//! A round is left to find its end before the next one begins, however many ask meanwhile: agents that keep on asking
//! would else keep it from all.

use std::time::{Duration, Instant};

/// A round that takes longer is given up for the next one, where somebody asks for that: the broker was away, say.
const LONGEST: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Rounds {
    asked: u64,
    /// The present one.
    begun: u64,
    begun_at: Instant,
    awaits_end: bool,
}

impl Rounds {
    pub(super) fn new(now: Instant) -> Self {
        Self { asked: 0, begun: 0, begun_at: now, awaits_end: false }
    }

    /// Asks for one that has not begun yet.
    pub(super) fn ask(&mut self) -> u64 {
        self.asked = self.begun + 1;
        self.asked
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        let ended = !self.awaits_end || now.saturating_duration_since(self.begun_at) >= LONGEST;
        self.asked > self.begun && ended
    }

    /// `reads_holds`: it ends.
    pub(super) fn begin(&mut self, reads_holds: bool, now: Instant) {
        self.begun += 1;
        self.begun_at = now;
        self.awaits_end = reads_holds;
    }

    /// The client refused: not at once again.
    pub(super) fn not_begun(&mut self, now: Instant) {
        self.begun_at = now;
        self.awaits_end = true;
    }

    /// The end of the holds. Gives the round whose end it is.
    pub(super) fn end(&mut self) -> u64 {
        self.awaits_end = false;
        self.begun
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_serves_who_asked_before_its_round_began() {
        let now = Instant::now();
        let mut rounds = Rounds::new(now);
        assert!(!rounds.is_due(now));
        let (one, other) = (rounds.ask(), rounds.ask());
        assert_eq!(one, other, "many ask for one");
        rounds.begin(true, now);
        let late = rounds.ask();
        assert!(!rounds.is_due(now), "the present one is left to end");
        let end = rounds.end();
        assert!(end >= one && end < late);
        assert!(rounds.is_due(now));
        rounds.begin(true, now);
        assert_eq!(rounds.end(), late);
        assert!(!rounds.is_due(now + LONGEST));
    }

    #[test]
    fn a_round_without_an_end_keeps_nobody_for_long() {
        let now = Instant::now();
        let mut rounds = Rounds::new(now);
        rounds.ask();
        rounds.begin(true, now);
        rounds.ask();
        assert!(!rounds.is_due(now));
        assert!(rounds.is_due(now + LONGEST));
        // Without holds there is no end.
        rounds.begin(false, now);
        rounds.ask();
        assert!(rounds.is_due(now));
    }

    #[test]
    fn a_refused_assignment_is_tried_again_later() {
        let now = Instant::now();
        let mut rounds = Rounds::new(now);
        let asked = rounds.ask();
        rounds.not_begun(now);
        assert!(!rounds.is_due(now) && rounds.is_due(now + LONGEST));
        assert!(rounds.end() < asked, "of the assignment before");
    }
}
