//! `/c/{cluster}/canaries/{id}`: a part of a paused group runs again; the rest is ordered here, or the part is paused again.
//! `order=rest|back` shows what that would do.

use flowdeck_model::canary::{CanaryOrder, CanaryState};
use flowdeck_model::command::REASON_MAX;
use flowdeck_model::view::{CanaryPartition, CanaryView, CommandView};
use flowdeck_model::{ClusterName, CommandId, Ports, shown};
use leptos::prelude::*;
use leptos_meta::{Meta, Title};

use super::{answered, head_of_group, ports};
use crate::api::{Answer, PageError, PreviewText};
use crate::components::clock::{Clock, ago, at_time};
use crate::components::{command, notice};
use crate::format::number;
use crate::links;
use crate::pages::group::preview;
use crate::typed;

struct Shown {
    view: CanaryView,
    /// Of an order that is asked for.
    preview: Option<(CanaryOrder, Result<PreviewText, PageError>)>,
}

#[component]
pub(crate) fn CanaryPage(cluster: ClusterName, id: CommandId, query: String) -> AnyView {
    let ports = ports();
    answered(async move { read(&ports?, &cluster, id, &query).await }, |shown| page(&shown))
}

async fn read(ports: &Ports, cluster: &ClusterName, id: CommandId, query: &str) -> Answer<Shown> {
    let view = ports.canaries.canary(cluster, id).await?;
    let fields = form_urlencoded::parse(query.trim_start_matches('?').as_bytes());
    let word = fields.filter(|(name, _)| name == "order").find_map(|(_, word)| CanaryOrder::from_word(&word));
    let preview = match word.filter(|order| view.orders.contains(order)) {
        None => None,
        Some(order) => {
            let preview = ports.canaries.preview_order(cluster, id, order).await;
            Some((order, preview.map(PreviewText::from).map_err(PageError::from)))
        }
    };
    Ok(Shown { view, preview })
}

fn page(shown: &Shown) -> AnyView {
    let (view, first) = (&shown.view, &shown.view.first);
    let (info, group) = (&first.cluster_info, &first.target.group);
    Clock::provide(first.now);
    let title = ["Canary resume of ", &first.target.to_string()].concat();
    // The browser asks for the page again while it changes, but not under a form.
    let is_asking = shown.preview.is_some();
    let refresh = (!is_asking).then(|| {
        let every = if view.state.is_settled() { "10" } else { "2" };
        view! { <Meta http_equiv="refresh" content=every/> }
    });
    let (class, words) = words(view.state);
    let steps = [
        ("Resume the part", Some(first)),
        ("Resume the rest", view.rest.as_ref()),
        ("Pause the part again", view.back.as_ref()),
    ];
    let steps = steps.map(|(name, step)| line(info.name.clone(), name, step));
    let holds = view.holds.iter().map(|words| view! { <li>{words.clone()}</li> }).collect_view();
    let rest = (!view.holds.is_empty()).then(|| {
        view! {
            <section class="panel" aria-labelledby="rest">
                <header><h2 id="rest">"Still paused beside the part"</h2></header>
                <ul class="below">{holds}</ul>
            </section>
        }
    });
    view! {
        {refresh}
        <Title text=[&title, " · ", &info.label].concat()/>
        {head_of_group(info, group, title, first.now)}
        <div class=class role="status"><strong>{words}</strong></div>
        {orders(view)}
        {shown.preview.as_ref().map(|(order, preview)| asked(view, *order, preview))}
        <section class="panel" aria-labelledby="steps">
            <header><h2 id="steps">"Steps"</h2></header>
            <div class="scroll"><table class="plan">
                <caption class="unseen">"Steps of the canary resume"</caption>
                <thead><tr><th scope="col">"Step"</th><th scope="col">"Status"</th><th scope="col">"Evidence"</th></tr></thead>
                <tbody>{steps}</tbody>
            </table></div>
        </section>
        {partitions(view)}
        {rest}
    }
    .into_any()
}

fn words(state: CanaryState) -> (&'static str, &'static str) {
    match state {
        CanaryState::Resuming => ("finding", "The part is being resumed: evidence is awaited."),
        CanaryState::Waiting => (
            "finding good",
            "The part is resumed; the rest is paused. Look at the part, then order the rest, or pause the part again.",
        ),
        CanaryState::NotConfirmed => (
            "finding warn",
            "The part was not confirmed: the rest is not resumed from here. Pause the part again, or look at the group.",
        ),
        CanaryState::Refused => ("finding bad", "Refused: nothing was resumed."),
        CanaryState::ResumingRest => ("finding", "The rest is being resumed: evidence is awaited."),
        CanaryState::RestResumed => ("finding good", "All is resumed."),
        CanaryState::RestNotConfirmed => {
            ("finding warn", "The rest was ordered and not confirmed: its own page tells why.")
        }
        CanaryState::PausingAgain => ("finding", "The part is being paused again: evidence is awaited."),
        CanaryState::PausedAgain => ("finding good", "The part is paused again."),
        CanaryState::PauseNotConfirmed => {
            ("finding bad", "The pause of the part was ordered and not confirmed: its own page tells why.")
        }
    }
}

