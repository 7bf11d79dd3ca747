//! Assets over HTTP: what lies under a content hash is immutable, all else is asked for again.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue,
    IF_NONE_MATCH, VARY,
};

use super::site::File;
use crate::api::problem::Problem;
use crate::state::AppState;

const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// `{base}/pkg/…`
pub(crate) async fn pkg(
    State(state): State<AppState>,
    Path(path): Path<String>,
    headers: HeaderMap,
) -> Response {
    respond(&state, &format!("pkg/{path}"), &headers, FOR_EVER)
}

/// A public file, whose path is its key.
pub(crate) fn public(state: &AppState, path: &str, headers: &HeaderMap) -> Option<Response> {
    let known = state.options.assets.file(path).is_some() && !path.starts_with("pkg/");
    known.then(|| respond(state, path, headers, ASK_AGAIN))
}

fn respond(state: &AppState, path: &str, request: &HeaderMap, caching: HeaderValue) -> Response {
    let Some(file) = state.options.assets.file(path) else {
        return Problem::new(StatusCode::NOT_FOUND, "not-found", "there is no such file in this build")
            .into_response();
    };
    let mut response = if is_known(file, request) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        content(file, request)
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, caching);
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    if let Some(etag) = file.etag.as_deref().and_then(|etag| HeaderValue::from_str(etag).ok()) {
        headers.insert(ETAG, etag);
    }
    response
}

fn is_known(file: &File, request: &HeaderMap) -> bool {
    let Some(etag) = file.etag.as_deref() else { return false };
    let known = request.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    known.split(',').any(|known| known.trim().trim_start_matches("W/") == etag)
}

fn content(file: &File, request: &HeaderMap) -> Response {
    let brotli = file.brotli.as_ref().filter(|_| takes_brotli(request));
    let body = brotli.unwrap_or(&file.plain).clone();
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(file.mime));
    if brotli.is_some() {
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("br"));
    }
    response
}

/// `br` with a weight above zero.
fn takes_brotli(request: &HeaderMap) -> bool {
    let accepted = request.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accepted.split(',').any(|part| {
        let mut words = part.split(';').map(str::trim);
        let name = words.next().unwrap_or_default();
        let refused = words.any(|word| matches!(word, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"));
        name.eq_ignore_ascii_case("br") && !refused
    })
}
