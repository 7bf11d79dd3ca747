//! `POST {base}/c/{cluster}/canaries` and `…/canaries/{id}`: plain forms. Success is 303 to the page of the canary resume; what
//! is refused shows the form again, with the reason and its status.

use app::Typed;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use flowdeck_model::canary::{CanaryOrder, SubmitCanary};
use flowdeck_model::{PortError, url};
use http::header::HeaderMap;

use super::forms::{Submitted, ordered, page_of, parse, refused, see_other, typed};
use super::ports::FormPorts;
use crate::api::names;
use crate::api::problem::Problem;
use crate::state::AppState;

/// The fields are those of the resume of the part.
pub(crate) async fn submit(
    State(state): State<AppState>,
    FormPorts(bound): FormPorts,
    Path(segment): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let cluster = names::cluster(&segment)?;
    let outcome = match parse(&body) {
        Ok(command) => {
            let canary = SubmitCanary { id: command.id, target: command.target, reason: command.reason };
            bound.ports.canaries.submit(&cluster, canary).await
        }
        Err(error) => Err(error),
    };
    Ok(match outcome {
        Ok(view) => see_other(&state.options.base.path(&url::canary_path(&cluster, view.first.id))),
        Err(error) => {
            let (page, typed) = (page_of(&cluster, &body), typed(&body));
            refused(&state, bound, &headers, error, Submitted { page, typed, of: url::canary_path }).await
        }
    })
}

pub(crate) async fn order(
    State(state): State<AppState>,
    FormPorts(bound): FormPorts,
    Path((cluster, id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let (cluster, id) = (names::cluster(&cluster)?, names::command(&id)?);
    let field = |wanted: &str| {
        let found = form_urlencoded::parse(&body).find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let word = field("order");
    let outcome = match CanaryOrder::from_word(&word) {
        Some(order) => bound.ports.canaries.order(&cluster, id, order, field("reason")).await,
        None => Err(PortError::invalid("order", "rest or back")),
    };
    let page = url::canary_path(&cluster, id);
    let typed = Typed { reason: field("reason"), ..Typed::default() };
    // Each order is a command of its own.
    let asked = Submitted { page, typed, of: url::command_path };
    Ok(ordered(&state, bound, &headers, outcome, asked).await)
}
