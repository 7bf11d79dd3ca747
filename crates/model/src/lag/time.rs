//! Time lag: the age of the oldest record that waits.

use serde::{Deserialize, Serialize};

use super::trace::Age;

/// How a time lag is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum Precision {
    /// By the record's own timestamp; or nothing waits, and it is 0.
    Exact,
    /// Interpolated between two readings of the log's end.
    Estimate,
    /// The record was there when Flowdeck began to watch the topic.
    AtLeast,
}

/// How old the oldest record is that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct TimeLag {
    pub millis: u64,
    pub precision: Precision,
}

impl TimeLag {
    pub const NONE: Self = Self { millis: 0, precision: Precision::Exact };

    /// Of several partitions: the largest, as precise as the least precise of them.
    pub fn worse(self, other: Self) -> Self {
        Self { millis: self.millis.max(other.millis), precision: self.precision.max(other.precision) }
    }
}

impl From<Age> for TimeLag {
    fn from(age: Age) -> Self {
        let precision = match age {
            Age::NotWritten => Precision::Exact,
            Age::Estimate(_) => Precision::Estimate,
            Age::AtLeast(_) => Precision::AtLeast,
        };
        Self { millis: u64::try_from(age.duration().as_millis()).unwrap_or(u64::MAX), precision }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_as_far_behind_as_its_worst_partition_and_no_better_known() {
        let of = |millis, precision| TimeLag { millis, precision };
        for (a, b, want) in [
            (TimeLag::NONE, of(5, Precision::Estimate), of(5, Precision::Estimate)),
            (of(9, Precision::Estimate), of(5, Precision::AtLeast), of(9, Precision::AtLeast)),
            (of(9, Precision::Exact), of(5, Precision::Exact), of(9, Precision::Exact)),
        ] {
            assert_eq!((a.worse(b), b.worse(a)), (want, want));
        }
    }
}
