//! The table, with the columns that were chosen.

use flowdeck_model::query::{Column, GroupsQuery, Sort, SortKey};
use flowdeck_model::view::{FleetView, GroupLabels, GroupRow};
use flowdeck_model::{ClusterName, Verdict};
use leptos::prelude::*;

use crate::components::clock::ago;
use crate::components::{cluster, figures, flow, hold, name, verdict};
use crate::format::number;
use crate::links;

/// `select`: with a checkbox before each group, and whether these are ticked.
pub(super) fn table(query: &GroupsQuery, view: &FleetView, select: Option<bool>) -> AnyView {
    let columns = &query.columns;
    let heads =
        columns.iter().filter(|one| **one != Column::Verdict).map(|one| head(query, *one)).collect_view();
    let first = columns.contains(&Column::Verdict).then(|| head(query, Column::Verdict));
    let rows = view.groups.iter().map(|row| line(columns, row, view, select)).collect_view();
    let ticks = select.map(|_| view! { <th scope="col"><span class="unseen">"Select"</span></th> });
    view! {
        <div class="scroll">
            <table class="cards groups-table" data-total=view.total data-limit=query.fleet.limit data-offset=query.fleet.offset>
                <caption class="unseen">"Consumer groups with the chosen columns"</caption>
                <thead><tr>
                    {ticks}
                    {first}
                    {heading(query, SortKey::Group, "Group", "")}
                    {heads}
                </tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

/// A number, on the right.
fn is_number(column: Column) -> bool {
    use Column::{Drain, In, Lag, Members, Out, TimeLag, Updated};
    matches!(column, Lag | TimeLag | In | Out | Drain | Members | Updated)
}

fn key_of(column: Column) -> Option<SortKey> {
    match column {
        Column::Verdict => Some(SortKey::Severity),
        Column::Cluster => Some(SortKey::Cluster),
        Column::Lag => Some(SortKey::Lag),
        Column::TimeLag => Some(SortKey::TimeLag),
        Column::Members => Some(SortKey::Members),
        Column::Updated => Some(SortKey::AsOf),
        _ => None,
    }
}

fn head(query: &GroupsQuery, column: Column) -> AnyView {
    let class = if is_number(column) { "num" } else { "" };
    match key_of(column) {
        Some(key) => heading(query, key, column.label(), class),
        None => view! { <th scope="col" class=class>{column.label()}</th> }.into_any(),
    }
}

fn heading(query: &GroupsQuery, key: SortKey, words: &'static str, class: &'static str) -> AnyView {
    let here = query.fleet.sort.first().filter(|first| first.key == key);
    let descending = match here {
        Some(first) => !first.descending,
        None => !matches!(key, SortKey::Group | SortKey::Cluster | SortKey::AsOf),
    };
    let mut next = query.clone();
    (next.fleet.sort, next.fleet.offset) = (vec![Sort { key, descending }], 0);
    let order = here.map(|first| if first.descending { "descending" } else { "ascending" });
    view! { <th scope="col" class=class aria-sort=order><a href=links::groups(&next)>{words}</a></th> }
        .into_any()
}

fn line(columns: &[Column], row: &GroupRow, view: &FleetView, select: Option<bool>) -> AnyView {
    let name = match row.group.as_str() {
        "" => "(empty name)".to_owned(),
        name => flowdeck_model::shown::name(name),
    };
    let cells =
        columns.iter().filter(|one| **one != Column::Verdict).map(|one| cell(*one, row, view)).collect_view();
    let first = columns.contains(&Column::Verdict).then(|| cell(Column::Verdict, row, view));
    let tick = select.map(|ticked| {
        let label = ["Select ", &name].concat();
        view! { <td data-c="select"><input type="checkbox" name="group" value=row.group.to_string() checked=ticked aria-label=label/></td> }
    });
    view! {
        <tr>
            {tick}
            {first}
            <td data-c="group"><div class="cell"><a class="name" href=links::group(&row.cluster, &row.group) rel="external">{name::cut(name)}</a></div></td>
            {cells}
        </tr>
    }
    .into_any()
}

fn cell(column: Column, row: &GroupRow, view: &FleetView) -> AnyView {
    let class = if is_number(column) { "num" } else { "" };
    let label = column.label().to_lowercase();
    view! { <td class=class data-c=column.key() data-l=label>{value(column, row, view)}</td> }.into_any()
}

fn value(column: Column, row: &GroupRow, view: &FleetView) -> AnyView {
    let unknown = || view! { <span class="faint">"–"</span> }.into_any();
    match column {
        Column::Verdict => verdict::of_group(row).into_any(),
        Column::Cluster => pill(&row.cluster, view),
        Column::Lag => figures::lag(row.lag, row.lag_at_least, row.unknown_partitions.into()).into_any(),
        Column::TimeLag => flow::time_lag(row.time_lag),
        Column::In => row.flow.written.one_minute.map(number::rate).map_or_else(unknown, IntoAny::into_any),
        Column::Out => {
            row.flow.committed.one_minute.map(number::rate).map_or_else(unknown, IntoAny::into_any)
        }
        Column::Drain => flow::drained_in(row).into_any(),
        Column::Members => {
            row.members.map(|n| number::exact(n.into())).map_or_else(unknown, IntoAny::into_any)
        }
        Column::State => [row.state.label(), " · ", row.kind.label()].concat().into_any(),
        Column::Topics => topics(row),
        Column::Labels => labels(&row.labels),
        Column::Notes => notes(row),
        Column::Updated => match row.as_of {
            Some(at) => view! { {ago(at)} " ago" }.into_any(),
            None => "not yet".into_any(),
        },
    }
}

fn pill(name: &ClusterName, view: &FleetView) -> AnyView {
    let info = view.clusters.iter().find(|one| one.name == *name);
    info.map(|info| cluster::pill(info.label.clone(), info.colour)).into_any()
}

fn topics(row: &GroupRow) -> AnyView {
    let (first, more) = (row.topics.first(), row.topic_count.saturating_sub(1));
    let more = (more > 0).then(|| [" and ", &more.to_string(), " more"].concat());
    view! { <div class="cell">{first.map(|topic| name::cut(topic.to_string()))}{more}</div> }.into_any()
}

fn labels(labels: &GroupLabels) -> AnyView {
    let tags = labels
        .values
        .iter()
        .map(|(name, value)| {
            let query = GroupsQuery {
                filter: flowdeck_model::query::GroupFilter {
                    labels: vec![(name.clone(), value.clone())],
                    ..Default::default()
                },
                ..GroupsQuery::default()
            };
            view! { <a class="tag" href=links::groups(&query) title="Groups with this label">{[name, ": ", value].concat()}</a> " " }
        })
        .collect_view();
    let runbook = labels.runbook.clone().map(
        |link| view! { <a class="link" href=link rel="external noopener noreferrer" target="_blank">"Runbook"</a> },
    );
    view! { {tags} {runbook} }.into_any()
}

/// As in the fleet: holds say more than the verdict alone.
fn notes(row: &GroupRow) -> AnyView {
    let holds = !row.holds.is_empty();
    let why = row.why.clone().filter(|_| !holds || row.verdict != Verdict::Paused);
    let why = why.map(|why| view! { <span class="reason">{why}</span> });
    view! { {why} {holds.then(|| hold::chips(row))} }.into_any()
}

pub(super) fn pager(query: &GroupsQuery, view: &FleetView) -> Option<AnyView> {
    let (total, limit, offset) = (view.total, query.fleet.limit, query.fleet.offset);
    if total <= limit && offset == 0 {
        return None;
    }
    let to = |offset: u32| {
        let mut next = query.clone();
        next.fleet.offset = offset;
        links::groups(&next)
    };
    let after = offset.saturating_add(limit);
    let previous = (offset > 0).then(
        || view! { <a class="btn small" rel="prev" href=to(offset.saturating_sub(limit))>"Previous"</a> },
    );
    let next = (after < total).then(|| view! { <a class="btn small" rel="next" href=to(after)>"Next"</a> });
    let shown = if offset < total {
        let from = number::exact(u64::from(offset) + 1);
        [&from, " to ", &number::exact(after.min(total).into()), " of ", &number::exact(total.into())]
            .concat()
    } else {
        "past the last group".to_owned()
    };
    Some(
        view! { <nav class="pager" aria-label="Pages of the table"><span class="muted" data-shown="">{shown}</span> {previous} {next}</nav> }
            .into_any(),
    )
}
