//! When a pause ends by itself: after a length of time, or at a point in time.

use std::time::Duration;

use crate::error::PortError;
use crate::time::Timestamp;

/// The longest pause with an end: 30 days.
pub const FOR_SECONDS_MAX: u32 = 30 * 24 * 3600;

/// As it was asked for: a request that is sent again is the same only if its end is given in the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PauseEnd {
    /// So many seconds after it is carried out.
    After(u32),
    At(Timestamp),
}

impl PauseEnd {
    /// Of the two fields that a request has for it: one of them at most.
    pub fn of_fields(for_seconds: Option<u32>, until: Option<Timestamp>) -> Result<Option<Self>, PortError> {
        match (for_seconds, until) {
            (Some(_), Some(_)) => Err(PortError::invalid("until", "either forSeconds or until, not both")),
            (for_seconds, until) => Ok(for_seconds.map(Self::After).or(until.map(Self::At))),
        }
    }

    pub fn for_seconds(self) -> Option<u32> {
        match self {
            Self::After(seconds) => Some(seconds),
            Self::At(_) => None,
        }
    }

    pub fn until(self) -> Option<Timestamp> {
        match self {
            Self::After(_) => None,
            Self::At(time) => Some(time),
        }
    }

    /// The name of its field in a request.
    pub fn field(self) -> &'static str {
        match self {
            Self::After(_) => "forSeconds",
            Self::At(_) => "until",
        }
    }

    /// Of a pause that begins at `now`.
    pub fn time(self, now: Timestamp) -> Timestamp {
        match self {
            Self::After(seconds) => now.plus(Duration::from_secs(seconds.into())),
            Self::At(time) => time,
        }
    }

    /// The rules that need no clock.
    pub fn check(self) -> Result<(), PortError> {
        match self {
            Self::After(0) => Err(PortError::invalid("forSeconds", "1 or more")),
            Self::After(seconds) if seconds > FOR_SECONDS_MAX => {
                Err(PortError::invalid("forSeconds", format!("at most {FOR_SECONDS_MAX} (30 days)")))
            }
            Self::After(_) | Self::At(_) => Ok(()),
        }
    }

    /// Whether a pause that begins at `now` can have this end.
    pub fn check_from(self, now: Timestamp) -> Result<(), PortError> {
        let Self::At(time) = self else { return Ok(()) };
        if time <= now {
            let problem = format!("{time} is past: it is {now} (UTC)");
            return Err(PortError::invalid("until", problem));
        }
        let last = now.plus(Duration::from_secs(FOR_SECONDS_MAX.into()));
        if time > last {
            return Err(PortError::invalid("until", format!("at most 30 days from now: {last} (UTC)")));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: i64 = FOR_SECONDS_MAX as i64 * 1_000;

    #[test]
    fn an_end_is_ahead_and_at_most_30_days_away() {
        let now = Timestamp::from_millis(1_000);
        for (millis, is_good) in [
            (0, false),
            (1_000, false),
            (1_001, true),
            (1_000 + MAX, true),
            (1_001 + MAX, false),
            (i64::MAX, false),
        ] {
            let end = PauseEnd::At(Timestamp::from_millis(millis));
            assert_eq!(end.check_from(now).is_ok(), is_good, "{millis}");
            assert_eq!(end.time(now), Timestamp::from_millis(millis));
        }
        for (seconds, is_good) in
            [(0, false), (1, true), (FOR_SECONDS_MAX, true), (FOR_SECONDS_MAX + 1, false)]
        {
            assert_eq!(PauseEnd::After(seconds).check().is_ok(), is_good, "{seconds}");
        }
        assert_eq!(PauseEnd::After(2).time(now), Timestamp::from_millis(3_000));
    }

    #[test]
    fn an_end_has_one_field() {
        let time = Timestamp::from_millis(5);
        for end in [PauseEnd::After(60), PauseEnd::At(time)] {
            assert_eq!(PauseEnd::of_fields(end.for_seconds(), end.until()), Ok(Some(end)));
        }
        assert_eq!(PauseEnd::of_fields(None, None), Ok(None));
        assert!(PauseEnd::of_fields(Some(60), Some(time)).is_err());
    }
}
