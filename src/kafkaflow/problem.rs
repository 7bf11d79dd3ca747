//! Errors with the status and the keys of KafkaFlow's own problem documents; the texts are ours.

use std::collections::BTreeMap;

use axum::response::{IntoResponse, Response};
use flowdeck_model::PortError;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use serde::Serialize;

use crate::api::problem::{Problem, status_of};

pub(super) enum KafkaFlowProblem {
    /// What KafkaFlow refuses too.
    Theirs(Document),
    /// What it knows nothing of: sign-in, permissions, observe mode, a cluster that is away.
    Ours(Problem),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document {
    #[serde(rename = "type")]
    kind: &'static str,
    title: String,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<BTreeMap<String, Vec<String>>>,
    trace_id: String,
}

impl KafkaFlowProblem {
    pub(super) fn not_found(title: impl Into<String>) -> Self {
        Self::theirs(StatusCode::NOT_FOUND, title)
    }

    pub(super) fn bad_request(title: impl Into<String>) -> Self {
        Self::theirs(StatusCode::BAD_REQUEST, title)
    }

    pub(super) fn media_type() -> Self {
        let title = "send JSON, with Content-Type: application/json";
        Self::theirs(StatusCode::UNSUPPORTED_MEDIA_TYPE, title)
    }

    /// `field`: `""` for the body as a whole, `$` for its JSON, `$.name` for a field.
    pub(super) fn field(field: &str, problem: impl Into<String>) -> Self {
        let errors = BTreeMap::from([(field.to_owned(), vec![problem.into()])]);
        let title = "the request is not valid: see errors".to_owned();
        Self::Theirs(Document { errors: Some(errors), ..document(StatusCode::BAD_REQUEST, title) })
    }

    fn theirs(status: StatusCode, title: impl Into<String>) -> Self {
        Self::Theirs(document(status, title.into()))
    }
}

fn document(status: StatusCode, title: String) -> Document {
    let kind = match status {
        StatusCode::NOT_FOUND => "https://tools.ietf.org/html/rfc9110#section-15.5.5",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "https://tools.ietf.org/html/rfc9110#section-15.5.16",
        _ => "https://tools.ietf.org/html/rfc9110#section-15.5.1",
    };
    Document { kind, title, status: status.as_u16(), errors: None, trace_id: trace_id() }
}

/// As W3C's `traceparent`; nothing is traced under it.
fn trace_id() -> String {
    let (trace, span) = (uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple().to_string());
    format!("00-{trace}-{}-00", &span[..16])
}

impl From<PortError> for KafkaFlowProblem {
    fn from(error: PortError) -> Self {
        match error {
            PortError::NotFound { .. } | PortError::Invalid { .. } => {
                Self::theirs(status_of(&error), error.to_string())
            }
            other => Self::Ours(other.into()),
        }
    }
}

impl IntoResponse for KafkaFlowProblem {
    fn into_response(self) -> Response {
        let document = match self {
            Self::Ours(problem) => return problem.into_response(),
            Self::Theirs(document) => document,
        };
        let status = StatusCode::from_u16(document.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_string(&document).unwrap_or_default();
        let kind = HeaderValue::from_static("application/problem+json; charset=utf-8");
        (status, [(CONTENT_TYPE, kind)], body).into_response()
    }
}
