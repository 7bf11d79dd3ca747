//! The chart's numbers as a table, with what happened in each step: for screen readers, and for whoever wants the
//! numbers.

use flowdeck_model::Timestamp;
use flowdeck_model::shown::exact;
use flowdeck_model::view::{HistoryEvent, HistoryPoint, HistoryView};
use leptos::prelude::*;

use super::words::span;
use super::zone::Zone;
use crate::format::number::rate;

/// A point and the events of its step, or one of these where no point is known. `step` in seconds.
struct Row<'a> {
    point: Option<&'a HistoryPoint>,
    events: Vec<&'a HistoryEvent>,
    at: Timestamp,
}

/// Oldest first.
fn rows<'a>(view: &'a HistoryView, points: &'a [HistoryPoint], step: u32) -> Vec<Row<'a>> {
    let step_of = |at: Timestamp| at.millis().div_euclid(i64::from(step) * 1_000);
    let row = |point: &'a HistoryPoint| Row { point: Some(point), events: vec![], at: point.at };
    let mut rows: Vec<Row<'a>> = points.iter().map(row).collect();
    for event in &view.events {
        match rows.binary_search_by_key(&step_of(event.at), |row| step_of(row.at)) {
            Ok(at) => rows[at].events.push(event),
            Err(at) => rows.insert(at, Row { point: None, events: vec![event], at: event.at }),
        }
    }
    rows
}

/// Each with its time: a step may be long.
fn told(events: &[&HistoryEvent], view: &HistoryView, zone: Zone) -> String {
    let words = events.iter().map(|event| [&*zone.time(event.at, view.now), " ", &event.text].concat());
    words.collect::<Vec<_>>().join("; ")
}

pub(super) fn table(view: &HistoryView, points: &[HistoryPoint], step: u32, zone: Zone) -> AnyView {
    let with_time = points.iter().any(|point| point.time_lag_millis.is_some());
    let none = || "–".to_owned();
    let with_events = !view.events.is_empty();
    let rows = rows(view, points, step).into_iter().rev().map(|row| {
        let Row { point, events, at } = row;
        let time_lag = with_time.then(|| {
            let words = point.and_then(|point| point.time_lag_millis).map(span).unwrap_or_else(none);
            view! { <td class="num" data-l="time lag">{words}</td> }
        });
        let told = with_events.then(|| view! { <td data-l="events">{told(&events, view, zone)}</td> });
        let (lag, input, output) = (
            point.and_then(|point| point.lag),
            point.and_then(|point| point.in_per_second),
            point.and_then(|point| point.out_per_second),
        );
        view! {
            <tr>
                <th scope="row"><time datetime=at.to_string()>{zone.time(at, view.now)}</time></th>
                <td class="num" data-l="lag">{lag.map(exact).unwrap_or_else(none)}</td>
                {time_lag}
                <td class="num" data-l="in/s">{input.map(rate).unwrap_or_else(none)}</td>
                <td class="num" data-l="out/s">{output.map(rate).unwrap_or_else(none)}</td>
                {told}
            </tr>
        }
    });
    let time_heading = with_time.then(|| view! { <th scope="col" class="num">"Time lag"</th> });
    let events_heading = with_events.then(|| view! { <th scope="col">"Events"</th> });
    view! {
        <div class="scroll tall" tabindex="0" role="region" aria-label="History as a table">
            <table>
                <caption class="unseen">"History, newest first"</caption>
                <thead><tr>
                    <th scope="col">{["Time, ", &zone.label()].concat()}</th>
                    <th scope="col" class="num">"Lag"</th>
                    {time_heading}
                    <th scope="col" class="num">"In/s"</th>
                    <th scope="col" class="num">"Out/s"</th>
                    {events_heading}
                </tr></thead>
                <tbody>{rows.collect_view()}</tbody>
            </table>
        </div>
    }
    .into_any()
}
