//! `/c/{cluster}/dead-letters/{topic}/{partition}/{offset}`: one dead letter with its original.

use flowdeck_model::query::From as Start;
use flowdeck_model::record_place::RecordPlace;
use flowdeck_model::view::{DeadLetterOrigin, DeadLetterView};
use flowdeck_model::{ClusterName, GroupId, MessagesQuery, Partition, TopicName};
use leptos::prelude::*;

use super::super::{answered, ports};
use super::{head, or_unknown};
use crate::components::clock::at_time;
use crate::components::notice;
use crate::format::{number, time};
use crate::links;
use crate::pages::topic::record;

#[component]
pub(crate) fn LetterPage(cluster: ClusterName, topic: TopicName, place: RecordPlace) -> AnyView {
    let answer = async move { Ok(ports()?.dead_letters.letter(&cluster, &topic, place).await?) };
    answered(answer, page)
}

fn page(view: DeadLetterView) -> AnyView {
    let info = &view.cluster_info;
    let title = [
        "Dead letter ",
        &RecordPlace { partition: view.record.partition, offset: view.record.offset }.to_string(),
    ]
    .concat();
    let head = head(info, view.now, title, Some(&view.topic));
    let origin = origin(&info.name, &view.origin);
    let note = view.note.map(notice::warning);
    let original = match view.original {
        Some(original) => record::shown(original),
        None => notice::empty("It cannot be had back", "The dead letter below is all that there is."),
    };
    view! {
        {head}
        <section class="panel" aria-labelledby="why">
            <header><h2 id="why">"Why it is here"</h2></header>
            {origin}
        </section>
        <section class="panel record served" aria-labelledby="original">
            <h2 id="original">"The original"</h2>
            {note}
            {original}
        </section>
        <section class="panel record served" aria-labelledby="letter">
            <h2 id="letter">"The dead letter"</h2>
            {record::shown(view.record)}
        </section>
    }
    .into_any()
}

fn origin(cluster: &ClusterName, origin: &DeadLetterOrigin) -> AnyView {
    let topic = match origin.original_topic.as_deref().map(str::parse::<TopicName>) {
        Some(Ok(topic)) => {
            let href = links::topic(cluster, &topic, &place(origin));
            view! { <a class="link" href=href>{topic.to_string()}</a> }.into_any()
        }
        _ => or_unknown(origin.original_topic.as_deref()),
    };
    let row = |label: &'static str, text: String| view! { <dt>{label}</dt><dd>{text}</dd> };
    let group = origin.group.as_ref().map(|group: &GroupId| {
        view! { <dt>"Consumer group"</dt><dd><a class="link" href=links::group(cluster, group)>{group.shown()}</a></dd> }
    });
    let failed = origin.failed_at.map(|at| {
        view! { <dt>"Failed"</dt><dd>{time::exact(at)} <span class="faint">" · " {at_time(at)}</span></dd> }
    });
    view! {
        <dl class="meta">
            <dt>"Original topic"</dt><dd>{topic}</dd>
            {origin.original_partition.map(|partition| row("Partition", partition.to_string()))}
            {origin.original_offset.map(|offset| row("Offset", number::offset(offset)))}
            {origin.original_timestamp.map(|at| row("Original time", time::exact(at)))}
            {group}
            <dt>"Error"</dt><dd class="wrap">{or_unknown(origin.error.as_deref())}</dd>
            {origin.attempts.map(|count| row("Attempts", number::exact(count.into())))}
            {failed}
            <dt>"Written by"</dt><dd>{origin.shape.label()}</dd>
        </dl>
    }
    .into_any()
}

/// The record that it came from, if it is still there.
fn place(origin: &DeadLetterOrigin) -> MessagesQuery {
    let partition = origin.original_partition.and_then(Partition::new);
    match (partition, origin.original_offset) {
        (Some(partition), Some(offset)) if offset >= 0 => MessagesQuery {
            partition: Some(partition),
            from: Start::Offset(offset),
            ..MessagesQuery::default()
        },
        _ => MessagesQuery::default(),
    }
}
