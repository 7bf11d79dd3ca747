//! `GET {base}/events`: one stream for one page. Opens it within bounds, and parses what to watch.
//! The stream itself is in `stream`, what it shows in `watch`.

mod stream;
mod streams;
mod watch;

use std::convert::Infallible;

use axum::extract::{RawQuery, State};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use flowdeck_model::Version;
use http::StatusCode;
use http::header::{ACCEPT, CACHE_CONTROL, HeaderMap, HeaderValue};

use crate::api::problem::Problem;
use crate::auth::Refusal;
use crate::layers::actor::{ClientAddress, StreamPorts};
use crate::state::AppState;

use stream::Bye;
use streams::Holder;
pub(crate) use streams::Streams;
use watch::Watch;

pub(crate) async fn open(
    State(state): State<AppState>,
    StreamPorts(entered): StreamPorts,
    axum::Extension(ClientAddress(address)): axum::Extension<ClientAddress>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let query = query.unwrap_or_default();
    let watch = Watch::parse(&query)?;
    let have = have(&query, &headers);
    // Asked for before a place is taken: what does not exist is 404, not a stream.
    let first = watch.read(&entered.ports)?;
    let holder = entered.known.ticket.session().map_or(Holder::Address(address), Holder::Session);
    let Some(place) = state.streams.enter(holder) else {
        let detail = "as many event streams are open as may be, in all or from this address";
        let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many", detail);
        return Ok(refuse(&headers, Bye::TooMany, problem));
    };
    let stream = stream::Live::new(&state, entered, watch, first, have, place).into_stream();
    Ok(unbuffered(Sse::new(stream)))
}

/// What the client has: a reconnecting EventSource sends the id of its last event.
fn have(query: &str, headers: &HeaderMap) -> Option<Version> {
    if let Some(last) = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok()) {
        return Some(last);
    }
    let have = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "have");
    have.and_then(|(_, version)| version.parse().ok())
}

/// Nobody is signed in, or not any more.
pub(crate) fn nobody(headers: &HeaderMap, refusal: Refusal) -> Response {
    match refusal.is_for_people() {
        true => refuse(headers, Bye::Expired, refusal.into()),
        false => Problem::from(refusal).into_response(),
    }
}

/// EventSource cannot see a status: it gets the reason as an event. Others get the problem.
fn refuse(headers: &HeaderMap, bye: Bye, problem: Problem) -> Response {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if accept.contains("text/event-stream") {
        return unbuffered(Sse::new(futures::stream::iter([Ok::<Event, Infallible>(bye.event())])));
    }
    problem.into_response()
}

/// Proxies must pass events on as they come.
fn unbuffered(events: impl IntoResponse) -> Response {
    let mut response = events.into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}
