//! `clusters/{cluster}/canaries`: a part of what is paused is resumed first, then the rest, or the part is paused again.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use flowdeck_model::canary::{CanaryOrder, SubmitCanary};
use flowdeck_model::view::{CanaryView, PreviewView};
use flowdeck_model::{CommandId, Target, url};
use http::header::HeaderMap;
use serde::Deserialize;
use utoipa::ToSchema;

use super::commands::{accepted, json};
use super::{names, ports::ApiPorts, problem::Problem};
use crate::state::AppState;

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewCanary {
    /// Given by the caller: that of the resume of the part. Made where absent.
    id: Option<CommandId>,
    /// The part: a consumer, topics, or partitions of a topic.
    target: Target,
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewCanaryOrder {
    order: CanaryOrder,
    /// That of the first step, where absent. A pause needs one.
    #[serde(default)]
    reason: String,
}

/// Resumes a part of what is paused. The rest stays paused until it is ordered.
#[utoipa::path(
    post, path = "/clusters/{cluster}/canaries", tag = "commands", operation_id = "submitCanary",
    params(("cluster" = String, Path)),
    request_body = NewCanary,
    responses(
        (status = 202, body = CanaryView, headers(("Location" = String, description = "Its path."))),
        (status = 400, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem, description = "Another body came under this id."),
        (status = 415, body = Problem),
        (status = 422, body = Problem, description = "It is no part of what a pause holds, or an instance cannot be \
            controlled so narrowly."),
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
    let NewCanary { id, target, reason } = json(&headers, &body)?;
    let canary = SubmitCanary { id: id.unwrap_or_else(CommandId::random), target, reason };
    let view = ports.canaries.submit(&cluster, canary).await?;
    let path = format!("/clusters/{}/canaries/{}", url::encode(cluster.as_str()), view.first.id);
    Ok(accepted(&state, &path, view))
}

/// What the same body would do; nothing happens.
#[utoipa::path(
    post, path = "/clusters/{cluster}/canaries/preview", tag = "commands", operation_id = "previewCanary",
    params(("cluster" = String, Path)),
    request_body = NewCanary,
    responses(
        (status = 200, body = PreviewView), (status = 400, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem),
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
    let NewCanary { target, .. } = json(&headers, &body)?;
    Ok(Json(ports.canaries.preview(&cluster, target).await?))
}

/// Its steps, and how the part goes. Any resume of a part of a group is one.
#[utoipa::path(
    get, path = "/clusters/{cluster}/canaries/{id}", tag = "commands", operation_id = "getCanary",
    params(("cluster" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = CanaryView), (status = 403, body = Problem), (status = 404, body = Problem)),
)]
pub(crate) async fn one(
    ApiPorts(ports): ApiPorts,
    Path((cluster, id)): Path<(String, String)>,
) -> Result<Json<CanaryView>, Problem> {
    Ok(Json(ports.canaries.canary(&names::cluster(&cluster)?, names::command(&id)?).await?))
}

/// Resumes the rest, or pauses the part again.
#[utoipa::path(
    post, path = "/clusters/{cluster}/canaries/{id}/order", tag = "commands", operation_id = "orderCanary",
    params(("cluster" = String, Path), ("id" = String, Path)),
    request_body = NewCanaryOrder,
    responses(
        (status = 200, body = CanaryView), (status = 400, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem, description = "It takes no such order now."),
        (status = 415, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem),
    ),
)]
pub(crate) async fn order(
    ApiPorts(ports): ApiPorts,
    Path((cluster, id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<CanaryView>, Problem> {
    let (cluster, id) = (names::cluster(&cluster)?, names::command(&id)?);
    let NewCanaryOrder { order, reason } = json(&headers, &body)?;
    Ok(Json(ports.canaries.order(&cluster, id, order, reason).await?))
}

/// What an order would do; nothing happens.
#[utoipa::path(
    post, path = "/clusters/{cluster}/canaries/{id}/order/preview", tag = "commands", operation_id = "previewCanaryOrder",
    params(("cluster" = String, Path), ("id" = String, Path)),
    request_body = NewCanaryOrder,
    responses(
        (status = 200, body = PreviewView), (status = 400, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem), (status = 415, body = Problem),
        (status = 422, body = Problem), (status = 503, body = Problem),
    ),
)]
pub(crate) async fn preview_order(
    ApiPorts(ports): ApiPorts,
    Path((cluster, id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<PreviewView>, Problem> {
    let (cluster, id) = (names::cluster(&cluster)?, names::command(&id)?);
    let NewCanaryOrder { order, .. } = json(&headers, &body)?;
    Ok(Json(ports.canaries.preview_order(&cluster, id, order).await?))
}
