//! `GET clusters/{cluster}/brokers`.

use axum::Json;
use axum::extract::Path;
use flowdeck_model::view::BrokersView;

use super::{names, ports::ApiPorts, problem::Problem};

/// Brokers with what they lead and keep, partitions in trouble, and what the cluster offers.
#[utoipa::path(
    get, path = "/clusters/{cluster}/brokers", tag = "clusters", operation_id = "listBrokers",
    params(("cluster" = String, Path)),
    responses((status = 200, body = BrokersView), (status = 404, body = Problem)),
)]
pub(crate) async fn list(
    ApiPorts(ports): ApiPorts,
    Path(cluster): Path<String>,
) -> Result<Json<BrokersView>, Problem> {
    Ok(Json(ports.fleet.brokers(&names::cluster(&cluster)?).await?))
}
