//! Reads of the pages that only the server renders: the actor's ports, asked directly.

use flowdeck_model::error::ResourceKind;
use flowdeck_model::query::GroupsQuery;
use flowdeck_model::view::{BrokersView, FleetView};
use flowdeck_model::{ClusterName, PortError, Ports, url};
use leptos::prelude::use_context;

use super::{Answer, PageError};

/// `segment`: the cluster as it is in the URL. The context is read at once: it is not there after a wait.
pub(crate) fn brokers(segment: String) -> impl Future<Output = Answer<BrokersView>> + Send {
    let ports = use_context::<Ports>();
    async move {
        let ports = ports.ok_or(PageError::NoActor)?;
        Ok(ports.fleet.brokers(&cluster_name(&segment)?).await?)
    }
}

/// `query`: of the URL.
pub(crate) fn groups(query: &str) -> Answer<(GroupsQuery, FleetView)> {
    let ports = use_context::<Ports>().ok_or(PageError::NoActor)?;
    let query = GroupsQuery::parse(query.strip_prefix('?').unwrap_or(query), false)?;
    let view = ports.fleet.groups(&query)?;
    Ok((query, view))
}

fn cluster_name(segment: &str) -> Answer<ClusterName> {
    let name = url::decode(segment).and_then(|name| name.parse().ok());
    name.ok_or_else(|| PortError::not_found(ResourceKind::Cluster, segment).into())
}
