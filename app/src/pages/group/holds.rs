//! Active pauses of the group, each with the form that resumes it.

use flowdeck_model::command::REASON_MAX;
use flowdeck_model::view::{GroupView, Mode};
use flowdeck_model::{ActionKind, CommandId, Hold, HoldBy, HoldId, Scope, Target, url};
use leptos::prelude::*;

use super::form::{self, OPTIONAL_REASON, hidden_target};
use crate::components::clock::{ago, at_time, use_clock};
use crate::components::hold::scope_words;
use crate::components::icons::{Icon, icon};
use crate::links;

/// Kept by id, so that an update does not replace a form in which the user types.
pub(super) fn panel(header: RwSignal<GroupView>) -> AnyView {
    let ids = Memo::new(move |_| {
        // Several topics of one command make one hold each, under one id: the scope tells them apart.
        header
            .with(|view| view.row.holds.iter().map(|hold| (hold.id, hold.scope.clone())).collect::<Vec<_>>())
    });
    let one = move |(id, scope): (HoldId, Scope)| {
        let same = move |hold: &&Hold| hold.id == id && hold.scope == scope;
        let hold = Memo::new(move |_| header.with(|view| view.row.holds.iter().find(&same).cloned()));
        let (cluster, control) = header
            .with_untracked(|view| (view.cluster_info.clone(), view.cluster_info.mode == Mode::Control));
        let form = hold.get_untracked().filter(|_| control).map(|hold| resume_form(hold, header));
        view! {
            <li class="hold-row">
                {move || hold.get().map(|hold| words(&hold))}
                {form}
                {(!control).then(|| view! { <p class="muted">{form::observe_words(&cluster.label, cluster.name.as_str())}</p> })}
            </li>
        }
    };
    let rows = view! { <For each=move || ids.get() key=Clone::clone children=one/> };
    view! {
        <section class="panel holds" aria-labelledby="holds" hidden=move || ids.read().is_empty()>
            <header><h2 id="holds">"Active pauses"</h2></header>
            <ul>{rows}</ul>
        </section>
    }
    .into_any()
}

fn words(hold: &Hold) -> AnyView {
    let except = hold.except.iter().map(scope_words).collect::<Vec<_>>().join("; ");
    let clock = use_clock();
    let until = match hold.until {
        Some(until) => {
            let words = move || if clock.now() < until { "resumes at " } else { "was to resume at " };
            view! { {words} {at_time(until)} }.into_any()
        }
        None => "until resumed".into_any(),
    };
    view! {
        <p><span class="verdict hold">{icon(Icon::Hold)} <span>{scope_words(&hold.scope)}</span></span></p>
        <p>"by " <b>{flowdeck_model::shown::name(&hold.owner)}</b> ", paused " {ago(hold.since)} " ago, " {until}</p>
        <p class="muted">"“" {flowdeck_model::shown::name(&hold.reason)} "”"</p>
        {(hold.by == HoldBy::Stop).then(|| view! { <p class="muted">"KafkaFlow consumers are kept stopped; the resume starts them."</p> })}
        {(!except.is_empty()).then(|| view! { <p class="muted">"except: " {except.clone()}</p> })}
    }
    .into_any()
}

/// Resumes what the hold pauses. Where another one lies there, the server answers with the form and its preview.
fn resume_form(hold: Hold, header: RwSignal<GroupView>) -> AnyView {
    let scope = hold.scope;
    if scope.instance.is_some() {
        return view! { <p class="muted">"To release it, resume its topic, its consumer or the group."</p> }
            .into_any();
    }
    let cluster = header.with_untracked(|view| view.cluster_info.clone());
    let target = Target {
        group: scope.group,
        consumer: scope.consumer,
        topics: scope.topic.into_iter().collect(),
        partitions: scope.partition.into_iter().collect(),
    };
    let title = [ActionKind::Resume.label(), " ", &target.to_string()].concat();
    let label = form::button_words(title, target.consumer.clone(), header);
    view! {
        <form class="inline" method="post" action=[&links::commands(&cluster.name), "?", url::ALONE].concat()>
            {hidden_target(CommandId::random(), ActionKind::Resume, &target)}
            <label><span class="unseen">{OPTIONAL_REASON}</span><input name="reason" maxlength=REASON_MAX.to_string() autocomplete="off" placeholder=OPTIONAL_REASON/></label>
            <button class="btn small" type="submit">{icon(Icon::Resume)} <span>{label}</span></button>
        </form>
    }
    .into_any()
}
