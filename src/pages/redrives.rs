//! `POST {base}/c/{cluster}/redrives` and `…/redrives/{id}`: plain forms. Success is 303 to the re-drive's page; what is
//! refused shows the form again, with the reason and its status.

use app::Typed;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use flowdeck_model::redrive::RedriveOrder;
use flowdeck_model::redrive::form::RedriveForm;
use flowdeck_model::{CommandId, PortError, SubmitRedrive, url};
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
    let text = String::from_utf8_lossy(&body);
    let form = RedriveForm::parse(&text, None)?;
    let id = form.id.unwrap_or_else(CommandId::random);
    let redrive = SubmitRedrive { id, request: form.request.clone() };
    Ok(match bound.ports.redrives.submit(&cluster, redrive).await {
        Ok(view) => see_other(&state.options.base.path(&url::redrive_path(&cluster, view.id))),
        Err(error) => {
            let fields = form_urlencoded::parse(text.as_bytes());
            let kept = fields
                .filter(|(name, _)| !matches!(&**name, "id" | "topic" | "end" | "reason" | "otherGroups"));
            let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).finish();
            let page = format!("{}/redrive?{query}", url::dead_letters_path(&cluster, &form.request.topic));
            let typed = Typed { reason: form.request.reason, ..Typed::default() };
            refused(&state, bound, &headers, error, Submitted { page, typed, of: url::redrive_path }).await
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
    let page = url::redrive_path(&cluster, id);
    let word = form_urlencoded::parse(&body).find(|(name, _)| name == "order").map(|(_, word)| word);
    let order = word.and_then(|word| RedriveOrder::from_word(&word));
    let outcome = match order {
        Some(order) => bound.ports.redrives.order(&cluster, id, order).await,
        None => Err(PortError::invalid("order", "run, pause or stop")),
    };
    let asked = Submitted { page, typed: Typed::default(), of: url::redrive_path };
    Ok(ordered(&state, bound, &headers, outcome, asked).await)
}
