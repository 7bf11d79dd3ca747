//! KafkaFlow's own HTTP contracts, on the default cluster: its Web API's routes and those of its dashboard's client. Scripts
//! and that client work after a change of the URL. They parse, ask the ports and show; what is done goes through the
//! same operations as everything else, and `Location` leads to one.
//!
//! Where KafkaFlow answers wrongly, docs/KAFKAFLOW.md says what is answered here instead.

mod bodies;
mod dashboard;
mod json;
mod operate;
pub(crate) mod path;
mod problem;
mod reads;
mod web_api;

use axum::routing::{MethodRouter, get, post, put};
use flowdeck_model::{Action, ClusterName};

use self::path::Route;
use self::problem::KafkaFlowProblem;
use crate::state::AppState;

/// Each with its path below the base, as the router wants it.
pub(crate) fn routes() -> impl Iterator<Item = (&'static str, MethodRouter<AppState>)> {
    Route::ALL.into_iter().map(|route| (route.pattern(), methods(route)))
}

fn methods(route: Route) -> MethodRouter<AppState> {
    match route {
        Route::Groups => get(reads::groups),
        Route::Consumers => get(reads::consumers),
        Route::Consumer => get(reads::consumer),
        Route::Telemetry => get(reads::telemetry),
        Route::GroupPause => web_api::on_group(Action::Pause),
        Route::GroupResume => web_api::on_group(Action::Resume),
        Route::ConsumerPause => web_api::on_topics(Action::Pause),
        Route::ConsumerResume => web_api::on_topics(Action::Resume),
        Route::ConsumerStart => web_api::on_consumer(Action::Start),
        Route::ConsumerStop => web_api::on_consumer(Action::Stop),
        Route::ConsumerRestart => web_api::on_consumer(Action::Restart),
        Route::ConsumerReset => post(web_api::reset),
        Route::ConsumerRewind => post(web_api::rewind),
        Route::ConsumerWorkers => post(web_api::change_workers),
        Route::DashboardTelemetry => get(reads::dashboard_telemetry),
        Route::DashboardPause => dashboard::on_topic(Action::Pause),
        Route::DashboardResume => dashboard::on_topic(Action::Resume),
        Route::DashboardReset => dashboard::on_topic(Action::Reset),
        Route::DashboardRewind => put(dashboard::rewind),
        Route::DashboardStart => dashboard::on_consumer(Action::Start),
        Route::DashboardStop => dashboard::on_consumer(Action::Stop),
        Route::DashboardRestart => dashboard::on_consumer(Action::Restart),
        Route::DashboardWorkers => put(dashboard::change_workers),
    }
}

/// KafkaFlow knows one cluster: here the first of the configuration.
fn cluster(state: &AppState) -> Result<&ClusterName, KafkaFlowProblem> {
    let detail = "no cluster is configured, and KafkaFlow's routes are about the first one";
    state.options.default_cluster.as_ref().ok_or_else(|| KafkaFlowProblem::not_found(detail))
}
