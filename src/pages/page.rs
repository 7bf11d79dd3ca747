//! `GET` of every page: one wildcard route.

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use flowdeck_model::Via;
use http::header::{HeaderValue, LOCATION};
use http::{StatusCode, Uri};

use super::{login, render};
use crate::assets::respond;
use crate::auth::KeepAlive;
use crate::layers::actor;
use crate::state::AppState;

/// A page, or a public file that lies where one could be.
pub(crate) async fn show(State(state): State<AppState>, request: Request) -> Response {
    let path = request.uri().path();
    let below = path.strip_prefix(state.base).unwrap_or(path).trim_start_matches('/');
    if let Some(file) = respond::public(&state, below, request.headers()) {
        return file;
    }
    let (parts, _) = request.into_parts();
    match actor::bind(&state, &parts, Via::Page, KeepAlive::Yes).await {
        Ok(bound) => render::document(&state, bound.into(), &parts.headers, parts.uri, None).await,
        Err(refusal) => login::refuse(&state, &parts, refusal),
    }
}

/// `{base}/` is no page: one URL for the fleet.
pub(crate) async fn to_base(State(state): State<AppState>, uri: Uri) -> Response {
    let mut target = state.options.base.path("");
    if let Some(query) = uri.query() {
        target = format!("{target}?{query}");
    }
    let mut response = StatusCode::PERMANENT_REDIRECT.into_response();
    if let Ok(location) = HeaderValue::from_str(&target) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}
