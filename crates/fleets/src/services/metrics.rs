//! What producers measure, for Prometheus: `GET /metrics`.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use flowdeck_agent::producer::Producer;

/// Producers by their client ids.
pub fn router(producers: Vec<(&'static str, Producer)>) -> Router {
    let producers = Arc::new(producers);
    let answer =
        move || std::future::ready(([(CONTENT_TYPE, "text/plain; version=0.0.4")], text(&producers)));
    Router::new().route("/metrics", get(answer))
}

/// Names after OpenTelemetry's conventions of messaging, where these have one.
fn text(producers: &[(&'static str, Producer)]) -> String {
    let mut out = String::new();
    let mut metric = |name: &str, kind: &str, of: &dyn Fn(&Producer) -> Option<f64>| {
        // Writing to a text does not fail.
        let _ = writeln!(out, "# TYPE {name} {kind}");
        for (id, producer) in producers {
            if let Some(value) = of(producer) {
                let _ = writeln!(out, "{name}{{messaging_client_id=\"{id}\"}} {value}");
            }
        }
    };
    let seconds = |time: Duration| time.as_secs_f64();
    metric("messaging_client_sent_messages_total", "counter", &|one| Some(one.counts().published as f64));
    metric("messaging_client_failed_messages_total", "counter", &|one| Some(one.counts().failed as f64));
    metric("messaging_client_operation_seconds_total", "counter", &|one| {
        Some(seconds(one.counts().acknowledged_in))
    });
    metric("messaging_client_messages_per_second", "gauge", &|one| Some(one.metrics()?.rate));
    metric("messaging_client_queued_messages", "gauge", &|one| Some(one.metrics()?.queued as f64));
    metric("messaging_client_queue_seconds", "gauge", &|one| Some(seconds(one.metrics()?.queue_time?.mean)));
    metric("messaging_client_send_seconds", "gauge", &|one| Some(seconds(one.metrics()?.send_time?.mean)));
    metric("messaging_client_acknowledgement_seconds", "gauge", &|one| {
        Some(seconds(one.metrics()?.acknowledgement_time?.mean))
    });
    metric("messaging_client_request_errors_total", "counter", &|one| Some(one.metrics()?.errors as f64));
    out
}
