//! The ports of a form, with the actor for the page that answers it. Who is not signed in goes to the log-in.

use axum::extract::FromRequestParts;
use axum::response::Response;
use flowdeck_model::Via;
use http::request::Parts;

use super::login;
use crate::auth::KeepAlive;
use crate::layers::actor::{self, BoundActor};
use crate::state::AppState;

pub(crate) struct FormPorts(pub(crate) BoundActor);

impl FromRequestParts<AppState> for FormPorts {
    type Rejection = Response;
    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Response> {
        match actor::bind(state, parts, Via::Page, KeepAlive::Yes).await {
            Ok(bound) => Ok(Self(bound)),
            Err(refusal) => Err(login::refuse(state, parts, refusal)),
        }
    }
}
