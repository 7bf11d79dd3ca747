//! Time lag, rates, time to drain and last commit of a group, with how each is known.

use std::time::Duration;

use flowdeck_model::lag::Precision;
use flowdeck_model::rate::{Drain, Rate, Windows};
use flowdeck_model::view::{FlowView, GroupRow};
use flowdeck_model::{TimeLag, Timestamp};
use leptos::prelude::*;

use super::clock::{ago, at_time};
use super::figures;
use crate::format::{number, time};

/// `≈ 9 min 12 s`, `≥ 5 min`, `0 s`; a dash where it is not known.
pub(crate) fn time_lag(lag: Option<TimeLag>) -> AnyView {
    let Some(lag) = lag else {
        return view! { <span class="faint" title="not known">"–"</span> }.into_any();
    };
    let (sign, title) = match lag.precision {
        Precision::Exact => ("", "age of the oldest record that waits"),
        Precision::Estimate => {
            ("≈ ", "age of the oldest record that waits, estimated from when the log grew")
        }
        Precision::AtLeast => ("≥ ", "the oldest record that waits was there when Flowdeck began to watch"),
    };
    let span = time::span(Duration::from_millis(lag.millis));
    view! { <span class="n" title=title>{[sign, &span].concat()}</span> }.into_any()
}

/// Lag, time lag, rates, time to drain and last commit.
pub(crate) fn facts(row: &GroupRow) -> AnyView {
    let flow = &row.flow;
    view! {
        <section class="panel figures facts" aria-label="Lag and rates">
            <div><h2>"Lag"</h2><p class="figure">{figures::lag(row.lag, row.lag_at_least, row.unknown_partitions.into())} <small>"records"</small></p></div>
            <div><h2>"Time lag"</h2><p class="figure">{time_lag(row.time_lag)}</p></div>
            {rates("In", &flow.written)}
            {rates("Out", &flow.committed)}
            <div><h2>"Time to drain"</h2>{drain(row)}</div>
            <div><h2>"Last commit"</h2><p>{last_commit(flow)}</p></div>
        </section>
    }
    .into_any()
}

/// Of retention, offsets and transactions.
pub(crate) fn sentences(all: &[String]) -> AnyView {
    all.iter().map(|text| view! { <p class="fact">{text.clone()}</p> }).collect_view().into_any()
}

fn rates(words: &'static str, windows: &Windows) -> AnyView {
    let said = |rate: Option<Rate>| rate.map_or_else(|| "–".to_owned(), number::rate);
    let longer =
        [&said(windows.five_minutes), " over 5 min, ", &said(windows.fifteen_minutes), " over 15 min"];
    view! {
        <div>
            <h2>{words}</h2>
            <p class="figure" title="records a second over the last minute">{said(windows.one_minute)} <small>"/s"</small></p>
            <p>{longer.concat()}</p>
        </div>
    }
    .into_any()
}

fn drain(row: &GroupRow) -> AnyView {
    let (figure, more) = match row.flow.drain {
        None if row.lag == Some(0) && row.unknown_partitions == 0 => ("caught up".to_owned(), ""),
        None => ("–".to_owned(), ""),
        Some(drain) => drain_words(drain),
    };
    view! { <p class="figure">{figure}</p> <p>{more}</p> }.into_any()
}

/// In a table.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn drained_in(row: &GroupRow) -> String {
    match row.flow.drain {
        None if row.lag == Some(0) && row.unknown_partitions == 0 => "caught up".to_owned(),
        None => "–".to_owned(),
        Some(drain) => drain_words(drain).0,
    }
}

/// The range over the rates of 1, 5 and 15 minutes.
fn drain_words(drain: Drain) -> (String, &'static str) {
    let span = |seconds: u64| time::span(Duration::from_secs(seconds));
    match (drain.soonest_seconds.map(span), drain.latest_seconds.map(span)) {
        (None, _) => ("never".to_owned(), "at this rate"),
        (Some(soonest), None) => (soonest, "or never, by the slowest rate"),
        (Some(soonest), Some(latest)) if soonest == latest => (soonest, ""),
        (Some(soonest), Some(latest)) => ([&soonest, " to ", &latest].concat(), ""),
    }
}

fn last_commit(flow: &FlowView) -> AnyView {
    match (flow.last_commit, flow.watched_since) {
        (Some(at), _) => view! { {at_time(at)} ", " {ago(at)} " ago" }.into_any(),
        (None, Some(since)) => none_since(since),
        (None, None) => "–".into_any(),
    }
}

fn none_since(since: Timestamp) -> AnyView {
    view! { "none since " {at_time(since)} ", when Flowdeck began to watch" }.into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drain_is_said_as_a_range() {
        for (soonest, latest, want) in [
            (None, None, "never at this rate"),
            (Some(60), None, "1 min or never, by the slowest rate"),
            (Some(60), Some(60), "1 min "),
            (Some(60), Some(300), "1 min to 5 min "),
        ] {
            let (figure, more) = drain_words(Drain { soonest_seconds: soonest, latest_seconds: latest });
            assert_eq!([&figure, " ", more].concat(), want);
        }
    }
}
