//! `POST clusters/{cluster}/topics/{topic}/records`, its preview, the record of which a copy is made, and what came of one.

use axum::Json;
use axum::body::Bytes as Body;
use axum::extract::{Path, State};
use axum::response::Response;
use flowdeck_model::produce::{Bytes, ProduceHeader, ProduceSource};
use flowdeck_model::record_place::RecordPlace;
use flowdeck_model::view::{ProducePreview, ProduceView};
use flowdeck_model::{CommandId, Partition, PortError, ProduceRequest, SubmitProduce, TopicName, url};
use http::header::HeaderMap;
use serde::Deserialize;
use utoipa::ToSchema;

use super::commands::{accepted, json_only};
use super::{body, names, ports::ApiPorts, problem::Problem};
use crate::state::AppState;

/// A record that is to be produced.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewRecord {
    /// Given by the caller: the same id and body is the same record, produced once. Made where absent.
    id: Option<CommandId>,
    /// By the key, where absent.
    partition: Option<Partition>,
    /// No key, where absent.
    key: Option<Bytes>,
    /// A tombstone, where absent.
    value: Option<Bytes>,
    #[serde(default)]
    headers: Vec<ProduceHeader>,
    /// The record of which it is an edited copy.
    source: Option<ProduceSource>,
    #[serde(default)]
    reason: String,
}

impl NewRecord {
    fn into_submit(self, topic: TopicName) -> SubmitProduce {
        SubmitProduce {
            id: self.id.unwrap_or_else(CommandId::random),
            request: ProduceRequest {
                topic,
                partition: self.partition,
                key: self.key,
                value: self.value,
                headers: self.headers,
                source: self.source,
                reason: self.reason,
            },
        }
    }
}

fn parse(headers: &HeaderMap, bytes: &[u8], topic: TopicName) -> Result<SubmitProduce, Problem> {
    json_only(headers)?;
    let body::Object(parsed) = body::parse::<body::Object<NewRecord>>(bytes)?;
    Ok(parsed.into_submit(topic))
}

/// Produces one record, and answers once it is known what came of it.
#[utoipa::path(
    post, path = "/clusters/{cluster}/topics/{topic}/records", tag = "topics", operation_id = "produceRecord",
    params(("cluster" = String, Path), ("topic" = String, Path)),
    request_body = NewRecord,
    responses(
        (status = 202, body = ProduceView, headers(("Location" = String, description = "The record's path."))),
        (status = 400, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem, description = "Another body came under this id."),
        (status = 415, body = Problem),
        (status = 422, body = Problem, description = "The cluster is protected, the topic is not an application's, or \
            the source is masked for the caller."),
        (status = 503, body = Problem),
    ),
)]
pub(crate) async fn submit(
    State(state): State<AppState>,
    ApiPorts(ports): ApiPorts,
    Path((cluster, topic)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let (cluster, topic) = (names::cluster(&cluster)?, names::topic(&topic)?);
    let view = ports.produce.submit(&cluster, parse(&headers, &body, topic)?).await?;
    let path = format!("/clusters/{}/produced/{}", url::encode(cluster.as_str()), view.id);
    Ok(accepted(&state, &path, view))
}

/// What the same body would do; nothing happens.
#[utoipa::path(
    post, path = "/clusters/{cluster}/topics/{topic}/records/preview", tag = "topics", operation_id = "previewRecord",
    params(("cluster" = String, Path), ("topic" = String, Path)),
    request_body = NewRecord,
    responses(
        (status = 200, body = ProducePreview), (status = 400, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem),
    ),
)]
pub(crate) async fn preview(
    ApiPorts(ports): ApiPorts,
    Path((cluster, topic)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<ProducePreview>, Problem> {
    let (cluster, topic) = (names::cluster(&cluster)?, names::topic(&topic)?);
    let produce = parse(&headers, &body, topic)?;
    Ok(Json(ports.produce.preview(&cluster, produce.request).await?))
}

/// A record as the body that would produce it again; refused where any of it is masked for the caller.
#[utoipa::path(
    get, path = "/clusters/{cluster}/topics/{topic}/records/{partition}/{offset}", tag = "topics",
    operation_id = "getRecordToEdit",
    params(("cluster" = String, Path), ("topic" = String, Path), ("partition" = i32, Path), ("offset" = i64, Path)),
    responses(
        (status = 200, body = ProduceRequest), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 422, body = Problem), (status = 503, body = Problem),
    ),
)]
pub(crate) async fn draft(
    ApiPorts(ports): ApiPorts,
    Path((cluster, topic, partition, offset)): Path<(String, String, String, String)>,
) -> Result<Json<ProduceRequest>, Problem> {
    let (cluster, topic) = (names::cluster(&cluster)?, names::topic(&topic)?);
    let place: RecordPlace = format!("{partition}@{offset}")
        .parse::<RecordPlace>()
        .map_err(|_| PortError::invalid("offset", "a partition and an offset, as in /records/3/1042"))?;
    let source = ProduceSource { topic, partition: place.partition, offset: place.offset };
    Ok(Json(ports.produce.draft(&cluster, &source).await?))
}

/// What came of a record that was produced.
#[utoipa::path(
    get, path = "/clusters/{cluster}/produced/{id}", tag = "topics", operation_id = "getProduced",
    params(("cluster" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = ProduceView), (status = 403, body = Problem), (status = 404, body = Problem)),
)]
pub(crate) async fn one(
    ApiPorts(ports): ApiPorts,
    Path((cluster, id)): Path<(String, String)>,
) -> Result<Json<ProduceView>, Problem> {
    Ok(Json(ports.produce.produced(&names::cluster(&cluster)?, names::command(&id)?)?))
}
