//! Groups that are selected for one operation: checkboxes in a form, of one cluster, for who may control a part of it.

use flowdeck_model::query::GroupsQuery;
use flowdeck_model::view::{ClusterView, FleetView, Mode};
use flowdeck_model::{ClusterName, Permission, Ports};
use leptos::prelude::*;

use crate::links;

fn may_control(cluster: &ClusterView) -> bool {
    let ports = use_context::<Ports>();
    cluster.mode == Mode::Control
        && ports.is_some_and(|ports| ports.actor.may_on_cluster(Permission::Control, &cluster.name))
}

/// The one cluster of the groups that are shown, where something can be done to it.
pub(super) fn cluster<'a>(query: &GroupsQuery, view: &'a FleetView) -> Option<&'a ClusterName> {
    let one = match (&query.fleet.cluster, view.clusters.as_slice()) {
        (Some(name), all) => all.iter().find(|one| one.name == *name)?,
        (None, [one]) => one,
        (None, _) => return None,
    };
    may_control(one).then_some(&one.name)
}

/// Why there are no checkboxes.
pub(super) fn note(query: &GroupsQuery, view: &FleetView) -> Option<AnyView> {
    let several = query.fleet.cluster.is_none() && view.clusters.len() > 1;
    (several && view.clusters.iter().any(may_control)).then(|| {
        view! { <p class="muted below">"To select groups for one operation, choose a cluster above."</p> }
            .into_any()
    })
}

pub(super) fn form(query: &GroupsQuery, cluster: &ClusterName, all: bool, table: AnyView) -> AnyView {
    let shown = links::groups(query);
    let other = if all {
        view! { <a class="btn small" href=shown>"Select none"</a> }
    } else {
        let more = if shown.contains('?') { "&" } else { "?" };
        view! { <a class="btn small" href=[&shown, more, "selected=all"].concat()>"Select all shown"</a> }
    };
    view! {
        <form method="post" action=links::bulk_form(cluster, "") class="select-groups">
            <div class="tools under">
                <button class="btn small primary" type="submit">"Operation on selected groups…"</button>
                {other}
            </div>
            {table}
        </form>
    }
    .into_any()
}
