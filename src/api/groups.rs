//! `GET groups`, `GET clusters/{cluster}/groups/{group}` and its `…/agents` and `…/history`.

use axum::Json;
use axum::extract::{Path, RawQuery};
use flowdeck_model::HistoryQuery;
use flowdeck_model::query::GroupsQuery;
use flowdeck_model::view::{AgentsView, FleetView, GroupView, HistoryView};

use super::{names, ports::ApiPorts, problem::Problem};

/// Every consumer group that matches, sorted by severity.
#[utoipa::path(
    get, path = "/groups", tag = "groups", operation_id = "listGroups",
    params(
        ("cluster" = Option<String>, Query, description = "Only this cluster."),
        ("search" = Option<String>, Query, description = "Part of a group's, topic's or cluster's name, or of a label's value."),
        ("verdict" = Option<String>, Query, description = "Only these, by commas: losingData, lockedUp, rebalanceStuck, pauseNotObeyed, pauseUnconfirmed, stopped, stalled, pausedByApplication, rewound, fallingBehind, rebalancingTooOften, hotPartition, slowInstance, noActiveMembers, behind, paused, neverCommitted, unknown, surplusInstances, catchingUp, assignedByHand, inactive, ok."),
        ("type" = Option<String>, Query, description = "Only these types, by commas: classic, consumer, streams, other, flowdeck, unknown."),
        ("ignored" = Option<bool>, Query, description = "True: only the groups that `ignore` or `mute` of the configuration leaves out of all counts."),
        ("label" = Option<String>, Query, description = "NAME:VALUE by commas, all of which a group must have; NAME alone: any value."),
        ("state" = Option<String>, Query, description = "Stable, PreparingRebalance, CompletingRebalance, Empty, Dead, or `rebalancing or unknown`."),
        ("topic" = Option<String>, Query, description = "Only groups that read this topic."),
        ("paused" = Option<bool>, Query, description = "Whether a hold covers part of the group."),
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
    let query = GroupsQuery::parse(query.as_deref().unwrap_or_default(), true)?;
    Ok(Json(ports.fleet.groups(&query)?))
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

/// What the agents of a group report of themselves: how long handlers take, what failed, what is in flight.
#[utoipa::path(
    get, path = "/clusters/{cluster}/groups/{group}/agents", tag = "groups", operation_id = "listGroupAgents",
    params(
        ("cluster" = String, Path),
        ("group" = String, Path, description = "The name, or `~` and its base64url."),
    ),
    responses((status = 200, body = AgentsView), (status = 403, body = Problem), (status = 404, body = Problem)),
)]
pub(crate) async fn agents(
    ApiPorts(ports): ApiPorts,
    Path((cluster, group)): Path<(String, String)>,
) -> Result<Json<AgentsView>, Problem> {
    let (cluster, group) = (names::cluster(&cluster)?, names::group(&group)?);
    Ok(Json(ports.fleet.agents(&cluster, &group)?))
}

/// A group's lag and rates over time, with rebalances and operations.
#[utoipa::path(
    get, path = "/clusters/{cluster}/groups/{group}/history", tag = "groups", operation_id = "getGroupHistory",
    params(
        ("cluster" = String, Path),
        ("group" = String, Path, description = "The name, or `~` and its base64url."),
        ("range" = Option<String>, Query, description = "The last 15m (default), 1h, 6h, 24h or 7d."),
        ("from" = Option<String>, Query, description = "With to, in place of range: a time (RFC 3339, a date, or \
            milliseconds since 1970)."),
        ("to" = Option<String>, Query, description = "A time after from."),
        ("topic" = Option<String>, Query, description = "With partition: the history of this partition alone, which \
            is kept while somebody looks at the group or it needs attention."),
        ("partition" = Option<i32>, Query),
    ),
    responses(
        (status = 200, body = HistoryView), (status = 400, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem),
    ),
)]
pub(crate) async fn history(
    ApiPorts(ports): ApiPorts,
    Path((cluster, group)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Json<HistoryView>, Problem> {
    let (cluster, group) = (names::cluster(&cluster)?, names::group(&group)?);
    let query = HistoryQuery::parse(query.as_deref().unwrap_or_default(), true)?;
    Ok(Json(ports.fleet.history(&cluster, &group, &query)?))
}
