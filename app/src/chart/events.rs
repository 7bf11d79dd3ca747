//! What happened: a line in the picture with a number, and under it what the number means.

use flowdeck_model::view::{HistoryEvent, HistoryEventKind, HistoryView};
use leptos::prelude::*;

use super::draw::Frame;
use super::zone::Zone;
use crate::links;

/// Listed under the picture; the newest.
const LISTED: usize = 12;
/// Numbers that are nearer to each other than this part of the width would cover each other.
const NEAR: f64 = 18.0;

fn class(event: &HistoryEvent) -> &'static str {
    match event.kind {
        HistoryEventKind::Rebalance => "mark",
        HistoryEventKind::Operation => "mark op",
        HistoryEventKind::Change => "mark change",
        HistoryEventKind::Errors => "mark errors",
        HistoryEventKind::Deployment => "mark deployment",
    }
}

/// Through all panels.
pub(super) fn lines(view: &HistoryView, frame: &Frame) -> Vec<AnyView> {
    let mut labelled = f64::NEG_INFINITY;
    let mut lines = Vec::new();
    for (n, event) in view.events.iter().enumerate() {
        let across = frame.across(event.at);
        let x = frame.percent(across);
        let label = (across - labelled >= NEAR).then(|| {
            labelled = across;
            view! { <text x=x.clone() y="11" text-anchor="middle">{n + 1}</text> }
        });
        let height = frame.bottom.to_string();
        lines.push(
            view! {
                <g class=class(event)>
                    <title>{event.text.clone()}</title>
                    <line x1=x.clone() x2=x y1="15" y2=height></line>
                    {label}
                </g>
            }
            .into_any(),
        );
    }
    lines
}

pub(super) fn list(view: &HistoryView, zone: Zone) -> Option<AnyView> {
    if view.events.is_empty() {
        return None;
    }
    let earlier = view.events.len().saturating_sub(LISTED);
    let items = view.events.iter().enumerate().skip(earlier).map(|(n, event)| {
        let text = match event.command {
            Some(id) => {
                let href = links::command(&view.cluster, id);
                view! { <a class="link" href=href>{event.text.clone()}</a> }.into_any()
            }
            None => view! { <span>{event.text.clone()}</span> }.into_any(),
        };
        view! {
            <li class=class(event)><b>{n + 1}</b> <time datetime=event.at.to_string()>{zone.time(event.at, view.now)}</time> {text}</li>
        }
    });
    let earlier = (earlier > 0).then(|| view! { <li class="muted">{format!("{earlier} earlier")}</li> });
    Some(view! { <ol class="events" aria-label="Events">{earlier} {items.collect_view()}</ol> }.into_any())
}
