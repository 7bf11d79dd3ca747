//! Lag of one partition: end offset − committed offset, from the brokers. What cannot be known is a
//! value of its own; nothing is clamped or invented.

mod time;
pub mod trace;

pub use time::{Precision, TimeLag};

use serde::{Deserialize, Serialize};

/// Why a partition's lag is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum Unknown {
    /// The group has committed nothing for this partition.
    NeverCommitted,
    /// It had committed, and the commit is gone: it expired, or was deleted.
    CommitGone,
    /// Committed lies after the end of the log (the topic was truncated, or the read is torn).
    AheadOfLog,
    /// The same, and the end was seen to go back in the same log.
    Truncated,
    /// Committed lies before the start of the log: records were deleted unread.
    OutOfRange,
    /// The topic's id changed while this process watched: the commit speaks of another log.
    Recreated,
    /// The brokers, asked for the topic by its name, know none.
    TopicDeleted,
    /// The list of topics lacks it, and why could not be asked.
    TopicNotFound,
    /// The cluster does not let Flowdeck read what it needs.
    NotPermitted,
    /// The last good reading is too old to speak of now.
    Stale,
}

impl Unknown {
    /// What an operator must hear of first comes last.
    pub const ALL: [Self; 10] = [
        Self::NeverCommitted,
        Self::CommitGone,
        Self::OutOfRange,
        Self::AheadOfLog,
        Self::Truncated,
        Self::Recreated,
        Self::TopicDeleted,
        Self::TopicNotFound,
        Self::Stale,
        Self::NotPermitted,
    ];

    /// Its place in `ALL`.
    pub(crate) fn place(self) -> usize {
        Self::ALL.iter().position(|one| *one == self).unwrap_or_default()
    }

    /// In words, for a person.
    pub fn label(self) -> &'static str {
        match self {
            Self::NeverCommitted => "never committed",
            Self::CommitGone => "the committed offset expired or was deleted",
            Self::Truncated => {
                "committed offset beyond the end, which went back: records were lost, as by an unclean leader election"
            }
            Self::AheadOfLog => "committed offset beyond the end",
            Self::OutOfRange => "committed offset before the start: unread records were deleted",
            Self::Recreated => "the topic was created anew",
            Self::TopicDeleted => "the topic was deleted",
            Self::TopicNotFound => "the topic was deleted, or is not visible (needs Describe on it)",
            Self::NotPermitted => "not permitted to read",
            Self::Stale => "the last reading is too old",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lag {
    Known(u64),
    Unknown(Unknown),
}

/// What one refresh read of one partition of one group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionReading {
    /// The log's first offset; `None` where the broker did not tell (see `refused`).
    pub start: Option<i64>,
    /// One past the last offset (`read_uncommitted`: the high watermark).
    pub end: Option<i64>,
    /// The group's committed offset; `None`: absent from the broker's answer.
    pub committed: Option<i64>,
    /// Set where a reading could not be had or no longer counts.
    pub refused: Option<Unknown>,
}

impl PartitionReading {
    pub fn lag(&self) -> Lag {
        if let Some(why) = self.refused {
            return Lag::Unknown(why);
        }
        // Without the log nothing is known: where the topic is gone, so are its commits.
        let Some(end) = self.end else {
            return Lag::Unknown(Unknown::Stale);
        };
        let Some(committed) = self.committed else {
            return Lag::Unknown(Unknown::NeverCommitted);
        };
        if self.start.is_some_and(|start| committed < start) {
            return Lag::Unknown(Unknown::OutOfRange);
        }
        match u64::try_from(i128::from(end) - i128::from(committed)) {
            Ok(lag) => Lag::Known(lag),
            Err(_) => Lag::Unknown(Unknown::AheadOfLog),
        }
    }

    /// Records that were deleted before the group read them; 0 where that is not known.
    pub fn deleted_unread(&self) -> u64 {
        match (self.lag(), self.start, self.committed) {
            (Lag::Unknown(Unknown::OutOfRange), Some(start), Some(committed)) => between(committed, start),
            _ => 0,
        }
    }

    /// What waits at least: the lag, or what is left of a log whose start the group has not reached.
    pub fn at_least(&self) -> Option<u64> {
        match (self.lag(), self.start, self.end) {
            (Lag::Known(lag), _, _) => Some(lag),
            (Lag::Unknown(Unknown::OutOfRange), Some(start), Some(end)) => Some(between(start, end)),
            _ => None,
        }
    }

    /// The offset of the oldest record that waits, where it is known: what was deleted unread does not wait.
    pub fn oldest_waiting(&self) -> Option<i64> {
        match (self.lag(), self.start, self.committed) {
            (Lag::Known(_), _, committed) => committed,
            (Lag::Unknown(Unknown::OutOfRange), start, _) => start,
            _ => None,
        }
    }

    /// Nothing to read and nothing ever read: an uncommitted partition that hides no lag.
    pub fn is_empty_and_untouched(&self) -> bool {
        self.refused.is_none() && self.committed.is_none() && self.start.is_some() && self.start == self.end
    }
}

/// Offsets from one up to the other; 0 where there are none.
fn between(from: i64, to: i64) -> u64 {
    u64::try_from(i128::from(to) - i128::from(from)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(start: i64, committed: Option<i64>, end: i64) -> PartitionReading {
        PartitionReading { start: Some(start), end: Some(end), committed, refused: None }
    }

    #[test]
    fn the_unknown_is_said() {
        use Unknown::*;
        for (case, want) in [
            (reading(0, Some(3), 10), Lag::Known(7)),
            (reading(0, Some(10), 10), Lag::Known(0)),
            (reading(5, Some(5), 5), Lag::Known(0)),
            (reading(0, None, 10), Lag::Unknown(NeverCommitted)),
            (reading(0, Some(11), 10), Lag::Unknown(AheadOfLog)),
            (reading(5, Some(4), 10), Lag::Unknown(OutOfRange)),
            (
                PartitionReading { refused: Some(Recreated), ..reading(0, Some(1), 2) },
                Lag::Unknown(Recreated),
            ),
            (
                PartitionReading { refused: Some(NotPermitted), ..reading(0, None, 2) },
                Lag::Unknown(NotPermitted),
            ),
            (PartitionReading { end: None, ..reading(0, Some(1), 2) }, Lag::Unknown(Stale)),
            (PartitionReading { end: None, ..reading(0, None, 2) }, Lag::Unknown(Stale)),
            (reading(i64::MIN, Some(i64::MIN), i64::MAX), Lag::Known(u64::MAX)),
        ] {
            assert_eq!(case.lag(), want, "{case:?}");
        }
    }

    #[test]
    fn a_commit_before_the_start_bounds_what_waits_and_counts_what_was_deleted() {
        for (case, at_least, deleted) in [
            (reading(0, Some(3), 10), Some(7), 0),
            (reading(70, Some(40), 100), Some(30), 30),
            (reading(100, Some(40), 100), Some(0), 60),
            (reading(0, None, 10), None, 0),
            (reading(0, Some(11), 10), None, 0),
            (PartitionReading { start: None, ..reading(0, Some(3), 10) }, Some(7), 0),
            (PartitionReading { refused: Some(Unknown::Stale), ..reading(70, Some(40), 100) }, None, 0),
            (reading(i64::MAX, Some(i64::MIN), i64::MAX), Some(0), u64::MAX),
        ] {
            assert_eq!((case.at_least(), case.deleted_unread()), (at_least, deleted), "{case:?}");
        }
    }
}
