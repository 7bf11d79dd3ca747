//! `/c/{cluster}/topics`: the topics of one cluster.

use flowdeck_model::view::{TopicRow, TopicsView};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_navigate, use_query_map};

use crate::api;
use crate::components::clock::Clock;
use crate::components::search::{self, Words};
use crate::components::{bar, cluster, figures, name, notice};
use crate::format::number;
use crate::links;
use crate::site::use_frame;

#[component]
pub(crate) fn TopicsPage() -> impl IntoView {
    let cluster = super::segment("cluster");
    let view = Resource::new(move || cluster.get(), api::topics);
    super::once_read(view, page)
}

fn page(view: TopicsView) -> AnyView {
    Clock::provide(view.now);
    let info = view.cluster_info.clone();
    let query = use_query_map();
    let searched =
        Memo::new(move |_| query.with(|query| query.get_str("search").unwrap_or_default().to_owned()));
    let rows = StoredValue::new(view.topics);
    let found = Memo::new(move |_| {
        let search = searched.get().to_ascii_lowercase();
        rows.with_value(|rows| {
            rows.iter()
                .filter(|row| row.topic.as_str().to_ascii_lowercase().contains(&search))
                .cloned()
                .collect::<Vec<TopicRow>>()
        })
    });
    let (here_name, here) = (info.name.clone(), links::topics(&info.name));
    let table = move || found.with(|found| table(&here_name, found, &searched.read()));
    let words = Words { label: "Search topics", placeholder: "Topic" };
    let navigate = use_navigate();
    let to = here.clone();
    let typed = move |text: String| {
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("search", &text).finish();
        let options = NavigateOptions { resolve: false, replace: true, scroll: false, ..Default::default() };
        navigate(&links::with_query(&to, if text.is_empty() { "" } else { &query }), options);
    };
    view! {
        <Title text=["Topics · ", &info.label].concat()/>
        <div>
            <nav class="crumbs" aria-label="Where you are"><a href=links::to("/")>"Fleet"</a> " / " {info.label.clone()}</nav>
            <div class="title">
                {cluster::pill(info.label.clone(), info.colour)}
                <h1>"Topics"</h1>
                {bar::updated(Some(view.now))}
                {others(&info.name)}
            </div>
        </div>
        {cluster::trouble(&info)}
        <section class="panel" aria-label="Topics">
            <div class="tools">
                {search::field(words, here, searched, typed, || ())}
                <span class="muted push" role="status">{move || number::count(found.read().len() as u64, "topic", "topics")}</span>
            </div>
            {table}
        </section>
    }
    .into_any()
}

/// Dead letters, and the other clusters' topics, where there are others.
fn others(here: &flowdeck_model::ClusterName) -> AnyView {
    let others = use_frame().clusters.into_iter().filter(|cluster| cluster.name != *here);
    let links = others
        .map(|it| view! { <a class=["chip cluster-chip cl-", it.colour.key()].concat() href=links::topics(&it.name)>{it.label}</a> })
        .collect_view();
    view! {
        <div class="actions">
            <a class="btn small" href=links::dead_letters(here, false) rel="external">"Dead letters"</a>
            <a class="btn small" href=links::brokers(here) rel="external">"Brokers"</a>
            {links}
        </div>
    }
    .into_any()
}

fn table(cluster: &flowdeck_model::ClusterName, rows: &[TopicRow], search: &str) -> AnyView {
    if rows.is_empty() && !search.is_empty() {
        let all = view! { "No name contains what you typed. " <a class="link" href=links::topics(cluster)>"Show all topics"</a> };
        return notice::empty("No topic matches", all);
    }
    if rows.is_empty() {
        return notice::empty(
            "No topics",
            "The cluster has none, or Flowdeck may not see one: that takes the ACL Describe on them.",
        );
    }
    let rows = rows.iter().map(|row| line(cluster, row)).collect_view();
    view! {
        <div class="scroll">
            <table class="cards fixed topics-table">
                <caption class="unseen">"Topics of this cluster"</caption>
                <thead><tr>
                    <th scope="col">"Topic"</th>
                    <th scope="col" class="num w-count">"Partitions"</th>
                    <th scope="col" class="num w-count">"Replicas"</th>
                    <th scope="col" class="num w-groups">"Consumer groups"</th>
                    <th scope="col">"Most lag in"</th>
                    <th scope="col" class="num w-lag">"Lag"</th>
                </tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn line(cluster: &flowdeck_model::ClusterName, row: &TopicRow) -> impl IntoView + use<> {
    let internal = row.internal.then(|| view! { <span class="tag">"internal"</span> });
    view! {
        <tr>
            <td data-c="group">
                <div class="cell"><a class="name" data-key="row" href=links::topic(cluster, &row.topic, &Default::default())>{name::cut(row.topic.to_string())}</a> {internal}</div>
            </td>
            <td class="num" data-l="partitions">{number::exact(row.partitions.into())}</td>
            <td class="num" data-l="replicas">{number::exact(row.replication.into())}</td>
            <td class="num" data-l="consumer groups">{number::exact(row.readers.into())}</td>
            <td data-l="most lag in"><div class="cell">{row.groups.first().map(|group| name::cut(group.shown()))}</div></td>
            <td class="num" data-l="lag">{figures::lag(row.lag, row.lag_at_least, row.unknown_partitions.into())}</td>
        </tr>
    }
}
