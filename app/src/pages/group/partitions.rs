//! The partitions: committed, end, lag, owner, status.

use flowdeck_model::query::From as Start;
use flowdeck_model::view::PartitionRow;
use flowdeck_model::{ClusterName, Hold, MessagesQuery, Unknown};
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;

use super::State;
use super::listing::{Key, Listing, Show};
use crate::components::clock::ago;
use crate::components::icons::{Icon, icon};
use crate::components::order::Order;
use crate::components::search::{self, Words};
use crate::components::{figures, flow, hold, name, notice, sorting, spark};
use crate::format::number;
use crate::links;

/// So few need no filters.
const FEW: usize = 10;

pub(super) fn panel(state: State) -> AnyView {
    let rows = state.rows;
    let listing = state.listing;
    let (cluster, here) = state
        .header
        .with_untracked(|view| (view.row.cluster.clone(), links::group(&view.row.cluster, &view.row.group)));
    let shown = move || rows.order.with(Vec::len) as u64;
    let all = move || state.counts.get()[0];
    let count = move || match (shown(), all()) {
        (shown, all) if shown == all => number::exact(all),
        (shown, all) => [&number::exact(shown), " of ", &number::exact(all)].concat(),
    };
    let holds = Memo::new(move |_| state.header.with(|view| view.row.holds.clone()));
    let lines_here = here.clone();
    let lines = view! {
        <For each=move || rows.order.get() key=Clone::clone
            children=move |key| rows.row(&key).map(|row| line(row, state.most, holds, cluster.clone(), lines_here.clone()))/>
    };
    let many = Memo::new(move |_| all() > FEW as u64 || !listing.read().is_whole());
    let tools_here = here.clone();
    let tools = move || many.get().then(|| tools(state, &tools_here));
    let all_here = here.clone();
    let none = move || {
        (shown() == 0).then(|| match all() {
            0 => notice::empty("No partitions", "Kafka has no committed offset and no assigned partition of this group."),
            _ => {
                let more = view! { "No partition has this status and this name. " <a class="link" href=all_here.clone() data-noscroll="">"Show all partitions"</a> };
                notice::empty("No partition matches", more)
            }
        })
    };
    let heading = |key, words, class| heading(listing, here.clone(), key, words, class);
    let order = Order::of(rows);
    let table = view! {
        <div class="scroll">
            <table class="cards fixed partitions">
                <caption class="unseen">"Partitions with committed offset, end and lag"</caption>
                <thead><tr>
                    {heading(Key::Partition, "Partition", "")}
                    <th scope="col" class="num w-offset">"Committed"</th>
                    <th scope="col" class="num w-offset">"End"</th>
                    {heading(Key::Lag, "Lag", "num w-lag")}
                    <th scope="col" class="w-meter"><span class="unseen">"Lag compared"</span></th>
                    {heading(Key::Owner, "Owner", "w-owner")}
                    <th scope="col" class="w-status">"Status"</th>
                    <th scope="col" class="w-view"><span class="unseen">"Messages"</span></th>
                </tr></thead>
                {order.body(lines)}
            </table>
        </div>
    };
    view! {
        <section class="panel" aria-labelledby="partitions">
            <header><h2 id="partitions">"Partitions " <span class="count">{count}</span></h2></header>
            {tools}
            {order.around(table.into_any())}
            {none}
        </section>
    }
    .into_any()
}

/// Text, and what most looks are for; all of it is the URL.
fn tools(state: State, here: &str) -> AnyView {
    let listing = state.listing;
    let to = here.to_owned();
    let chips = move || {
        let (listing, counts) = (listing.get(), state.counts.get());
        Show::ALL.into_iter().zip(counts).map(|(show, count)| {
            let chosen = (listing.show == show).then_some("true");
            let query = Listing { show, ..listing.clone() }.to_query();
            view! { <a class="chip" href=links::with_query(&to, &query) data-noscroll="" aria-current=chosen>{show.label()} " " <b>{number::exact(count)}</b></a> }
        }).collect_view()
    };
    let navigate = use_navigate();
    let to = here.to_owned();
    let typed = move |search: String| {
        let query = Listing { search, ..listing.get_untracked() }.to_query();
        let options = NavigateOptions { resolve: false, replace: true, scroll: false, ..Default::default() };
        navigate(&links::with_query(&to, &query), options);
    };
    let kept = move || {
        let fields = listing.read().fields();
        fields
            .into_iter()
            .map(|(name, value)| view! { <input type="hidden" name=name value=value/> })
            .collect_view()
    };
    let words = Words { label: "Search partitions", placeholder: "Topic, owner, number" };
    let current = Memo::new(move |_| listing.with(|listing| listing.search.clone()));
    view! {
        <div class="tools">
            {search::field(words, here.to_owned(), current, typed, kept)}
            <div class="chips" role="group" aria-label="Show">{chips}</div>
        </div>
    }
    .into_any()
}

fn heading(
    listing: Memo<Listing>,
    here: String,
    key: Key,
    words: &'static str,
    class: &'static str,
) -> AnyView {
    let descending = move || listing.with(|listing| (listing.sort == key).then_some(listing.descending));
    let to = move || links::with_query(&here, &listing.read().sorted(key).to_query());
    sorting::heading(words, class, descending, to)
}

fn line(
    row: ArcRwSignal<PartitionRow>,
    most: RwSignal<u64>,
    holds: Memo<Vec<Hold>>,
    cluster: ClusterName,
    group: String,
) -> impl IntoView {
    view! { <tr>{move || row.with(|row| cells(row, most.get(), &holds.read(), &cluster, &group))}</tr> }
}

