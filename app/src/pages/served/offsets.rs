//! `/c/{cluster}/groups/{group}/offsets`: what setting a group's offsets would do, and the form that then does it. It is
//! reached by a link, and by its own form, whose fields the server puts into the query.

mod asked;
mod form;
mod preview;

use flowdeck_model::view::{ClusterView, GroupView, OffsetsPreview};
use flowdeck_model::{ClusterName, GroupId, PortError, Ports};
use leptos::prelude::*;
use leptos_meta::Title;

use crate::api::{Answer, PageError};
use crate::components::{cluster, notice};
use crate::links;
use asked::Asked;

/// What the page shows.
struct Shown {
    cluster: ClusterView,
    id: GroupId,
    /// `None`: Kafka does not list it (any more).
    group: Option<GroupView>,
    asked: Asked,
    /// `None`: nothing is asked for yet.
    preview: Option<Result<OffsetsPreview, PortError>>,
}

#[component]
pub(super) fn OffsetsPage(cluster: ClusterName, group: GroupId, query: String) -> AnyView {
    let ports = super::ports();
    super::answered(async move { read(&ports?, cluster, group, &query).await }, page)
}

async fn read(ports: &Ports, name: ClusterName, id: GroupId, query: &str) -> Answer<Shown> {
    // Who may not is told that first.
    let asked = Asked::parse(query);
    let preview = match asked.query(&id) {
        None => None,
        Some(Err(error)) => Some(Err(error)),
        Some(Ok(query)) => match ports.control.offsets(&name, query).await {
            Err(error @ (PortError::Forbidden { .. } | PortError::ObserveMode { .. })) => {
                return Err(error.into());
            }
            answer => Some(answer),
        },
    };
    let group = match ports.fleet.group(&name, &id) {
        Ok(view) => Some(view),
        Err(PortError::NotFound { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let known = ports.fleet.clusters().into_iter().find(|one| one.name == name);
    let Some(cluster) = known else {
        let kind = flowdeck_model::error::ResourceKind::Cluster;
        return Err(PageError::Port(PortError::not_found(kind, name.as_str())));
    };
    Ok(Shown { cluster, id, group, asked, preview })
}

fn page(shown: Shown) -> AnyView {
    let Shown { cluster: info, id, group, asked, preview } = shown;
    let (name, href) = (id.shown(), links::group(&info.name, &id));
    let preview = preview.map(|answer| match answer {
        Ok(view) => preview::section(&info, &view),
        Err(error) => notice::warning(["No preview: ", &error.to_string()].concat()),
    });
    view! {
        <Title text=["Offsets of ", &name, " · ", &info.label].concat()/>
        <div>
            <nav class="crumbs" aria-label="Where you are">
                <a href=links::to("/") rel="external">"Fleet"</a> " / " {info.label.clone()} " / "
                <a href=href.clone() rel="external">{name.clone()}</a> " / offsets"
            </nav>
            <div class="title">
                {cluster::pill(info.label.clone(), info.colour)}
                <h1>"Offsets of " {name}</h1>
                <div class="actions"><a class="btn" href=href rel="external">"Back to the group"</a></div>
            </div>
        </div>
        {cluster::trouble(&info)}
        {preview}
        {form::section(&info, &id, group.as_ref(), &asked)}
    }
    .into_any()
}
