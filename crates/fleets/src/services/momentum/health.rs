//! `GET /health`, as Momentum's probes read it.

use std::sync::{Arc, Mutex, PoisonError};

use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use flowdeck_agent::health::{HealthHandle, HealthStatus};
use serde_json::{Value, json};

/// Of the consumer that runs now.
#[derive(Clone, Default)]
pub struct Consumer(Arc<Mutex<Option<HealthHandle>>>);

impl Consumer {
    pub fn set(&self, handle: Option<HealthHandle>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = handle;
    }

    fn answer(&self) -> (StatusCode, Json<Value>) {
        let handle = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let health = handle.map(|handle| handle.health());
        let status = health.as_ref().map_or(HealthStatus::Unhealthy, |health| health.status);
        let detail = health
            .and_then(|health| health.checks.get("kafka").map(|check| check.detail.clone()))
            .unwrap_or_else(|| "the consumer does not run".to_owned());
        let body = json!({
            "status": status,
            "checks": { "kafka": {
                "status": status,
                "description": "Kafka connectivity check",
                "detail": detail,
                "tags": ["messaging", "kafka"],
            }},
        });
        let code = match status {
            HealthStatus::Healthy => StatusCode::OK,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        (code, Json(body))
    }
}

pub fn router(consumer: Consumer) -> Router {
    Router::new().route("/health", get(move || std::future::ready(consumer.answer())))
}
