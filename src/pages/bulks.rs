//! `POST {base}/c/{cluster}/bulks` and `…/bulks/{id}`: plain forms. Success is 303 to the bulk operation's page; what is
//! refused shows a new preview, with the reason and its status.

use std::collections::{BTreeMap, BTreeSet};

use app::Typed;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use flowdeck_model::bulk::form::BulkForm;
use flowdeck_model::bulk::{BulkAction, BulkRequest};
use flowdeck_model::offsets::TopicScope;
use flowdeck_model::{ClusterName, Partition, SubmitBulk, TopicName, url};
use http::header::HeaderMap;

use super::forms::{Submitted, ordered, refused, see_other};
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
    let form = BulkForm::parse(&String::from_utf8_lossy(&body))?;
    let asked = SubmitBulk { id: form.id, request: form.request.clone() };
    Ok(match bound.ports.bulks.submit(&cluster, asked).await {
        Ok(view) => see_other(&state.options.base.path(&url::bulk_path(&cluster, view.id))),
        Err(error) => {
            let typed = Typed { reason: form.request.reason.clone(), ..Typed::default() };
            let asked = Submitted { page: page(&cluster, &form), typed, of: url::bulk_path };
            refused(&state, bound, &headers, error, asked).await
        }
    })
}

/// A new preview of the same.
fn page(cluster: &ClusterName, form: &BulkForm) -> String {
    let request = &form.request;
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("stopAfter", &request.stop_after.to_string());
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
            if form.all_topics {
                query.append_pair("allTopics", "true");
            }
            let topics = match form.topics.is_empty() && !form.all_topics {
                true => moved(request),
                false => form.topics.clone(),
            };
            query.append_pair("topics", &topics);
        }
    }
    format!("/c/{}/bulk?{}", url::encode(cluster.as_str()), query.finish())
}

/// The partitions that would be moved, where the form does not say of which it was a preview.
fn moved(request: &BulkRequest) -> String {
    let moves = request.groups.iter().filter_map(|target| target.offsets.as_ref());
    let mut places: BTreeMap<TopicName, BTreeSet<Partition>> = BTreeMap::new();
    for TopicScope { topic, partitions } in moves.flat_map(|moves| moves.scope()) {
        places.entry(topic).or_default().extend(partitions);
    }
    let scopes = places.into_iter().map(|(topic, partitions)| TopicScope { topic, partitions }.to_string());
    scopes.collect::<Vec<_>>().join(" ")
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
    let asked = Submitted { page, typed: Typed::default(), of: url::bulk_path };
    Ok(ordered(&state, bound, &headers, outcome, asked).await)
}
