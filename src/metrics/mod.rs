//! `/metrics` for Prometheus.

mod body;
mod groups;
mod label;
mod names_of;
mod partitions;
pub(crate) mod registry;
mod series;

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use flowdeck_model::{Permission, PortError};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use prometheus_client::encoding::text;

use crate::api::ports::ApiPorts;
use crate::api::problem::Problem;
use crate::state::AppState;
use body::Parts;
use registry::{Answered, Route};

/// `fallingBehind` as `falling_behind`.
pub(crate) fn snake_case(camel: &str) -> String {
    let mut label = String::with_capacity(camel.len() + 4);
    for c in camel.chars() {
        if c.is_ascii_uppercase() {
            label.push('_');
        }
        label.push(c.to_ascii_lowercase());
    }
    label
}

/// Counts by route, never by path: a path has as many values as its callers like.
pub(crate) async fn count(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let method = match request.method().as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        _ => "other",
    };
    let start = Instant::now();
    let response = next.run(request).await;
    let metrics = &state.metrics;
    metrics.seconds.get_or_create(&Route { route: route.clone() }).observe(start.elapsed().as_secs_f64());
    metrics.requests.get_or_create(&Answered { method, route, status: response.status().as_u16() }).inc();
    response
}

/// The series name every group of every cluster, so they are for who may see them all.
pub(crate) async fn serve(State(state): State<AppState>, ApiPorts(ports): ApiPorts) -> Response {
    if !ports.actor.may_everywhere(Permission::View) {
        let on = "all groups of all clusters".to_owned();
        return Problem::from(PortError::Forbidden { permission: Permission::View, on }).into_response();
    }
    state.metrics.streams.set(i64::try_from(state.streams.count()).unwrap_or(i64::MAX));
    let answering = state.options.limits.requests.saturating_sub(state.requests.available_permits());
    state.metrics.answering.set(i64::try_from(answering).unwrap_or(i64::MAX));
    // A hundred thousand partitions take a tenth of a second of a processor.
    let encoded = tokio::task::spawn_blocking(move || {
        let mut body = Parts::default();
        text::encode(&mut body, &state.metrics.registry).map(|()| body)
    });
    let Ok(Ok(body)) = encoded.await else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, kind)], body.into_body()).into_response()
}