fn label(order: CanaryOrder) -> &'static str {
    match order {
        CanaryOrder::Rest => "Resume the rest",
        CanaryOrder::Back => "Pause the part again",
    }
}

/// Links to the preview of each.
fn orders(view: &CanaryView) -> Option<AnyView> {
    let (cluster, id) = (&view.first.cluster_info.name, view.first.id);
    let one = |order: &CanaryOrder| {
        let href = [&links::canary(cluster, id), "?order=", order.word(), "#preview"].concat();
        view! { <a class="btn" href=href>{label(*order)} "…"</a> }
    };
    let links = view.orders.iter().map(one).collect_view();
    (!view.orders.is_empty()).then(|| view! { <p class="actions">{links}</p> }.into_any())
}

/// The preview of an order, and the form that gives it.
fn asked(view: &CanaryView, order: CanaryOrder, text: &Result<PreviewText, PageError>) -> AnyView {
    let info = &view.first.cluster_info;
    let can = text.as_ref().is_ok_and(|text| text.refused.is_none() && text.existing.is_none());
    let reason = match typed::typed().reason {
        typed if typed.is_empty() => view.first.reason.clone(),
        typed => typed,
    };
    let form = can.then(|| {
        view! {
            <form method="post" action=links::canary(&info.name, view.first.id) class="ask-body">
                <input type="hidden" name="order" value=order.word()/>
                <label class="field"><span>"Reason"</span>
                    <input type="text" name="reason" value=reason required=order == CanaryOrder::Back maxlength=REASON_MAX.to_string() autocomplete="off"/></label>
                <p class="actions"><button class=if order == CanaryOrder::Back { "btn hold" } else { "btn primary" } type="submit">{label(order)}</button>
                    <a class="btn" href=links::canary(&info.name, view.first.id)>"Close"</a></p>
            </form>
        }
    });
    view! {
        <section class="panel offsets-panel" aria-labelledby="ordered">
            <h2 id="ordered">{label(order)}</h2>
            {preview::shown(text, info)}
            {form}
        </section>
    }
    .into_any()
}

fn line(cluster: ClusterName, name: &'static str, step: Option<&CommandView>) -> AnyView {
    let Some(step) = step else {
        return view! {
            <tr><th scope="row">{name}</th><td data-l="status"><span class="faint">"not ordered"</span></td><td data-l="evidence"></td></tr>
        }
        .into_any();
    };
    let all = step.instances.len() as u64;
    let done = step.instances.iter().filter(|one| one.state.is_done()).count() as u64;
    let confirmed =
        ["confirmed by ", &number::exact(done), " of ", &number::count(all, "instance", "instances")]
            .concat();
    let details = step.instances.iter().filter_map(|one| one.detail.as_ref()).take(5);
    let details =
        details.map(|detail| view! { <small class="sub">{shown::text(detail)}</small> }).collect_view();
    let notes = step
        .notes
        .iter()
        .take(3)
        .map(|note| view! { <small class="sub">{note.clone()}</small> })
        .collect_view();
    view! {
        <tr>
            <th scope="row"><a class="link" href=links::command(&cluster, step.id) rel="external">{name}</a></th>
            <td data-l="status"><span class=command::state_class(step.state)>{step.state.label()}</span> " " {ago(step.requested_at)} " ago"</td>
            <td data-l="evidence" class="wrap">{confirmed} {details} {notes}</td>
        </tr>
    }
    .into_any()
}

fn partitions(view: &CanaryView) -> AnyView {
    if view.partitions.is_empty() {
        return notice::empty("No partitions", "Kafka has no committed offset of the part.");
    }
    let rows = view.partitions.iter().map(partition).collect_view();
    view! {
        <section class="panel" aria-labelledby="part">
            <header><h2 id="part">"The part, as it is now"</h2></header>
            <div class="scroll"><table class="plan">
                <caption class="unseen">"Partitions of the part"</caption>
                <thead><tr>
                    <th scope="col">"Partition"</th><th scope="col" class="num">"Committed"</th>
                    <th scope="col" class="num">"Lag"</th><th scope="col">"Last commit"</th><th scope="col">"Status"</th>
                </tr></thead>
                <tbody>{rows}</tbody>
            </table></div>
        </section>
    }
    .into_any()
}

fn partition(row: &CanaryPartition) -> AnyView {
    let name = [row.topic.as_str(), " ", &row.partition.to_string()].concat();
    let committed = row.committed.map_or_else(|| "none".to_owned(), number::offset);
    let lag = row.lag.map_or_else(|| "not known".to_owned(), number::exact);
    let last = row.last_commit.map(|at| view! { {at_time(at)} ", " {ago(at)} " ago" });
    view! {
        <tr>
            <th scope="row" class="wrap">{name}</th>
            <td class="num" data-l="committed">{committed}</td>
            <td class="num" data-l="lag">{lag}</td>
            <td data-l="last commit">{last}</td>
            <td data-l="status">{if row.paused { "paused" } else { "not paused" }}</td>
        </tr>
    }
    .into_any()
}
