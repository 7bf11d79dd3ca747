//! Reads: one server function for each page. On the server they are plain calls, in the browser a
//! GET to `{base}/fn/…`. Each takes the actor's ports from the context and fails closed without;
//! names come as they stand in the URL.

#[cfg(feature = "ssr")]
mod door;
mod json;

use flowdeck_model::PortError;
use flowdeck_model::view::{CommandView, FleetView, GroupView, MessagesView, TopicView, TopicsView};
use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use leptos::server_fn::error::{FromServerFnError, ServerFnErrorErr};
use serde::{Deserialize, Serialize};

use json::{Json, JsonText};

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
    type Encoder = JsonText;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        match error {
            ServerFnErrorErr::Request(_) => Self::Unreachable,
            other => Self::Broken(other.to_string()),
        }
    }
}

#[server(prefix = "/fn", endpoint = "fleet", input = GetUrl, output = Json)]
pub(crate) async fn fleet(query: String) -> Result<FleetView, PageError> {
    door::fleet(&query)
}

#[server(prefix = "/fn", endpoint = "group", input = GetUrl, output = Json)]
pub(crate) async fn group(cluster: String, group: String) -> Result<GroupView, PageError> {
    door::group(&cluster, &group)
}

#[server(prefix = "/fn", endpoint = "topics", input = GetUrl, output = Json)]
pub(crate) async fn topics(cluster: String) -> Result<TopicsView, PageError> {
    door::topics(&cluster)
}

#[server(prefix = "/fn", endpoint = "topic", input = GetUrl, output = Json)]
pub(crate) async fn topic(cluster: String, topic: String) -> Result<TopicView, PageError> {
    door::topic(&cluster, &topic).await
}

#[server(prefix = "/fn", endpoint = "messages", input = GetUrl, output = Json)]
pub(crate) async fn messages(
    cluster: String,
    topic: String,
    query: String,
) -> Result<MessagesView, PageError> {
    door::messages(&cluster, &topic, &query).await
}

#[server(prefix = "/fn", endpoint = "command", input = GetUrl, output = Json)]
pub(crate) async fn command(cluster: String, id: String) -> Result<CommandView, PageError> {
    door::command(&cluster, &id)
}
