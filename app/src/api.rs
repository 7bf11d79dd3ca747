//! Reads: one server function for each page. On the server they are plain calls, in the browser a
//! GET to `{base}/fn/…`. Each takes the actor's ports from the context and fails closed without;
//! names come as they stand in the URL.

use flowdeck_model::error::Thing;
use flowdeck_model::view::{CommandView, FleetView, GroupView, MessagesView, TopicView, TopicsView};
use flowdeck_model::{ClusterName, CommandId, FleetQuery, GroupId, MessagesQuery, PortError, Ports, TopicName, url};
use leptos::prelude::*;
use leptos::server_fn::codec::{GetUrl, JsonEncoding};
use leptos::server_fn::error::{FromServerFnError, ServerFnErrorErr};
use serde::{Deserialize, Serialize};

/// Why a page has nothing to show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PageError {
    Port(PortError),
    /// The browser could not reach Flowdeck.
    Unreachable,
    /// Flowdeck's answer was not understood: most often, it is a newer build.
    Broken(String),
    /// No ports in the context: nobody said who asks.
    NoActor,
}

impl From<PortError> for PageError {
    fn from(error: PortError) -> Self {
        Self::Port(error)
    }
}

impl FromServerFnError for PageError {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        match error {
            ServerFnErrorErr::Request(_) => Self::Unreachable,
            other => Self::Broken(other.to_string()),
        }
    }
}

fn ports() -> Result<Ports, PageError> {
    use_context::<Ports>().ok_or(PageError::NoActor)
}

fn cluster_name(segment: &str) -> Result<ClusterName, PageError> {
    url::decode(segment)
        .and_then(|name| name.parse().ok())
        .ok_or_else(|| PortError::not_found(Thing::Cluster, segment).into())
}

fn topic_name(segment: &str) -> Result<TopicName, PageError> {
    // A name that no topic can have is answered as any other that does not exist.
    let name = url::decode(segment).unwrap_or_else(|| segment.to_owned());
    name.parse().map_err(|_| PortError::not_found(Thing::Topic, name).into())
}

#[server(prefix = "/fn", endpoint = "fleet", input = GetUrl)]
pub(crate) async fn fleet(query: String) -> Result<FleetView, PageError> {
    Ok(ports()?.fleet.fleet(&FleetQuery::parse(&query, false)?)?)
}

#[server(prefix = "/fn", endpoint = "group", input = GetUrl)]
pub(crate) async fn group(cluster: String, group: String) -> Result<GroupView, PageError> {
    let cluster = cluster_name(&cluster)?;
    let name = url::decode(&group).ok_or_else(|| PortError::not_found(Thing::Group, group))?;
    Ok(ports()?.fleet.group(&cluster, &GroupId::from(name))?)
}

#[server(prefix = "/fn", endpoint = "topics", input = GetUrl)]
pub(crate) async fn topics(cluster: String) -> Result<TopicsView, PageError> {
    Ok(ports()?.fleet.topics(&cluster_name(&cluster)?)?)
}

#[server(prefix = "/fn", endpoint = "topic", input = GetUrl)]
pub(crate) async fn topic(cluster: String, topic: String) -> Result<TopicView, PageError> {
    Ok(ports()?.fleet.topic(&cluster_name(&cluster)?, &topic_name(&topic)?).await?)
}

#[server(prefix = "/fn", endpoint = "messages", input = GetUrl)]
pub(crate) async fn messages(cluster: String, topic: String, query: String) -> Result<MessagesView, PageError> {
    let (cluster, topic) = (cluster_name(&cluster)?, topic_name(&topic)?);
    let query = MessagesQuery::parse(&query, false)?;
    Ok(ports()?.peek.messages(&cluster, &topic, &query).await?)
}

#[server(prefix = "/fn", endpoint = "command", input = GetUrl)]
pub(crate) async fn command(cluster: String, id: String) -> Result<CommandView, PageError> {
    let cluster = cluster_name(&cluster)?;
    let id: CommandId = id.parse().map_err(|_| PortError::not_found(Thing::Command, id))?;
    Ok(ports()?.control.command(&cluster, id)?)
}
