//! Lag of one partition: end offset − committed offset, from the brokers. What cannot be known is a
//! value of its own; nothing is clamped or invented.

use serde::{Deserialize, Serialize};

/// Why a partition's lag is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum Unknown {
    /// The group has committed nothing for this partition.
    NeverCommitted,
    /// Committed lies after the end of the log (the topic was truncated, or the read is torn).
    AheadOfLog,
    /// Committed lies before the start of the log: records were deleted unread.
    OutOfRange,
    /// The topic's id changed while this process watched: the commit speaks of another log.
    Recreated,
    /// The cluster does not let Flowdeck read what it needs.
    NotPermitted,
    /// The last good reading is too old to speak of now.
    Stale,
}

impl Unknown {
    /// In words, for a person.
    pub fn words(self) -> &'static str {
        match self {
            Self::NeverCommitted => "never committed",
            Self::AheadOfLog => "committed is ahead of the log",
            Self::OutOfRange => "committed is before the log's start: records were deleted unread",
            Self::Recreated => "the topic was created anew",
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
        let Some(committed) = self.committed else {
            return Lag::Unknown(Unknown::NeverCommitted);
        };
        let Some(end) = self.end else {
            return Lag::Unknown(Unknown::Stale);
        };
        if self.start.is_some_and(|start| committed < start) {
            return Lag::Unknown(Unknown::OutOfRange);
        }
        match u64::try_from(i128::from(end) - i128::from(committed)) {
            Ok(lag) => Lag::Known(lag),
            Err(_) => Lag::Unknown(Unknown::AheadOfLog),
        }
    }

    /// Nothing to read and nothing ever read: an uncommitted partition that hides no lag.
    pub fn is_empty_and_untouched(&self) -> bool {
        self.refused.is_none() && self.committed.is_none() && self.start.is_some() && self.start == self.end
    }
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
            (reading(i64::MIN, Some(i64::MIN), i64::MAX), Lag::Known(u64::MAX)),
        ] {
            assert_eq!(case.lag(), want, "{case:?}");
        }
    }
}
