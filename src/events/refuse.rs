//! Why no stream is opened, in a form that the client can see.

use std::convert::Infallible;

use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT, CACHE_CONTROL, HeaderMap, HeaderValue};

use super::bye::Bye;
use crate::api::problem::Problem;
use crate::auth::Refusal;

/// Nobody is signed in, or not any more.
pub(super) fn nobody(headers: &HeaderMap, refusal: Refusal) -> Response {
    if refusal.is_for_people() {
        return refuse(headers, Bye::Expired, refusal.into());
    }
    Problem::from(refusal).into_response()
}

/// EventSource cannot see a status: it gets the reason as an event. Others get the problem.
pub(super) fn refuse(headers: &HeaderMap, bye: Bye, problem: Problem) -> Response {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if accept.contains("text/event-stream") {
        return unbuffered(Sse::new(futures::stream::iter([Ok::<Event, Infallible>(bye.event())])));
    }
    problem.into_response()
}

/// Proxies must pass events on as they come.
pub(super) fn unbuffered(events: impl IntoResponse) -> Response {
    let mut response = events.into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}
