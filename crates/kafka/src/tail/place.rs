//! Where a tail begins or goes on: whether the topic is the one that was followed before, and the first offset of each
//! partition. Pure.

use flowdeck_model::Partition;

use super::TailFrom;
use crate::metadata::TopicId;

/// What a tail knows of its topic from before.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Former {
    /// Of the topic that was followed last; `None`: it was not to be had, or there was none.
    pub(super) id: Option<TopicId>,
    /// It was followed, so there are positions.
    pub(super) followed: bool,
    /// It was out of sight since.
    pub(super) away: bool,
    /// Whoever listens was told that it is gone.
    pub(super) told: bool,
}

/// A partition's log, and what was handed over of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) partition: Partition,
    pub(super) start: i64,
    pub(super) end: i64,
    /// The next offset to hand over.
    pub(super) next: Option<i64>,
    /// The first offset at or after the time that the request names; -1 where no record is so late.
    pub(super) at: Option<i64>,
}

/// Which log lies under the topic's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Log {
    /// It is looked at for the first time.
    First,
    /// The one that was followed before.
    Same,
    /// It came since the tail began: all that is in it is new.
    New,
    /// Another one than was followed before; all that is in it is new.
    Other,
}

impl Former {
    /// `id`: of the topic that is there now.
    pub(super) fn log(&self, id: Option<TopicId>, spans: &[Span]) -> Log {
        match (self.id, id) {
            (Some(before), Some(now)) if before != now => Log::Other,
            _ if !self.followed && !self.away => Log::First,
            _ if !self.followed => Log::New,
            (Some(_), Some(_)) => Log::Same,
            // Nothing tells which topic it is, but that a log that is made anew begins at 0.
            _ if self.away && spans.iter().any(Span::is_passed) => Log::Other,
            _ => Log::Same,
        }
    }

    /// It is followed from now on.
    pub(super) fn following(&self, log: Log, id: Option<TopicId>) -> Self {
        let id = if log == Log::Other { id } else { id.or(self.id) };
        Self { id, followed: true, away: false, told: false }
    }

    /// Whoever listens is told that the topic is gone, and keeps nothing of it where it is read from its beginning.
    pub(super) fn gone(&self, from: TailFrom) -> Self {
        match from {
            TailFrom::Beginning => Self::made_anew(),
            _ => Self { away: true, told: true, ..*self },
        }
    }

    /// Nothing that was read of it counts any more, and whoever listens was told.
    pub(super) fn made_anew() -> Self {
        Self { id: None, followed: false, away: true, told: true }
    }
}

impl Span {
    /// What was handed over lies beyond the log.
    fn is_passed(&self) -> bool {
        self.next.is_some_and(|next| next > self.end)
    }

    /// The first offset to read.
    pub(super) fn first(&self, log: Log, from: TailFrom) -> i64 {
        let Self { start, end, .. } = *self;
        match (log, self.next) {
            // A partition that was added is new as a whole.
            (Log::New | Log::Other, _) | (Log::Same, None) => return start,
            // What lay before the log's start is gone.
            (Log::Same, Some(next)) if next <= end => return next.max(start),
            (Log::First | Log::Same, _) => {}
        }
        let within = |offset: i64| offset.clamp(start, end.max(start));
        match from {
            TailFrom::Beginning => start,
            TailFrom::End => end,
            TailFrom::Offset(offset) => within(offset),
            TailFrom::Last(count) => within(end - count),
            TailFrom::Time(_) => within(self.at.filter(|at| *at >= 0).unwrap_or(end)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: Option<TopicId> = Some(TopicId { most: 0, least: 1 });
    const NEW: Option<TopicId> = Some(TopicId { most: 0, least: 2 });

    fn span(start: i64, end: i64, next: Option<i64>) -> Span {
        Span { partition: Partition::FIRST, start, end, next, at: None }
    }

    /// Where it goes on, and whether whoever listens has to be told that what was read no longer counts.
    fn place(former: Former, from: TailFrom, id: Option<TopicId>, span: Span) -> (i64, bool) {
        let log = former.log(id, &[span]);
        (span.first(log, from), log == Log::Other && !former.told)
    }

    #[test]
    fn a_topic_that_was_out_of_sight_goes_on_where_it_is_the_same() {
        let from = TailFrom::End;
        let followed = Former::default().following(Log::First, OLD);
        let away = Former { away: true, ..followed };
        for former in [followed, away, followed.gone(from)] {
            assert_eq!(place(former, from, OLD, span(0, 9, Some(7))).0, 7);
            assert_eq!(place(former, from, OLD, span(8, 9, Some(7))).0, 8, "what is gone is passed");
            assert_eq!(place(former, from, OLD, span(0, 9, None)).0, 0, "a partition that was added");
            assert_eq!(place(former, from, OLD, span(0, 5, Some(7))).0, 5, "a log that was cut");
            assert_eq!(place(former, from, NEW, span(0, 9, Some(7))).0, 0, "made anew");
        }
        assert!(place(away, from, NEW, span(0, 9, Some(7))).1, "that is said");
        assert!(!place(followed.gone(from), from, NEW, span(0, 9, Some(7))).1, "once");
        assert!(!place(away, from, OLD, span(0, 9, Some(7))).1);
    }

    #[test]
    fn without_an_id_it_is_the_same_as_long_as_what_was_read_fits() {
        let from = TailFrom::End;
        let followed = Former::default().following(Log::First, None);
        let away = Former { away: true, ..followed };
        assert_eq!(place(away, from, None, span(0, 9, Some(7))), (7, false));
        assert_eq!(place(away, from, None, span(0, 5, Some(7))), (0, true));
        // Not out of sight: cut, and not made anew.
        assert_eq!(place(followed, from, None, span(0, 5, Some(7))), (5, false));
        // An id that is not to be had for a moment is kept.
        let known = Former::default().following(Log::First, OLD).following(Log::Same, None);
        assert_eq!(place(Former { away: true, ..known }, from, NEW, span(0, 9, Some(7))), (0, true));
    }

    #[test]
    fn what_was_not_there_is_new_and_what_is_kept_from_the_beginning_is_read_again() {
        let first = Former::default();
        assert_eq!(place(first, TailFrom::End, OLD, span(0, 9, None)), (9, false));
        let absent = first.gone(TailFrom::End);
        assert_eq!(place(absent, TailFrom::End, OLD, span(0, 9, None)), (0, false));
        let followed = first.following(Log::First, OLD);
        let gone = followed.gone(TailFrom::Beginning);
        assert_eq!(place(gone, TailFrom::Beginning, OLD, span(0, 9, Some(7))), (0, false));
        let away = Former { away: true, ..followed };
        assert_eq!(place(away, TailFrom::Beginning, OLD, span(0, 9, Some(7))), (7, false), "nobody was told");
        assert_eq!(place(Former::made_anew(), TailFrom::End, NEW, span(0, 9, Some(7))), (0, false));
    }
}
