//! Points in time: milliseconds since 1970, UTC. JSON carries them as RFC 3339 with milliseconds.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z, kept between 1970 and the end of the year 9999, so that
/// it can always be printed. What lies outside (a hostile clock) is moved to the nearer end.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime, example = "2026-11-21T14:08:57.123Z"))]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(u64);

/// 9999-12-31T23:59:59.999Z
const LAST: u64 = 253_402_300_799_999;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no RFC 3339 time in UTC, such as 2026-11-21T14:08:57.123Z")]
pub struct TimestampError;

impl Timestamp {
    pub fn from_millis(millis: i64) -> Self {
        Self(u64::try_from(millis).unwrap_or(0).min(LAST))
    }

    /// `None`: no time between 1970 and the end of 9999, such as microseconds taken for milliseconds.
    pub fn from_millis_exact(millis: i64) -> Option<Self> {
        u64::try_from(millis).ok().filter(|millis| *millis <= LAST).map(Self)
    }

    /// As people give a time: RFC 3339, without its seconds or its zone (then UTC) too, a date alone, or
    /// milliseconds since 1970.
    pub fn parse_given(text: &str) -> Option<Self> {
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Self::from_millis_exact(text.parse().ok()?);
        }
        let (date, rest) = text.split_at_checked("2026-11-21".len())?;
        let Some(clock) = rest.strip_prefix(['T', 't', ' ']) else {
            return if rest.is_empty() { rfc_3339(date, "00:00", "") } else { None };
        };
        if let Some(clock) = clock.strip_suffix(['Z', 'z']) {
            return rfc_3339(date, clock, "");
        }
        match clock.rfind(['+', '-']) {
            Some(at) => rfc_3339(date, &clock[..at], &clock[at..]),
            None => rfc_3339(date, clock, ""),
        }
    }

    pub fn from_system(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since.as_millis()).unwrap_or(LAST).min(LAST))
    }

    pub fn millis(self) -> i64 {
        // At most LAST, far below i64::MAX.
        self.0 as i64
    }

    /// From `earlier` to this; zero where `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// At the earliest 1970.
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(duration.as_millis()).unwrap_or(LAST)))
    }

    pub fn plus(self, duration: Duration) -> Self {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(LAST);
        Self(self.0.saturating_add(millis).min(LAST))
    }
}

/// `zone`: empty for UTC, or as `+02:00`.
fn rfc_3339(date: &str, clock: &str, zone: &str) -> Option<Timestamp> {
    let seconds = if clock.len() == "14:08".len() { ":00" } else { "" };
    let local: Timestamp = [date, "T", clock, seconds, "Z"].concat().parse().ok()?;
    let Some((sign, ahead)) = zone.split_at_checked(1) else { return Some(local) };
    // As a time of the first day of 1970, which checks its form.
    let ahead = if ahead.len() == "02:00".len() { rfc_3339("1970-01-01", ahead, "")? } else { return None };
    let ahead = if sign == "-" { -ahead.millis() } else { ahead.millis() };
    Timestamp::from_millis_exact(local.millis() - ahead)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(self.0)).fmt(f)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;
    fn from_str(text: &str) -> Result<Self, TimestampError> {
        humantime::parse_rfc3339(text).map(Self::from_system).map_err(|_| TimestampError)
    }
}

impl TryFrom<String> for Timestamp {
    type Error = TimestampError;
    fn try_from(text: String) -> Result<Self, TimestampError> {
        text.parse()
    }
}

impl From<Timestamp> for String {
    fn from(time: Timestamp) -> String {
        time.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_and_parses_rfc_3339() {
        let time = Timestamp::from_millis(1_795_270_137_123);
        assert_eq!(time.to_string(), "2026-11-21T14:08:57.123Z");
        assert_eq!("2026-11-21T14:08:57.123Z".parse(), Ok(time));
        assert!("yesterday".parse::<Timestamp>().is_err());
    }

    #[test]
    fn a_time_is_taken_as_people_give_it() {
        for (text, want) in [
            ("2026-11-21T14:08:57.123Z", Some("2026-11-21T14:08:57.123Z")),
            ("2026-11-21t14:08:57z", Some("2026-11-21T14:08:57.000Z")),
            ("2026-11-21 14:08", Some("2026-11-21T14:08:00.000Z")),
            ("2026-11-21", Some("2026-11-21T00:00:00.000Z")),
            ("2026-11-21T14:08+02:00", Some("2026-11-21T12:08:00.000Z")),
            ("2026-11-21T23:30:00-05:30", Some("2026-11-22T05:00:00.000Z")),
            ("1795270137123", Some("2026-11-21T14:08:57.123Z")),
            ("0", Some("1970-01-01T00:00:00.000Z")),
            ("", None),
            ("1970-01-01T00:00+02:00", None),
            ("1795270137123000", None),
            ("99999999999999999999", None),
            ("2026-02-30", None),
            ("2026-11-21T25:00", None),
            ("2026-11-21T14:08+2", None),
            ("2026-11-21T", None),
            ("2026-11-21x14:08", None),
            ("14:08", None),
            ("\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}", None),
        ] {
            let time = Timestamp::parse_given(text).map(|time| time.to_string());
            assert_eq!(time.as_deref(), want, "{text}");
        }
    }

    #[test]
    fn only_what_is_a_date_is_taken_as_one() {
        let last = LAST as i64;
        for (millis, is_date) in [
            (-1, false),
            (0, true),
            (1_795_270_137_123, true),
            (1_795_270_137_123_000, false),
            (last, true),
            (last + 1, false),
            (i64::MAX, false),
            (i64::MIN, false),
        ] {
            let time = Timestamp::from_millis_exact(millis);
            assert_eq!(time.map(Timestamp::millis), is_date.then_some(millis));
        }
    }

    #[test]
    fn a_hostile_clock_is_still_printed() {
        assert_eq!(Timestamp::from_millis(i64::MAX).to_string(), "9999-12-31T23:59:59.999Z");
        assert_eq!(Timestamp::from_millis(i64::MIN).to_string(), "1970-01-01T00:00:00.000Z");
        let late = Timestamp::from_millis(i64::MAX).plus(Duration::MAX);
        assert_eq!(late.since(Timestamp::from_millis(0)).as_millis() as u64, LAST);
    }
}
