//! `GET clusters/{cluster}/topics` and `…/topics/{topic}`.

use axum::Json;
use axum::extract::Path;
use flowdeck_model::view::{TopicView, TopicsView};

use super::{names, ports::ApiPorts, problem::Problem};

/// The cluster's topics.
#[utoipa::path(
    get, path = "/clusters/{cluster}/topics", tag = "topics", operation_id = "listTopics",
    params(("cluster" = String, Path)),
    responses((status = 200, body = TopicsView), (status = 404, body = Problem)),
)]
pub(crate) async fn list(
    ApiPorts(ports): ApiPorts,
    Path(cluster): Path<String>,
) -> Result<Json<TopicsView>, Problem> {
    Ok(Json(ports.fleet.topics(&names::cluster(&cluster)?)?))
}

/// One topic: partitions, readers, configuration.
#[utoipa::path(
    get, path = "/clusters/{cluster}/topics/{topic}", tag = "topics", operation_id = "getTopic",
    params(("cluster" = String, Path), ("topic" = String, Path)),
    responses((status = 200, body = TopicView), (status = 404, body = Problem), (status = 503, body = Problem)),
)]
pub(crate) async fn one(
    ApiPorts(ports): ApiPorts,
    Path((cluster, topic)): Path<(String, String)>,
) -> Result<Json<TopicView>, Problem> {
    let (cluster, topic) = (names::cluster(&cluster)?, names::topic(&topic)?);
    Ok(Json(ports.fleet.topic(&cluster, &topic).await?))
}
