//! Filters and columns, as one form that is sent by GET, and the files of what is shown.

use flowdeck_model::query::{Column, GroupsQuery, SEARCH_MAX, default_sort};
use flowdeck_model::view::FleetView;
use flowdeck_model::{GroupState, Verdict};
use leptos::prelude::*;

use crate::links;

pub(super) fn form(query: &GroupsQuery, view: &FleetView) -> AnyView {
    let filter = &query.filter;
    let labels: Vec<String> = filter.labels.iter().map(|(name, value)| [name, ":", value].concat()).collect();
    let topic = filter.topic.as_ref().map(ToString::to_string).unwrap_or_default();
    let paused = filter.paused.map(|paused| if paused { "true" } else { "false" }).unwrap_or_default();
    let verdict = query.fleet.verdicts.first().map(|one| one.key()).unwrap_or_default();
    let state = filter.state.map(GroupState::label).unwrap_or_default();
    let cluster = query.fleet.cluster.as_ref().map(ToString::to_string).unwrap_or_default();
    let sort = (query.fleet.sort != default_sort()).then(|| {
        let keys: Vec<String> = query.fleet.sort.iter().map(ToString::to_string).collect();
        view! { <input type="hidden" name="sort" value=keys.join(",")/> }
    });
    let ignored = query.fleet.ignored.then(|| view! { <input type="hidden" name="ignored" value="true"/> });
    let verdicts = Verdict::WORST_FIRST.map(|one| (one.key(), one.label())).to_vec();
    let states = GroupState::ALL.map(|one| (one.label(), one.label())).to_vec();
    let clusters: Vec<(String, String)> =
        view.clusters.iter().map(|one| (one.name.to_string(), one.label.clone())).collect();
    let limits = ["50", "100", "500", "1000"].map(|one| (one, one)).to_vec();
    view! {
        <section class="panel groups-form" aria-label="Filters and columns">
            <form method="get" action=links::to("/all-groups")>
                {sort}
                {ignored}
                <div class="fields">
                    {text("search", "Search", "Group, topic, cluster, label", query.fleet.search.clone())}
                    {text("label", "Labels", "team:payments, service", labels.join(","))}
                    {text("topic", "Topic", "whole name", topic)}
                    {choice("verdict", "Verdict", "any", verdict, verdicts)}
                    {choice("state", "State", "any", state, states)}
                    {(clusters.len() > 1).then(|| choice("cluster", "Cluster", "all", &cluster, clusters))}
                    {choice("paused", "Paused", "any", paused, vec![("true", "yes, in part too"), ("false", "no")])}
                    {limit(query.fleet.limit, limits)}
                </div>
                {columns(query)}
                <p class="actions">
                    <button class="btn primary" type="submit">"Show"</button>
                    " " <a class="btn" href=links::groups(&GroupsQuery::default())>"Reset"</a>
                    " " <a class="btn" href=links::groups_file(query, "csv") download="">"CSV"</a>
                    " " <a class="btn" href=links::groups_file(query, "ndjson") download="">"JSON lines"</a>
                </p>
            </form>
        </section>
    }
    .into_any()
}

fn text(name: &'static str, words: &'static str, placeholder: &'static str, value: String) -> AnyView {
    let longest = SEARCH_MAX.to_string();
    view! { <label>{words}<input type="text" name=name value=value placeholder=placeholder maxlength=longest autocomplete="off" spellcheck="false"/></label> }
        .into_any()
}

fn choice<T: ToString>(
    name: &'static str,
    words: &'static str,
    none: &'static str,
    chosen: &str,
    all: Vec<(T, T)>,
) -> AnyView {
    let options = all
        .iter()
        .map(|(value, label)| {
            let value = value.to_string();
            view! { <option selected=value == chosen value=value>{label.to_string()}</option> }
        })
        .collect_view();
    view! { <label>{words}<select name=name><option value="">{none}</option>{options}</select></label> }
        .into_any()
}

fn limit(limit: u32, all: Vec<(&'static str, &'static str)>) -> AnyView {
    let chosen = limit.to_string();
    let known = all.iter().any(|(value, _)| *value == chosen);
    let own =
        (!known).then(|| view! { <option selected=true value=chosen.clone()>{chosen.clone()}</option> });
    let options = all
        .into_iter()
        .map(|(value, label)| view! { <option selected=value == chosen value=value>{label}</option> })
        .collect_view();
    view! { <label>"Rows"<select name="limit">{own}{options}</select></label> }.into_any()
}

fn columns(query: &GroupsQuery) -> AnyView {
    let boxes = Column::ALL
        .into_iter()
        .map(|one| {
            let checked = query.columns.contains(&one);
            view! { <label class="check"><input type="checkbox" name="columns" value=one.key() checked=checked/>{one.label()}</label> }
        })
        .collect_view();
    view! {
        <fieldset>
            <legend>"Columns"</legend>
            // Without it a form of which nothing is checked would say nothing of columns.
            <input type="hidden" name="columns" value=""/>
            {boxes}
        </fieldset>
    }
    .into_any()
}
