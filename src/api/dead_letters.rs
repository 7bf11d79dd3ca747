//! `GET clusters/{cluster}/dead-letters`, `…/dead-letters/{topic}` and one of its records.

use axum::Json;
use axum::extract::{Path, RawQuery};
use flowdeck_model::error::ResourceKind;
use flowdeck_model::record_place::RecordPlace;
use flowdeck_model::view::{DeadLetterTopicsView, DeadLetterView, DeadLettersView};
use flowdeck_model::{DeadLettersQuery, PortError};

use super::{names, ports::ApiPorts, problem::Problem};

/// The cluster's topics of dead letters.
#[utoipa::path(
    get, path = "/clusters/{cluster}/dead-letters", tag = "dead letters", operation_id = "listDeadLetterTopics",
    params(
        ("cluster" = String, Path),
        ("shape" = Option<bool>, Query, description = "true: also looks at the newest record of up to 200 other topics \
            whose records the caller may read, and lists those that hold dead letters."),
    ),
    responses(
        (status = 200, body = DeadLetterTopicsView), (status = 400, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 503, body = Problem),
    ),
)]
pub(crate) async fn topics(
    ApiPorts(ports): ApiPorts,
    Path(cluster): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<DeadLetterTopicsView>, Problem> {
    let by_shape = match query.as_deref().unwrap_or_default() {
        "" | "shape=false" => false,
        "shape=true" => true,
        _ => return Err(PortError::invalid("shape", "true or false").into()),
    };
    Ok(Json(ports.dead_letters.topics(&names::cluster(&cluster)?, by_shape).await?))
}

/// The newest dead letters of a topic, grouped by original topic and error; no consumer group is touched.
#[utoipa::path(
    get, path = "/clusters/{cluster}/dead-letters/{topic}", tag = "dead letters", operation_id = "listDeadLetters",
    params(
        ("cluster" = String, Path),
        ("topic" = String, Path),
        ("original" = Option<String>, Query, description = "Lists only those of this original topic; empty: of none that \
            is known."),
        ("error" = Option<String>, Query, description = "Lists only those of this error, as `groups` writes it."),
    ),
    responses(
        (status = 200, body = DeadLettersView), (status = 400, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 503, body = Problem),
    ),
)]
pub(crate) async fn letters(
    ApiPorts(ports): ApiPorts,
    Path((cluster, topic)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Json<DeadLettersView>, Problem> {
    let (cluster, topic) = (names::cluster(&cluster)?, names::topic(&topic)?);
    let query = DeadLettersQuery::parse(query.as_deref().unwrap_or_default())?;
    Ok(Json(ports.dead_letters.letters(&cluster, &topic, &query).await?))
}

/// One dead letter, with its original.
#[utoipa::path(
    get, path = "/clusters/{cluster}/dead-letters/{topic}/{partition}/{offset}", tag = "dead letters",
    operation_id = "getDeadLetter",
    params(
        ("cluster" = String, Path), ("topic" = String, Path), ("partition" = i32, Path), ("offset" = i64, Path),
    ),
    responses(
        (status = 200, body = DeadLetterView), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 503, body = Problem),
    ),
)]
pub(crate) async fn letter(
    ApiPorts(ports): ApiPorts,
    Path((cluster, topic, partition, offset)): Path<(String, String, String, String)>,
) -> Result<Json<DeadLetterView>, Problem> {
    let (cluster, topic) = (names::cluster(&cluster)?, names::topic(&topic)?);
    let place = format!("{partition}@{offset}");
    let place: RecordPlace =
        place.parse().map_err(|_| PortError::not_found(ResourceKind::Record, place.as_str()))?;
    Ok(Json(ports.dead_letters.letter(&cluster, &topic, place).await?))
}
