//! `/health`, `/health/live`, `/health/ready`: for probes and load balancers. Live asks nothing;
//! ready means that pages can be served, with or without Kafka; Kafka's state is in the body.

use axum::extract::{RawQuery, Request, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use flowdeck_alerts::Alerts;
use flowdeck_model::view::ClusterView;
use flowdeck_model::{Actor, Timestamp, Via};
use http::StatusCode;
use serde::Serialize;

use crate::auth::KeepAlive;
use crate::clock;
use crate::layers::actor::{self, ClientAddress};
use crate::state::AppState;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Healthy,
    /// Pages are served; a cluster has no answer now.
    Degraded,
    Unhealthy,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Health {
    status: Status,
    now: Timestamp,
    started: Timestamp,
    build: String,
    checks: Checks,
}

#[derive(Serialize)]
struct Checks {
    kafka: Kafka,
    /// Whether new clients are let in; not where a host program has the listener.
    #[serde(skip_serializing_if = "Option::is_none")]
    connections: Option<Check>,
    /// Whether the log's lines can be written.
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<Check>,
    /// Whether alerts reach their receivers.
    #[serde(skip_serializing_if = "Option::is_none")]
    alerts: Option<Check>,
}

#[derive(Serialize)]
struct Check {
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

impl Check {
    fn of(trouble: Option<String>) -> Self {
        let status = if trouble.is_some() { Status::Degraded } else { Status::Healthy };
        Self { status, detail: trouble }
    }

    fn is_healthy(check: Option<&Self>) -> bool {
        check.is_none_or(|check| check.status == Status::Healthy)
    }
}

#[derive(Serialize)]
struct Kafka {
    status: Status,
    clusters: Vec<ClusterHealth>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ClusterHealth {
    name: String,
    status: Status,
    as_of: Option<Timestamp>,
    error: Option<String>,
}

pub(crate) async fn live() -> Json<serde_json::Value> {
    Json(serde_json::json!({ "status": "healthy" }))
}

pub(crate) async fn ready(
    State(state): State<AppState>,
    Extension(ClientAddress(address)): Extension<ClientAddress>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    let visible = match actor::bind(&state, &parts, Via::Api, KeepAlive::No).await {
        Ok(bound) => bound.ports.fleet.clusters(),
        Err(_) => vec![],
    };
    let strict =
        query.as_deref().unwrap_or_default().split('&').any(|part| matches!(part, "strict" | "strict=true"));
    // Probes have no credentials: they learn the status. Which clusters there are, and what their
    // brokers say, is for actors that may view them.
    let address = address.map(|address| address.to_string());
    let all = state.bind.bind(Actor::anonymous(Via::Api, address)).fleet.clusters();
    let mut kafka = kafka(&all);
    kafka.clusters.retain(|cluster| visible.iter().any(|seen| seen.name.as_str() == cluster.name));
    let serving = state.options.work.ready();
    let process = &state.options.process;
    let connections = process.connections.as_ref().map(|all| Check::of(all.trouble()));
    let log = process.log.as_ref().map(|log| Check::of(log.trouble()));
    let alerts = alerts(&state.options.alerts);
    let own = [&connections, &log, &alerts].into_iter().all(|check| Check::is_healthy(check.as_ref()));
    let status = match (serving, kafka.status) {
        (false, _) => Status::Unhealthy,
        (true, Status::Healthy) if own => Status::Healthy,
        (true, _) => Status::Degraded,
    };
    let ok = serving && (!strict || kafka.status == Status::Healthy);
    let health = Health {
        status,
        now: clock::now(),
        started: state.started,
        build: state.options.assets.build().to_owned(),
        checks: Checks { kafka, connections, log, alerts },
    };
    let code = if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(health)).into_response()
}

/// `None`: nobody is to be told.
fn alerts(all: &Alerts) -> Option<Check> {
    let statuses = all.statuses();
    let trouble: Vec<String> = statuses.iter().filter_map(|status| status.trouble()).collect();
    let trouble = (!trouble.is_empty()).then(|| trouble.join("; "));
    (!statuses.is_empty()).then(|| Check::of(trouble))
}

fn kafka(clusters: &[ClusterView]) -> Kafka {
    let clusters: Vec<ClusterHealth> = clusters
        .iter()
        .map(|cluster| {
            let status = match (&cluster.error, cluster.as_of) {
                (None, Some(_)) => Status::Healthy,
                (Some(_), Some(_)) => Status::Degraded,
                (_, None) => Status::Unhealthy,
            };
            let (as_of, error) = (cluster.as_of, cluster.error.clone());
            ClusterHealth { name: cluster.name.to_string(), status, as_of, error }
        })
        .collect();
    let all = |wanted: Status| clusters.iter().all(|cluster| cluster.status == wanted);
    let status = match () {
        () if all(Status::Healthy) => Status::Healthy,
        () if all(Status::Unhealthy) => Status::Unhealthy,
        () => Status::Degraded,
    };
    Kafka { status, clusters }
}
