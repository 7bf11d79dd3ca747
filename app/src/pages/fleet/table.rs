//! The groups. Rows are kept by key, so that an update loses neither scroll nor focus, and their
//! order stands still while somebody points at them.

use std::time::Duration;

use flowdeck_model::query::{Sort, SortKey, default_sort};
use flowdeck_model::view::{FleetView, GroupRow};
use flowdeck_model::{FleetQuery, GroupState, GroupType, Verdict};
use leptos::ev::PointerEvent;
use leptos::prelude::*;

use super::State;
use crate::components::clock::{ago, use_clock};
use crate::components::{cluster, figures, hold, notice, verdict};
use crate::format::number;
use crate::links;

/// Rows that were read longer ago look old.
const OLD: Duration = Duration::from_secs(30);
/// A finger has left so long before the order follows again.
const FINGER: Duration = Duration::from_secs(4);

pub(super) fn table(state: State, query: Memo<FleetQuery>) -> AnyView {
    let rows = state.rows;
    let several = state.header.with_untracked(|view| view.clusters.len() > 1);
    let mouse = |event: &PointerEvent| event.pointer_type() != "touch";
    let inside = StoredValue::new((false, false));
    // Pointer and focus each hold the order; it follows once both are gone.
    let stand = move |pointer: Option<bool>, focus: Option<bool>| {
        inside.update_value(|inside| *inside = (pointer.unwrap_or(inside.0), focus.unwrap_or(inside.1)));
        let (pointer, focus) = inside.get_value();
        rows.stand(pointer || focus);
    };
    let lines = view! {
        <For each=move || rows.order.get() key=Clone::clone children=move |key| rows.row(&key).map(|row| line(row, several))/>
    };
    let waiting = move || match rows.would_move() {
        0 => None,
        n => Some(view! {
            <p class="waiting">
                <span role="status">{number::count(n as u64, "row would move", "rows would move")}</span>
                <button type="button" class="btn small" on:click=move |_| rows.apply()>"Move now"</button>
            </p>
        }),
    };
    let none =
        move || rows.order.with(Vec::is_empty).then(|| state.header.with(|view| empty(view, &query.read())));
    view! {
        // The way to the button counts as pointing at the table.
        <div
            on:pointerenter=move |event| { if mouse(&event) { stand(Some(true), None) } }
            on:pointerleave=move |event| { if mouse(&event) { stand(Some(false), None) } }
        >
        {waiting}
        <div class="scroll">
            <table class="cards fleet">
                <caption class="unseen">"Consumer groups with their lag"</caption>
                <thead><tr>
                    {heading(query, SortKey::Severity, "Verdict", "")}
                    {heading(query, SortKey::Group, "Group", "")}
                    {several.then(|| heading(query, SortKey::Cluster, "Cluster", ""))}
                    {heading(query, SortKey::Lag, "Lag", "num")}
                    {heading(query, SortKey::Members, "Members", "num")}
                    <th scope="col">"State"</th>
                    <th scope="col">"Paused, or why"</th>
                    {heading(query, SortKey::AsOf, "Age", "num")}
                </tr></thead>
                <tbody
                    on:touchstart=move |_| stand(Some(true), None)
                    on:touchend=move |_| set_timeout(move || stand(Some(false), None), FINGER)
                    on:touchcancel=move |_| set_timeout(move || stand(Some(false), None), FINGER)
                    on:focusin=move |_| stand(None, Some(true))
                    on:focusout=move |_| stand(None, Some(false))
                >
                    {lines}
                </tbody>
            </table>
        </div>
        </div>
        {none}
        {move || state.header.with(|view| pager(view, &query.read()))}
    }
    .into_any()
}

/// Most people want the large ones first, but names from A.
fn falls(key: SortKey) -> bool {
    matches!(key, SortKey::Severity | SortKey::Lag | SortKey::Members)
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
    let here = move || {
        query.with(|query| query.sort.first().filter(|first| first.key == key).map(|first| first.descending))
    };
    let aria = move || here().map(|descending| if descending { "descending" } else { "ascending" });
    let mark = move || match here() {
        Some(true) => "↓",
        Some(false) => "↑",
        None => "",
    };
    view! {
        <th scope="col" class=class aria-sort=aria>
            <a href=move || links::fleet(&sorted(&query.read(), key)) data-noscroll="">{words}<span class="sort" aria-hidden="true">{mark}</span></a>
        </th>
    }
    .into_any()
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
            <a class="name" href=href data-key="row">{name}</a>
            <span class="sub">{topics(row)}</span>
            <a hidden tabindex="-1" data-key="pause" href=pause>"Pause"</a>
        </td>
        {cluster}
        <td class="num" data-l="lag">{figures::lag(row.lag, row.lag_at_least, row.unknown_partitions.into())}</td>
        <td class="num" data-l="members">{members(row.members)}</td>
        <td class="muted" data-c="state">{state(row)}</td>
        <td data-c="why">{why(row)}</td>
        <td class="num faint" data-l="read">{row.as_of.map(ago)} {row.as_of.is_none().then_some("not yet")}</td>
    }
}

fn topics(row: &GroupRow) -> String {
    match (&row.topics[..], row.topic_count) {
        ([], _) => String::new(),
        ([only], 1) => only.to_string(),
        (_, n) => number::count(n.into(), "topic", "topics"),
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
        GroupType::Other => row.kind.words().to_owned(),
        GroupType::Unknown if row.state == GroupState::RebalancingOrUnknown => row.kind.words().to_owned(),
        _ => [row.state.words(), " · ", row.kind.words()].concat(),
    }
}

/// Holds say more than the verdict's own word of them; of another verdict both are said.
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
        let more = view! { "Nothing has this name and these verdicts. " <a class="link" href=links::fleet(&all)>"Show all groups"</a> };
        return notice::empty("No group matches", more).into_any();
    }
    if view.clusters.is_empty() {
        let more = "Name one in flowdeck.toml, or ask for the permission to see one.";
        return notice::empty("No cluster to show", more).into_any();
    }
    if view.clusters.iter().all(|cluster| cluster.as_of.is_none()) {
        let more = "Flowdeck has asked and waits; this page fills by itself, or when you reload it.";
        return notice::empty("No answer from Kafka yet", more).into_any();
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
    let before = (offset > 0).then(
        || view! { <a class="btn small" rel="prev" href=to(offset.saturating_sub(limit))>"Before"</a> },
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
        view! { <nav class="pager" aria-label="Pages of the table"><span class="muted">{shown}</span> {before} {next}</nav> },
    )
}
