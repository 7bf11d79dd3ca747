//! `GET clusters/{cluster}/topics/{topic}/messages/tail`: server-sent events, as a topic grows.

use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use flowdeck_model::view::TailView;
use http::header::HeaderMap;

use super::{names, problem::Problem};
use crate::events::StreamPorts;
use crate::events::tail;
use crate::layers::actor::ClientAddress;
use crate::state::AppState;

/// Records as they come, as server-sent events; no consumer group is touched.
#[utoipa::path(
    get, path = "/clusters/{cluster}/topics/{topic}/messages/tail", tag = "topics", operation_id = "tailMessages",
    params(
        ("cluster" = String, Path),
        ("topic" = String, Path),
        ("partition" = Option<i32>, Query, description = "Only this one; else all."),
        ("from" = Option<String>, Query, description = "latest (default), or the `position` of an event: it goes on \
            behind it."),
        ("isolation" = Option<String>, Query, description = "read_uncommitted (default) or read_committed."),
        ("limit" = Option<u32>, Query, description = "Records a second, 1 to 500, default 50. More are left out, the \
            oldest first, and counted."),
        ("keyDecoder" = Option<String>, Query, description = "As for listMessages."),
        ("valueDecoder" = Option<String>, Query, description = "As for listMessages."),
        ("text" = Option<String>, Query, description = "Only records that match, as for listMessages."),
        ("key" = Option<String>, Query, description = "The same."),
        ("header" = Option<String>, Query, description = "The same."),
        ("path" = Option<String>, Query, description = "The same."),
        ("cel" = Option<String>, Query, description = "The same."),
        ("unmasked" = Option<bool>, Query, description = "Without masks; needs the permission read unmasked."),
    ),
    responses(
        (status = 200, body = TailView, content_type = "text/event-stream",
            description = "Events `records` with this as data and the position as id, `beat`, and `bye` with a reason"),
        (status = 400, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 429, body = Problem),
    ),
)]
pub(crate) async fn follow(
    State(state): State<AppState>,
    ports: StreamPorts,
    axum::Extension(address): axum::Extension<ClientAddress>,
    Path((cluster, topic)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let named = (names::cluster(&cluster)?, names::topic(&topic)?);
    tail::open(state, ports, address, named, query.as_deref().unwrap_or_default(), &headers).await
}
