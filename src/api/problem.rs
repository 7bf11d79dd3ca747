//! Errors as RFC 9457 problem documents, and the one mapping from a port's error to a status.
//!
//! Policy: what the caller did wrong is said in words; what went wrong inside is logged once
//! and said without detail. No value of a body is repeated, but the name of its field.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use flowdeck_model::PortError;
use flowdeck_model::view::OffsetsPreview;
use http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::Refusal;
use crate::state::AppState;

/// An error of the API (RFC 9457, `application/problem+json`).
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// Which kind of problem: `urn:flowdeck:problem:` and a word.
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    kind: Box<str>,
    /// The status in words.
    title: &'static str,
    status: u16,
    /// What failed, where, and what to do.
    detail: String,
    /// The path that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
    /// The parameter or the field of the body that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// With a 409 for offsets that moved since their preview: what the same would do now.
    #[serde(skip_serializing_if = "Option::is_none")]
    preview: Option<Box<OffsetsPreview>>,
}

pub(crate) fn status_of(error: &PortError) -> StatusCode {
    StatusCode::from_u16(app::status_of(error)).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn kind_of(error: &PortError) -> &'static str {
    match error {
        PortError::NotFound { .. } => "not-found",
        PortError::Forbidden { .. } => "forbidden",
        PortError::ObserveMode { .. } => "observe-mode",
        PortError::Invalid { .. } => "invalid",
        PortError::Conflict { .. } => "conflict",
        PortError::Unprocessable { .. } => "unprocessable",
        PortError::Unavailable { .. } => "unavailable",
        PortError::InDoubt { .. } => "in-doubt",
        PortError::PayloadsOff { .. } => "payloads-off",
        PortError::TooMany { .. } => "too-many",
    }
}

impl From<PortError> for Problem {
    fn from(error: PortError) -> Self {
        let problem = Self::new(status_of(&error), kind_of(&error), error.to_string());
        match error {
            PortError::Invalid { field, .. } => problem.field(field),
            _ => problem,
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unavailable => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "sessions", refusal.to_string())
            }
            Refusal::Nobody => {
                Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "sign in, or send a bearer token")
            }
            ended => Self::new(StatusCode::UNAUTHORIZED, "unauthorized", ended.to_string()),
        }
    }
}

impl Problem {
    pub(crate) fn new(status: StatusCode, kind: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:flowdeck:problem:{kind}").into(),
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: detail.into(),
            instance: None,
            field: None,
            preview: None,
        }
    }

    pub(crate) fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    pub(crate) fn preview(mut self, preview: Option<OffsetsPreview>) -> Self {
        self.preview = preview.map(Box::new);
        self
    }

    pub(crate) fn too_large(most: usize) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", format!("the body may have {most} bytes"))
    }

    fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status(), Body::empty()).into_response();
        if self.status == 503 || self.status == 429 {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("2"));
        }
        if self.status == 401 {
            // RFC 9110 wants one. Not `Basic`: browsers would ask for a password of their own accord.
            let challenge = HeaderValue::from_static("Bearer realm=\"Flowdeck\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// Writes the document once the request's path is known. A browser's page gets the same words as
/// plain text.
pub(crate) async fn finish(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let is_api = path.strip_prefix(state.base).is_some_and(|below| below.starts_with("/api/"));
    let takes_html = request
        .headers()
        .get(ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"));
    let mut response = next.run(request).await;
    let Some(mut problem) = response.extensions_mut().remove::<Problem>() else { return response };
    problem.instance = Some(path);
    let (kind, body) = if takes_html && !is_api {
        let words = format!("{} {}\n\n{}\n", problem.status, problem.title, problem.detail);
        ("text/plain; charset=utf-8", words)
    } else {
        ("application/problem+json", serde_json::to_string(&problem).unwrap_or_default())
    };
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().remove(http::header::CONTENT_LENGTH);
    *response.body_mut() = Body::from(body);
    response
}

/// No route has this path.
pub(crate) async fn no_such_path() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not-found", "there is nothing under this path")
}

/// The path knows other methods; `Allow` names them.
pub(crate) async fn wrong_method() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", "this path does not answer this method; see Allow")
}
