//! The routes of the API and its OpenAPI document, from one list. The whole document is one snapshot in
//! the tests, so that no change to the API goes unseen.

use axum::extract::State;
use axum::{Json, Router};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{OpenApi as Document, Server};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{
    audit, brokers, bulks, canaries, commands, dead_letters, downloads, groups, groups_file, messages,
    offsets, problem::Problem, produce, redrives, retentions, tail, topics,
};
use crate::state::AppState;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Flowdeck",
        version = "1",
        description = "Consumer groups, their lag, pause and resume, and messages. Names in paths are written as they \
                       are if they consist of a-z A-Z 0-9 . _ -, else as `~` and the unpadded base64url of their \
                       UTF-8 bytes. Times are RFC 3339, UTC, with milliseconds. Errors are RFC 9457 documents.",
        license(name = "Apache-2.0 OR MIT", identifier = "Apache-2.0 OR MIT"),
    ),
    components(schemas(Problem)),
    modifiers(&SignIn),
    security((), ("token" = [])),
    tags(
        (name = "groups", description = "Consumer groups and their lag, from the brokers."),
        (name = "clusters", description = "Brokers, and what a cluster offers."),
        (name = "topics", description = "Topics and their records."),
        (name = "dead letters", description = "Records that consumers gave up on, and where they came from."),
        (name = "commands", description = "Operations, what they would do, and what came of them."),
        (name = "audit", description = "Who asked for what."),
    ),
)]
struct Api;

/// How a script says who it is, where there is sign-in.
struct SignIn;

impl Modify for SignIn {
    fn modify(&self, document: &mut Document) {
        let mut bearer = Http::new(HttpAuthScheme::Bearer);
        bearer.description =
            Some("A token of the configuration. Not needed with `auth.mode = \"none\"`.".to_owned());
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(bearer));
    }
}

/// What is mounted under `{base}/api/v1`, and the document of it.
pub(crate) fn routes() -> (Router<AppState>, Document) {
    OpenApiRouter::with_openapi(Api::openapi())
        .routes(routes!(groups::list))
        .routes(routes!(groups_file::download))
        .routes(routes!(groups::one))
        .routes(routes!(groups::agents))
        .routes(routes!(groups::history))
        .routes(routes!(commands::submit))
        .routes(routes!(commands::preview))
        .routes(routes!(commands::one))
        .routes(routes!(offsets::preview))
        .routes(routes!(audit::list))
        .routes(routes!(audit::download))
        .routes(routes!(brokers::list))
        .routes(routes!(topics::list))
        .routes(routes!(topics::one))
        .routes(routes!(messages::list))
        .routes(routes!(downloads::download))
        .routes(routes!(tail::follow))
        .routes(routes!(produce::submit))
        .routes(routes!(produce::preview))
        .routes(routes!(produce::draft))
        .routes(routes!(produce::one))
        .routes(routes!(retentions::submit))
        .routes(routes!(retentions::preview))
        .routes(routes!(retentions::list))
        .routes(routes!(retentions::one))
        .routes(routes!(retentions::end))
        .routes(routes!(dead_letters::topics))
        .routes(routes!(dead_letters::letters))
        .routes(routes!(dead_letters::letter))
        .routes(routes!(redrives::submit))
        .routes(routes!(redrives::preview))
        .routes(routes!(redrives::one))
        .routes(routes!(redrives::order))
        .routes(routes!(canaries::submit))
        .routes(routes!(canaries::preview))
        .routes(routes!(canaries::one))
        .routes(routes!(canaries::order))
        .routes(routes!(canaries::preview_order))
        .routes(routes!(bulks::submit))
        .routes(routes!(bulks::preview))
        .routes(routes!(bulks::one))
        .routes(routes!(bulks::stop))
        .split_for_parts()
}

/// The document for a service under this base path.
pub fn document(base: &str) -> Document {
    let (_, mut document) = routes();
    document.servers = Some(vec![Server::new(format!("{base}/api/v1"))]);
    document
}

pub(crate) async fn serve(State(state): State<AppState>) -> Json<Document> {
    Json(document(state.base))
}
