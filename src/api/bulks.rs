//! `POST clusters/{cluster}/bulks`, its preview, `GET …/bulks/{id}` and its stop.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use flowdeck_model::bulk::{BulkAction, BulkTarget, STOP_AFTER_DEFAULT};
use flowdeck_model::offsets::{OffsetScope, OffsetTo};
use flowdeck_model::view::{BulkPreview, BulkView};
use flowdeck_model::{BulkQuery, BulkRequest, CommandId, GroupId, PortError, SubmitBulk};
use http::header::HeaderMap;
use serde::Deserialize;
use utoipa::ToSchema;

use super::commands::{accepted, json, json_only};
use super::{names, ports::ApiPorts, problem::Problem};
use crate::state::AppState;

/// One operation over many groups, as its preview gave it.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewBulk {
    /// Given by the caller: the same id and body is the same bulk operation. Made where absent.
    id: Option<CommandId>,
    action: BulkAction,
    /// `target` of each group of the preview, 500 at most.
    groups: Vec<BulkTarget>,
    /// No other group is begun once so many failed; 3, where absent.
    stop_after: Option<u32>,
    /// The bulk operation that this one takes back.
    undoes: Option<CommandId>,
    /// Where records are skipped: how many in all, as the preview says.
    skips: Option<u64>,
    #[serde(default)]
    reason: String,
}

/// What is asked for: an action over groups, or `undo` alone.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct BulkQuestion {
    action: Option<BulkAction>,
    #[serde(default)]
    groups: Vec<GroupId>,
    /// With `pause`: it ends by itself after so many seconds.
    for_seconds: Option<u32>,
    /// With `setOffsets`: `earliest`, `latest`, a time, or a shift such as `-10`.
    to: Option<String>,
    /// With `setOffsets`: `orders`, or some of its partitions: `orders:0,2`.
    #[serde(default)]
    topics: Vec<String>,
    /// In place of `topics`: every partition that each group has committed.
    #[serde(default)]
    all_topics: bool,
    /// The bulk operation that is to be taken back.
    undo: Option<CommandId>,
}

impl BulkQuestion {
    fn query(self) -> Result<BulkQuery, PortError> {
        let Self { action, groups, for_seconds, to, topics, all_topics, undo } = self;
        if let Some(id) = undo {
            if action.is_some() || !groups.is_empty() {
                return Err(PortError::invalid("undo", "alone: which groups it is about is known"));
            }
            return Ok(BulkQuery::Undo(id));
        }
        let action = action.ok_or_else(|| PortError::invalid("action", "it is missing"))?;
        if for_seconds.is_some() && action != BulkAction::Pause {
            return Err(PortError::invalid("forSeconds", "only a pause has an end"));
        }
        if action != BulkAction::SetOffsets && (to.is_some() || !topics.is_empty() || all_topics) {
            return Err(PortError::invalid("to", "only with setOffsets, as topics and allTopics"));
        }
        Ok(match action {
            BulkAction::Pause => BulkQuery::Pause { groups, for_seconds },
            BulkAction::Resume => BulkQuery::Resume { groups },
            BulkAction::SetOffsets => {
                let to: OffsetTo = to.ok_or_else(|| PortError::invalid("to", "it is missing"))?.parse()?;
                let topics = topics.iter().map(|topic| topic.parse()).collect::<Result<Vec<_>, _>>()?;
                BulkQuery::SetOffsets { groups, to, scope: OffsetScope::of(topics, all_topics)? }
            }
        })
    }
}

impl From<NewBulk> for SubmitBulk {
    fn from(new: NewBulk) -> Self {
        let NewBulk { id, action, groups, stop_after, undoes, skips, reason } = new;
        let stop_after = stop_after.unwrap_or(STOP_AFTER_DEFAULT);
        Self {
            id: id.unwrap_or_else(CommandId::random),
            request: BulkRequest { action, groups, stop_after, undoes, skips, reason },
        }
    }
}

/// Does one operation with many groups, each by a command of its own.
#[utoipa::path(
    post, path = "/clusters/{cluster}/bulks", tag = "commands", operation_id = "submitBulk",
    params(("cluster" = String, Path)),
    request_body = NewBulk,
    responses(
        (status = 202, body = BulkView, headers(("Location" = String, description = "The bulk operation's path."))),
        (status = 400, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem, description = "Another body came under this id, or groups changed since the preview: which, and who changed them."),
        (status = 415, body = Problem),
        (status = 422, body = Problem, description = "The request is longer than the audit takes."),
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
    let new: NewBulk = json(&headers, &body)?;
    let view = ports.bulks.submit(&cluster, new.into()).await?;
    let path = format!("/clusters/{cluster}/bulks/{}", view.id);
    Ok(accepted(&state, &path, view))
}

/// What one operation would do with each of many groups, or what would take a bulk operation back. Nothing happens.
#[utoipa::path(
    post, path = "/clusters/{cluster}/bulks/preview", tag = "commands", operation_id = "previewBulk",
    params(("cluster" = String, Path)),
    request_body = BulkQuestion,
    responses(
        (status = 200, body = BulkPreview), (status = 400, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem),
        (status = 409, body = Problem, description = "What is to be taken back is not over."),
        (status = 415, body = Problem), (status = 503, body = Problem),
    ),
)]
pub(crate) async fn preview(
    ApiPorts(ports): ApiPorts,
    Path(cluster): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<BulkPreview>, Problem> {
    let cluster = names::cluster(&cluster)?;
    let asked: BulkQuestion = json(&headers, &body)?;
    Ok(Json(ports.bulks.preview(&cluster, asked.query()?).await?))
}

/// A bulk operation, and what became of each group.
#[utoipa::path(
    get, path = "/clusters/{cluster}/bulks/{id}", tag = "commands", operation_id = "getBulk",
    params(("cluster" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = BulkView), (status = 403, body = Problem), (status = 404, body = Problem)),
)]
pub(crate) async fn one(
    ApiPorts(ports): ApiPorts,
    Path((cluster, id)): Path<(String, String)>,
) -> Result<Json<BulkView>, Problem> {
    Ok(Json(ports.bulks.bulk(&names::cluster(&cluster)?, names::command(&id)?)?))
}

/// No other group is begun; what is under way ends.
#[utoipa::path(
    post, path = "/clusters/{cluster}/bulks/{id}/stop", tag = "commands", operation_id = "stopBulk",
    params(("cluster" = String, Path), ("id" = String, Path)),
    responses(
        (status = 200, body = BulkView), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem, description = "It is over."),
        (status = 415, body = Problem), (status = 503, body = Problem),
    ),
)]
pub(crate) async fn stop(
    ApiPorts(ports): ApiPorts,
    Path((cluster, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<BulkView>, Problem> {
    let (cluster, id) = (names::cluster(&cluster)?, names::command(&id)?);
    json_only(&headers)?;
    Ok(Json(ports.bulks.stop(&cluster, id).await?))
}
