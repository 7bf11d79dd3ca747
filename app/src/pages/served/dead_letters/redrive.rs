//! `/c/{cluster}/redrives/{id}`: a re-drive, how far it came, and the orders that it takes.

use flowdeck_model::redrive::{RedriveOrder, RedriveProgress, RedriveState};
use flowdeck_model::view::RedriveView;
use flowdeck_model::{ClusterName, CommandId};
use leptos::prelude::*;
use leptos_meta::Meta;

use super::super::{answered, ports};
use super::head;
use crate::components::clock::{ago, at_time};
use crate::components::notice;
use crate::format::number;
use crate::links;

#[component]
pub(crate) fn RedrivePage(cluster: ClusterName, id: CommandId) -> AnyView {
    let answer = async move { Ok(ports()?.redrives.redrive(&cluster, id)?) };
    answered(answer, |view| page(&view))
}

fn page(view: &RedriveView) -> AnyView {
    let request = &view.request;
    // The browser asks for the page again while it changes.
    let refresh = (!view.state.is_over()).then(|| view! { <Meta http_equiv="refresh" content="3"/> });
    let actor = view.actor.name.clone();
    view! {
        {refresh}
        {head(&view.cluster_info, view.now, ["Re-drive of ", request.topic.as_str()].concat(), Some(&request.topic))}
        {view.notes.iter().map(|note| notice::warning(note.clone())).collect_view()}
        <section class="panel" aria-labelledby="state">
            <header>
                <h2 id="state">{state(view)}</h2>
                <span class="actions push">{orders(view)}</span>
            </header>
            <dl class="meta">
                <dt>"Copied"</dt>
                <dd>{number::count(view.progress.copied, "record", "records")} <span class="faint">" · " {view.progress.percent.to_string()} " % looked at"</span></dd>
                <dt>"Not copied"</dt>
                <dd>{number::exact(view.progress.left_out())}</dd>
                <dt>"To"</dt><dd>{request.to.to_string()}</dd>
                <dt>"Rate"</dt><dd>"at most " {number::count(request.rate.into(), "record", "records")} " a second"</dd>
                <dt>"Requested"</dt><dd>{at_time(view.requested_at)} " by " {flowdeck_model::shown::name(&actor)}</dd>
                <dt>"Reason"</dt><dd class="wrap">{flowdeck_model::shown::name(&request.reason)}</dd>
                <dt>"Updated"</dt><dd>{ago(view.changed_at)} " ago"</dd>
                <dt>"Id"</dt><dd class="mono">{view.id.to_string()}</dd>
            </dl>
        </section>
        <section class="panel" aria-labelledby="left">
            <header><h2 id="left">"Not copied, by reason"</h2></header>
            {not_copied(&view.progress, "were not copied")}
        </section>
    }
    .into_any()
}

fn state(view: &RedriveView) -> String {
    let label = match (view.state, view.order) {
        (RedriveState::Running | RedriveState::Requested | RedriveState::Paused, RedriveOrder::Stop) => {
            "being stopped"
        }
        (RedriveState::Running, RedriveOrder::Pause) => "being paused",
        (RedriveState::Paused, RedriveOrder::Run) => "being continued",
        (state, _) => state.label(),
    };
    let mut chars = label.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

fn orders(view: &RedriveView) -> Option<AnyView> {
    if view.state.is_over() || view.order == RedriveOrder::Stop {
        return None;
    }
    let action = links::redrive_orders(&view.cluster_info.name, view.id);
    let button = |order: RedriveOrder, label: &'static str| {
        let action = action.clone();
        view! {
            <form method="post" action=action class="inline">
                <input type="hidden" name="order" value=order.word()/>
                <button class="btn small">{label}</button>
            </form>
        }
    };
    let other = match view.order {
        RedriveOrder::Pause => button(RedriveOrder::Run, "Continue"),
        _ => button(RedriveOrder::Pause, "Pause"),
    };
    Some(view! { {other} {button(RedriveOrder::Stop, "Stop")} }.into_any())
}

/// Why records are left where they are.
pub(super) fn not_copied(progress: &RedriveProgress, words: &'static str) -> AnyView {
    if progress.not_copied.is_empty() {
        return view! { <p class="muted below">"None."</p> }.into_any();
    }
    let rows = progress.not_copied.iter().map(|one| {
        view! { <li>{number::count(one.count, "record", "records")} " " {words} ": " {one.why.label()}</li> }
    });
    view! { <ul class="effects below">{rows.collect_view()}</ul> }.into_any()
}
