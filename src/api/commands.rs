//! `POST clusters/{cluster}/commands` and `GET …/commands/{id}`. The body is parsed by hand, so that
//! what is wrong in it is said by its field.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use flowdeck_model::view::{CommandView, Submitted};
use flowdeck_model::{Action, CommandId, PortError, Submit, Target, TopicName};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{names, ports::ApiPorts, problem::Problem};
use crate::state::AppState;

/// A pause or a resume.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "only its schema is used: `parse` reads the body, to name what is wrong in it")]
pub(crate) struct NewCommand {
    /// Given by the caller: the same id and body is the same command. Made where absent.
    #[schema(required = false)]
    id: Option<CommandId>,
    action: Action,
    target: Target,
    /// For the next person on call. A pause needs one.
    #[schema(required = false)]
    reason: String,
    /// A pause ends by itself after so many seconds.
    #[schema(required = false)]
    for_seconds: Option<u32>,
}

/// What was accepted. `Location` says where its life can be followed.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Accepted {
    #[serde(flatten)]
    submitted: Submitted,
}

/// Pauses or resumes a group, a consumer of it, or topics of either.
#[utoipa::path(
    post, path = "/clusters/{cluster}/commands", tag = "commands", operation_id = "submitCommand",
    params(("cluster" = String, Path)),
    request_body = NewCommand,
    responses(
        (status = 202, body = Submitted, headers(("Location" = String, description = "The command's path."))),
        (status = 400, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem, description = "Another body came under this id."),
        (status = 415, body = Problem),
        (status = 422, body = Problem, description = "Nobody in the target listens, or its name is ambiguous."),
        (status = 503, body = Problem),
    ),
)]
pub(crate) async fn submit(
    State(state): State<AppState>,
    ApiPorts(ports): ApiPorts,
    Path(cluster): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let cluster = names::cluster(&cluster)?;
    json_only(&headers)?;
    let submitted = ports.control.submit(&cluster, parse(&body)?).await?;
    let path = format!("/api/v1/clusters/{cluster}/commands/{}", submitted.id);
    let mut response = (StatusCode::ACCEPTED, Json(Accepted { submitted })).into_response();
    if let Ok(location) = HeaderValue::from_str(&state.options.base.path(&path)) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

/// A command and what came of it, instance by instance.
#[utoipa::path(
    get, path = "/clusters/{cluster}/commands/{id}", tag = "commands", operation_id = "getCommand",
    params(("cluster" = String, Path), ("id" = String, Path, description = "UUID")),
    responses((status = 200, body = CommandView), (status = 404, body = Problem)),
)]
pub(crate) async fn one(
    ApiPorts(ports): ApiPorts,
    Path((cluster, id)): Path<(String, String)>,
) -> Result<Json<CommandView>, Problem> {
    let (cluster, id) = (names::cluster(&cluster)?, names::command(&id)?);
    Ok(Json(ports.control.command(&cluster, id)?))
}

/// A form of another site cannot send this type without asking first.
fn json_only(headers: &HeaderMap) -> Result<(), Problem> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let detail = "send JSON, with Content-Type: application/json";
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", detail))
}

fn parse(body: &[u8]) -> Result<Submit, PortError> {
    let body: Value = serde_json::from_slice(body)
        .map_err(|error| PortError::invalid("body", format!("no JSON: {error}")))?;
    let Value::Object(mut body) = body else { return Err(PortError::invalid("body", "a JSON object")) };
    let Value::Object(mut target) = body.remove("target").ok_or_else(|| missing("target"))? else {
        return Err(PortError::invalid("target", "an object with `group`"));
    };
    let submit = Submit {
        id: match text(&mut body, "id", "id")? {
            Some(id) => id.parse().map_err(|_| PortError::invalid("id", "a UUID"))?,
            None => CommandId::random(),
        },
        action: match text(&mut body, "action", "action")?.as_deref() {
            Some("pause") => Action::Pause,
            Some("resume") => Action::Resume,
            Some(_) => return Err(PortError::invalid("action", "pause or resume")),
            None => return Err(missing("action")),
        },
        target: Target {
            group: text(&mut target, "group", "target.group")?.ok_or_else(|| missing("target.group"))?.into(),
            consumer: text(&mut target, "consumer", "target.consumer")?.map(Into::into),
            topics: topics(&mut target)?,
        },
        reason: text(&mut body, "reason", "reason")?.unwrap_or_default(),
        for_seconds: seconds(&mut body)?,
    };
    nothing_else("target.", &target)?;
    nothing_else("", &body)?;
    Ok(submit)
}

