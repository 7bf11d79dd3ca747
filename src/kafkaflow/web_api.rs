//! Operations of KafkaFlow's Web API: 202 once the record is written.

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use axum::routing::{MethodRouter, post};
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

/// Of a group, or of topics of it.
pub(super) fn on_group(action: Action) -> MethodRouter<AppState> {
    type Group = Path<String>;
    post(async move |State(state), ports: KafkaFlowPorts, Path(group): Group, RawQuery(query)| -> Answer {
        let topics = bodies::topics(query.as_deref())?;
        operate(&state, &ports)?.on_group(action, group, topics).await
    })
}

type Consumer = Path<(String, String)>;

/// Of a consumer, or of topics of it.
pub(super) fn on_topics(action: Action) -> MethodRouter<AppState> {
    post(
        async move |State(state),
                    ports: KafkaFlowPorts,
                    Path((group, consumer)): Consumer,
                    RawQuery(query)|
                    -> Answer {
            let topics = bodies::topics(query.as_deref())?;
            operate(&state, &ports)?.on_consumer(action, group, consumer, topics).await
        },
    )
}

/// Always of a whole consumer.
pub(super) fn on_consumer(action: Action) -> MethodRouter<AppState> {
    post(async move |State(state), ports: KafkaFlowPorts, Path((group, consumer)): Consumer| -> Answer {
        operate(&state, &ports)?.on_consumer(action, group, consumer, vec![]).await
    })
}

pub(super) async fn reset(
    State(state): State<AppState>,
    ports: KafkaFlowPorts,
    Path((group, consumer)): Consumer,
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
    Path((group, consumer)): Consumer,
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
    Path((group, consumer)): Consumer,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let workers = bodies::workers(&headers, &body)?;
    operate(&state, &ports)?.on_consumer(Action::ChangeWorkers { workers }, group, consumer, vec![]).await
}