fn cells(
    row: &PartitionRow,
    most: u64,
    holds: &[Hold],
    cluster: &ClusterName,
    group: &str,
) -> impl IntoView + use<> {
    let at = |offset: Option<i64>| offset.map(number::offset).unwrap_or_else(|| "–".to_owned());
    let from = row.committed.or(row.start).unwrap_or_default();
    let query = MessagesQuery {
        partition: Some(row.partition),
        from: Start::Offset(from),
        ..MessagesQuery::default()
    };
    let committed = match row.lag {
        // It waits there: the record, and the ways past it.
        Some(1..) => {
            let href = links::stuck(group, &row.topic, row.partition);
            view! { <a class="link" href=href rel="external" title="The next record">{at(row.committed)}</a> }
                .into_any()
        }
        _ => at(row.committed).into_any(),
    };
    let name = [row.topic.as_str(), ", partition ", &row.partition.to_string()].concat();
    let lag = match (row.lag, row.unknown) {
        (Some(lag), _) => figures::count(lag).into_any(),
        (None, Some(unknown)) => why(row, unknown),
        (None, None) => view! { <span class="faint">"–"</span> }.into_any(),
    };
    view! {
        <td data-c="partition">
            <div class="cell">
                <a class="name" data-key="row" href=links::topic(cluster, &row.topic, &MessagesQuery::default())>{name::cut(row.topic.to_string())}</a>
                <span class="sub whole">{row.partition.to_string()}</span>
            </div>
        </td>
        <td class="num mono" data-l="committed">{committed}</td>
        <td class="num mono" data-l="end">{at(row.end)}</td>
        <td class="num" data-l="lag">{lag} " " {row.lag.is_some_and(|lag| lag > 0).then(|| view! { <span class="sub">{flow::time_lag(row.time_lag)}</span> })}</td>
        <td class="hide" data-c="trend">{spark::spark(&row.lag_trend)} {meter(row.lag.unwrap_or_default(), most)}</td>
        <td data-l="owner">{row.owner.as_ref().map(|owner| name::cut(flowdeck_model::shown::name(owner)))} {row.owner.is_none().then(|| view! { <span class="faint">"none"</span> })}</td>
        <td data-c="status">{status(row, holds)}</td>
        <td class="num"><a class="btn small" href=links::topic(cluster, &row.topic, &query) title=["View from committed offset: ", &name].concat()>"View"</a></td>
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
            view! { <span class="tag bad" title=unknown.label()>{number::exact(row.deleted_unread())} " deleted unread"</span> <span class="sub">{left}</span> }
                .into_any()
        }
        Unknown::AheadOfLog => {
            let words = ["offset beyond the end (end = ", &end, ")"].concat();
            let title = words.clone();
            view! { <span class="tag warn" title=title>{words}</span> }.into_any()
        }
        _ => view! { <span class="tag warn" title=unknown.label()>{unknown.label()}</span> }.into_any(),
    }
}

/// What a hold asks for is kept apart from what telemetry reports.
fn status(row: &PartitionRow, holds: &[Hold]) -> AnyView {
    let hold = holds.iter().find(|hold| row.holds.contains(&hold.id));
    match (hold, row.paused) {
        (None, false) if row.owner.is_none() => ().into_any(),
        (None, false) => {
            let commit =
                row.last_commit.map(|at| view! { <span class="sub">"commit " {ago(at)} " ago"</span> });
            view! { <span class="faint">"running"</span> {commit} }.into_any()
        }
        (None, true) => view! { <span class="tag warn">"paused by the application"</span> }.into_any(),
        (Some(hold), paused) => {
            let unconfirmed = !paused && row.owner.is_some();
            let (start, by) =
                (if unconfirmed { "pause not confirmed, " } else { "paused " }, hold::paused_by(hold));
            let words = move || [start, &by()].concat();
            let title = words.clone();
            view! { <span class="tag hold" title=title>{icon(Icon::Hold)} <span>{words}</span></span> }
                .into_any()
        }
    }
}

const WIDTH: u64 = 120;
/// Bars compare partitions of one group, so the largest lag is the full width; but from so many records on, or a group
/// with nothing but a lag of 1 would show a full bar.
const FULL_FROM: u64 = 1_000;

/// A lag is visible, however small it is.
fn bar(lag: u64, most: u64) -> u64 {
    // u128: lag × 120 may not fit.
    let width = u128::from(lag) * u128::from(WIDTH) / u128::from(most.max(FULL_FROM));
    u64::try_from(width).unwrap_or(WIDTH).max(u64::from(lag > 0))
}

fn meter(lag: u64, most: u64) -> impl IntoView {
    // A lag below a hundred is small, however it compares.
    let class = if most < 100 { "meter calm" } else { "meter" };
    view! {
        <svg class=class viewBox="0 0 120 6" preserveAspectRatio="none" aria-hidden="true"><rect width=bar(lag, most).to_string() height="6"></rect></svg>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_full_for_a_large_lag_only() {
        for (lag, most, want) in [
            (0, 0, 0),
            (0, 5_000, 0),
            (1, 1, 1),
            (100, 100, 12),
            (1_000, 1_000, 120),
            (2_500, 5_000, 60),
            (1, u64::MAX, 1),
            (u64::MAX, u64::MAX, 120),
        ] {
            assert_eq!(bar(lag, most), want, "{lag} of {most}");
        }
    }
}
