//! The groups. Rows are kept by key, so that an update loses neither scroll nor focus, and their
//! order is kept while a pointer or the focus is in the table.

use std::time::Duration;

use flowdeck_model::query::{Sort, SortKey, default_sort};
use flowdeck_model::view::{FleetView, GroupRow};
use flowdeck_model::{FleetQuery, GroupState, GroupType, Verdict};
use leptos::prelude::*;

use super::State;
use crate::components::clock::{ago, use_clock};
use crate::components::order::Order;
use crate::components::{cluster, figures, flow, hold, name, notice, sorting, spark, verdict};
use crate::format::number;
use crate::links;

/// Rows that were read longer ago look old.
const OLD: Duration = Duration::from_secs(30);

pub(super) fn table(state: State, query: Memo<FleetQuery>) -> AnyView {
    let rows = state.rows;
    let several = state.header.with_untracked(|view| view.clusters.len() > 1);
    let order = Order::of(rows);
    let lines = view! {
        <For each=move || rows.order.get() key=Clone::clone children=move |key| rows.row(&key).map(|row| line(row, several))/>
    };
    let none =
        move || rows.order.with(Vec::is_empty).then(|| state.header.with(|view| empty(view, &query.read())));
    let table = view! {
        <div class="scroll">
            <table class="cards fixed fleet">
                <caption class="unseen">"Consumer groups with their lag"</caption>
                <thead><tr>
                    {heading(query, SortKey::Severity, "Verdict", "w-verdict")}
                    {heading(query, SortKey::Group, "Group", "")}
                    {several.then(|| heading(query, SortKey::Cluster, "Cluster", "w-cluster"))}
                    {heading(query, SortKey::Lag, "Lag", "num w-lag")}
                    <th scope="col" class="w-trend">"15 min"</th>
                    {heading(query, SortKey::TimeLag, "Time lag", "num w-time-lag")}
                    {heading(query, SortKey::Members, "Members", "num w-members")}
                    <th scope="col" class="w-state">"State"</th>
                    <th scope="col" class="w-why">"Notes"</th>
                    {heading(query, SortKey::AsOf, "Updated", "num w-updated")}
                </tr></thead>
                {order.body(lines)}
            </table>
        </div>
    };
    view! {
        {order.around(table.into_any())}
        {none}
        {move || state.header.with(|view| pager(view, &query.read()))}
    }
    .into_any()
}

/// Numbers are usually wanted from the largest, names from A.
fn falls(key: SortKey) -> bool {
    matches!(key, SortKey::Severity | SortKey::Lag | SortKey::TimeLag | SortKey::Members)
}

fn sorted(query: &FleetQuery, key: SortKey) -> FleetQuery {
    let descending = match query.sort.first() {
        Some(first) if first.key == key => !first.descending,
        _ => falls(key),
    };
    let sort = match key {
        SortKey::Severity if descending => default_sort(),
        _ => vec![Sort { key, descending }],
    };
    FleetQuery { sort, offset: 0, ..query.clone() }
}

fn heading(query: Memo<FleetQuery>, key: SortKey, words: &'static str, class: &'static str) -> AnyView {
    let descending = move || {
        query.with(|query| query.sort.first().filter(|first| first.key == key).map(|first| first.descending))
    };
    sorting::heading(words, class, descending, move || links::fleet(&sorted(&query.read(), key)))
}

fn line(row: ArcRwSignal<GroupRow>, several: bool) -> impl IntoView {
    let clock = use_clock();
    let frame = crate::site::use_frame();
    let age = row.clone();
    let old = move || age.with(|row| row.as_of).is_none_or(|at| clock.now().since(at) > OLD);
    let cells = move || row.with(|row| cells(row, several, &frame));
    view! { <tr class:old=old>{cells}</tr> }
}

