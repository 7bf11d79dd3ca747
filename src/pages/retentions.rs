//! `POST {base}/c/{cluster}/topics/{topic}/retention` and `…/retentions/{id}`: plain forms. Success is 303 to the page of the
//! raised retention; what is refused shows a new preview, with the reason and its status.

use app::Typed;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use flowdeck_model::retention::form::RetentionForm;
use flowdeck_model::{PortError, SubmitRetention, url};
use http::header::HeaderMap;

use super::forms::{Submitted, ordered, refused, see_other};
use super::ports::FormPorts;
use crate::api::names;
use crate::api::problem::Problem;
use crate::state::AppState;

pub(crate) async fn submit(
    State(state): State<AppState>,
    FormPorts(bound): FormPorts,
    Path((cluster, topic)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let (cluster, topic) = (names::cluster(&cluster)?, names::topic(&topic)?);
    let form = RetentionForm::parse(&String::from_utf8_lossy(&body));
    let request = match (form.id, form.request()) {
        (None, _) => Err(PortError::invalid("id", "it is missing")),
        (_, Ok(request)) if request.topic != topic => {
            Err(PortError::invalid("topic", "not that of the page"))
        }
        (Some(id), request) => request.map(|request| SubmitRetention { id, request }),
    };
    let outcome = match request {
        Ok(retention) => bound.ports.retentions.submit(&cluster, retention).await,
        Err(error) => Err(error),
    };
    Ok(match outcome {
        Ok(view) => see_other(&state.options.base.path(&url::raised_path(&cluster, view.id))),
        Err(error) => {
            let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(form.fields()).finish();
            let page = format!("{}?{query}", url::retention_path(&cluster, &topic));
            let typed = Typed { reason: form.reason, ..Typed::default() };
            refused(&state, bound, &headers, error, Submitted { page, typed, of: url::raised_path }).await
        }
    })
}

/// The values are put back at once.
pub(crate) async fn end(
    State(state): State<AppState>,
    FormPorts(bound): FormPorts,
    Path((cluster, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (cluster, id) = (names::cluster(&cluster)?, names::command(&id)?);
    let page = url::raised_path(&cluster, id);
    let outcome = bound.ports.retentions.end(&cluster, id).await;
    let asked = Submitted { page, typed: Typed::default(), of: url::raised_path };
    Ok(ordered(&state, bound, &headers, outcome, asked).await)
}
