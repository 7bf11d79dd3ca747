//! `GET groups` and `GET clusters/{cluster}/groups/{group}`.

use axum::Json;
use axum::extract::{Path, RawQuery};
use flowdeck_model::FleetQuery;
use flowdeck_model::view::{FleetView, GroupView};

use super::{names, ports::ApiPorts, problem::Problem};

/// Every consumer group that matches, sorted by severity.
#[utoipa::path(
    get, path = "/groups", tag = "groups", operation_id = "listGroups",
    params(
        ("cluster" = Option<String>, Query, description = "Only this cluster."),
        ("search" = Option<String>, Query, description = "Part of a group's, topic's or cluster's name."),
        ("verdict" = Option<String>, Query, description = "Only these, by commas: ok, unknown, paused, behind, pauseUnconfirmed, noMembers, pauseNotObeyed."),
        ("sort" = Option<String>, Query, description = "By commas, `-` for descending: severity, lag, timeLag, cluster, group, members, asOf. Default `-severity,-lag`."),
        ("limit" = Option<u32>, Query, description = "1 to 1000, default 100."),
        ("offset" = Option<u32>, Query, description = "Rows to leave out before."),
    ),
    responses((status = 200, body = FleetView), (status = 400, body = Problem)),
)]
pub(crate) async fn list(
    ApiPorts(ports): ApiPorts,
    RawQuery(query): RawQuery,
) -> Result<Json<FleetView>, Problem> {
    let query = FleetQuery::parse(query.as_deref().unwrap_or_default(), true)?;
    Ok(Json(ports.fleet.fleet(&query)?))
}

/// One group: its partitions, consumers, members, commands.
#[utoipa::path(
    get, path = "/clusters/{cluster}/groups/{group}", tag = "groups", operation_id = "getGroup",
    params(
        ("cluster" = String, Path),
        ("group" = String, Path, description = "The name, or `~` and its base64url."),
    ),
    responses((status = 200, body = GroupView), (status = 404, body = Problem)),
)]
pub(crate) async fn one(
    ApiPorts(ports): ApiPorts,
    Path((cluster, group)): Path<(String, String)>,
) -> Result<Json<GroupView>, Problem> {
    let (cluster, group) = (names::cluster(&cluster)?, names::group(&group)?);
    Ok(Json(ports.fleet.group(&cluster, &group)?))
}
