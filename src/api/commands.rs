//! `POST clusters/{cluster}/commands` and `GET …/commands/{id}`.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use flowdeck_model::action::{ActionFields, Workers};
use flowdeck_model::offsets::{GivenOffsets, OffsetMoves};
use flowdeck_model::view::{CommandView, PreviewView, Submitted};
use flowdeck_model::{
    ActionKind, CommandId, ConsumerName, GroupId, HoldBy, Partition, PauseEnd, PortError, Submit, Target,
    Timestamp, TopicName,
};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{body, names, offsets, ports::ApiPorts, problem::Problem};
use crate::state::AppState;

/// What is to be done. Pause, resume, `setOffsets` and `deleteGroup` are for a group, all others reach one consumer by its
/// name.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(
    dead_code,
    reason = "only its schema is used: in `CommandBody` all is optional, so that what is missing has a name"
)]
pub(crate) struct NewCommand {
    /// Given by the caller: the same id and body is the same command. Made where absent.
    #[schema(required = false)]
    id: Option<CommandId>,
    action: ActionKind,
    /// With `changeWorkers`: how many, in each instance.
    #[schema(required = false)]
    workers: Option<Workers>,
    /// With `rewind`: to the first record at or after this time, in each partition. With `setOffsets`: the target as it
    /// was previewed.
    #[schema(required = false)]
    to: Option<String>,
    target: Target,
    /// For the next operator on call. All but a resume need one.
    #[schema(required = false)]
    reason: String,
    /// A pause ends by itself after so many seconds, at most 30 days.
    #[schema(required = false)]
    for_seconds: Option<u32>,
    /// Or at this time, which is ahead, at most 30 days. Without a zone it is UTC.
    #[schema(required = false)]
    until: Option<String>,
    /// With `setOffsets` and `deleteGroup`: `moves` of the preview.
    #[schema(required = false)]
    offsets: Option<OffsetMoves>,
    /// Where records are skipped: how many, as the preview says.
    #[schema(required = false)]
    skips: Option<u64>,
    /// Where commits are deleted: the group's name once more.
    #[schema(required = false)]
    confirm: Option<String>,
    /// With `pause`: how it is kept with KafkaFlow consumers. `stop` is for whole groups and consumers, and the default
    /// where records wait; else `pause`. With `setOffsets` of a live KafkaFlow group: `stop`.
    #[schema(required = false)]
    by: Option<HoldBy>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CommandBody {
    id: Option<CommandId>,
    action: Option<ActionKind>,
    workers: Option<Workers>,
    to: Option<String>,
    target: Option<body::Object<TargetBody>>,
    reason: Option<String>,
    for_seconds: Option<u32>,
    until: Option<String>,
    offsets: Option<String>,
    skips: Option<u64>,
    confirm: Option<String>,
    by: Option<HoldBy>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TargetBody {
    group: Option<GroupId>,
    consumer: Option<ConsumerName>,
    topics: Option<Vec<TopicName>>,
    partitions: Option<Vec<Partition>>,
}

/// What was accepted. `Location` says where its life can be followed.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Accepted {
    #[serde(flatten)]
    submitted: Submitted,
}

/// Pauses or resumes a group, a consumer of it, or topics of either; stops, starts or restarts a consumer, changes its
/// workers, or moves its offsets; sets a group's offsets or deletes it.
#[utoipa::path(
    post, path = "/clusters/{cluster}/commands", tag = "commands", operation_id = "submitCommand",
    params(("cluster" = String, Path)),
    request_body = NewCommand,
    responses(
        (status = 202, body = Submitted, headers(("Location" = String, description = "The command's path."))),
        (status = 400, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem, description = "Another body came under this id; or the consumer runs already, its offsets are being moved, or they moved since the preview: `preview` is a new one then."),
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
    let command = parse(&body)?;
    let submitted = match ports.control.submit(&cluster, command.clone()).await {
        Err(error @ PortError::Conflict { .. }) if command.offsets.is_some() => {
            let preview = offsets::again(&ports, &cluster, &command).await;
            return Err(Problem::from(error).preview(preview));
        }
        other => other?,
    };
    let path = format!("/clusters/{cluster}/commands/{}", submitted.id);
    Ok(accepted(&state, &path, Accepted { submitted }))
}

/// 202. `path`, below the API's own, is where its life can be followed.
pub(super) fn accepted(state: &AppState, path: &str, body: impl Serialize) -> Response {
    let mut response = (StatusCode::ACCEPTED, Json(body)).into_response();
    if let Ok(location) = HeaderValue::from_str(&state.options.base.path(&format!("/api/v1{path}"))) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// What a command would do. Nothing happens, and its id is not used up.
#[utoipa::path(
    post, path = "/clusters/{cluster}/commands/preview", tag = "commands", operation_id = "previewCommand",
    params(("cluster" = String, Path)),
    request_body = NewCommand,
    responses(
        (status = 200, body = PreviewView),
        (status = 400, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem, description = "The consumer runs already, or its offsets are being moved."),
        (status = 415, body = Problem),
        (status = 422, body = Problem, description = "Nobody in the target listens, or its name is ambiguous."),
        (status = 503, body = Problem),
    ),
)]
pub(crate) async fn preview(
    ApiPorts(ports): ApiPorts,
    Path(cluster): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<PreviewView>, Problem> {
    let cluster = names::cluster(&cluster)?;
    json_only(&headers)?;
    Ok(Json(ports.control.preview(&cluster, parse(&body)?).await?))
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
    Ok(Json(ports.control.find_command(&cluster, id).await?))
}

/// A form of another site cannot send this type without asking first.
pub(super) fn json_only(headers: &HeaderMap) -> Result<(), Problem> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let detail = "send JSON, with Content-Type: application/json";
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", detail))
}

