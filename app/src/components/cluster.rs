//! Which cluster: its label in its colour wherever something of it is shown, and what is wrong
//! with it, so that production is not paused by mistake while staging is meant.

use flowdeck_model::view::cluster::Colour;
use flowdeck_model::view::{ClusterView, Mode};
use leptos::prelude::*;

use super::clock::ago;
use super::icons::{Icon, icon};

pub(crate) fn pill(label: String, colour: Colour) -> impl IntoView {
    view! { <span class=["cluster cl-", colour.key()].concat()>{label}</span> }
}

pub(crate) fn mode_words(mode: Mode) -> &'static str {
    match mode {
        Mode::Observe => "observe mode",
        Mode::Control => "control mode",
    }
}

/// A cluster that does not respond, with the age of what is shown; nothing where all is well.
pub(crate) fn trouble(cluster: &ClusterView) -> Option<AnyView> {
    let error = cluster.error.clone()?;
    let label = cluster.label.clone();
    let since = match cluster.as_of {
        Some(at) => view! { "The data below was updated " {ago(at)} " ago." }.into_any(),
        None => "No data yet.".into_any(),
    };
    Some(
        view! {
            <div class="note bad">
                {icon(Icon::Bad)}
                // Only this is spoken: the age beside it counts on.
                <span><b role="status">{label} " does not respond."</b> " " {since} " " <span class="why">{error}</span></span>
            </div>
        }
        .into_any(),
    )
}

/// Telemetry of the cluster that is not shown, since there is too much of it; nothing where there is not.
pub(crate) fn capped(cluster: &ClusterView) -> Option<AnyView> {
    if cluster.capped.is_empty() {
        return None;
    }
    let label = cluster.label.clone();
    let lines = cluster.capped.iter().map(|line| view! { <li>{line.clone()}</li> }).collect_view();
    Some(
        view! {
            <div class="note capped">
                {icon(Icon::Warn)}
                <div><b role="status">"Some agent telemetry on " {label} " is ignored (rate limit)."</b> <ul>{lines}</ul></div>
            </div>
        }
        .into_any(),
    )
}

/// What is off or unknown for lack of rights or capabilities.
pub(crate) fn notes(cluster: &ClusterView) -> Option<impl IntoView + use<>> {
    if cluster.notes.is_empty() {
        return None;
    }
    let label = cluster.label.clone();
    let notes = cluster.notes.iter().map(|note| view! { <li>{note.clone()}</li> }).collect_view();
    Some(view! {
        <details class="note quiet">
            <summary>{icon(Icon::Info)} <span>"Limited permissions or capabilities on " {label}</span></summary>
            <ul>{notes}</ul>
        </details>
    })
}
