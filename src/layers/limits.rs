//! Bounds on work: requests at once, time for each, and a handler that panics answers 500 and
//! nothing else happens.

use std::any::Any;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_LENGTH, RETRY_AFTER};
use http::{HeaderValue, StatusCode};

use crate::api::problem::Problem;
use crate::state::AppState;

/// Streams are counted by themselves (`events`): their answer begins at once, so they hold no place.
pub(crate) async fn at_once(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let Ok(_place) = state.requests.try_acquire() else {
        let mut refused = Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "busy",
            "Flowdeck is answering as many requests as it may at once; try again in a second",
        )
        .into_response();
        refused.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        return refused;
    };
    next.run(request).await
}

/// Until the answer's head is there; a stream's body is not bound by it.
pub(crate) async fn in_time(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let seconds = state.options.limits.request_seconds;
    match tokio::time::timeout(Duration::from_secs(seconds), next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let detail = format!("no answer within {seconds} s; the work was stopped");
            Problem::new(StatusCode::GATEWAY_TIMEOUT, "timeout", detail).into_response()
        }
    }
}

/// A body that says it is too long is refused before a byte is read. One that lies is cut by
/// `RequestBodyLimitLayer`.
pub(crate) async fn body(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let most = state.options.limits.body;
    let length =
        request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > most as u64) {
        return Problem::too_large(most).into_response();
    }
    next.run(request).await
}

pub(crate) fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response<Body> {
    let words = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no words");
    tracing::error!(panic = words, "a handler panicked; its request got 500");
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Flowdeck failed at this; its log says where")
        .into_response()
}
