//! `POST {base}/c/{cluster}/topics/{topic}/produce`: a plain form. It shows the preview; with `send=true` it produces the
//! record, and success is 303 to the record's page.

use app::Typed;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use flowdeck_model::produce::form::ProduceForm;
use flowdeck_model::{ClusterName, CommandId, PortError, SubmitProduce, TopicName, url};
use http::Uri;
use http::header::HeaderMap;

use super::forms::{ADDRESS_MAX, Submitted, refused, see_other};
use super::ports::FormPorts;
use super::render;
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
    let form = ProduceForm::parse(&String::from_utf8_lossy(&body));
    let page = page(&cluster, &topic, &form);
    if !form.send {
        return match state.options.base.path(&page).parse::<Uri>() {
            Ok(asked) => Ok(render::document(&state, bound.into(), &headers, asked, None).await),
            Err(_) => Err(Problem::too_large(ADDRESS_MAX)),
        };
    }
    let produce = match (form.id, form.request(&topic)) {
        (Some(id), Ok(request)) => Ok(SubmitProduce { id, request }),
        (None, Ok(_)) => Err(PortError::invalid("id", "it is missing")),
        (_, Err(error)) => Err(error),
    };
    let outcome = match produce {
        Ok(produce) => bound.ports.produce.submit(&cluster, produce).await,
        Err(error) => Err(error),
    };
    Ok(match outcome {
        Ok(view) => see_other(&state.options.base.path(&produced(&cluster, view.id, &form.skip))),
        Err(error) => {
            let typed = Typed { reason: form.reason, ..Typed::default() };
            refused(&state, bound, &headers, error, Submitted { page, typed, of: url::produced_path }).await
        }
    })
}

/// With the group that is to go past the source then.
fn produced(cluster: &ClusterName, id: CommandId, skip: &str) -> String {
    let path = url::produced_path(cluster, id);
    match skip.is_empty() {
        true => path,
        false => {
            let query = form_urlencoded::Serializer::new(String::new()).append_pair("skip", skip).finish();
            format!("{path}?{query}")
        }
    }
}

/// The form with its preview.
fn page(cluster: &ClusterName, topic: &TopicName, form: &ProduceForm) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(form.fields()).finish();
    format!("{}?{query}", url::produce_path(cluster, topic))
}
