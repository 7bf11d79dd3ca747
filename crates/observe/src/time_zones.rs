//! KafkaFlow reads the time of a rewind as the local time of the consumer's host: in which zone that is, for each
//! consumer.

use std::fmt;
use std::str::FromStr;

use flowdeck_model::{ConsumerName, Pattern, Timestamp};
use jiff::tz::{AmbiguousOffset, TimeZone};

/// A zone of the IANA database, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    name: String,
    zone: TimeZone,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no time zone of the IANA database, such as \"Europe/Berlin\" or \"UTC\"")]
pub struct NoSuchZone(String);

/// An instant as clocks of a zone show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalTime {
    /// What such a clock shows, as if it were UTC.
    pub shown: Timestamp,
    /// The clock shows this twice, since it was set back: KafkaFlow takes it for the other of the two by so much.
    pub other_by: Option<i64>,
}

impl Zone {
    pub fn utc() -> Self {
        Self { name: "UTC".to_owned(), zone: TimeZone::UTC }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn local(&self, at: Timestamp) -> LocalTime {
        let Ok(instant) = jiff::Timestamp::from_millisecond(at.millis()) else {
            return LocalTime { shown: at, other_by: None };
        };
        let offset = self.zone.to_offset(instant);
        let shown = Timestamp::from_millis(at.millis() + i64::from(offset.seconds()) * 1_000);
        // .NET takes a time that its clock shows twice for the later one, in standard time.
        let other_by = match self.zone.to_ambiguous_timestamp(offset.to_datetime(instant)).offset() {
            AmbiguousOffset::Fold { before, after } if offset == before => {
                Some(i64::from(before.seconds() - after.seconds()))
            }
            _ => None,
        };
        LocalTime { shown, other_by }
    }
}

impl Zone {
    /// When clocks of the zone show this; of two such times the later one, as .NET takes it.
    pub fn instant(&self, shown: Timestamp) -> Timestamp {
        let Ok(clock) = jiff::Timestamp::from_millisecond(shown.millis()) else { return shown };
        let ambiguous = self.zone.to_ambiguous_timestamp(TimeZone::UTC.to_datetime(clock));
        let offset = match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { offset } => offset,
            AmbiguousOffset::Gap { before, .. } => before,
            AmbiguousOffset::Fold { after, .. } => after,
        };
        Timestamp::from_millis(shown.millis() - i64::from(offset.seconds()) * 1_000)
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self::utc()
    }
}

impl FromStr for Zone {
    type Err = NoSuchZone;
    fn from_str(name: &str) -> Result<Self, NoSuchZone> {
        let zone = TimeZone::get(name).map_err(|_| NoSuchZone(name.to_owned()))?;
        Ok(Self { name: zone.iana_name().unwrap_or(name).to_owned(), zone })
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// The first pattern that matches a consumer's name decides; UTC where none does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RewindTimeZones(pub Vec<(Pattern, Zone)>);

impl RewindTimeZones {
    pub fn of(&self, consumer: &ConsumerName) -> Zone {
        let found = self.0.iter().find(|(pattern, _)| pattern.matches(consumer.as_str()));
        found.map_or_else(Zone::utc, |(_, zone)| zone.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn local_times_follow_the_zone_and_its_summer_time() {
        let berlin: Zone = "Europe/Berlin".parse().unwrap();
        for (instant, shown, other_by) in [
            ("2026-11-29T12:00:00Z", "2026-11-29T13:00:00Z", None),
            ("2026-07-01T12:00:00Z", "2026-07-01T14:00:00Z", None),
            // The clock is set back at 03:00 to 02:00.
            ("2026-10-25T00:30:00Z", "2026-10-25T02:30:00Z", Some(3_600)),
            ("2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z", None),
        ] {
            assert_eq!(berlin.local(at(instant)), LocalTime { shown: at(shown), other_by }, "{instant}");
            let later = other_by.unwrap_or(0) * 1_000;
            let back = Timestamp::from_millis(at(instant).millis() + later);
            assert_eq!(berlin.instant(at(shown)), back, "{instant}");
        }
        let now = at("2026-11-29T12:00:00Z");
        assert_eq!(Zone::utc().local(now), LocalTime { shown: now, other_by: None });
    }

    #[test]
    fn zones_are_found_by_name_and_by_consumer() {
        assert!("Europe/Atlantis".parse::<Zone>().is_err());
        let zones = RewindTimeZones(vec![
            (Pattern::new("orders-*"), "Europe/Berlin".parse().unwrap()),
            (Pattern::new("orders-eu"), Zone::utc()),
        ]);
        assert_eq!(zones.of(&"orders-eu".into()).name(), "Europe/Berlin");
        assert_eq!(zones.of(&"audit".into()).name(), "UTC");
    }
}
