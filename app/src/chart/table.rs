//! The chart's numbers as a table: for screen readers, and for whoever wants the numbers.

use flowdeck_model::shown::exact;
use flowdeck_model::view::{HistoryPoint, HistoryView};
use leptos::prelude::*;

use super::words::span;
use super::zone::Zone;
use crate::format::number::rate;

pub(super) fn table(view: &HistoryView, points: &[HistoryPoint], zone: Zone) -> AnyView {
    let with_time = points.iter().any(|point| point.time_lag_millis.is_some());
    let none = || "–".to_owned();
    let rows = points.iter().rev().map(|point| {
        let time_lag = with_time.then(|| {
            let words = point.time_lag_millis.map(span).unwrap_or_else(none);
            view! { <td class="num" data-l="time lag">{words}</td> }
        });
        view! {
            <tr>
                <th scope="row"><time datetime=point.at.to_string()>{zone.time(point.at, view.now)}</time></th>
                <td class="num" data-l="lag">{point.lag.map(exact).unwrap_or_else(none)}</td>
                {time_lag}
                <td class="num" data-l="in/s">{point.in_per_second.map(rate).unwrap_or_else(none)}</td>
                <td class="num" data-l="out/s">{point.out_per_second.map(rate).unwrap_or_else(none)}</td>
            </tr>
        }
    });
    let time_heading = with_time.then(|| view! { <th scope="col" class="num">"Time lag"</th> });
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
                </tr></thead>
                <tbody>{rows.collect_view()}</tbody>
            </table>
        </div>
    }
    .into_any()
}
