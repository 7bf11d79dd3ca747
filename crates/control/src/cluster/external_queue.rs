//! External commands that wait until something can be written, and what is remembered of those that came before.

use std::collections::VecDeque;
use std::time::Duration;

use flowdeck_model::{CommandId, GroupId, Timestamp};
use flowdeck_protocol::kafkaflow as wire;

use crate::commands::external::Repeats;
use crate::commands::rejected::{RejectedCommands, Why};

/// Commands that are left to another Flowdeck first, or that came while nothing could be written.
const WAITING_MAX: usize = 128;
/// What could not be written for so long is not what somebody wants now.
const GIVEN_UP: Duration = Duration::from_secs(60);

/// An external command that is not looked at yet.
pub(super) struct Waiting {
    pub(super) id: CommandId,
    pub(super) command: wire::Command,
    pub(super) came: Timestamp,
}

/// What becomes of the first that waits.
pub(super) enum Due {
    /// It can be written now.
    TakeOver(Waiting),
    /// Another Flowdeck wrote since it came: that one heard it as well, and did what there was to be done.
    LeftToAnother(Waiting),
    /// It waited too long.
    GivenUp,
}

#[derive(Default)]
pub(super) struct ExternalQueue {
    waiting: VecDeque<Waiting>,
    repeats: Repeats,
    rejected: RejectedCommands,
    /// When another Flowdeck last wrote to the holds.
    others_wrote: Option<Timestamp>,
}

impl ExternalQueue {
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Waiting> {
        self.waiting.iter()
    }

    /// Says whether there was space for it.
    pub(super) fn push(&mut self, one: Waiting) -> bool {
        let fits = self.waiting.len() < WAITING_MAX;
        if fits {
            self.waiting.push_back(one);
        }
        fits
    }

    /// In the order in which they came.
    pub(super) fn next_due(&mut self, can_write: bool, now: Timestamp) -> Option<Due> {
        let others_wrote = self.others_wrote;
        let is_left = |one: &Waiting| others_wrote.is_some_and(|at| at > one.came);
        let one =
            self.waiting.pop_front_if(|one| can_write || is_left(one) || now.since(one.came) >= GIVEN_UP)?;
        Some(match (is_left(&one), can_write) {
            (true, _) => Due::LeftToAnother(one),
            (false, true) => Due::TakeOver(one),
            (false, false) => Due::GivenUp,
        })
    }

    pub(super) fn others_wrote(&mut self, at: Timestamp) {
        self.others_wrote = Some(at);
    }

    /// Whether one more change of the group in the minute in which it came is one of `most`.
    pub(super) fn admit(&mut self, group: &GroupId, most: u32, came: Timestamp) -> bool {
        self.repeats.admit(group, most, came)
    }

    /// The newest command for the group was one too many.
    pub(super) fn is_capped(&self, group: &GroupId, now: Timestamp) -> bool {
        self.repeats.is_capped(group, now)
    }

    pub(super) fn capped(&self, now: Timestamp) -> impl Iterator<Item = &GroupId> {
        self.repeats.capped(now)
    }

    /// One is not taken over. Says whether a warning begins.
    pub(super) fn rejected(&mut self, why: Why, now: Timestamp) -> bool {
        self.rejected.note(why, now)
    }

    /// For whoever may see the cluster: without names.
    pub(super) fn warnings(&self, now: Timestamp) -> impl Iterator<Item = String> {
        self.repeats.warning(now).into_iter().chain(self.rejected.warnings(now))
    }
}
