//! Operations of the dashboard's client: 200 with an empty body once the record is written.

use axum::extract::{Path, State};
use axum::response::Response;
use flowdeck_model::Action;
use flowdeck_model::Timestamp;
use http::StatusCode;

use super::bodies;
use super::operate::{KafkaFlowPorts, Operate};
use super::problem::KafkaFlowProblem;
use crate::state::AppState;

type Answer = Result<Response, KafkaFlowProblem>;

fn operate<'a>(state: &'a AppState, ports: &'a KafkaFlowPorts) -> Result<Operate<'a>, KafkaFlowProblem> {
    Operate::new(state, ports, StatusCode::OK)
}

pub(super) async fn pause(
    State(state): State<AppState>,
    ports: KafkaFlowPorts,
    Path((consumer, topic)): Path<(String, String)>,
) -> Answer {
    operate(&state, &ports)?.by_name(Action::Pause, consumer, Some(topic)).await
}

pub(super) async fn resume(
    State(state): State<AppState>,
    ports: KafkaFlowPorts,
    Path((consumer, topic)): Path<(String, String)>,
) -> Answer {
    operate(&state, &ports)?.by_name(Action::Resume, consumer, Some(topic)).await
}

pub(super) async fn reset(
    State(state): State<AppState>,
    ports: KafkaFlowPorts,
    Path((consumer, topic)): Path<(String, String)>,
) -> Answer {
    operate(&state, &ports)?.by_name(Action::Reset, consumer, Some(topic)).await
}

pub(super) async fn rewind(
    State(state): State<AppState>,
    ports: KafkaFlowPorts,
    Path((consumer, topic, date)): Path<(String, String, String)>,
) -> Answer {
    let to = Timestamp::parse_given(&date)
        .ok_or_else(|| KafkaFlowProblem::bad_request("rewind: a time, such as 2026-11-29 08:00:00"))?;
    operate(&state, &ports)?.by_name(Action::Rewind { to }, consumer, Some(topic)).await
}

pub(super) async fn start(
    State(state): State<AppState>,
    ports: KafkaFlowPorts,
    Path(consumer): Path<String>,
) -> Answer {
    operate(&state, &ports)?.by_name(Action::Start, consumer, None).await
}

pub(super) async fn stop(
    State(state): State<AppState>,
    ports: KafkaFlowPorts,
    Path(consumer): Path<String>,
) -> Answer {
    operate(&state, &ports)?.by_name(Action::Stop, consumer, None).await
}

pub(super) async fn restart(
    State(state): State<AppState>,
    ports: KafkaFlowPorts,
    Path(consumer): Path<String>,
) -> Answer {
    operate(&state, &ports)?.by_name(Action::Restart, consumer, None).await
}

pub(super) async fn change_workers(
    State(state): State<AppState>,
    ports: KafkaFlowPorts,
    Path((consumer, workers)): Path<(String, String)>,
) -> Answer {
    let number =
        workers.parse().map_err(|_| KafkaFlowProblem::bad_request("changeWorkers: a whole number"))?;
    let workers = bodies::workers_of(number)?;
    operate(&state, &ports)?.by_name(Action::ChangeWorkers { workers }, consumer, None).await
}
