//! `GET {base}/events`: one stream for one page. Opens it within bounds, and parses what to watch.
//! The stream itself is in `stream`, what it shows in `watch`; `tail`
//! is the stream of a topic, which the API opens.

mod bye;
mod ports;
mod refuse;
mod stream;
pub(crate) mod streams;
pub(crate) mod tail;
mod validity;
mod watch;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use axum::response::sse::Sse;
use flowdeck_model::Version;
use http::StatusCode;
use http::header::HeaderMap;

use crate::api::problem::Problem;
use crate::layers::actor::{BoundActor, ClientAddress};
use crate::state::AppState;

use bye::Bye;
pub(crate) use ports::StreamPorts;
use refuse::{refuse, unbuffered};
use streams::{StreamOwner, StreamSlot};
use watch::Watch;

pub(crate) async fn open(
    State(state): State<AppState>,
    StreamPorts(bound): StreamPorts,
    axum::Extension(address): axum::Extension<ClientAddress>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let query = query.unwrap_or_default();
    let watch = Watch::parse(&query)?;
    let have = have(&query, &headers);
    // Read before a slot is taken: what does not exist is 404, not a stream.
    watch.prepare(&bound.ports).await?;
    let first = watch.read(&bound.ports)?;
    let slot = match slot(&state, &bound, address, &headers) {
        Ok(slot) => slot,
        Err(refused) => return Ok(*refused),
    };
    let stream = stream::Live::new(&state, bound, watch, first, have, slot).into_stream();
    Ok(unbuffered(Sse::new(stream)))
}

/// Of whoever opens a stream; `Err` is the answer where there are too many.
fn slot(
    state: &AppState,
    bound: &BoundActor,
    ClientAddress(address): ClientAddress,
    headers: &HeaderMap,
) -> Result<StreamSlot, Box<Response>> {
    let session = bound.authenticated.ticket.session();
    let owner = session.map_or(StreamOwner::Address(address), StreamOwner::Session);
    state.streams.open(owner).ok_or_else(|| {
        let detail = "as many event streams are open as may be, in all or from this address";
        let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many", detail);
        Box::new(refuse(headers, Bye::TooMany, problem))
    })
}

/// What the client has: a reconnecting EventSource sends the id of its last event.
fn have(query: &str, headers: &HeaderMap) -> Option<Version> {
    if let Some(last) = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok()) {
        return Some(last);
    }
    let have = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "have");
    have.and_then(|(_, version)| version.parse().ok())
}
