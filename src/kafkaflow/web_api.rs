//! Operations of KafkaFlow's Web API: 202 once the record is written.

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use flowdeck_model::Action;
use http::{HeaderMap, StatusCode};

use super::bodies;
use super::operate::{KafkaFlowPorts, Operate};
use super::problem::KafkaFlowProblem;
use crate::state::AppState;

type Answer = Result<Response, KafkaFlowProblem>;

fn operate<'a>(state: &'a AppState, ports: &'a KafkaFlowPorts) -> Result<Operate<'a>, KafkaFlowProblem> {
    Operate::new(state, ports, StatusCode::ACCEPTED)
}

pub(super) async fn pause_group(
    State(state): State<AppState>,
    ports: KafkaFlowPorts,
    Path(group): Path<String>,
    RawQuery(query): RawQuery,
) -> Answer {
    let topics = bodies::topics(query.as_deref())?;
    operate(&state, &ports)?.on_group(Action::Pause, group, topics).await
}

pub(super) async fn resume_group(
    State(state): State<AppState>,
    ports: KafkaFlowPorts,
    Path(group): Path<String>,
    RawQuery(query): RawQuery,
) -> Answer {
    let topics = bodies::topics(query.as_deref())?;
    operate(&state, &ports)?.on_group(Action::Resume, group, topics).await
}

pub(super) async fn pause(
    State(state): State<AppState>,
    ports: KafkaFlowPorts,
    Path((group, consumer)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Answer {
    let topics = bodies::topics(query.as_deref())?;
    operate(&state, &ports)?.on_consumer(Action::Pause, group, consumer, topics).await
}

pub(super) async fn resume(
    State(state): State<AppState>,
    ports: KafkaFlowPorts,
    Path((group, consumer)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Answer {
    let topics = bodies::topics(query.as_deref())?;
    operate(&state, &ports)?.on_consumer(Action::Resume, group, consumer, topics).await
}

pub(super) async fn start(
    State(state): State<AppState>,
    ports: KafkaFlowPorts,
    Path((group, consumer)): Path<(String, String)>,
) -> Answer {
    operate(&state, &ports)?.on_consumer(Action::Start, group, consumer, vec![]).await
}

pub(super) async fn stop(
    State(state): State<AppState>,
    ports: KafkaFlowPorts,
    Path((group, consumer)): Path<(String, String)>,
) -> Answer {
    operate(&state, &ports)?.on_consumer(Action::Stop, group, consumer, vec![]).await
}

pub(super) async fn restart(
    State(state): State<AppState>,
    ports: KafkaFlowPorts,
    Path((group, consumer)): Path<(String, String)>,
) -> Answer {
    operate(&state, &ports)?.on_consumer(Action::Restart, group, consumer, vec![]).await
}

pub(super) async fn reset(
    State(state): State<AppState>,
    ports: KafkaFlowPorts,
    Path((group, consumer)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    bodies::confirmed(&headers, &body)?;
    let topics = bodies::topics(query.as_deref())?;
    operate(&state, &ports)?.on_consumer(Action::Reset, group, consumer, topics).await
}

pub(super) async fn rewind(
    State(state): State<AppState>,
    ports: KafkaFlowPorts,
    Path((group, consumer)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let to = bodies::date(&headers, &body)?;
    let topics = bodies::topics(query.as_deref())?;
    operate(&state, &ports)?.on_consumer(Action::Rewind { to }, group, consumer, topics).await
}

pub(super) async fn change_workers(
    State(state): State<AppState>,
    ports: KafkaFlowPorts,
    Path((group, consumer)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let workers = bodies::workers(&headers, &body)?;
    operate(&state, &ports)?.on_consumer(Action::ChangeWorkers { workers }, group, consumer, vec![]).await
}
