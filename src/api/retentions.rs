//! `…/topics/{topic}/retention`: raising it for a while, its preview, and what became of those that were raised.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use flowdeck_model::retention::TopicRetention;
use flowdeck_model::view::{RetentionPreview, RetentionRow, RetentionView};
use flowdeck_model::{
    CommandId, GroupId, RetentionQuery, RetentionRequest, SubmitRetention, Timestamp, TopicName, url,
};
use http::header::HeaderMap;
use serde::Deserialize;
use utoipa::ToSchema;

use super::commands::{accepted, json};
use super::{names, ports::ApiPorts, problem::Problem};
use crate::state::AppState;

/// As the preview's `request`, with a reason.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewRetention {
    /// Given by the caller: the same id and body is the same request. Made where absent.
    id: Option<CommandId>,
    /// That of the path, where given.
    topic: Option<TopicName>,
    /// As it was: refused where it is otherwise by now.
    seen: TopicRetention,
    /// `retention.ms` to set; -1: no limit.
    ms: i64,
    /// `retention.bytes` of each partition to set; -1: no limit.
    bytes: i64,
    /// The values are put back then at the latest.
    until: Timestamp,
    /// And earlier, once this group's pauses on the topic are over, and the margin too.
    group: Option<GroupId>,
    #[serde(default)]
    margin_seconds: u32,
    #[serde(default)]
    reason: String,
}

impl NewRetention {
    fn into_submit(self, topic: TopicName) -> Result<SubmitRetention, Problem> {
        if self.topic.is_some_and(|named| named != topic) {
            return Err(flowdeck_model::PortError::invalid("topic", "not that of the path").into());
        }
        Ok(SubmitRetention {
            id: self.id.unwrap_or_else(CommandId::random),
            request: RetentionRequest {
                topic,
                seen: self.seen,
                ms: self.ms,
                bytes: self.bytes,
                until: self.until,
                group: self.group,
                margin_seconds: self.margin_seconds,
                reason: self.reason,
            },
        })
    }
}

/// Raises a topic's `retention.ms` and `retention.bytes`, and puts them back at the end.
#[utoipa::path(
    post, path = "/clusters/{cluster}/topics/{topic}/retention", tag = "topics", operation_id = "raiseRetention",
    params(("cluster" = String, Path), ("topic" = String, Path)),
    request_body = NewRetention,
    responses(
        (status = 202, body = RetentionView, headers(("Location" = String, description = "Its path."))),
        (status = 400, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem, description = "The topic is not as `seen`, or another body came under this id."),
        (status = 415, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem),
    ),
)]
pub(crate) async fn submit(
    State(state): State<AppState>,
    ApiPorts(ports): ApiPorts,
    Path((cluster, topic)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let (cluster, topic) = (names::cluster(&cluster)?, names::topic(&topic)?);
    let retention = json::<NewRetention>(&headers, &body)?.into_submit(topic)?;
    let view = ports.retentions.submit(&cluster, retention).await?;
    let path = format!("/clusters/{}/retentions/{}", url::encode(cluster.as_str()), view.id);
    Ok(accepted(&state, &path, view))
}

/// What raising it would do, with the body that does exactly this; nothing happens.
#[utoipa::path(
    post, path = "/clusters/{cluster}/topics/{topic}/retention/preview", tag = "topics", operation_id = "previewRetention",
    params(("cluster" = String, Path), ("topic" = String, Path)),
    request_body = RetentionQuery,
    responses(
        (status = 200, body = RetentionPreview), (status = 400, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem),
    ),
)]
pub(crate) async fn preview(
    ApiPorts(ports): ApiPorts,
    Path((cluster, topic)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<RetentionPreview>, Problem> {
    let (cluster, topic) = (names::cluster(&cluster)?, names::topic(&topic)?);
    let query = json(&headers, &body)?;
    Ok(Json(ports.retentions.preview(&cluster, &topic, query).await?))
}

/// Those that are not over, oldest first.
#[utoipa::path(
    get, path = "/clusters/{cluster}/retentions", tag = "topics", operation_id = "listRetentions",
    params(("cluster" = String, Path)),
    responses((status = 200, body = Vec<RetentionRow>), (status = 403, body = Problem), (status = 404, body = Problem)),
)]
pub(crate) async fn list(
    ApiPorts(ports): ApiPorts,
    Path(cluster): Path<String>,
) -> Result<Json<Vec<RetentionRow>>, Problem> {
    Ok(Json(ports.retentions.open(&names::cluster(&cluster)?)?))
}

/// What became of one.
#[utoipa::path(
    get, path = "/clusters/{cluster}/retentions/{id}", tag = "topics", operation_id = "getRetention",
    params(("cluster" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = RetentionView), (status = 403, body = Problem), (status = 404, body = Problem)),
)]
pub(crate) async fn one(
    ApiPorts(ports): ApiPorts,
    Path((cluster, id)): Path<(String, String)>,
) -> Result<Json<RetentionView>, Problem> {
    Ok(Json(ports.retentions.retention(&names::cluster(&cluster)?, names::command(&id)?)?))
}

/// Puts the values back at once.
#[utoipa::path(
    post, path = "/clusters/{cluster}/retentions/{id}/end", tag = "topics", operation_id = "endRetention",
    params(("cluster" = String, Path), ("id" = String, Path)),
    responses(
        (status = 200, body = RetentionView), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem, description = "It is over."), (status = 503, body = Problem),
    ),
)]
pub(crate) async fn end(
    ApiPorts(ports): ApiPorts,
    Path((cluster, id)): Path<(String, String)>,
) -> Result<Json<RetentionView>, Problem> {
    Ok(Json(ports.retentions.end(&names::cluster(&cluster)?, names::command(&id)?).await?))
}
