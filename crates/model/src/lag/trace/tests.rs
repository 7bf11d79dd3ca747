use super::*;
use proptest::prelude::*;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_000_000_000 + millis)
}

fn point(millis: i64, end: i64) -> Point {
    Point { at: at(millis), end }
}

/// What readings at these moments leave.
fn trace(readings: &[(i64, i64)]) -> Vec<Point> {
    let (mut points, mut last) = (Vec::new(), None);
    for (millis, end) in readings {
        let now = point(*millis, *end);
        points = with(&points, last, now).unwrap_or(points);
        last = Some(now);
    }
    points
}

fn millis(age: Option<Age>) -> Option<(bool, u128)> {
    let age = age?;
    Some((matches!(age, Age::AtLeast(_)), age.duration().as_millis()))
}

#[test]
fn age_of_a_record_by_interpolation() {
    // 100 records a second for 10 s, nothing for a minute, then 200 within 2 s.
    let points =
        trace(&[(0, 0), (5_000, 500), (10_000, 1_000), (12_000, 1_000), (70_000, 1_000), (72_000, 1_200)]);
    for (what, offset, now, want) in [
        ("caught up", 1_200, 72_000, (false, 0)),
        ("committed beyond the end", 1_300, 72_000, (false, 0)),
        ("the newest", 1_199, 72_000, (false, 0)),
        ("the first after the quiet time did not come in it", 1_000, 72_000, (false, 1_990)),
        ("the last before the quiet time", 999, 72_000, (false, 62_000)),
        ("on a line", 249, 72_000, (false, 69_500)),
        ("the same later", 249, 172_000, (false, 169_500)),
        ("the first", 0, 72_000, (false, 71_990)),
    ] {
        assert_eq!(millis(age(&points, 1_200, offset, at(now))), Some(want), "{what}");
    }
}

#[test]
fn records_from_before_the_first_reading_are_at_least_as_old() {
    let points = trace(&[(0, 500), (2_000, 500)]);
    assert_eq!(millis(age(&points, 500, 0, at(2_000))), Some((true, 2_000)));
    assert_eq!(millis(age(&points, 500, 499, at(60_000))), Some((true, 60_000)));
    assert_eq!(age(&points, 500, 500, at(60_000)), Some(Age::NotWritten));
    assert_eq!(age(&[], 500, 0, at(0)), None);
}

#[test]
fn a_quiet_topic_adds_no_point() {
    let readings: Vec<(i64, i64)> = (0..10_000).map(|n| (n * 2_000, 7)).collect();
    assert_eq!(trace(&readings), [point(0, 7)]);
}

#[test]
fn a_log_that_became_shorter_begins_anew() {
    assert_eq!(trace(&[(0, 500), (1_000, 600), (2_000, 10)]), [point(2_000, 10)]);
    // And so does one whose reader's clock was set back.
    assert_eq!(trace(&[(5_000, 500), (1_000, 600)]), [point(1_000, 600)]);
}

#[test]
fn records_that_came_within_a_time() {
    let points = trace(&[(0, 0), (60_000, 600), (120_000, 600), (180_000, 1_800)]);
    for (window, now, want) in [
        (60, 180_000, Some(1_200)),
        (90, 180_000, Some(1_200)),
        (150, 180_000, Some(1_500)),
        (180, 180_000, Some(1_800)),
        (181, 180_000, None),
        (60, 240_000, Some(0)),
    ] {
        assert_eq!(came_within(&points, 1_800, Duration::from_secs(window), at(now)), want, "{window} {now}");
    }
}

/// A load that grows and falls over hours, as a day's does: within a tenth, or a second.
#[test]
fn ages_are_right_within_a_tenth_under_a_days_load() {
    let (mut end, mut passed) = (0_i64, Vec::new());
    for second in (0..8 * 3_600_i64).step_by(2) {
        end += 200 + 150 * ((second as f64 / 3_000.0).sin() * 1.0) as i64 + second / 100;
        passed.push((second * 1_000, end));
    }
    let points = trace(&passed);
    let now = passed[passed.len() - 1].0;
    for (written, end) in passed.iter().skip(1).step_by(97) {
        let said = age(&points, passed[passed.len() - 1].1, *end - 1, at(now)).unwrap().duration().as_millis()
            as i64;
        let truth = now - written;
        assert!((said - truth).abs() <= truth / 10 + 1_000, "{truth} ms, said {said}");
    }
}

proptest! {
    /// Trickles, bursts and quiet times in any order: sixteen points follow them roughly.
    #[test]
    fn ages_stay_near_the_truth_under_any_load(
        steps in proptest::collection::vec((0_i64..4, 1_i64..500), 1..40),
        asked in 0.0_f64..1.0,
    ) {
        const READING: i64 = 2_000;
        let mut written: Vec<i64> = Vec::new();
        let mut readings = vec![(0, 0)];
        let mut now = 0;
        for (kind, size) in &steps {
            // A step of a minute or so: one record each `size` ms, a burst at once, or nothing.
            for _ in 0..size / 10 + 1 {
                match kind {
                    0 | 1 => written.extend((0..READING / size).map(|n| now + n * size)),
                    2 => written.extend((0..*size).map(|_| now + 1)),
                    _ => {}
                }
                now += READING;
                readings.push((now, written.len() as i64));
            }
        }
        prop_assume!(!written.is_empty());
        let points = trace(&readings);
        prop_assert!(points.len() <= POINTS_MAX);
        prop_assert!(points.is_sorted_by_key(|point| point.at) && points.is_sorted_by_key(|point| point.end));
        let offset = ((written.len() - 1) as f64 * asked) as usize;
        let truth = now - written[offset];
        let said = age(&points, written.len() as i64, offset as i64, at(now)).unwrap().duration().as_millis() as i64;
        let off = (said - truth).abs();
        prop_assert!(off <= truth / 3 + 2 * READING, "{truth} ms, said {said}, {points:?}");
    }

    #[test]
    fn any_numbers_are_taken(readings in proptest::collection::vec((0_i64..i64::MAX / 2, any::<i64>()), 0..40), offset in any::<i64>(), now in any::<i64>()) {
        let points = trace(&readings);
        let end = points.last().map_or(0, |point| point.end);
        let _ = age(&points, end, offset, Timestamp::from_millis(now));
        let _ = came_within(&points, end, Duration::from_secs(60), Timestamp::from_millis(now));
    }
}
