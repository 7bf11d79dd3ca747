//! Times of a chart, in the zone of whoever looks.

use flowdeck_model::Timestamp;

/// Minutes east of UTC, as they are now: a week that spans the change to or from summer time is shown by today's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Zone(i32);

const DAY: i64 = 86_400;

impl Zone {
    /// No zone is further from UTC than 14 h.
    pub(crate) fn new(minutes: i32) -> Self {
        Self(minutes.clamp(-14 * 60, 14 * 60))
    }

    pub(crate) fn minutes(self) -> i32 {
        self.0
    }

    pub(super) fn ahead(self) -> i64 {
        i64::from(self.0) * 60
    }

    fn local(self, at: Timestamp) -> String {
        Timestamp::from_millis(at.millis().saturating_add(self.ahead() * 1_000)).to_string()
    }

    /// `14:08:57`
    pub(super) fn clock(self, at: Timestamp) -> String {
        self.local(at)[11..19].to_owned()
    }

    /// `14:08`
    pub(super) fn minute(self, at: Timestamp) -> String {
        self.local(at)[11..16].to_owned()
    }

    /// `11-21`
    pub(super) fn day(self, at: Timestamp) -> String {
        self.local(at)[5..10].to_owned()
    }

    /// `14:08:57`, and before it the day where it is not that of `now`.
    pub(super) fn time(self, at: Timestamp, now: Timestamp) -> String {
        if self.is_midnight_between(at, now) {
            return format!("{} {}", &self.local(at)[..10], self.clock(at));
        }
        self.clock(at)
    }

    fn is_midnight_between(self, at: Timestamp, now: Timestamp) -> bool {
        let day = |time: Timestamp| (time.millis() / 1_000 + self.ahead()).div_euclid(DAY);
        day(at) != day(now)
    }

    /// `UTC`, `UTC+05:30`
    pub(super) fn label(self) -> String {
        if self.0 == 0 {
            return "UTC".to_owned();
        }
        let sign = if self.0 < 0 { '-' } else { '+' };
        format!("UTC{sign}{:02}:{:02}", self.0.abs() / 60, self.0.abs() % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_zone() {
        let at: Timestamp = "2026-11-21T23:30:05Z".parse().unwrap();
        let now: Timestamp = "2026-11-21T23:59:00Z".parse().unwrap();
        for (minutes, label, time, day) in [
            (0, "UTC", "23:30:05", "11-21"),
            (20, "UTC+00:20", "2026-11-21 23:50:05", "11-21"),
            (120, "UTC+02:00", "01:30:05", "11-22"),
            (-210, "UTC-03:30", "20:00:05", "11-21"),
        ] {
            let zone = Zone::new(minutes);
            assert_eq!((&*zone.label(), &*zone.time(at, now), &*zone.day(at)), (label, time, day));
        }
        assert_eq!(Zone::new(i32::MIN).label(), "UTC-14:00");
    }
}
