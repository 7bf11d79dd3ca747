//! `POST {base}/c/{cluster}/bulks` and `…/bulks/{id}`: plain forms. Success is 303 to the bulk operation's page; what is
//! refused shows a new preview, with the reason and its status.

use app::Typed;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use flowdeck_model::bulk::form::BulkForm;
use flowdeck_model::bulk::{BulkAction, BulkRequest};
use flowdeck_model::{ClusterName, SubmitBulk, url};
use http::header::HeaderMap;

use super::forms::{ordered, refused, see_other};
use super::ports::FormPorts;
use crate::api::names;
use crate::api::problem::Problem;
use crate::state::AppState;

pub(crate) async fn submit(
    State(state): State<AppState>,
    FormPorts(bound): FormPorts,
    Path(segment): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let cluster = names::cluster(&segment)?;
    let BulkForm { id, request } = BulkForm::parse(&String::from_utf8_lossy(&body))?;
    Ok(match bound.ports.bulks.submit(&cluster, SubmitBulk { id, request: request.clone() }).await {
        Ok(view) => see_other(&state.options.base.path(&url::bulk_path(&cluster, view.id))),
        Err(error) => {
            let typed = Typed { reason: request.reason.clone(), ..Typed::default() };
            refused(&state, bound, &headers, &page(&cluster, &request), error, typed).await
        }
    })
}

/// A new preview of the same.
fn page(cluster: &ClusterName, request: &BulkRequest) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    if let Some(id) = request.undoes {
        query.append_pair("undo", &id.to_string());
    } else {
        query.append_pair("action", request.action.kind().word());
        for target in &request.groups {
            query.append_pair("group", target.group.as_str());
        }
        let first = request.groups.first();
        if let Some(seconds) = first.and_then(|target| target.for_seconds) {
            query.append_pair("minutes", &(seconds / 60).to_string());
        }
        if request.action == BulkAction::SetOffsets {
            query.append_pair("to", first.and_then(|target| target.to.as_deref()).unwrap_or_default());
            let moves = request.groups.iter().filter_map(|target| target.offsets.as_ref());
            let mut topics: Vec<String> =
                moves.flat_map(|moves| moves.topics()).map(|topic| topic.to_string()).collect();
            topics.sort();
            topics.dedup();
            query.append_pair("topics", &topics.join(","));
        }
    }
    format!("/c/{}/bulk?{}", url::encode(cluster.as_str()), query.finish())
}

pub(crate) async fn stop(
    State(state): State<AppState>,
    FormPorts(bound): FormPorts,
    Path((cluster, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (cluster, id) = (names::cluster(&cluster)?, names::command(&id)?);
    let page = url::bulk_path(&cluster, id);
    let outcome = bound.ports.bulks.stop(&cluster, id).await;
    Ok(ordered(&state, bound, &headers, &page, outcome, Typed::default()).await)
}
