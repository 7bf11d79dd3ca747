//! The ports of an API call. A refusal is a problem document.

use axum::extract::FromRequestParts;
use flowdeck_model::{Ports, Via};
use http::request::Parts;

use super::problem::Problem;
use crate::auth::KeepAlive;
use crate::layers::actor;
use crate::state::AppState;

pub(crate) struct ApiPorts(pub(crate) Ports);

impl FromRequestParts<AppState> for ApiPorts {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        Ok(Self(actor::bind(state, parts, Via::Api, KeepAlive::Yes).await?.ports))
    }
}
