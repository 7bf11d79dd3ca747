//! Reads: one server function for each page. On the server they are plain calls, in the browser a
//! GET to `{base}/fn/…`. Each takes the actor's ports from the context and fails closed without;
//! names come as they are in the URL.

mod codec;
#[cfg(feature = "ssr")]
mod preview;
#[cfg(feature = "ssr")]
mod reads;
#[cfg(not(target_family = "wasm"))]
pub(crate) mod served;

use flowdeck_model::view::{CommandView, FleetView, GroupView, MessagesView, TopicView, TopicsView};
use flowdeck_model::{CommandId, HoldBy, PortError};
use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use leptos::server_fn::error::{FromServerFnError, ServerFnErrorErr};
use serde::{Deserialize, Serialize};

use codec::{Json, JsonText};

use crate::chart::Chart;

/// Why a page has nothing to show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PageError {
    Port(PortError),
    /// The browser could not reach Flowdeck.
    Unreachable,
    /// Flowdeck's answer was not understood: most often, it is a newer build.
    Broken(String),
    /// No ports in the context: the actor is not known.
    NoActor,
}

pub(crate) type Answer<T> = Result<T, PageError>;

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

/// The HTTP status of a port's error, wherever one is answered.
pub fn status_of(error: &PortError) -> u16 {
    match error {
        PortError::Invalid { .. } => 400,
        PortError::Forbidden { .. } | PortError::ObserveMode { .. } | PortError::PayloadsOff { .. } => 403,
        PortError::NotFound { .. } => 404,
        PortError::Conflict { .. } => 409,
        PortError::Unprocessable { .. } => 422,
        PortError::TooMany { .. } => 429,
        PortError::Unavailable { .. } => 503,
        #[cfg(not(target_family = "wasm"))]
        PortError::InDoubt { .. } => 503,
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
    reads::fleet(&query)
}

#[server(prefix = "/fn", endpoint = "group", input = GetUrl, output = Json)]
pub(crate) async fn group(cluster: String, group: String) -> Result<GroupView, PageError> {
    reads::group(&cluster, &group)
}

/// `query`: of [`flowdeck_model::HistoryQuery`], and `table=1`. `utc_offset`: of the reader's zone, in minutes.
#[server(prefix = "/fn", endpoint = "history", input = GetUrl, output = Json)]
pub(crate) async fn history(
    cluster: String,
    group: String,
    query: String,
    utc_offset: i32,
) -> Result<Chart, PageError> {
    reads::history(&cluster, &group, &query, utc_offset)
}

#[server(prefix = "/fn", endpoint = "topics", input = GetUrl, output = Json)]
pub(crate) async fn topics(cluster: String) -> Result<TopicsView, PageError> {
    reads::topics(&cluster)
}

#[server(prefix = "/fn", endpoint = "topic", input = GetUrl, output = Json)]
pub(crate) async fn topic(cluster: String, topic: String) -> Result<TopicView, PageError> {
    reads::topic(&cluster, &topic).await
}

#[server(prefix = "/fn", endpoint = "messages", input = GetUrl, output = Json)]
pub(crate) async fn messages(
    cluster: String,
    topic: String,
    query: String,
) -> Result<MessagesView, PageError> {
    reads::messages(&cluster, &topic, &query).await
}

#[server(prefix = "/fn", endpoint = "command", input = GetUrl, output = Json)]
pub(crate) async fn command(cluster: String, id: String) -> Result<CommandView, PageError> {
    reads::command(&cluster, &id).await
}

/// What a command would do, in words: they are made on the server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PreviewText {
    /// Why it would be refused: an answer, and no failure of the preview. Then all else is empty.
    pub refused: Option<PageError>,
    /// What is asked for is in force already.
    pub existing: Option<CommandId>,
    /// Of a pause: how it is kept, where that can be chosen.
    pub by: Option<HoldBy>,
    pub lines: Vec<String>,
    /// A partition, its committed offset, and where that is moved.
    pub offsets: Vec<[String; 3]>,
}

/// `body`: the fields of the command's form, but for its id and its reason.
#[server(prefix = "/fn", endpoint = "preview", input = GetUrl, output = Json)]
pub(crate) async fn preview(cluster: String, body: String) -> Result<PreviewText, PageError> {
    preview::read(&cluster, &body).await
}

#[cfg(test)]
mod tests {
    use flowdeck_model::error::ResourceKind;

    use super::*;

    #[test]
    fn every_error_of_a_page_is_read() {
        for error in [
            PageError::Unreachable,
            PageError::Broken("x".into()),
            PortError::not_found_because(ResourceKind::Group, "a/b", "hint").into(),
            PortError::Conflict { detail: "d".into() }.into(),
        ] {
            let json = serde_json::to_string(&Err::<(), _>(&error)).unwrap();
            assert_eq!(serde_json::from_str::<Result<(), PageError>>(&json).unwrap(), Err(error));
        }
    }
}
