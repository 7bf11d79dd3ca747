//! protobuf-net's `bcl.DateTime`: a number, its scale, and a kind that is normally absent, relative
//! to 1970-01-01. The writer takes the largest scale that is exact; the ends of .NET's range have a
//! scale of their own.

use flowdeck_model::Timestamp;

use super::fields::{self, Value};
use crate::Malformed;

/// A .NET DateTime: 100 ns ticks since 0001-01-01, up to the last tick of the year 9999. Without a
/// zone: KafkaFlow means UTC in telemetry, and the consumer host's local time in a rewind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DateTime(i64);

const EPOCH: i64 = 621_355_968_000_000_000;
const PER_MILLI: i64 = 10_000;
const PER_SECOND: i64 = 1_000 * PER_MILLI;
const PER_MINUTE: i64 = 60 * PER_SECOND;
const PER_HOUR: i64 = 60 * PER_MINUTE;
const PER_DAY: i64 = 24 * PER_HOUR;

/// (number on the wire, ticks), largest first.
const SCALES: [(u64, i64); 6] =
    [(0, PER_DAY), (1, PER_HOUR), (2, PER_MINUTE), (3, PER_SECOND), (4, PER_MILLI), (5, 1)];
const MIN_MAX: u64 = 15;

impl DateTime {
    pub const MIN: Self = Self(0);
    pub const MAX: Self = Self(3_155_378_975_999_999_999);

    /// `None` outside the years 1 to 9999.
    pub fn from_ticks(ticks: i64) -> Option<Self> {
        (Self::MIN.0..=Self::MAX.0).contains(&ticks).then_some(Self(ticks))
    }

    /// 100 ns since 0001-01-01T00:00:00.
    pub fn ticks(self) -> i64 {
        self.0
    }

    /// Rounded down to milliseconds; what lies before 1970 becomes 1970.
    pub fn timestamp(self) -> Timestamp {
        Timestamp::from_millis((self.0 - EPOCH).div_euclid(PER_MILLI))
    }

    pub(super) fn encode(self) -> Vec<u8> {
        let (scale, value) = match self {
            Self::MIN => (MIN_MAX, -1),
            Self::MAX => (MIN_MAX, 1),
            Self(ticks) => scaled(ticks - EPOCH),
        };
        let mut bytes = Vec::new();
        fields::put_number(&mut bytes, 1, zigzag(value));
        fields::put_number(&mut bytes, 2, scale);
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let (mut value, mut scale) = (0_i64, 0_u64);
        fields::each(bytes, |tag, field| {
            match (tag, field) {
                (1, field) => value = unzigzag(field.number(1)?),
                (2, field) => scale = field.number(2)?,
                (3, Value::Number(0..=2)) => {}
                (3, _) => return Err(Malformed::Time),
                _ => {}
            }
            Ok(())
        })?;
        if scale == MIN_MAX {
            return match value {
                1 => Ok(Self::MAX),
                -1 => Ok(Self::MIN),
                _ => Err(Malformed::Time),
            };
        }
        let (_, unit) = SCALES.iter().find(|(number, _)| *number == scale).ok_or(Malformed::Time)?;
        let ticks = value.checked_mul(*unit).and_then(|ticks| ticks.checked_add(EPOCH));
        ticks.and_then(Self::from_ticks).ok_or(Malformed::Time)
    }
}

impl From<Timestamp> for DateTime {
    fn from(time: Timestamp) -> Self {
        // A Timestamp lies between 1970 and the end of 9999.
        Self(EPOCH + time.millis() * PER_MILLI)
    }
}

fn scaled(ticks: i64) -> (u64, i64) {
    let exact = SCALES.iter().find(|(_, unit)| ticks % unit == 0);
    exact.map_or((5, ticks), |(number, unit)| (*number, ticks / unit))
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn unzigzag(value: u64) -> i64 {
    ((value >> 1) as i64) ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn date_time_uses_the_largest_exact_scale() {
        for (ticks, want) in [
            (0, (0, 0)),
            (-PER_DAY, (0, -1)),
            (PER_DAY + PER_HOUR, (1, 25)),
            (PER_MINUTE, (2, 1)),
            (61 * PER_SECOND, (3, 61)),
            (PER_MILLI, (4, 1)),
            (PER_MILLI + 1, (5, PER_MILLI + 1)),
        ] {
            assert_eq!(scaled(ticks), want, "{ticks}");
        }
    }

    #[test]
    fn timestamps_convert_to_date_times() {
        for millis in [0, 1, 1_795_270_137_123, i64::MAX] {
            let time = Timestamp::from_millis(millis);
            assert_eq!(DateTime::from(time).timestamp(), time);
        }
        assert_eq!(DateTime::MIN.timestamp().millis(), 0);
        assert_eq!(DateTime::MAX.timestamp().to_string(), "9999-12-31T23:59:59.999Z");
    }
}
