use super::*;
use proptest::prelude::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_000_000_000 + seconds * 1_000)
}

/// Counted every 2 s; in and out as records in a second, by the second.
fn flow(seconds: i64, rates: impl Fn(i64) -> (u64, u64)) -> Flow {
    let mut flow = Flow::new(at(0));
    for second in (2..=seconds).step_by(2) {
        let (written, committed) = rates(second);
        flow = flow.counted(at(second), written * 2, committed * 2);
    }
    flow
}

fn per_second(windows: Windows) -> [Option<f64>; 3] {
    windows.each().map(|rate| rate.map(Rate::per_second))
}

#[test]
fn rates_over_1_5_and_15_minutes() {
    // 10 in and 8 out a second; since two minutes 40 in.
    let flow = flow(1_200, |second| if second > 1_080 { (40, 8) } else { (10, 8) });
    let (written, committed) = flow.rates();
    assert_eq!(per_second(written), [Some(40.0), Some(22.0), Some(14.0)]);
    assert_eq!(per_second(committed), [Some(8.0); 3]);
    assert!(flow.before.len() <= 24, "{}", flow.before.len());
    assert_eq!((flow.written(), flow.committed()), (1_080 * 10 + 120 * 40, 1_200 * 8));
}

#[test]
fn no_rate_is_told_of_a_time_that_was_not_watched() {
    let known = |seconds| per_second(flow(seconds, |_| (5, 5)).rates().0).map(|rate| rate.is_some());
    for (seconds, want) in [
        (0, [false; 3]),
        (8, [false; 3]),
        (30, [true, false, false]),
        (60, [true, false, false]),
        (90, [true, true, false]),
        (300, [true, true, false]),
        (400, [true; 3]),
    ] {
        assert_eq!(known(seconds), want, "{seconds}");
    }
}

#[test]
fn a_group_of_which_nothing_moves_keeps_two_counts() {
    let flow = flow(10_000, |second| if second < 100 { (7, 7) } else { (0, 0) });
    assert_eq!(flow.before.len(), 2, "{flow:?}");
    assert_eq!(per_second(flow.rates().0), [Some(0.0); 3]);
}

#[test]
fn rates_begin_anew_where_the_clock_was_set_back() {
    let before = flow(600, |_| (10, 10));
    let mut flow = before.counted(at(300), 80, 60);
    assert_eq!((flow.written(), flow.committed(), flow.at()), (6_080, 6_060, at(300)), "nothing is lost");
    assert_eq!(per_second(flow.rates().0), [None; 3]);
    for second in (302..=360).step_by(2) {
        flow = flow.counted(at(second), 80, 60);
    }
    let (written, committed) = flow.rates();
    assert_eq!(per_second(written), [Some(40.0), None, None]);
    assert_eq!(per_second(committed), [Some(30.0), None, None]);
    // Less than a moment: what came is counted, and the rates go on.
    let near = before.counted(Timestamp::from_millis(at(600).millis() - 400), 20, 20);
    assert_eq!((near.written(), near.at()), (6_020, at(600)));
    assert_eq!(per_second(near.counted(at(602), 0, 0).rates().0), [Some(10.0); 3]);
}

#[test]
fn drain_is_a_range_or_never() {
    let windows = |rates: [Option<f64>; 3]| Windows {
        one_minute: rates[0].map(Rate::from),
        five_minutes: rates[1].map(Rate::from),
        fifteen_minutes: rates[2].map(Rate::from),
    };
    for (lag, written, committed, want) in [
        (0, [Some(1.0); 3], [Some(2.0); 3], None),
        (100, [None; 3], [None; 3], None),
        (100, [Some(1.0), None, None], [Some(2.0), None, None], Some((Some(100), Some(100)))),
        (100, [Some(1.0); 3], [Some(2.0), Some(3.0), Some(5.0)], Some((Some(25), Some(100)))),
        (100, [Some(1.0); 3], [Some(2.0), Some(1.0), Some(5.0)], Some((Some(25), None))),
        (100, [Some(1.0); 3], [Some(1.0), Some(0.5), Some(0.0)], Some((None, None))),
        (u64::MAX, [Some(0.0); 3], [Some(0.001); 3], Some((Some(u64::MAX), Some(u64::MAX)))),
    ] {
        let drain = Drain::of(lag, &windows(written), &windows(committed));
        assert_eq!(
            drain.map(|drain| (drain.soonest_seconds, drain.latest_seconds)),
            want,
            "{lag} {written:?}"
        );
    }
}

#[test]
fn rates_in_words() {
    for (per_second, want) in [
        (0.0, "0"),
        (0.004, "< 0.01"),
        (0.416, "0.41"),
        (1.0, "1.0"),
        (12.56, "12.5"),
        (104.9, "104"),
        (12_413.0, "12,413"),
    ] {
        assert_eq!(Rate::from(per_second).to_string(), want);
    }
}

#[test]
fn a_rate_reads_as_it_was_written() {
    for rate in [Rate(0), Rate(1), Rate(12_345), Rate(9_999_999)] {
        let json = serde_json::to_string(&rate).unwrap();
        assert_eq!(serde_json::from_str::<Rate>(&json).unwrap(), rate, "{json}");
    }
    assert_eq!([f64::NAN, -1.0, f64::INFINITY].map(Rate::from), [Rate(0), Rate(0), Rate(u64::MAX)]);
}

proptest! {
    /// Whatever comes and goes, the counts stay few and the rates within what was seen.
    #[test]
    fn counts_are_bounded(steps in proptest::collection::vec((1_i64..90, 0_u64..1_000, 0_u64..1_000), 1..400)) {
        let mut flow = Flow::new(at(0));
        let mut second = 0;
        for (later, written, committed) in &steps {
            second += later;
            flow = flow.counted(at(second), *written, *committed);
        }
        prop_assert!(flow.before.len() <= 28, "{}", flow.before.len());
        prop_assert!(flow.before.is_sorted_by_key(|one| one.at));
        for rate in per_second(flow.rates().0).into_iter().flatten() {
            prop_assert!(rate <= 1_000.0);
        }
    }
}
