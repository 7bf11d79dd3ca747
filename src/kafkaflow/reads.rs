//! What is shown: groups, consumers and telemetry. Consumers without telemetry are absent.

use axum::extract::{Path, State};
use axum::response::Response;
use flowdeck_model::view::{GroupTelemetryView, TelemetryView};

use super::json::{self, Consumer, Consumers, Groups, Telemetry, Workers};
use super::operate::KafkaFlowPorts;
use super::problem::KafkaFlowProblem;
use crate::state::AppState;

type Answer = Result<Response, KafkaFlowProblem>;

fn told(state: &AppState, ports: &KafkaFlowPorts) -> Result<TelemetryView, KafkaFlowProblem> {
    Ok(ports.0.fleet.telemetry(super::cluster(state)?)?)
}

/// `GET groups`.
pub(super) async fn groups(State(state): State<AppState>, ports: KafkaFlowPorts) -> Answer {
    Ok(json::answer(&Groups::new(&told(&state, &ports)?)))
}

/// `GET groups/{group}/consumers`: none where the group is not there.
pub(super) async fn consumers(
    State(state): State<AppState>,
    ports: KafkaFlowPorts,
    Path(group): Path<String>,
) -> Answer {
    let telemetry = told(&state, &ports)?;
    let of_group = |one: &GroupTelemetryView| {
        one.consumers.iter().map(|consumer| Consumer::new(&one.group, consumer)).collect()
    };
    let consumers = find(&telemetry, &group).map(of_group).unwrap_or_default();
    Ok(json::answer(&Consumers { consumers }))
}

/// `GET groups/{group}/consumers/{consumer}`.
pub(super) async fn consumer(
    State(state): State<AppState>,
    ports: KafkaFlowPorts,
    Path((group, name)): Path<(String, String)>,
) -> Answer {
    let telemetry = told(&state, &ports)?;
    let found = find(&telemetry, &group).and_then(|one| {
        let consumer = one.consumers.iter().find(|consumer| consumer.name.as_str() == name)?;
        Some(Consumer::new(&one.group, consumer))
    });
    found.map(|consumer| json::answer(&consumer)).ok_or_else(|| no_consumer(&name))
}

/// `GET telemetry`.
pub(super) async fn telemetry(State(state): State<AppState>, ports: KafkaFlowPorts) -> Answer {
    Ok(json::answer(&Telemetry::new(&told(&state, &ports)?, Workers::OfConsumer)))
}

/// `GET consumers/telemetry`.
pub(super) async fn dashboard_telemetry(State(state): State<AppState>, ports: KafkaFlowPorts) -> Answer {
    Ok(json::answer(&Telemetry::new(&told(&state, &ports)?, Workers::OfAssignment)))
}

fn find<'a>(telemetry: &'a TelemetryView, group: &str) -> Option<&'a GroupTelemetryView> {
    telemetry.groups.iter().find(|one| one.group.as_str() == group)
}

pub(super) fn no_consumer(name: &str) -> KafkaFlowProblem {
    KafkaFlowProblem::not_found(format!("telemetry tells of no consumer {name:?} here"))
}
