//! `/c/{cluster}/produced/{id}`: what came of a record that was produced.

use flowdeck_model::produce::ProduceState;
use flowdeck_model::produce::form::ProduceForm;
use flowdeck_model::query::From as Start;
use flowdeck_model::view::ProduceView;
use flowdeck_model::{ClusterName, CommandId, GroupId, MessagesQuery, shown};
use leptos::prelude::*;
use leptos_meta::{Meta, Title};

use super::super::{answered, ports};
use crate::components::clock::{Clock, ago, at_time};
use crate::components::{bar, cluster, notice};
use crate::format::number;
use crate::links;

#[component]
pub(crate) fn ProducedPage(cluster: ClusterName, id: CommandId, query: String) -> AnyView {
    let answer = async move { Ok(ports()?.produce.produced(&cluster, id)?) };
    let skip = ProduceForm::parse(&query).skip;
    answered(answer, move |view| page(&view, &skip))
}

/// Past the record of which this is the dead letter, once that is written.
fn skip(view: &ProduceView, group: &str) -> Option<AnyView> {
    let source = view.source.as_ref().filter(|_| !group.is_empty() && view.state == ProduceState::Written)?;
    let group = GroupId::from(group);
    let to = source.offset.saturating_add(1);
    let href = links::skip(&view.cluster_info.name, &group, &source.topic, source.partition, to);
    let label = ["Skip it: set offset ", &number::offset(to)].concat();
    Some(
        view! {
            <section class="panel" aria-labelledby="skip">
                <header><h2 id="skip">{["Past the record, for ", &group.shown()].concat()}</h2></header>
                <p class="below">"The dead letter is written: the group can go past the record."</p>
                <p class="actions below"><a class="btn" href=href>{label}</a>
                    <span class="muted">"shows a preview first"</span></p>
            </section>
        }
        .into_any(),
    )
}

fn page(view: &ProduceView, group: &str) -> AnyView {
    Clock::provide(view.now);
    let info = &view.cluster_info;
    let topic = links::topic(&info.name, &view.topic, &MessagesQuery::default());
    // The browser asks for the page again while it changes.
    let refresh =
        (view.state == ProduceState::Requested).then(|| view! { <Meta http_equiv="refresh" content="2"/> });
    let (class, words) = match view.state {
        ProduceState::Requested => ("finding", "Requested"),
        ProduceState::Written => ("finding good", "Written"),
        ProduceState::Failed => ("finding bad", "Not written"),
        ProduceState::InDoubt => ("finding warn", "In doubt"),
    };
    let place = view.place.map(|place| {
        let query = MessagesQuery {
            partition: Some(place.partition),
            from: Start::Offset(place.offset),
            limit: 1,
            ..MessagesQuery::default()
        };
        let href = links::topic(&info.name, &view.topic, &query);
        let words =
            ["partition ", &place.partition.to_string(), ", offset ", &number::offset(place.offset)].concat();
        view! { " Kafka confirmed it at " <a class="link" href=href>{words}</a> "." }
    });
    let source = view.source.as_ref().map(|source| {
        view! { <dt>"Edited copy of"</dt><dd class="mono wrap">{source.to_string()}</dd> }
    });
    let partition = view.partition.map_or_else(|| "by the key".to_owned(), |partition| partition.to_string());
    view! {
        {refresh}
        <Title text=["Record produced to ", view.topic.as_str(), " · ", &info.label].concat()/>
        <div>
            <nav class="crumbs" aria-label="Where you are">
                <a href=links::to("/")>"Fleet"</a> " / "
                <a href=links::topics(&info.name)>{info.label.clone()}</a> " / "
                <a href=topic>{view.topic.to_string()}</a>
            </nav>
            <div class="title">
                {cluster::pill(info.label.clone(), info.colour)}
                <h1>"Produced record"</h1>
                {bar::updated(Some(view.now))}
            </div>
        </div>
        <div class=class role="status"><strong>{words} "."</strong> {place} " " {view.note.clone()}</div>
        {skip(view, group)}
        <section class="panel" aria-labelledby="what">
            <header><h2 id="what">"What was asked for"</h2></header>
            <dl class="meta">
                <dt>"Topic"</dt><dd>{view.topic.to_string()}</dd>
                <dt>"Partition"</dt><dd>{partition}</dd>
                <dt>"Size"</dt><dd>{number::bytes(view.size)} <span class="faint">" with key and headers"</span></dd>
                {source}
                <dt>"Requested"</dt><dd>{at_time(view.requested_at)} " by " {shown::name(&view.actor.name)}</dd>
                <dt>"Reason"</dt><dd class="wrap">{shown::name(&view.reason)}</dd>
                <dt>"Updated"</dt><dd>{ago(view.changed_at)} " ago"</dd>
                <dt>"Id"</dt><dd class="mono wrap">{view.id.to_string()}</dd>
            </dl>
        </section>
        {(view.state == ProduceState::InDoubt).then(|| notice::warning("Look into the topic before it is produced again.".to_owned()))}
    }
    .into_any()
}
