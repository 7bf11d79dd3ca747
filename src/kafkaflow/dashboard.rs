//! Operations of the dashboard's client: 200 with an empty body once the record is written.

use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{MethodRouter, put};
use flowdeck_model::{Action, Timestamp};
use http::StatusCode;

use super::bodies;
use super::operate::{KafkaFlowPorts, Operate};
use super::problem::KafkaFlowProblem;
use crate::state::AppState;

type Answer = Result<Response, KafkaFlowProblem>;

fn operate<'a>(state: &'a AppState, ports: &'a KafkaFlowPorts) -> Result<Operate<'a>, KafkaFlowProblem> {
    Operate::new(state, ports, StatusCode::OK)
}

/// Of one topic of a consumer.
pub(super) fn on_topic(action: Action) -> MethodRouter<AppState> {
    type Topic = Path<(String, String)>;
    put(async move |State(state), ports: KafkaFlowPorts, Path((consumer, topic)): Topic| -> Answer {
        operate(&state, &ports)?.by_name(action, consumer, Some(topic)).await
    })
}

/// Always of a whole consumer.
pub(super) fn on_consumer(action: Action) -> MethodRouter<AppState> {
    type Consumer = Path<String>;
    put(async move |State(state), ports: KafkaFlowPorts, Path(consumer): Consumer| -> Answer {
        operate(&state, &ports)?.by_name(action, consumer, None).await
    })
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
