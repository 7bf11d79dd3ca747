//! The picture: panels under each other on one axis of time. Texts are in pixels and places across in percent, so that it
//! is read at any width; the lines are stretched.

use flowdeck_model::Timestamp;
use flowdeck_model::rate::Rate;
use flowdeck_model::view::{HistoryPoint, HistoryView};
use leptos::prelude::*;

use super::line::Line;
use super::zone::Zone;
use super::{Across, Chart, WIDTH, axis, events, table, words};
use crate::format::number;

/// More points than this are joined, two and more to one.
const POINTS: usize = 400;
/// Readings that are not further apart (in seconds) belong to one line, however short the steps.
const JOINED: u32 = 45;
/// Over the first panel, for the numbers of events.
const TOP: u32 = 16;
/// Over each panel, for its name.
const HEADING: u32 = 18;
/// Under the last one.
const TIMES: u32 = 18;

type Value = fn(&HistoryPoint) -> Option<f64>;

struct Panel {
    name: &'static str,
    height: u32,
    grid_lines: u32,
    scale: fn(f64, u32) -> (f64, f64),
    label: fn(f64) -> String,
    /// The class of each line, and what it shows.
    lines: Vec<(&'static str, Value)>,
    filled: bool,
}

fn panels(points: &[HistoryPoint]) -> Vec<Panel> {
    let lag: Value = |point| point.lag.map(|lag| lag as f64);
    let time_lag: Value = |point| point.time_lag_millis.map(|millis| millis as f64 / 1_000.0);
    let mut panels = vec![Panel {
        name: "Lag, records",
        height: 128,
        grid_lines: 4,
        scale: axis::values,
        label: |value| number::compact(value as u64),
        lines: vec![("lag", lag)],
        filled: true,
    }];
    if points.iter().any(|point| point.time_lag_millis.is_some()) {
        panels.push(Panel {
            name: "Time lag",
            height: 56,
            grid_lines: 2,
            scale: axis::durations,
            label: |seconds| words::span((seconds * 1_000.0) as u64),
            lines: vec![("time-lag", time_lag)],
            filled: false,
        });
    }
    panels.push(Panel {
        name: "In and out, records/s",
        height: 64,
        grid_lines: 2,
        scale: axis::values,
        label: |value| number::rate(Rate::from(value)),
        lines: vec![
            ("in", |point| point.in_per_second.map(Rate::per_second)),
            ("out", |point| point.out_per_second.map(Rate::per_second)),
        ],
        filled: false,
    });
    panels
}

/// Where times are.
pub(super) struct Frame {
    from: Timestamp,
    to: Timestamp,
    /// The last panel's, in pixels.
    pub(super) bottom: u32,
}

impl Frame {
    /// Thousandths of the width.
    pub(super) fn across(&self, at: Timestamp) -> f64 {
        let whole = (self.to.millis() - self.from.millis()).max(1) as f64;
        let part = (at.millis() - self.from.millis()) as f64 / whole;
        part.clamp(0.0, 1.0) * f64::from(WIDTH)
    }

