//! Where an axis has its lines, and what is written there.

use flowdeck_model::Timestamp;

use super::zone::Zone;

/// The top of an axis from 0, and the distance of its lines: 1, 2 or 5 times a power of ten.
pub(super) fn values(highest: f64, lines: u32) -> (f64, f64) {
    if !(highest.is_finite() && highest > 0.0) {
        return (1.0, 1.0);
    }
    let least = highest / f64::from(lines.max(1));
    let power = 10f64.powf(least.log10().floor());
    let step =
        [1.0, 2.0, 5.0, 10.0].into_iter().map(|times| times * power).find(|step| *step >= least * 0.999_999);
    let step = step.unwrap_or(least);
    (step * (highest / step).ceil().max(1.0), step)
}

/// As `values`, for seconds: in whole minutes, hours and days.
pub(super) fn durations(highest: f64, lines: u32) -> (f64, f64) {
    let least = highest / f64::from(lines.max(1));
    let step = TIME_STEPS.into_iter().map(|step| step as f64).find(|step| *step >= least);
    match step {
        Some(step) if least > 1.0 => (step * (highest / step).ceil(), step),
        Some(_) => values(highest, lines),
        None => {
            let (top, step) = values(highest / DAY as f64, lines);
            (top * DAY as f64, step * DAY as f64)
        }
    }
}

/// In seconds.
const TIME_STEPS: [i64; 15] =
    [1, 5, 10, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200];
const DAY: i64 = 86_400;

/// At most so many lines of the time axis.
const LINES: i64 = 6;

/// Times at which a line is, and what is written: `14:05`; the day at its beginning.
pub(super) fn times(from: Timestamp, to: Timestamp, zone: Zone) -> Vec<(Timestamp, String)> {
    let (first, last) = (from.millis() / 1_000 + zone.ahead(), to.millis() / 1_000 + zone.ahead());
    let length = (last - first).max(1);
    let step = TIME_STEPS.into_iter().find(|step| length / step <= LINES);
    // Whole days where hours are too many.
    let step = step.unwrap_or_else(|| (length / (DAY * LINES) + 1) * DAY);
    let begins = first.div_euclid(step) * step;
    (1..=length / step + 1)
        .map(|n| begins + n * step)
        .filter(|local| *local <= last)
        .map(|local| {
            let at = Timestamp::from_millis((local - zone.ahead()) * 1_000);
            let words = match () {
                () if local.rem_euclid(DAY) == 0 => zone.day(at),
                () if step < 60 => zone.clock(at),
                () => zone.minute(at),
            };
            (at, words)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_at_round_values() {
        for (highest, lines, want) in [
            (0.0, 4, (1.0, 1.0)),
            (f64::NAN, 4, (1.0, 1.0)),
            (4.0, 4, (4.0, 1.0)),
            (4_102.0, 4, (6_000.0, 2_000.0)),
            (3_600.0, 4, (4_000.0, 1_000.0)),
            (0.3, 2, (0.4, 0.2)),
            (1e15, 4, (1e15, 5e14)),
        ] {
            let (top, step) = values(highest, lines);
            assert!(
                (top - want.0).abs() < 1e-6 * want.0 && (step - want.1).abs() < 1e-6 * want.1,
                "{highest}: {top} {step}"
            );
        }
    }

    #[test]
    fn durations_are_in_whole_units() {
        for (highest, want) in [
            (0.0, (1.0, 1.0)),
            (0.3, (0.4, 0.2)),
            (7.0, (10.0, 5.0)),
            (542.0, (600.0, 300.0)),
            (5_000.0, (7_200.0, 3_600.0)),
            (150_000.0, (172_800.0, 86_400.0)),
        ] {
            let (top, step) = durations(highest, 2);
            assert!((top - want.0).abs() < 1e-6 && (step - want.1).abs() < 1e-6, "{highest}: {top} {step}");
        }
    }

    #[test]
    fn times_are_round_in_the_zone() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let words = |from, to, minutes| {
            let all = times(at(from), at(to), Zone::new(minutes));
            all.into_iter().map(|(_, words)| words).collect::<Vec<_>>()
        };
        assert_eq!(words("2026-11-21T13:55:10Z", "2026-11-21T14:10:10Z", 0), ["14:00", "14:05", "14:10"]);
        assert_eq!(words("2026-11-21T13:55:10Z", "2026-11-21T14:10:10Z", 330), ["19:30", "19:35", "19:40"]);
        let day = words("2026-11-20T14:10:10Z", "2026-11-21T14:10:10Z", 0);
        assert_eq!(day, ["18:00", "11-21", "06:00", "12:00"]);
        let week = words("2026-11-14T14:10:10Z", "2026-11-21T14:10:10Z", 0);
        assert_eq!(week, ["11-15", "11-17", "11-19", "11-21"]);
        assert_eq!(words("2026-11-21T14:00:01Z", "2026-11-21T14:00:03Z", 0), ["14:00:02", "14:00:03"]);
        assert!(times(at("1970-01-01T00:00:00Z"), at("9999-12-31T00:00:00Z"), Zone::default()).len() <= 7);
    }
}
