//! Holds that stand on the group, each with its way out.

use flowdeck_model::view::fleet::HoldChip;
use flowdeck_model::view::{GroupView, Mode};
use flowdeck_model::{Action, CommandId, HoldId, Scope, Target};
use leptos::prelude::*;

use super::form::{self, hidden_target};
use crate::components::clock::{ago, at_time, use_clock};
use crate::components::hold::scope_words;
use crate::components::icons::{Icon, icon};
use crate::links;

/// Kept by id, so that a form in which somebody types is not made anew by an update.
pub(super) fn panel(header: RwSignal<GroupView>) -> AnyView {
    let ids = Memo::new(move |_| {
        // Several topics of one command make one hold each, under one id: the scope tells them apart.
        header
            .with(|view| view.row.holds.iter().map(|hold| (hold.id, hold.scope.clone())).collect::<Vec<_>>())
    });
    let one = move |(id, scope): (HoldId, Scope)| {
        let same = move |hold: &&HoldChip| hold.id == id && hold.scope == scope;
        let hold = Memo::new(move |_| header.with(|view| view.row.holds.iter().find(&same).cloned()));
        let (cluster, control) = header
            .with_untracked(|view| (view.cluster_info.clone(), view.cluster_info.mode == Mode::Control));
        let form = hold.get_untracked().filter(|_| control).map(|hold| way_out(hold, header));
        view! {
            <li class="held-row">
                {move || hold.get().map(|hold| words(&hold))}
                {form}
                {(!control).then(|| view! { <p class="muted">{form::observe_words(&cluster.label, cluster.name.as_str())}</p> })}
            </li>
        }
    };
    let rows = view! { <For each=move || ids.get() key=Clone::clone children=one/> };
    view! {
        <section class="panel holds" aria-labelledby="holds" hidden=move || ids.read().is_empty()>
            <header><h2 id="holds">"Held"</h2></header>
            <ul>{rows}</ul>
        </section>
    }
    .into_any()
}

fn words(hold: &HoldChip) -> AnyView {
    let except = hold.except.iter().map(scope_words).collect::<Vec<_>>().join("; ");
    let clock = use_clock();
    let until = match hold.until {
        Some(until) => {
            let words = move || if clock.now() < until { "until " } else { "was to end " };
            view! { {words} {at_time(until)} }.into_any()
        }
        None => "until somebody resumes it".into_any(),
    };
    view! {
        <p><span class="verdict hold">{icon(Icon::Hold)} <span>{scope_words(&hold.scope)}</span></span></p>
        <p>"by " <b>{flowdeck_model::shown::name(&hold.owner)}</b> ", " {until} ", since " {ago(hold.since)}</p>
        <p class="muted">"“" {flowdeck_model::shown::name(&hold.reason)} "”"</p>
        {(!except.is_empty()).then(|| view! { <p class="muted">"but not: " {except.clone()}</p> })}
    }
    .into_any()
}

/// The resume of exactly what is held.
fn way_out(hold: HoldChip, header: RwSignal<GroupView>) -> AnyView {
    let scope = hold.scope;
    if scope.partition.is_some() || scope.instance.is_some() {
        return view! { <p class="muted">"This is narrower than a form here can name: resume its topic, its consumer or the group to release it."</p> }.into_any();
    }
    let cluster = header.with_untracked(|view| view.cluster_info.clone());
    let target =
        Target { group: scope.group, consumer: scope.consumer, topics: scope.topic.into_iter().collect() };
    let label = form::button_words(Action::Resume, target.clone(), header);
    view! {
        <form class="inline" method="post" action=links::commands(&cluster.name)>
            {hidden_target(CommandId::random(), Action::Resume, &target)}
            <label><span class="unseen">"Why (may stay empty)"</span><input name="reason" maxlength="500" autocomplete="off" placeholder="Why (may stay empty)"/></label>
            <button class="btn small" type="submit">{icon(Icon::Resume)} <span>{label}</span></button>
        </form>
    }
    .into_any()
}
