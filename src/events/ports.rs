//! The ports of a stream, which keeps no session alive.

use axum::extract::FromRequestParts;
use axum::response::Response;
use flowdeck_model::Via;
use http::request::Parts;

use super::refuse;
use crate::auth::KeepAlive;
use crate::layers::actor::{self, BoundActor};
use crate::state::AppState;

pub(crate) struct StreamPorts(pub(crate) BoundActor);

impl FromRequestParts<AppState> for StreamPorts {
    type Rejection = Response;
    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Response> {
        let bound = actor::bind(state, parts, Via::Page, KeepAlive::No).await;
        bound.map(Self).map_err(|refusal| refuse::nobody(&parts.headers, refusal))
    }
}
