//! `POST clusters/{cluster}/redrives`, its preview, `GET …/redrives/{id}` and the orders that one takes.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use flowdeck_model::redrive::{RATE_DEFAULT, RedriveOrder, RedriveRecords, RedriveTarget};
use flowdeck_model::view::{RedrivePreview, RedriveView};
use flowdeck_model::{CommandId, RedriveRequest, SubmitRedrive, TopicName};
use http::header::HeaderMap;
use serde::Deserialize;
use utoipa::ToSchema;

use super::commands::{accepted, json};
use super::{names, ports::ApiPorts, problem::Problem};
use crate::state::AppState;

/// What is to be copied.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewRedrive {
    /// Given by the caller: the same id and body is the same re-drive. Made where absent.
    id: Option<CommandId>,
    /// The dead-letter topic.
    topic: TopicName,
    records: RedriveRecords,
    /// The original topic, where absent.
    to: Option<RedriveTarget>,
    /// Records a second, 1 to 50,000; 100, where absent.
    rate: Option<u32>,
    /// Consumer groups other than the one that failed read the target, and shall get the copies too.
    #[serde(default)]
    other_groups: bool,
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewOrder {
    order: RedriveOrder,
}

impl NewRedrive {
    fn into_submit(self) -> SubmitRedrive {
        SubmitRedrive {
            id: self.id.unwrap_or_else(CommandId::random),
            request: RedriveRequest {
                topic: self.topic,
                records: self.records,
                to: self.to.unwrap_or(RedriveTarget::Original),
                rate: self.rate.unwrap_or(RATE_DEFAULT),
                other_groups: self.other_groups,
                reason: self.reason,
            },
        }
    }
}

/// Copies dead letters back to where they are consumed, each once.
#[utoipa::path(
    post, path = "/clusters/{cluster}/redrives", tag = "dead letters", operation_id = "submitRedrive",
    params(("cluster" = String, Path)),
    request_body = NewRedrive,
    responses(
        (status = 202, body = RedriveView, headers(("Location" = String, description = "The re-drive's path."))),
        (status = 400, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem, description = "Another body came under this id."),
        (status = 415, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem),
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
    let redrive = json::<NewRedrive>(&headers, &body)?.into_submit();
    let view = ports.redrives.submit(&cluster, redrive).await?;
    let path = format!("/clusters/{cluster}/redrives/{}", view.id);
    Ok(accepted(&state, &path, view))
}

/// What the same body would do; nothing happens.
#[utoipa::path(
    post, path = "/clusters/{cluster}/redrives/preview", tag = "dead letters", operation_id = "previewRedrive",
    params(("cluster" = String, Path)),
    request_body = NewRedrive,
    responses(
        (status = 200, body = RedrivePreview), (status = 400, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem),
    ),
)]
pub(crate) async fn preview(
    ApiPorts(ports): ApiPorts,
    Path(cluster): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<RedrivePreview>, Problem> {
    let cluster = names::cluster(&cluster)?;
    let redrive = json::<NewRedrive>(&headers, &body)?.into_submit();
    Ok(Json(ports.redrives.preview(&cluster, redrive.request).await?))
}

/// A re-drive, and how far it came.
#[utoipa::path(
    get, path = "/clusters/{cluster}/redrives/{id}", tag = "dead letters", operation_id = "getRedrive",
    params(("cluster" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = RedriveView), (status = 403, body = Problem), (status = 404, body = Problem)),
)]
pub(crate) async fn one(
    ApiPorts(ports): ApiPorts,
    Path((cluster, id)): Path<(String, String)>,
) -> Result<Json<RedriveView>, Problem> {
    Ok(Json(ports.redrives.redrive(&names::cluster(&cluster)?, names::command(&id)?)?))
}

/// Pauses it, lets it go on, or stops it for good.
#[utoipa::path(
    post, path = "/clusters/{cluster}/redrives/{id}/order", tag = "dead letters", operation_id = "orderRedrive",
    params(("cluster" = String, Path), ("id" = String, Path)),
    request_body = NewOrder,
    responses(
        (status = 200, body = RedriveView), (status = 400, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem, description = "It is over."),
        (status = 415, body = Problem), (status = 503, body = Problem),
    ),
)]
pub(crate) async fn order(
    ApiPorts(ports): ApiPorts,
    Path((cluster, id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<RedriveView>, Problem> {
    let (cluster, id) = (names::cluster(&cluster)?, names::command(&id)?);
    let NewOrder { order } = json(&headers, &body)?;
    Ok(Json(ports.redrives.order(&cluster, id, order).await?))
}