/// An object, sent as JSON.
pub(super) fn json<T: DeserializeOwned>(headers: &HeaderMap, bytes: &[u8]) -> Result<T, Problem> {
    json_only(headers)?;
    let body::Object(parsed) = body::parse::<body::Object<T>>(bytes)?;
    Ok(parsed)
}

fn parse(bytes: &[u8]) -> Result<Submit, PortError> {
    let body::Object(command) = body::parse::<body::Object<CommandBody>>(bytes)?;
    let missing = |field: &str| PortError::invalid(field, "it is missing");
    let body::Object(target) = command.target.ok_or_else(|| missing("target"))?;
    let action = command.action.ok_or_else(|| missing("action"))?;
    let target = Target {
        group: target.group.ok_or_else(|| missing("target.group"))?,
        consumer: target.consumer,
        topics: target.topics.unwrap_or_default(),
        partitions: target.partitions.unwrap_or_default(),
    };
    let given = GivenOffsets {
        to: command.to.as_deref(),
        moves: command.offsets.as_deref(),
        skips: command.skips,
        confirm: command.confirm.as_deref(),
    };
    let offsets = given.parse(action, &target)?;
    let to = command.to.as_deref().filter(|_| offsets.is_none()).map(|to| time("to", to)).transpose()?;
    let until = command.until.as_deref().map(|until| time("until", until)).transpose()?;
    Ok(Submit {
        id: command.id.unwrap_or_else(CommandId::random),
        action: ActionFields { action, workers: command.workers, to }.try_into()?,
        target,
        offsets,
        reason: command.reason.unwrap_or_default(),
        ends: PauseEnd::of_fields(command.for_seconds, until)?,
        by: command.by,
    })
}

