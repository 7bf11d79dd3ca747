//! Holds: what is paused, by whom, until when.

use flowdeck_model::view::GroupRow;
use flowdeck_model::{Hold, Scope};
use leptos::prelude::*;

use super::clock::use_clock;

/// "the whole group", "topic a, partition 3, consumer b".
pub(crate) fn scope_words(scope: &Scope) -> String {
    let mut words = Vec::new();
    if let Some(topic) = &scope.topic {
        words.push(["topic ", topic.as_str()].concat());
    }
    if let Some(partition) = scope.partition {
        words.push(["partition ", &partition.to_string()].concat());
    }
    if let Some(consumer) = &scope.consumer {
        words.push(["consumer ", &consumer.shown()].concat());
    }
    if let Some(instance) = &scope.instance {
        words.push(["instance ", &instance.shown()].concat());
    }
    if words.is_empty() { "the whole group".to_owned() } else { words.join(", ") }
}

/// "by ana until 14:30 UTC"
pub(crate) fn paused_by(hold: &Hold) -> impl Fn() -> String + Send + Sync + Clone + use<> {
    let clock = use_clock();
    let (owner, until) = (flowdeck_model::shown::name(&hold.owner), hold.until);
    move || match until {
        Some(until) => {
            let words = if clock.now() < until { " until " } else { ", was to resume at " };
            ["by ", &owner, words, &clock.clock_time(until)].concat()
        }
        None => ["by ", &owner, " until resumed"].concat(),
    }
}

/// In a row: "2 of 3 partitions paused by ana until 14:30" and the reason, one for each hold, the first three.
pub(crate) fn chips(row: &GroupRow) -> AnyView {
    const SHOWN: usize = 3;
    if row.holds.is_empty() {
        return ().into_any();
    }
    let part = (row.paused_partitions < row.partition_count).then(|| {
        [&row.paused_partitions.to_string(), " of ", &row.partition_count.to_string(), " partitions "]
            .concat()
    });
    let more = row.holds.len().saturating_sub(SHOWN);
    let chips = row
        .holds
        .iter()
        .take(SHOWN)
        .map(|hold| {
            let title =
                [&scope_words(&hold.scope), ": ", &flowdeck_model::shown::name(&hold.reason)].concat();
            let reason = ["“", &flowdeck_model::shown::name(&hold.reason), "”"].concat();
            view! {
                <span class="tag hold" title=title>{part.clone()}"paused "{paused_by(hold)}</span>
                <span class="reason">{reason}</span>
            }
        })
        .collect_view();
    let more = (more > 0)
        .then(|| view! { <span class="sub">{["and ", &more.to_string(), " more"].concat()}</span> });
    view! { {chips}{more} }.into_any()
}
