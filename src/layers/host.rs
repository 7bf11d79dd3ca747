//! The Host allow-list. A page on another name that resolves to this machine (DNS rebinding)
//! would otherwise be same-origin with Flowdeck, past every Origin check and CORS.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::HOST;

use crate::api::problem::Problem;
use crate::state::AppState;

/// The authority that the client asked for: of the request line, else of the Host header. `None`
/// where there is none, or more than one.
pub(crate) fn authority(request: &Request) -> Option<&str> {
    if let Some(authority) = request.uri().authority() {
        return Some(authority.as_str());
    }
    let mut hosts = request.headers().get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok(),
        _ => None,
    }
}

pub(crate) async fn check(State(state): State<AppState>, request: Request, next: Next) -> Response {
    match authority(&request) {
        Some(authority) if state.options.hosts.allows(authority) => next.run(request).await,
        Some(authority) => {
            let host: String = authority.chars().take(80).collect();
            Problem::new(
                StatusCode::MISDIRECTED_REQUEST,
                "host",
                format!(
                    "Flowdeck does not answer under the name {host:?}. If this name is its own, add it to \
                     `allowed_hosts` or set `public_url`"
                ),
            )
            .into_response()
        }
        None => Problem::new(StatusCode::BAD_REQUEST, "host", "the request needs exactly one Host header")
            .into_response(),
    }
}
