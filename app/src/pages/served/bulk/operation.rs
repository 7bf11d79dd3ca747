//! `/c/{cluster}/bulks/{id}`: a bulk operation, and what became of each group.

use flowdeck_model::bulk::{BulkCounts, BulkGroupState, BulkState};
use flowdeck_model::view::{BulkGroupView, BulkView};
use flowdeck_model::{ClusterName, CommandId, shown};
use leptos::prelude::*;
use leptos_meta::Meta;

use super::super::{answered, ports};
use super::head;
use crate::components::clock::{ago, at_time};
use crate::components::notice;
use crate::format::number;
use crate::links;

#[component]
pub(crate) fn BulkPage(cluster: ClusterName, id: CommandId) -> AnyView {
    let answer = async move { Ok(ports()?.bulks.bulk(&cluster, id)?) };
    answered(answer, |view| page(&view))
}

fn page(view: &BulkView) -> AnyView {
    let cluster = &view.cluster_info.name;
    let count = view.groups.len() + view.hidden as usize;
    // The browser asks for the page again while it changes.
    let refresh = (!view.state.is_over()).then(|| view! { <Meta http_equiv="refresh" content="3"/> });
    let undoes = view.undoes.map(|id| {
        view! { <dt>"Takes back"</dt><dd><a class="link mono" href=links::bulk(cluster, id) rel="external">{id.to_string()}</a></dd> }
    });
    let rows = view.groups.iter().map(|one| row(cluster, one)).collect_view();
    let hidden = (view.hidden > 0).then(|| {
        let words = number::count(view.hidden.into(), "group", "groups");
        view! { <p class="muted below">{words} " that you may not view"</p> }
    });
    view! {
        {refresh}
        {head(&view.cluster_info, view.now, view.action.title(count))}
        {view.notes.iter().map(|note| notice::warning(note.clone())).collect_view()}
        <section class="panel" aria-labelledby="state">
            <header>
                <h2 id="state">{state(view)}</h2>
                <span class="actions push">{actions(view)}</span>
            </header>
            <dl class="meta">
                <dt>"Groups"</dt><dd>{counts(&view.counts)}</dd>
                <dt>"Stops after"</dt><dd>{number::count(view.stop_after.into(), "failure", "failures")}</dd>
                {undoes}
                <dt>"Requested"</dt><dd>{at_time(view.requested_at)} " by " {shown::name(&view.actor.name)}</dd>
                <dt>"Reason"</dt><dd class="wrap">{shown::name(&view.reason)}</dd>
                <dt>"Updated"</dt><dd>{ago(view.changed_at)} " ago"</dd>
                <dt>"Id"</dt><dd class="mono">{view.id.to_string()} " " <a class="link" href=links::audit(cluster, &["search=", &view.id.to_string()].concat()) rel="external">"in the audit"</a></dd>
            </dl>
        </section>
        <section class="panel" aria-labelledby="groups">
            <header><h2 id="groups">"Groups"</h2></header>
            <div class="scroll">
                <table class="plan bulk-plan">
                    <caption class="unseen">"What became of each group"</caption>
                    <thead><tr><th scope="col">"Group"</th><th scope="col">"State"</th><th scope="col">"Notes"</th></tr></thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
            {hidden}
        </section>
    }
    .into_any()
}

fn state(view: &BulkView) -> String {
    let label = if view.stopping { "being stopped" } else { view.state.label() };
    let mut chars = label.chars();
    let label: String =
        chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default();
    if view.state == BulkState::Completed || !view.state.is_over() {
        return label;
    }
    let left = number::count(view.counts.waiting.into(), "group was", "groups were");
    [&label, ": ", &left, " not begun and stay as they are"].concat()
}

fn counts(counts: &BulkCounts) -> String {
    let all = [
        (counts.confirmed, BulkGroupState::Confirmed),
        (counts.partially_confirmed, BulkGroupState::PartiallyConfirmed),
        (counts.timed_out, BulkGroupState::TimedOut),
        (counts.refused, BulkGroupState::Refused),
        (counts.in_force, BulkGroupState::InForce),
        (counts.sent, BulkGroupState::Sent),
        (counts.waiting, BulkGroupState::Waiting),
    ];
    let words = all.into_iter().filter(|(count, _)| *count > 0);
    let words: Vec<String> =
        words.map(|(count, state)| [&number::exact(count.into()), " ", state.label()].concat()).collect();
    words.join(", ")
}

fn actions(view: &BulkView) -> Option<AnyView> {
    let cluster = &view.cluster_info.name;
    if view.state.is_over() {
        let counts = &view.counts;
        let acted = counts.confirmed + counts.partially_confirmed + counts.timed_out + counts.sent;
        let undo = ["undo=", &view.id.to_string()].concat();
        return (acted > 0).then(|| {
            view! { <a class="btn small" href=links::bulk_form(cluster, &undo) rel="external">"Take it back…"</a> }
                .into_any()
        });
    }
    (!view.stopping).then(|| {
        view! {
            <form method="post" action=links::bulk(cluster, view.id) class="inline">
                <button class="btn small">"Stop"</button>
            </form>
        }
        .into_any()
    })
}

fn row(cluster: &ClusterName, one: &BulkGroupView) -> AnyView {
    let class = match one.state {
        BulkGroupState::Confirmed | BulkGroupState::InForce => "tag good",
        one if one.is_failure() => "tag bad",
        _ => "tag",
    };
    let label = one.state.label();
    let state = match one.state {
        BulkGroupState::Waiting | BulkGroupState::InForce => {
            view! { <span class=class>{label}</span> }.into_any()
        }
        _ => view! { <a class=class href=links::command(cluster, one.command) rel="external">{label}</a> }
            .into_any(),
    };
    view! {
        <tr>
            <th scope="row"><a class="name" href=links::group(cluster, &one.group) rel="external">{one.group.shown()}</a></th>
            <td data-l="state">{state}</td>
            <td data-l="notes">{one.note.clone()}</td>
        </tr>
    }
    .into_any()
}