/// With its zone, or in UTC.
fn time(field: &str, text: &str) -> Result<Timestamp, PortError> {
    let problem = "a time, such as 2026-11-21T14:00:00Z";
    Timestamp::parse_given(text).ok_or_else(|| PortError::invalid(field, problem))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flowdeck_model::Action;

    #[test]
    fn errors_name_the_field() {
        for (body, want) in [
            ("", "body"),
            ("[]", "body"),
            ("{}", "target"),
            (r#"{"target":[]}"#, "target"),
            (r#"{"target":{"group":"g"}}"#, "action"),
            (r#"{"action":"explode","target":{"group":"g"}}"#, "action"),
            (r#"{"action":"restart","target":{"group":"g"},"workers":5}"#, "workers"),
            (r#"{"action":"changeWorkers","target":{"group":"g"}}"#, "workers"),
            (r#"{"action":"changeWorkers","target":{"group":"g"},"workers":0}"#, "workers"),
            (r#"{"action":"changeWorkers","target":{"group":"g"},"workers":1001}"#, "workers"),
            (r#"{"action":"rewind","target":{"group":"g"}}"#, "to"),
            (r#"{"action":"rewind","target":{"group":"g"},"to":"yesterday"}"#, "to"),
            (r#"{"action":"setOffsets","target":{"group":"g"},"to":"latest"}"#, "offsets"),
            (r#"{"action":"setOffsets","target":{"group":"g"},"to":"latest","offsets":"t 0"}"#, "offsets"),
            (r#"{"action":"setOffsets","target":{"group":"g"},"offsets":"t 0*1*2"}"#, "to"),
            (r#"{"action":"restart","target":{"group":"g"},"offsets":"t 0*1*2"}"#, "offsets"),
            (r#"{"action":1,"target":{"group":"g"}}"#, "action"),
            (r#"{"action":"pause","target":{}}"#, "target.group"),
            (r#"{"action":"pause","target":{"group":1}}"#, "target.group"),
            (r#"{"action":"pause","target":{"group":"g","topic":"t"}}"#, "target.topic"),
            (
                r#"{"action":"pause","target":{"group":"g","topics":["t"],"partitions":[-1]}}"#,
                "target.partitions[0]",
            ),
            (r#"{"action":"pause","target":{"group":"g","topics":"t"}}"#, "target.topics"),
            (r#"{"action":"pause","target":{"group":"g","topics":["t","a b"]}}"#, "target.topics[1]"),
            (r#"{"action":"pause","target":["g"]}"#, "target"),
            (r#"{"action":"pause","target":{"group":"g"},"colour":1}"#, "colour"),
            (r#"{"action":"pause","target":{"group":"g"},"id":"7"}"#, "id"),
            (r#"{"action":"pause","target":{"group":"g"},"forSeconds":-1}"#, "forSeconds"),
            (r#"{"action":"pause","target":{"group":"g"},"forSeconds":1e99}"#, "forSeconds"),
            (r#"{"action":"pause","target":{"group":"g"},"until":"soon"}"#, "until"),
            (
                r#"{"action":"pause","target":{"group":"g"},"until":"2026-11-21T14:00Z","forSeconds":9}"#,
                "until",
            ),
            (r#"{"action":"pause","target":{"group":"g"},"by":"rest"}"#, "by"),
        ] {
            match parse(body.as_bytes()) {
                Err(PortError::Invalid { field, problem }) => {
                    assert_eq!(field, want, "{body}");
                    assert!(!problem.contains("explode"), "a value is repeated: {problem}");
                }
                other => panic!("{body}: {other:?}"),
            }
        }
    }

    #[test]
    fn every_field_is_read() {
        let submit = parse(
            br#"{"id":"6fa459ea-ee8a-4ca4-894e-db77e160355e","action":"pause","reason":"INC-1","forSeconds":60,"by":"stop",
                "target":{"group":"a/b","consumer":"c","topics":["t"]}}"#,
        )
        .unwrap();
        assert_eq!(submit.id.to_string(), "6fa459ea-ee8a-4ca4-894e-db77e160355e");
        assert_eq!((submit.action, submit.ends), (Action::Pause, Some(PauseEnd::After(60))));
        assert_eq!(submit.by, Some(HoldBy::Stop));
        assert_eq!(submit.target.to_string(), "topic t in a/b (consumer c)");
        let partitions = parse(
            br#"{"action":"pause","reason":"x","target":{"group":"g","topics":["t"],"partitions":[0,2]}}"#,
        );
        assert_eq!(partitions.unwrap().target.to_string(), "topic t, partitions 0, 2 in g");
        let until = parse(
            br#"{"action":"pause","until":"2026-11-21T16:00:00+02:00","reason":"x","target":{"group":"g"}}"#,
        );
        let end = "2026-11-21T14:00:00Z".parse().unwrap();
        assert_eq!(until.unwrap().ends, Some(PauseEnd::At(end)));
        let rewind = parse(
            br#"{"action":"rewind","to":"2026-11-21T16:00:00+02:00","reason":"x","target":{"group":"g","consumer":"c"}}"#,
        );
        let to = "2026-11-21T14:00:00Z".parse().unwrap();
        assert_eq!(rewind.unwrap().action, Action::Rewind { to });
    }
}
