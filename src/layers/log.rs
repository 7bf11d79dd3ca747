//! One line for each answer, with dotted fields: what was asked by its route, never by its query or
//! body, which may name people and payloads.

use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument as _;

use super::actor::ClientAddress;

pub(crate) async fn line(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let address = request.extensions().get::<ClientAddress>().and_then(|address| address.0);
    let method = request.method().clone();
    let span = tracing::info_span!("request", http.route = route, http.method = %method);
    let start = Instant::now();
    let response = next.run(request).instrument(span.clone()).await;
    let status = response.status();
    let duration_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    let _inside = span.enter();
    // Failures of ours are said at every level; changes at the usual one; reads only when asked for.
    match () {
        () if status.is_server_error() => {
            tracing::warn!(http.status = status.as_u16(), duration_ms, client.address = ?address, "answered");
        }
        () if method.is_safe() => {
            tracing::debug!(http.status = status.as_u16(), duration_ms, client.address = ?address, "answered");
        }
        () => {
            tracing::info!(http.status = status.as_u16(), duration_ms, client.address = ?address, "answered")
        }
    }
    response
}
