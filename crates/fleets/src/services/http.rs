//! What each service serves beside its own paths: `GET /troubles`, `POST` and `DELETE /troubles/{name}`.

use anyhow::{Context as _, Result};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use clap::ValueEnum as _;
use tokio::net::TcpListener;

use super::{Runtime, Trouble, Troubles};

/// Serves until the runtime ends.
pub fn serve(runtime: &Runtime, listener: TcpListener, own: Router) -> Result<String> {
    let address = listener.local_addr().context("ask for the address")?;
    let router = own.merge(router(runtime.troubles.clone()));
    let stop = runtime.stop.clone();
    runtime.tasks.spawn(async move {
        let served = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned());
        if let Err(error) = served.await {
            tracing::warn!("the service's HTTP ended: {error}");
        }
    });
    Ok(format!("http://{address}"))
}

pub fn router(troubles: Troubles) -> Router {
    Router::new()
        .route("/troubles", get(list))
        .route("/troubles/{name}", post(begin).delete(end))
        .with_state(troubles)
}

async fn list(State(troubles): State<Troubles>) -> Json<Vec<&'static str>> {
    Json(troubles.all().into_iter().map(Trouble::name).collect())
}

async fn begin(State(troubles): State<Troubles>, Path(name): Path<String>) -> (StatusCode, String) {
    change(&name, |trouble| troubles.begin(trouble))
}

async fn end(State(troubles): State<Troubles>, Path(name): Path<String>) -> (StatusCode, String) {
    change(&name, |trouble| troubles.end(trouble))
}

fn change(name: &str, change: impl Fn(Trouble)) -> (StatusCode, String) {
    match Trouble::from_str(name, false) {
        Ok(trouble) => {
            change(trouble);
            (StatusCode::NO_CONTENT, String::new())
        }
        Err(_) => {
            let names: Vec<_> = Trouble::ALL.into_iter().map(Trouble::name).collect();
            (StatusCode::NOT_FOUND, format!("no such trouble; there are {}\n", names.join(", ")))
        }
    }
}
