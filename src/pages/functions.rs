//! `{base}/fn/…`: the app's reads, called by the browser. Only the ports protect them: every server
//! function that the process knows is reachable here.

use app::PageError;
use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use flowdeck_model::Via;
use http::header::{ACCEPT, HeaderValue, REFERER, WWW_AUTHENTICATE};
use http::{StatusCode, Uri};
use leptos::prelude::provide_context;

use crate::api::problem::Problem;
use crate::auth::KeepAlive;
use crate::layers::actor;
use crate::state::AppState;

/// An error is some words.
const ERROR_BYTES: usize = 64 * 1024;

pub(crate) async fn call(State(state): State<AppState>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let ports = match actor::bind(&state, &parts, Via::Page, KeepAlive::Yes).await {
        Ok(bound) => bound.ports,
        Err(refusal) if refusal.is_for_people() => return nobody(),
        Err(refusal) => return Problem::from(refusal).into_response(),
    };
    parts.uri = below_base(&parts.uri, state.base);
    // Who takes HTML would be sent back to the Referer, with the error in the URL: to another site, which would
    // so learn what is here. Nobody comes by a form: these are the scripts' own reads.
    parts.headers.remove(REFERER);
    parts.headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    let request = Request::from_parts(parts, body);
    let context = move || {
        provide_context(ports.clone());
        app::provide_base(state.base);
    };
    let answer = leptos_axum::handle_server_fns_with_context(context, request);
    with_status(answer.await.into_response()).await
}

/// Leptos answers 500 whatever the error; ours says which status it has.
async fn with_status(answer: Response) -> Response {
    let (mut parts, body) = answer.into_parts();
    if parts.status != StatusCode::INTERNAL_SERVER_ERROR {
        return Response::from_parts(parts, body);
    }
    let Ok(body) = to_bytes(body, ERROR_BYTES).await else { return parts.status.into_response() };
    let error: Option<PageError> = serde_json::from_slice(&body).ok();
    if let Some(status) = error.and_then(|error| StatusCode::from_u16(error.status()).ok()) {
        parts.status = status;
    }
    Response::from_parts(parts, Body::from(body))
}

/// In the words of the page that asked, which then offers the log-in.
fn nobody() -> Response {
    let challenge = [(WWW_AUTHENTICATE, "Bearer realm=\"Flowdeck\"")];
    (StatusCode::UNAUTHORIZED, challenge, Json(PageError::NoActor)).into_response()
}

/// Server functions are registered without the base.
fn below_base(uri: &Uri, base: &str) -> Uri {
    let text = uri.path_and_query().map_or("/", |path| path.as_str());
    text.strip_prefix(base).and_then(|text| text.parse().ok()).unwrap_or_else(|| uri.clone())
}