    pub(super) fn percent(&self, across: f64) -> String {
        format!("{:.2}%", across / 10.0)
    }
}

/// As many as can be told apart; a longer step has the highest lag and the mean rates.
fn thinned(view: &HistoryView) -> (Vec<HistoryPoint>, u32) {
    let step = view.step_seconds.max(1);
    let span = view.to.since(view.from).as_secs() / u64::from(step);
    let times = u32::try_from(span / POINTS as u64).unwrap_or(0) + 1;
    if times == 1 || view.points.len() <= POINTS {
        return (view.points.clone(), step);
    }
    let long = step.saturating_mul(times);
    let of = |point: &HistoryPoint| point.at.millis() / (i64::from(long) * 1_000);
    let joined = view.points.chunk_by(|a, b| of(a) == of(b)).map(join);
    (joined.collect(), long)
}

fn join(some: &[HistoryPoint]) -> HistoryPoint {
    let mean = |of: fn(&HistoryPoint) -> Option<Rate>| {
        let known: Vec<u64> = some.iter().filter_map(of).map(Rate::thousandths).collect();
        let count = u64::try_from(known.len()).unwrap_or(u64::MAX);
        let sum: u64 = known.iter().fold(0, |sum, one| sum.saturating_add(*one));
        sum.checked_div(count).map(Rate::of_thousandths)
    };
    HistoryPoint {
        at: some[0].at,
        lag: some.iter().filter_map(|point| point.lag).max(),
        time_lag_millis: some.iter().filter_map(|point| point.time_lag_millis).max(),
        in_per_second: mean(|point| point.in_per_second),
        out_per_second: mean(|point| point.out_per_second),
    }
}

pub(crate) fn draw(view: &HistoryView, zone: Zone, with_table: bool) -> Chart {
    let (points, step) = thinned(view);
    let panels = panels(&points);
    let height: u32 = TOP + panels.iter().map(|panel| HEADING + panel.height).sum::<u32>();
    let frame = Frame { from: view.from, to: view.to, bottom: height };
    let middle = |point: &HistoryPoint| {
        frame.across(Timestamp::from_millis(point.at.millis() + i64::from(step) * 500))
    };
    let gap = f64::from(step.saturating_mul(2).max(JOINED)) * 1_000.0
        / view.to.since(view.from).as_secs_f64().max(1.0)
        * f64::from(WIDTH)
        / 1_000.0;
    let mut top = TOP;
    let drawn: Vec<AnyView> = panels
        .iter()
        .map(|panel| {
            top += HEADING + panel.height;
            draw_panel(panel, top - panel.height, &points, middle, gap)
        })
        .collect();
    let times = axis::times(view.from, view.to, zone).into_iter().map(|(at, words)| {
        let across = frame.across(at);
        let anchor = match across {
            0.0..30.0 => "start",
            970.0.. => "end",
            _ => "middle",
        };
        let x = frame.percent(across);
        let (bottom, text) = (height.to_string(), (height + 14).to_string());
        view! {
            <line class="grid" x1=x.clone() x2=x.clone() y1=TOP.to_string() y2=bottom></line>
            <text x=x y=text text-anchor=anchor>{words}</text>
        }
    });
    let picture = view! {
        <svg class="picture" width="100%" height=(height + TIMES).to_string() aria-hidden="true">
            {times.collect_view()}
            {drawn}
            {events::lines(view, &frame)}
        </svg>
    };
    let notes = words::notes(view, step, zone).join(" ");
    let below = view! {
        {events::list(view, zone)}
        <p class="faint">{notes}</p>
        {with_table.then(|| table::table(view, &points, step, zone))}
    };
    Chart {
        from: view.from,
        to: view.to,
        utc_offset: zone.minutes(),
        picture: picture.to_html(),
        below: below.to_html(),
        summary: words::summary(view, zone),
        readings: points
            .iter()
            .map(|point| {
                let second = u32::try_from(point.at.millis() / 1_000).unwrap_or(u32::MAX);
                let words = [&*zone.time(point.at, view.now), " · ", &words::point(point)].concat();
                (middle(point).round() as Across, second, words)
            })
            .collect(),
    }
}

fn draw_panel(
    panel: &Panel,
    top: u32,
    points: &[HistoryPoint],
    across: impl Fn(&HistoryPoint) -> f64 + Copy,
    gap: f64,
) -> AnyView {
    let height = f64::from(panel.height);
    let all = panel.lines.iter().flat_map(|(_, value)| points.iter().filter_map(value));
    let (most, step) = (panel.scale)(all.fold(0.0, f64::max), panel.grid_lines);
    let down = |value: f64| height - value / most * height;
    let grid = (0..=(most / step).round() as u32).map(|n| {
        let value = f64::from(n) * step;
        let y = format!("{:.1}", f64::from(top) + down(value));
        let label = (n > 0).then(|| {
            let text = format!("{:.1}", f64::from(top) + down(value) + 11.0);
            view! { <text class="value" x="2" y=text>{(panel.label)(value)}</text> }
        });
        view! {
            <line class="grid" x1="0" x2="100%" y1=y.clone() y2=y></line>
            {label}
        }
    });
    let lines = panel.lines.iter().map(|(class, value)| {
        let known = points.iter().filter_map(|point| Some((across(point), down(value(point)?))));
        let line = Line::new(known, gap);
        let area = panel.filled.then(|| {
            view! { <path class=["area ", class].concat() d=line.area(height)></path> }
        });
        view! { {area} <path class=["line ", class].concat() d=line.path() vector-effect="non-scaling-stroke"></path> }
    });
    let (y, name) = (top.to_string(), (top - 5).to_string());
    view! {
        <text class="name" x="0" y=name>{panel.name}</text>
        <svg x="0" y=y width="100%" height=panel.height.to_string() viewBox=["0 0 1000 ", &panel.height.to_string()].concat() preserveAspectRatio="none" overflow="visible">
            {lines.collect_view()}
        </svg>
        {grid.collect_view()}
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;
    use flowdeck_model::view::{HistoryEvent, HistoryEventKind, HistoryStorage};

    fn view(step: u32, points: &[(i64, Option<u64>)]) -> HistoryView {
        let at = |second: i64| Timestamp::from_millis(1_795_270_000_000 + second * 1_000);
        HistoryView {
            now: at(900),
            cluster: "demo".parse().unwrap(),
            group: "g".into(),
            partition: None,
            from: at(0),
            to: at(900),
            step_seconds: step,
            points: points
                .iter()
                .map(|(second, lag)| HistoryPoint {
                    at: at(*second),
                    lag: *lag,
                    time_lag_millis: None,
                    in_per_second: Some(Rate::from(2.0)),
                    out_per_second: None,
                })
                .collect(),
            events: vec![],
            known_since: None,
            storage: HistoryStorage::Topic,
            notes: vec![],
        }
    }

    #[test]
    fn points_are_where_their_steps_are() {
        let chart =
            draw(&view(10, &[(0, Some(0)), (10, Some(50)), (440, Some(100))]), Zone::default(), false);
        let across: Vec<Across> = chart.readings.iter().map(|(across, _, _)| *across).collect();
        assert_eq!(across, [6, 17, 494]);
        assert!(chart.readings[1].2.ends_with(" · lag 50 · in 2.0/s"), "{}", chart.readings[1].2);
        // 100 is the top of the axis; the gap breaks the line.
        assert!(chart.picture.contains("d=\"M5.6 128.0L16.7 64.0M494.4 0.0h0\""), "{}", chart.picture);
        assert!(!chart.below.contains("<table>"));
        assert!(chart.summary.contains("at the end 100, highest 100"));
    }

    #[test]
    fn more_points_than_can_be_told_apart_are_joined() {
        let all: Vec<(i64, Option<u64>)> = (2..902).map(|n| (n, Some(n as u64))).collect();
        let (points, step) = thinned(&view(1, &all));
        assert_eq!((points.len(), step), (300, 3));
        assert_eq!(points.last().and_then(|point| point.lag), Some(901));
        assert!(points.iter().all(|point| point.in_per_second == Some(Rate::from(2.0))));
    }

    #[test]
    fn what_happened_is_a_line_an_entry_and_part_of_the_table() {
        let at = |second: i64| Timestamp::from_millis(1_795_270_000_000 + second * 1_000);
        let event = |second, kind, text: &str| HistoryEvent {
            at: at(second),
            kind,
            text: text.into(),
            command: None,
        };
        let deployment = event(443, HistoryEventKind::Deployment, "Deployment of w: version 2 after 1");
        let errors = event(447, HistoryEventKind::Errors, "12 calls of handlers failed in 3 min");
        // Of whose step nothing else is known.
        let rebalance = event(700, HistoryEventKind::Rebalance, "Rebalance");
        let events = vec![deployment, errors, rebalance];
        let chart =
            draw(&HistoryView { events, ..view(10, &[(0, Some(0)), (440, Some(9))]) }, Zone::default(), true);
        for class in ["mark deployment", "mark errors"] {
            assert!(chart.picture.contains(class) && chart.below.contains(class), "{}", chart.below);
        }
        let table = &chart.below[chart.below.find("<tbody>").unwrap()..];
        let text = |row: &str| {
            let parts = row.split('<').filter_map(|part| Some(part.split_once('>')?.1.trim()));
            parts.filter(|part| !part.is_empty() && *part != "!").collect::<Vec<_>>().join(" ")
        };
        let rows: Vec<String> = table.split("<tr>").skip(1).map(text).collect();
        assert_eq!(
            rows,
            [
                "14:18:20 – – – 14:18:20 Rebalance",
                "14:14:00 9 2.0 – 14:14:03 Deployment of w: version 2 after 1; \
                 14:14:07 12 calls of handlers failed in 3 min",
                "14:06:40 0 2.0 –",
            ]
        );
    }

    #[test]
    fn nothing_is_known_of_an_empty_window() {
        let chart = draw(&view(10, &[]), Zone::default(), true);
        assert_eq!(chart.summary, "No lag is known of this time.");
        assert!(chart.readings.is_empty() && chart.below.contains("Nothing is known yet."));
    }
}
