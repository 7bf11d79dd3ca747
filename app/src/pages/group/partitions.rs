//! The partitions: committed, end, lag, owner, what stands.

use flowdeck_model::query::From as Start;
use flowdeck_model::view::PartitionRow;
use flowdeck_model::{ClusterName, MessagesQuery, Unknown};
use leptos::prelude::*;

use super::State;
use crate::components::icons::{Icon, icon};
use crate::components::{figures, notice};
use crate::format::number;
use crate::links;

pub(super) fn panel(state: State) -> AnyView {
    let rows = state.rows;
    let cluster = state.header.with_untracked(|view| view.row.cluster.clone());
    let count = move || rows.order.with(Vec::len).to_string();
    let lines = view! {
        <For each=move || rows.order.get() key=Clone::clone
            children=move |key| rows.row(&key).map(|row| line(row, state.most, cluster.clone()))/>
    };
    let none = move || {
        let more = "Kafka has no committed offset and no assigned partition of this group.";
        rows.order.with(Vec::is_empty).then(|| notice::empty("No partitions", more))
    };
    view! {
        <section class="panel" aria-labelledby="partitions">
            <header><h2 id="partitions">"Partitions " <span class="count">{count}</span></h2></header>
            <div class="scroll">
                <table class="cards partitions">
                    <caption class="unseen">"Partitions with committed offset, end and lag"</caption>
                    <thead><tr>
                        <th scope="col">"Partition"</th>
                        <th scope="col" class="num">"Committed"</th>
                        <th scope="col" class="num">"End"</th>
                        <th scope="col" class="num">"Lag"</th>
                        <th scope="col"><span class="unseen">"Lag compared"</span></th>
                        <th scope="col">"Owner"</th>
                        <th scope="col">"Stands"</th>
                        <th scope="col"><span class="unseen">"Messages"</span></th>
                    </tr></thead>
                    <tbody>
                        {lines}
                    </tbody>
                </table>
            </div>
            {none}
        </section>
    }
    .into_any()
}

fn line(row: ArcRwSignal<PartitionRow>, most: RwSignal<u64>, cluster: ClusterName) -> impl IntoView {
    view! { <tr>{move || row.with(|row| cells(row, most.get(), &cluster))}</tr> }
}

fn cells(row: &PartitionRow, most: u64, cluster: &ClusterName) -> impl IntoView + use<> {
    let at = |offset: Option<i64>| offset.map(number::offset).unwrap_or_else(|| "–".to_owned());
    let from = row.committed.or(row.start).unwrap_or_default();
    let query = MessagesQuery {
        partition: Some(row.partition),
        from: Start::Offset(from),
        ..MessagesQuery::default()
    };
    let name = [row.topic.as_str(), ", partition ", &row.partition.to_string()].concat();
    let lag = match (row.lag, row.unknown) {
        (Some(lag), _) => figures::count(lag).into_any(),
        (None, Some(unknown)) => why(row, unknown),
        (None, None) => view! { <span class="faint">"–"</span> }.into_any(),
    };
    view! {
        <td data-c="partition">
            <a class="name" data-key="row" href=links::topic(cluster, &row.topic, &MessagesQuery::default())>{row.topic.to_string()}</a>
            <span class="sub">{row.partition.to_string()}</span>
        </td>
        <td class="num mono" data-l="committed">{at(row.committed)}</td>
        <td class="num mono" data-l="end">{at(row.end)}</td>
        <td class="num" data-l="lag">{lag}</td>
        <td class="hide">{meter(row.lag.unwrap_or_default(), most)}</td>
        <td data-l="owner">{row.owner.as_ref().map(|owner| view! { <span>{flowdeck_model::shown::name(owner)}</span> })} {row.owner.is_none().then(|| view! { <span class="faint">"nobody"</span> })}</td>
        <td data-c="stands">{stands(row)}</td>
        <td class="num"><a class="btn small" href=links::topic(cluster, &row.topic, &query) title=["What is read next of ", &name].concat()>"Next records"</a></td>
    }
}

/// Why the lag is not known, with the numbers that are.
fn why(row: &PartitionRow, unknown: Unknown) -> AnyView {
    let end = row.end.map(number::offset).unwrap_or_default();
    match unknown {
        Unknown::OutOfRange => {
            let left =
                row.end.zip(row.start).and_then(|(end, start)| u64::try_from(end.checked_sub(start)?).ok());
            let left = left.map(|left| [&number::exact(left), " left"].concat());
            view! { <span class="tag bad" title=unknown.words()>{number::exact(row.deleted_unread())} " deleted unread"</span> <span class="sub">{left}</span> }
                .into_any()
        }
        Unknown::AheadOfLog => {
            view! { <span class="tag warn">{["offset beyond the end (end = ", &end, ")"].concat()}</span> }
                .into_any()
        }
        _ => view! { <span class="tag warn">{unknown.words()}</span> }.into_any(),
    }
}

/// Wish and fact apart: a hold that the instance does not yet obey, a pause that nobody of ours asked for.
fn stands(row: &PartitionRow) -> AnyView {
    match (row.held.is_empty(), row.paused) {
        (true, false) => ().into_any(),
        (true, true) => view! { <span class="tag warn">"paused, no hold"</span> }.into_any(),
        (false, true) => view! { <span class="tag hold">{icon(Icon::Hold)} "held, paused"</span> }.into_any(),
        (false, false) => view! { <span class="tag hold">{icon(Icon::Hold)} "held"</span> }.into_any(),
    }
}

const WIDTH: u64 = 120;

fn meter(lag: u64, most: u64) -> impl IntoView {
    // u128: lag × 120 may not fit.
    let width = u128::from(lag) * u128::from(WIDTH) / u128::from(most.max(1));
    // A lag below a hundred is small, however it compares.
    let class = if most < 100 { "meter calm" } else { "meter" };
    view! {
        <svg class=class viewBox="0 0 120 6" preserveAspectRatio="none" aria-hidden="true"><rect width=width.to_string() height="6"></rect></svg>
    }
}
