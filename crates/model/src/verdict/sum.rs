//! Sums of a group's partitions; the unknown apart from the known.

use crate::lag::{Lag, PartitionReading, Unknown};

/// Sums of a group's partitions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LagSum {
    /// Sum over the partitions whose lag is known; `None` where not one is.
    pub lag: Option<u64>,
    /// `lag`, and what is left of logs whose start is beyond the committed offset.
    pub at_least: Option<u64>,
    /// Records that were deleted before the group read them.
    pub deleted_unread: u64,
    /// Partitions whose lag is not known. An empty partition without commits is none of them.
    pub unknown: u32,
    /// Of these, those of each reason, in the order of `Unknown::ALL`.
    pub reasons: [u32; Unknown::ALL.len()],
}

impl LagSum {
    /// Every lag is known, and it is 0.
    pub fn is_caught_up(&self) -> bool {
        self.lag == Some(0) && self.unknown == 0
    }

    pub(super) fn has(&self, why: Unknown) -> bool {
        self.reasons[why.place()] > 0
    }

    /// "1 partition: never committed; 2 partitions: the last reading is too old"
    pub(super) fn reasons(&self, which: impl Fn(Unknown) -> bool) -> Option<String> {
        let each = Unknown::ALL.into_iter().zip(self.reasons).rev().filter(|(why, n)| *n > 0 && which(*why));
        let words = each.map(|(why, n)| format!("{}: {}", counted(n.into(), "partition"), why.label()));
        let words: Vec<String> = words.collect();
        (!words.is_empty()).then(|| words.join("; "))
    }
}

pub(super) fn counted(n: u64, one: &str) -> String {
    format!("{} {one}{}", crate::shown::exact(n), if n == 1 { "" } else { "s" })
}

pub fn sum<'a>(readings: impl IntoIterator<Item = &'a PartitionReading>) -> LagSum {
    let mut total = LagSum::default();
    let add = |sum: &mut Option<u64>, more: u64| *sum = Some(sum.unwrap_or(0).saturating_add(more));
    for reading in readings {
        match reading.lag() {
            Lag::Known(lag) => add(&mut total.lag, lag),
            Lag::Unknown(_) if reading.is_empty_and_untouched() => {
                add(&mut total.lag, 0);
                add(&mut total.at_least, 0);
            }
            Lag::Unknown(why) => {
                total.unknown += 1;
                total.reasons[why.place()] += 1;
                total.deleted_unread = total.deleted_unread.saturating_add(reading.deleted_unread());
            }
        }
        if let Some(more) = reading.at_least() {
            add(&mut total.at_least, more);
        }
    }
    total
}
