//! `/c/{cluster}/dead-letters`: the topics that hold dead letters.

use flowdeck_model::view::{DeadLetterTopic, DeadLetterTopicsView};
use flowdeck_model::{ClusterName, DeadLettersQuery, PortError};
use leptos::prelude::*;

use super::super::{answered, ports};
use super::{age, head};
use crate::components::{name, notice};
use crate::format::number;
use crate::links;

#[component]
pub(crate) fn LetterTopicsPage(cluster: ClusterName, query: String) -> AnyView {
    let answer = async move {
        let by_shape = by_shape(&query)?;
        Ok(ports()?.dead_letters.topics(&cluster, by_shape).await?)
    };
    answered(answer, page)
}

fn by_shape(query: &str) -> Result<bool, PortError> {
    match query.trim_start_matches('?') {
        "" => Ok(false),
        "shape=true" => Ok(true),
        _ => Err(PortError::invalid("shape", "true, or none")),
    }
}

fn page(view: DeadLetterTopicsView) -> AnyView {
    let info = &view.cluster_info;
    let looked = match view.looked_at {
        Some(count) => {
            let words = ["Looked at the newest record of ", &number::count(count.into(), "other topic", "other topics"), "."];
            view! { <span class="muted">{words.concat()}</span> }.into_any()
        }
        None => view! {
            <a class="btn small" href=links::dead_letters(&info.name, true) rel="external">"Look at the records of other topics"</a>
        }
        .into_any(),
    };
    view! {
        {head(info, view.now, "Dead letters".to_owned(), None)}
        {view.notes.iter().map(|note| notice::warning(note.clone())).collect_view()}
        <section class="panel" aria-label="Topics of dead letters">
            <div class="tools">
                {looked}
                <span class="muted push">{number::count(view.topics.len() as u64, "topic", "topics")}</span>
            </div>
            {table(&info.name, &view.topics)}
        </section>
    }
    .into_any()
}

fn table(cluster: &ClusterName, topics: &[DeadLetterTopic]) -> AnyView {
    if topics.is_empty() {
        return notice::empty(
            "No topic of dead letters",
            "None is called *.dlq, *-dlt or *-dead-letter, and none is configured (dead_letters of the cluster).",
        );
    }
    let rows = topics.iter().map(|topic| row(cluster, topic)).collect_view();
    view! {
        <div class="scroll">
            <table class="cards fixed letter-topics">
                <caption class="unseen">"Topics of dead letters of this cluster"</caption>
                <thead><tr>
                    <th scope="col">"Topic"</th>
                    <th scope="col" class="num w-count">"Records"</th>
                    <th scope="col" class="num w-count">"Last hour"</th>
                    <th scope="col" class="num w-count">"Last day"</th>
                    <th scope="col" class="w-age">"Newest"</th>
                    <th scope="col" class="w-age">"Oldest"</th>
                    <th scope="col" class="num w-groups">"Consumer groups"</th>
                    <th scope="col" class="w-owner">"Known by"</th>
                </tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn row(cluster: &ClusterName, row: &DeadLetterTopic) -> AnyView {
    let href = links::dead_letters_of(cluster, &row.topic, &DeadLettersQuery::default());
    view! {
        <tr>
            <td data-c="group"><a class="name" href=href rel="external">{name::cut(row.topic.to_string())}</a></td>
            <td class="num" data-l="records">{count(row.count)}</td>
            <td class="num" data-l="last hour">{count(row.last_hour)}</td>
            <td class="num" data-l="last day">{count(row.last_day)}</td>
            <td data-l="newest">{age(row.newest)}</td>
            <td data-l="oldest">{age(row.oldest)}</td>
            <td class="num" data-l="consumer groups">{number::exact(row.readers.into())}</td>
            <td data-l="known by" class="muted">{row.found_by.label()}</td>
        </tr>
    }
    .into_any()
}

fn count(count: Option<u64>) -> AnyView {
    match count {
        Some(count) => number::exact(count).into_any(),
        None => view! { <span class="faint">"not read"</span> }.into_any(),
    }
}
