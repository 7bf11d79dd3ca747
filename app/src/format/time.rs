//! Ages, spans and clock times in words.

use std::time::Duration;

use flowdeck_model::Timestamp;

pub(crate) use flowdeck_model::shown::span;

/// `0.41 s` below ten seconds, where hundredths tell something; else as `span`.
pub(crate) fn brief(duration: Duration) -> String {
    let millis = duration.as_millis();
    if millis < 10_000 { format!("{}.{:02} s", millis / 1_000, millis % 1_000 / 10) } else { span(duration) }
}

/// From `earlier` to `now`; a time ahead of `now` is `0 s`.
pub(crate) fn age(now: Timestamp, earlier: Timestamp) -> String {
    span(now.since(earlier))
}

/// `14:08:57`
pub(crate) fn clock(hours: u32, minutes: u32, seconds: u32) -> String {
    format!("{hours:02}:{minutes:02}:{seconds:02}")
}

/// `2026-11-21 14:08:57`
pub(crate) fn dated(year: u32, month: u32, day: u32, clock: &str) -> String {
    format!("{year:04}-{month:02}-{day:02} {clock}")
}

/// `14:08:57 UTC`, and before it the day where it is not that of `now`.
pub(crate) fn utc(time: Timestamp, now: Timestamp) -> String {
    let (time, now) = (time.to_string(), now.to_string());
    // RFC 3339 with milliseconds: `2026-11-21T14:08:57.123Z`, always ASCII.
    if time[..10] == now[..10] {
        return format!("{} UTC", &time[11..19]);
    }
    format!("{} {} UTC", &time[..10], &time[11..19])
}

/// `2026-11-21 14:08:57.123 UTC`
pub(crate) fn exact(time: Timestamp) -> String {
    let time = time.to_string();
    format!("{} {} UTC", &time[..10], &time[11..23])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_two_units() {
        for (seconds, want) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (200, "3 min 20 s"),
            (3_600, "1 h"),
            (6_000, "1 h 40 min"),
            (86_400, "1 d"),
            (5 * 86_400 + 21 * 3_600 + 59, "5 d 21 h"),
        ] {
            assert_eq!(span(Duration::from_secs(seconds)), want);
        }
    }

    #[test]
    fn a_time_of_today_has_no_date() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let now = at("2026-11-21T14:10:00Z");
        assert_eq!(utc(at("2026-11-21T14:08:57.123Z"), now), "14:08:57 UTC");
        assert_eq!(utc(at("2026-11-20T23:59:59Z"), now), "2026-11-20 23:59:59 UTC");
        assert_eq!(exact(at("2026-11-21T14:08:57.123Z")), "2026-11-21 14:08:57.123 UTC");
        assert_eq!(age(now, at("2026-11-21T14:06:40Z")), "3 min 20 s");
        assert_eq!(age(now, at("2026-11-22T00:00:00Z")), "0 s");
    }
}
