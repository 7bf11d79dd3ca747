//! The groups that match the search in figures: the whole fleet where nothing is searched.

use flowdeck_model::view::{ClusterView, FleetView};
use flowdeck_model::{FleetQuery, Verdict};
use leptos::prelude::*;

use crate::components::verdict::{self, Tone};
use crate::components::{bar, cluster, figures};
use crate::format::number;

/// Groups with this verdict, under the search.
pub(super) fn count(view: &FleetView, verdict: Verdict) -> u32 {
    view.counts.iter().filter(|count| count.verdict == verdict).map(|count| count.groups).sum()
}

fn words(verdict: Verdict) -> String {
    if verdict == Verdict::Ok { verdict.label().to_owned() } else { verdict.label().to_ascii_lowercase() }
}

/// Its tone, and a calmer one for what asks for nobody.
fn class(verdict: Verdict) -> &'static str {
    match verdict::tone(verdict, verdict.level()) {
        Tone::Ok => "fine",
        tone => tone.class(),
    }
}

const WIDTH: u32 = 400;
/// A verdict with groups is visible, however few they are.
const LEAST: u32 = 6;
const GAP: u32 = 2;

/// Left edge and width of each verdict that is there, over the whole width.
fn bars(counts: &[u32]) -> Vec<(u32, u32)> {
    let total: u64 = counts.iter().map(|count| u64::from(*count)).sum();
    let there = counts.iter().filter(|count| **count > 0).count() as u32;
    let free = WIDTH.saturating_sub(there * LEAST + there.saturating_sub(1) * GAP);
    let mut left = 0;
    let mut out = Vec::new();
    for count in counts {
        if *count == 0 {
            out.push((left, 0));
            continue;
        }
        let width = LEAST + (u64::from(free) * u64::from(*count) / total) as u32;
        out.push((left, width));
        left += width + GAP;
    }
    out
}

pub(super) fn figures(view: &FleetView, query: &FleetQuery) -> AnyView {
    let whole = query.search.trim().is_empty() && query.cluster.is_none();
    let label_of = if whole { "The whole fleet" } else { "Groups that match the search" };
    let counts = Verdict::WORST_FIRST.map(|verdict| count(view, verdict));
    let rects = Verdict::WORST_FIRST
        .into_iter()
        .zip(bars(&counts))
        .map(|(verdict, (x, width))| view! { <rect class=class(verdict) x=x.to_string() width=width.to_string() height="8"></rect> })
        .collect_view();
    let said = |verdict: Verdict, n: u32| [&number::exact(n.into()), " ", &words(verdict)].concat();
    let label: Vec<String> = Verdict::WORST_FIRST
        .into_iter()
        .zip(counts)
        .filter(|(verdict, n)| *n > 0 || !verdict.is_rare())
        .map(|(verdict, n)| said(verdict, n))
        .collect();
    let legend = Verdict::WORST_FIRST
        .into_iter()
        .zip(counts)
        .filter(|(verdict, n)| *n > 0 || !verdict.is_rare())
        .map(|(verdict, n)| view! { <span class=class(verdict)><b>{number::exact(n.into())}</b> " " {words(verdict)}</span> })
        .collect_view();
    let groups: u64 = counts.iter().map(|count| u64::from(*count)).sum();
    let partial = view
        .partial
        .then(|| view! { <small class="warned" title="A cluster does not respond">"incomplete"</small> });
    let clusters = view.clusters.iter().map(cluster_figure).collect_view();
    view! {
        <section class="panel figures" aria-label=label_of>
            <div class="wide">
                <h2>{if whole { "Groups by verdict" } else { "Groups that match, by verdict" }}</h2>
                <svg class="stack" viewBox="0 0 400 8" preserveAspectRatio="none" role="img" aria-label=label.join(", ")>{rects}</svg>
                <div class="legend">{legend}</div>
            </div>
            <div><h2>"Groups"</h2><p class="figure">{figures::count(groups)} {partial}</p></div>
            <div><h2>"Lag"</h2><p class="figure">{figures::lag(view.lag, None, view.unknown_partitions)} <small>"records"</small></p></div>
            {clusters}
        </section>
    }
    .into_any()
}

fn cluster_figure(cluster: &ClusterView) -> AnyView {
    let brokers = cluster.brokers.map(|n| number::count(n.into(), "broker", "brokers"));
    let class = if cluster.error.is_some() { "cluster-figure troubled" } else { "cluster-figure" };
    view! {
        <div class=class>
            <h2>{cluster::pill(cluster.label.clone(), cluster.colour)}</h2>
            <p>{cluster::mode_words(cluster.mode)} {brokers.map(|brokers| [" · ", &brokers].concat())}</p>
            <p>{bar::updated(cluster.as_of)}</p>
        </div>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_fill_the_width_and_hide_none() {
        let all = [
            [1, 0, 0, 0, 0, 0, 0, 0, 0, 9_999],
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
            [1; 10],
            [3, 2, 2, 1, 0, 0, 128, 4, 0, 1],
        ];
        for counts in all {
            let bars = bars(&counts);
            for (count, (x, width)) in counts.iter().zip(&bars) {
                assert_eq!(*count > 0, *width >= LEAST, "{counts:?}");
                assert!(x + width <= WIDTH, "{counts:?} {bars:?}");
            }
        }
        assert_eq!(bars(&[0; 10]), vec![(0, 0); 10]);
        let each = [1; Verdict::WORST_FIRST.len()];
        assert!(bars(&each).iter().all(|(x, width)| *width >= LEAST && x + width <= WIDTH));
    }
}
