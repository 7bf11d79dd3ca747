//! Reads: one server function for each page. On the server they are plain calls, in the browser a
//! GET to `{base}/fn/…`. Each takes the actor's ports from the context and fails closed without;
//! names come as they stand in the URL.

mod codec;
#[cfg(feature = "ssr")]
mod door;

use flowdeck_model::actor::Permission;
use flowdeck_model::error::Thing;
use flowdeck_model::view::{CommandView, FleetView, GroupView, MessagesView, TopicView, TopicsView};
use flowdeck_model::{ClusterName, PortError};
use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use leptos::server_fn::error::{FromServerFnError, ServerFnErrorErr};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use codec::{Json, JsonText};

/// Why a page has nothing to show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PageError {
    #[serde(with = "PortErrorBeside")]
    Port(PortError),
    /// The browser could not reach Flowdeck.
    Unreachable,
    /// Flowdeck's answer was not understood: most often, it is a newer build.
    Broken(String),
    /// No ports in the context: nobody said who asks.
    NoActor,
}

/// `PortError` for the browser. In the API its kind stands among its fields, as a tag that may come
/// last: to read that takes the code for values of any kind.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", remote = "PortError")]
enum PortErrorBeside {
    NotFound { what: Thing, name: String, hint: Option<String> },
    Forbidden { permission: Permission, on: String },
    Invalid { field: String, problem: String },
    Conflict { detail: String },
    ObserveMode { cluster: ClusterName },
    Unprocessable { detail: String },
    Unavailable { cluster: ClusterName, detail: String },
    TooMany { detail: String },
}

pub(crate) type Answer<T> = Result<T, PageError>;

/// Fetched on the server with the page, and by the browser when `asked` changes.
pub(crate) type Fetched<T> = Resource<T, JsonText>;

pub(crate) fn fetched<A, T, F>(
    asked: impl Fn() -> A + Send + Sync + 'static,
    by: impl Fn(A) -> F + Send + Sync + 'static,
) -> Fetched<T>
where
    A: PartialEq + Clone + Send + Sync + 'static,
    T: Serialize + DeserializeOwned + Send + Sync + 'static,
    F: Future<Output = T> + Send + 'static,
{
    Fetched::new_with_options(asked, by, false)
}

impl From<PortError> for PageError {
    fn from(error: PortError) -> Self {
        Self::Port(error)
    }
}

impl PageError {
    /// Of HTTP, for the page that says it and for the script that asked.
    pub fn status(&self) -> u16 {
        match self {
            Self::Unreachable => 503,
            Self::Broken(_) => 500,
            Self::NoActor => 401,
            Self::Port(error) => status_of(error),
        }
    }
}

/// The HTTP status of a port's error, at every door that answers with one.
pub fn status_of(error: &PortError) -> u16 {
    match error {
        PortError::Invalid { .. } => 400,
        PortError::Forbidden { .. } | PortError::ObserveMode { .. } => 403,
        PortError::NotFound { .. } => 404,
        PortError::Conflict { .. } => 409,
        PortError::Unprocessable { .. } => 422,
        PortError::TooMany { .. } => 429,
        PortError::Unavailable { .. } => 503,
    }
}

impl FromServerFnError for PageError {
    type Encoder = JsonText;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        match error {
            ServerFnErrorErr::Request(_) => Self::Unreachable,
            #[cfg(feature = "ssr")]
            ServerFnErrorErr::Args(problem) => PortError::invalid("query", problem).into(),
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