fn missing(field: &str) -> PortError {
    PortError::invalid(field, "it is missing")
}

fn text(object: &mut Map<String, Value>, key: &str, field: &str) -> Result<Option<String>, PortError> {
    match object.remove(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(PortError::invalid(field, "a string")),
    }
}

fn topics(target: &mut Map<String, Value>) -> Result<Vec<TopicName>, PortError> {
    let refused = || PortError::invalid("target.topics", "a list of topic names");
    let list = match target.remove("topics") {
        None | Some(Value::Null) => return Ok(vec![]),
        Some(Value::Array(list)) => list,
        Some(_) => return Err(refused()),
    };
    list.into_iter()
        .enumerate()
        .map(|(at, name)| match name {
            Value::String(name) => name.parse().map_err(|error: flowdeck_model::names::NameError| {
                PortError::invalid(format!("target.topics[{at}]"), error.to_string())
            }),
            _ => Err(refused()),
        })
        .collect()
}

fn seconds(body: &mut Map<String, Value>) -> Result<Option<u32>, PortError> {
    match body.remove("forSeconds") {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_u64().and_then(|seconds| u32::try_from(seconds).ok()) {
            Some(seconds) => Ok(Some(seconds)),
            None => Err(PortError::invalid("forSeconds", "a whole number of seconds")),
        },
    }
}

fn nothing_else(inside: &str, left: &Map<String, Value>) -> Result<(), PortError> {
    match left.keys().next() {
        None => Ok(()),
        Some(key) => {
            let key: String = key.chars().take(80).collect();
            Err(PortError::invalid(format!("{inside}{key}"), "no such field"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_by_its_field() {
        for (body, want) in [
            ("", "body"),
            ("[]", "body"),
            ("{}", "target"),
            (r#"{"target":[]}"#, "target"),
            (r#"{"target":{"group":"g"}}"#, "action"),
            (r#"{"action":"stop","target":{"group":"g"}}"#, "action"),
            (r#"{"action":1,"target":{"group":"g"}}"#, "action"),
            (r#"{"action":"pause","target":{}}"#, "target.group"),
            (r#"{"action":"pause","target":{"group":1}}"#, "target.group"),
            (r#"{"action":"pause","target":{"group":"g","topic":"t"}}"#, "target.topic"),
            (r#"{"action":"pause","target":{"group":"g","topics":"t"}}"#, "target.topics"),
            (r#"{"action":"pause","target":{"group":"g","topics":["t","a b"]}}"#, "target.topics[1]"),
            (r#"{"action":"pause","target":{"group":"g"},"colour":1}"#, "colour"),
            (r#"{"action":"pause","target":{"group":"g"},"id":"7"}"#, "id"),
            (r#"{"action":"pause","target":{"group":"g"},"forSeconds":-1}"#, "forSeconds"),
            (r#"{"action":"pause","target":{"group":"g"},"forSeconds":1e99}"#, "forSeconds"),
        ] {
            match parse(body.as_bytes()) {
                Err(PortError::Invalid { field, .. }) => assert_eq!(field, want, "{body}"),
                other => panic!("{body}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_whole_body() {
        let submit = parse(
            br#"{"id":"6fa459ea-ee8a-4ca4-894e-db77e160355e","action":"pause","reason":"INC-1","forSeconds":60,
                "target":{"group":"a/b","consumer":"c","topics":["t"]}}"#,
        )
        .unwrap();
        assert_eq!(submit.id.to_string(), "6fa459ea-ee8a-4ca4-894e-db77e160355e");
        assert_eq!((submit.action, submit.for_seconds), (Action::Pause, Some(60)));
        assert_eq!(submit.target.words(), "c of a/b, t");
    }
}
