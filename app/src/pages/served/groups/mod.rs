//! `/all-groups`: the groups as a table for large fleets. More filters than the live page, chosen columns, files of what is
//! shown; all of it in the URL.

mod form;
mod select;
mod table;

use flowdeck_model::query::GroupsQuery;
use flowdeck_model::view::FleetView;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_location;

use crate::api;
use crate::components::clock::Clock;
use crate::components::{bar, cluster, error, figures, notice};
use crate::format::number;
use crate::links;
use crate::site::use_frame;

const SCRIPT: &str = include_str!("rows.js");

pub(super) fn page() -> AnyView {
    let query = use_location().search.get_untracked();
    let all = form_urlencoded::parse(query.trim_start_matches('?').as_bytes())
        .any(|(name, value)| name == "selected" && value == "all");
    match api::served::groups(&query) {
        Ok((query, view)) => body(&query, &view, all),
        Err(error) => error::page(&error),
    }
}

/// `all`: every group that is shown is selected.
fn body(query: &GroupsQuery, view: &FleetView, all: bool) -> AnyView {
    Clock::provide(view.now);
    let trouble = view.clusters.iter().map(|one| (cluster::trouble(one), cluster::notes(one))).collect_view();
    let rows = if view.groups.is_empty() {
        let all = view! { <a class="link" href=links::groups(&GroupsQuery::default())>"Show all groups"</a> };
        notice::empty("No group matches", all)
    } else {
        match select::cluster(query, view) {
            Some(cluster) => select::form(query, cluster, all, table::table(query, view, Some(all))),
            None => table::table(query, view, None),
        }
    };
    view! {
        <Title text="Groups"/>
        <div>
            <nav class="crumbs" aria-label="Where you are"><a href=links::fleet(&query.fleet) rel="external">"Fleet"</a></nav>
            <div class="title">
                <h1>"Groups"</h1>
                <span class="tag">{number::count(view.total.into(), "group", "groups")}</span>
                <span class="tag">"lag " {figures::lag(view.lag, view.lag, view.unknown_partitions)}</span>
                {bar::updated(view.clusters.iter().filter_map(|one| one.as_of).min())}
            </div>
        </div>
        {trouble}
        {form::form(query, view)}
        <section class="panel" aria-label="Groups">
            {rows}
            {select::note(query, view)}
            {table::pager(query, view)}
        </section>
        {(view.total > query.fleet.limit).then(|| view! { <script nonce=use_frame().site.nonce inner_html=SCRIPT></script> })}
    }
    .into_any()
}
