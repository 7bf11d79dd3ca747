//! Above the table: search, verdicts, clusters. All of it is the URL; with scripts the search
//! follows the typing, without them it is a form.

use flowdeck_model::query::{LIMIT_DEFAULT, default_sort};
use flowdeck_model::view::FleetView;
use flowdeck_model::{FleetQuery, GroupType, Verdict};
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;

use super::head;
use crate::components::search::{self, Words};
use crate::components::verdict;
use crate::format::number;
use crate::links;

pub(super) fn tools(header: RwSignal<FleetView>, query: Memo<FleetQuery>) -> AnyView {
    view! {
        <div class="tools">
            {search(query)}
            <div class="chips" role="group" aria-label="Verdicts">
                {move || Verdict::WORST_FIRST.map(|one| verdict_chip(&query.read(), one, header.with(|view| head::count(view, one))))}
                {move || kinds(&query.read())}
                {move || ignored_chip(&query.read(), header.with(|view| view.ignored))}
            </div>
            {move || header.with(|view| cluster_chips(view, &query.read()))}
            <span class="muted push" role="status">
                {move || header.with(|view| summary(view, &query.read()))}
            </span>
            <a class="btn small" rel="external" href=move || links::to(&links::with_query("/all-groups", &query.read().to_query()))>"Filters, columns, export"</a>
        </div>
    }
    .into_any()
}

fn search(query: Memo<FleetQuery>) -> AnyView {
    let navigate = use_navigate();
    let typed = move |text: String| {
        let next = FleetQuery { search: text, offset: 0, ..query.get_untracked() };
        let options = NavigateOptions { resolve: false, replace: true, scroll: false, ..Default::default() };
        navigate(&links::fleet(&next), options);
    };
    let kept = move || {
        let query = FleetQuery { search: String::new(), offset: 0, ..query.get() };
        hidden_fields(&query)
    };
    let words = Words { label: "Search groups, topics, clusters", placeholder: "Group, topic, cluster" };
    let current = Memo::new(move |_| query.with(|query| query.search.clone()));
    search::field(words, links::to("/"), current, typed, kept)
}

/// The rest of the query, which a form without scripts would lose.
fn hidden_fields(query: &FleetQuery) -> impl IntoView + use<> {
    let cluster = query.cluster.as_ref().map(ToString::to_string);
    let verdict = query.verdicts.iter().map(|verdict| verdict.key()).collect::<Vec<_>>().join(",");
    let sort = query.sort.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let kinds = query.kinds.iter().map(|kind| kind.key()).collect::<Vec<_>>().join(",");
    let fields = [
        ("cluster", cluster),
        ("verdict", (!verdict.is_empty()).then_some(verdict)),
        ("type", (!kinds.is_empty()).then_some(kinds)),
        ("ignored", query.ignored.then(|| "true".to_owned())),
        ("sort", (query.sort != default_sort()).then_some(sort)),
        ("limit", (query.limit != LIMIT_DEFAULT).then(|| query.limit.to_string())),
    ];
    fields
        .into_iter()
        .filter_map(|(name, value)| Some(view! { <input type="hidden" name=name value=value?/> }))
        .collect_view()
}

/// Nothing where no group has a verdict that is seldom given.
fn verdict_chip(query: &FleetQuery, one: Verdict, groups: u32) -> Option<AnyView> {
    let chosen = query.verdicts.contains(&one);
    if groups == 0 && one.is_rare() && !chosen {
        return None;
    }
    let mut verdicts = query.verdicts.clone();
    match chosen {
        true => verdicts.retain(|verdict| *verdict != one),
        false => verdicts.push(one),
    }
    let next = FleetQuery { verdicts, offset: 0, ..query.clone() };
    let tone = verdict::tone(one, one.level()).class();
    let title = if chosen { "Shown; select again to remove this filter" } else { "Show only these" };
    view! {
        <a class=["chip ", tone].concat() href=links::fleet(&next) data-noscroll="" title=title
            aria-current=chosen.then_some("true")>
            {one.label()} " " <b>{number::exact(groups.into())}</b>
        </a>
    }
    .into_any()
    .into()
}

/// One type, or all.
fn kinds(query: &FleetQuery) -> AnyView {
    let offered = [GroupType::Classic, GroupType::Consumer, GroupType::Streams, GroupType::Other];
    let links = offered.map(|kind| {
        let chosen = query.kinds.contains(&kind);
        let kinds = if chosen { vec![] } else { vec![kind] };
        let next = FleetQuery { kinds, offset: 0, ..query.clone() };
        view! { <a class="chip" href=links::fleet(&next) data-noscroll="" aria-current=chosen.then_some("true")>{kind.label()}</a> }
    });
    view! { <details class="types" open=!query.kinds.is_empty()><summary class="chip">"Type"</summary>{links}</details> }.into_any()
}

/// Groups that are not counted, where there are some.
fn ignored_chip(query: &FleetQuery, groups: u32) -> Option<AnyView> {
    if groups == 0 && !query.ignored {
        return None;
    }
    let next = FleetQuery { ignored: !query.ignored, offset: 0, ..query.clone() };
    view! {
        <a class="chip" href=links::fleet(&next) data-noscroll="" aria-current=query.ignored.then_some("true")
            title="Groups that are not counted, by the configuration">"Ignored " <b>{number::exact(groups.into())}</b></a>
    }
    .into_any()
    .into()
}

/// Only where there are several.
fn cluster_chips(view: &FleetView, query: &FleetQuery) -> impl IntoView + use<> {
    let several = view.clusters.len() > 1;
    let chips = view.clusters.iter().filter(|_| several).map(|cluster| {
        let chosen = query.cluster.as_ref() == Some(&cluster.name);
        let next = (!chosen).then(|| cluster.name.clone());
        let next = FleetQuery { cluster: next, offset: 0, ..query.clone() };
        view! {
            <a class=["chip cluster-chip cl-", cluster.colour.key()].concat() href=links::fleet(&next) data-noscroll=""
                aria-current=chosen.then_some("true")>{cluster.label.clone()}</a>
        }
    });
    let chips = chips.collect_view();
    several.then(|| view! { <div class="chips" role="group" aria-label="Clusters">{chips}</div> })
}

fn summary(view: &FleetView, query: &FleetQuery) -> String {
    let groups = number::count(view.total.into(), "group", "groups");
    let order = if query.sort == default_sort() { " · sorted by severity" } else { "" };
    [&groups, order].concat()
}
