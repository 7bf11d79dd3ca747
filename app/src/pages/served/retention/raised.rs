//! `/c/{cluster}/retentions/{id}`: a raised retention, what is put back and when, and the order to do that at once.

use flowdeck_model::retention::{RetentionKey, RetentionPause, RetentionState};
use flowdeck_model::view::RetentionView;
use flowdeck_model::{ClusterName, CommandId, shown};
use leptos::prelude::*;
use leptos_meta::Meta;

use super::super::{answered, ports};
use super::{head, owner, value};
use crate::components::clock::{Clock, ago, at_time};
use crate::components::notice;
use crate::links;

#[component]
pub(crate) fn RaisedPage(cluster: ClusterName, id: CommandId) -> AnyView {
    let answer = async move { Ok(ports()?.retentions.retention(&cluster, id)?) };
    answered(answer, |view| page(&view))
}

fn page(view: &RetentionView) -> AnyView {
    Clock::provide(view.now);
    let (info, request) = (&view.cluster_info, &view.request);
    // The browser asks for the page again while it changes.
    let every = if view.state == RetentionState::Raised && view.ended_by.is_none() { "15" } else { "2" };
    let refresh = (!view.state.is_over()).then(|| view! { <Meta http_equiv="refresh" content=every/> });
    let (class, words) = words(view);
    let before = view.before.unwrap_or(request.seen);
    let rows = request.put_back(&before).map(|(key, before, to)| line(key, before.value, before.own, to));
    let rows = rows.collect_view();
    let end = (!view.state.is_over() && view.ended_by.is_none()).then(|| {
        view! {
            <form method="post" action=links::raised(&info.name, view.id) class="actions push">
                <button class="btn" type="submit">"Put back now"</button>
            </form>
        }
    });
    let group = request.group.as_ref().map(|group| {
        let pause = match view.pause {
            RetentionPause::NotSeen => view! { "none seen yet on this topic" }.into_any(),
            RetentionPause::Paused => view! { "in force" }.into_any(),
            RetentionPause::Over(at) => view! { "over since " {at_time(at)} }.into_any(),
        };
        view! {
            <dt>"Pauses of"</dt>
            <dd class="wrap"><a class="link" href=links::group(&info.name, group) rel="external">{group.shown()}</a> ": " {pause}</dd>
        }
    });
    let due = view.due.map(|due| {
        view! { <dt>"Values go back"</dt><dd>{at_time(due)} ", unless somebody changes them meanwhile"</dd> }
    });
    let ended = view.ended_by.as_ref().map(|name| {
        view! { <dt>"Ended by"</dt><dd>{shown::name(name)}</dd> }
    });
    view! {
        {refresh}
        {head(info, &request.topic, Some(view.now))}
        <div class=class role="status"><strong>{words}</strong></div>
        {view.notes.iter().map(|note| notice::warning(note.clone())).collect_view()}
        <section class="panel" aria-labelledby="what">
            <header><h2 id="what">{["State: ", view.state.label()].concat()}</h2>{end}</header>
            <div class="scroll"><table class="plan">
                <caption class="unseen">"What is changed"</caption>
                <thead><tr><th scope="col">"Configuration"</th><th scope="col">"Before"</th><th scope="col">"Raised to"</th></tr></thead>
                <tbody>{rows}</tbody>
            </table></div>
            <dl class="meta">
                {due}
                {group}
                {ended}
                <dt>"Requested"</dt><dd>{at_time(view.requested_at)} " by " {shown::name(&view.actor.name)}</dd>
                <dt>"Reason"</dt><dd class="wrap">{shown::name(&request.reason)}</dd>
                <dt>"Updated"</dt><dd>{ago(view.changed_at)} " ago"</dd>
                <dt>"Id"</dt><dd class="mono wrap">{view.id.to_string()}</dd>
            </dl>
        </section>
    }
    .into_any()
}

fn words(view: &RetentionView) -> (&'static str, &'static str) {
    match view.state {
        _ if !view.state.is_over() && view.ended_by.is_some() => {
            ("finding", "The values are being put back.")
        }
        RetentionState::Requested => ("finding", "Requested: nothing is changed yet."),
        RetentionState::Raising => ("finding", "Being raised: Kafka has confirmed nothing yet."),
        RetentionState::Raised => ("finding good", "Raised: Kafka has the new values."),
        RetentionState::PutBack => ("finding good", "Put back: the values are as they were before."),
        RetentionState::Changed => {
            ("finding warn", "Over: a value that was changed meanwhile was left as it is.")
        }
        RetentionState::Replaced => ("finding", "Replaced: a later request puts the values back."),
        RetentionState::Failed => ("finding bad", "Not raised."),
    }
}

fn line(key: RetentionKey, before: i64, own: bool, to: i64) -> AnyView {
    view! {
        <tr><th scope="row">{key.name()}</th>
            <td data-l="before">{value(key, before)} " " <span class="faint">{owner(own)}</span></td>
            <td data-l="raised to">{value(key, to)}</td></tr>
    }
    .into_any()
}