fn cells(row: &GroupRow, several: bool, frame: &crate::site::Frame) -> impl IntoView + use<> {
    let href = links::group(&row.cluster, &row.group);
    let pause = links::with_query(&href, "form=pause");
    let name = match row.group.as_str() {
        "" => "(empty name)".to_owned(),
        name => flowdeck_model::shown::name(name),
    };
    let cluster = several.then(|| {
        let link = frame.clusters.iter().find(|cluster| cluster.name == row.cluster);
        let pill = link.map(|link| cluster::pill(link.label.clone(), link.colour));
        view! { <td data-c="cluster">{pill}</td> }
    });
    view! {
        <td data-c="verdict">{verdict::of_group(row)}</td>
        <td data-c="group">
            <div class="cell">
                <a class="name" href=href data-key="row">{name::cut(name)}</a>
                <span class="sub">{topics(row)}</span>
            </div>
            <a hidden tabindex="-1" data-key="pause" href=pause>"Pause"</a>
        </td>
        {cluster}
        <td class="num" data-l="lag">{figures::lag(row.lag, row.lag_at_least, row.unknown_partitions.into())}</td>
        <td data-c="trend">{spark::spark(&row.lag_trend)}</td>
        <td class="num" data-l="time lag">{flow::time_lag(row.time_lag)}</td>
        <td class="num" data-l="members">{members(row.members)}</td>
        <td class="muted" data-c="state">{state(row)}</td>
        <td data-c="why"><div class="cell">{why(row)}</div></td>
        <td class="num faint" data-l="updated">{row.as_of.map(ago)} {row.as_of.is_none().then_some("not yet")}</td>
    }
}

fn topics(row: &GroupRow) -> AnyView {
    match (&row.topics[..], row.topic_count) {
        ([], _) => ().into_any(),
        ([only], 1) => name::cut(only.to_string()),
        (_, n) => number::count(n.into(), "topic", "topics").into_any(),
    }
}

fn members(members: Option<u32>) -> impl IntoView {
    match members {
        Some(n) => view! { {number::exact(n.into())} }.into_any(),
        None => view! { <span class="faint" title="not described yet">"–"</span> }.into_any(),
    }
}

fn state(row: &GroupRow) -> String {
    match row.kind {
        GroupType::Other | GroupType::Flowdeck => row.kind.label().to_owned(),
        GroupType::Unknown if row.state == GroupState::RebalancingOrUnknown => row.kind.label().to_owned(),
        _ => [row.state.label(), " · ", row.kind.label()].concat(),
    }
}

/// Holds say more than the verdict `paused` alone; beside another verdict both are shown.
fn why(row: &GroupRow) -> AnyView {
    let holds = !row.holds.is_empty();
    let why = row.why.clone().filter(|_| !holds || row.verdict != Verdict::Paused).map(|why| {
        let class = ["tag ", verdict::tone(row.verdict, row.level).class()].concat();
        view! { <span class=class title=why.clone()>{why.clone()}</span> }
    });
    view! { {why} {holds.then(|| hold::chips(row))} }.into_any()
}

fn empty(view: &FleetView, query: &FleetQuery) -> AnyView {
    if *query != (FleetQuery { sort: query.sort.clone(), limit: query.limit, ..FleetQuery::default() }) {
        let all = FleetQuery { sort: query.sort.clone(), ..FleetQuery::default() };
        let more = view! { "No group has this name and one of these verdicts. " <a class="link" href=links::fleet(&all)>"Show all groups"</a> };
        return notice::empty("No group matches", more).into_any();
    }
    if view.clusters.is_empty() {
        let more = "Configure one in flowdeck.toml, or ask for the permission to view one.";
        return notice::empty("No cluster to show", more).into_any();
    }
    if view.clusters.iter().all(|cluster| cluster.as_of.is_none()) {
        let more = "Waiting for the first response; this page updates automatically, or when you reload it.";
        return notice::empty("No response from Kafka yet", more).into_any();
    }
    let more = "A group appears here as soon as a consumer joins it or commits an offset.";
    notice::empty("No consumer groups yet", more).into_any()
}

fn pager(view: &FleetView, query: &FleetQuery) -> Option<impl IntoView + use<>> {
    let (total, limit, offset) = (view.total, query.limit, query.offset);
    if total <= limit && offset == 0 {
        return None;
    }
    let to = |offset: u32| links::fleet(&FleetQuery { offset, ..query.clone() });
    let previous = (offset > 0).then(
        || view! { <a class="btn small" rel="prev" href=to(offset.saturating_sub(limit))>"Previous"</a> },
    );
    let after = offset.saturating_add(limit);
    let next = (after < total).then(|| view! { <a class="btn small" rel="next" href=to(after)>"Next"</a> });
    let shown = [
        &number::exact(u64::from(offset) + 1),
        " to ",
        &number::exact(after.min(total).into()),
        " of ",
        &number::exact(total.into()),
    ];
    let shown = if offset < total { shown.concat() } else { "past the last group".to_owned() };
    Some(
        view! { <nav class="pager" aria-label="Pages of the table"><span class="muted">{shown}</span> {previous} {next}</nav> },
    )
}
