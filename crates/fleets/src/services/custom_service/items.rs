//! Items, and the commands that change them. An event that is not published does not fail its command.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{post, put};
use axum::{Json, Router};
use flowdeck_agent::producer::{Correlation, Producer};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::events::{CustomItemCreatedEvent, CustomItemDeletedEvent, CustomItemUpdatedEvent};

/// Older items are forgotten.
const KEPT: usize = 10_000;

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    pub id: Uuid,
    pub user_id: Uuid,
    pub name: String,
    pub description: String,
    pub status: &'static str,
}

/// The body of a command.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    pub name: String,
    #[serde(default)]
    pub description: String,
    /// Of a creation.
    pub user_id: Option<Uuid>,
}

#[derive(Clone)]
pub struct Items {
    items: Arc<Mutex<BTreeMap<Uuid, Item>>>,
    producer: Producer,
}

impl Items {
    pub fn new(producer: Producer) -> Self {
        Self { items: Arc::default(), producer }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Uuid, Item>> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub async fn create(&self, change: Change, correlation: Correlation) -> Item {
        let item = Item {
            id: Uuid::new_v4(),
            user_id: change.user_id.unwrap_or_else(Uuid::new_v4),
            name: change.name,
            description: change.description,
            status: "Active",
        };
        {
            let mut items = self.lock();
            items.insert(item.id, item.clone());
            if items.len() > KEPT {
                items.pop_first();
            }
        }
        let (description, status) = (item.description.clone(), item.status.to_owned());
        let event = CustomItemCreatedEvent::new(&item, correlation.id(), description, Uuid::new_v4(), status);
        self.producer.correlated(correlation).publish_or_log(&event).await;
        item
    }

    pub async fn update(&self, id: Uuid, change: Change, correlation: Correlation) -> Option<Item> {
        let item = {
            let mut items = self.lock();
            let item = items.get_mut(&id)?;
            (item.name, item.description) = (change.name, change.description);
            item.clone()
        };
        let (description, by) = (item.description.clone(), "user@example.com".to_owned());
        let event =
            CustomItemUpdatedEvent::new(&item, correlation.id(), description, item.status.to_owned(), by);
        self.producer.correlated(correlation).publish_or_log(&event).await;
        Some(item)
    }

    pub async fn delete(&self, id: Uuid, correlation: Correlation) -> Option<Item> {
        let item = self.lock().remove(&id)?;
        let event = CustomItemDeletedEvent::new(&item, correlation.id(), "user@example.com".to_owned());
        self.producer.correlated(correlation).publish_or_log(&event).await;
        Some(item)
    }

    /// `POST /items`, `PUT` and `DELETE /items/{id}`.
    pub fn router(self) -> Router {
        Router::new()
            .route("/items", post(create))
            .route("/items/{id}", put(update).delete(delete))
            .with_state(self)
    }
}

/// Of a request: its own, or new ones.
fn correlation(headers: &HeaderMap) -> Correlation {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let correlation = text("x-correlation-id").map(Correlation::with_id).unwrap_or_default();
    match text("traceparent") {
        Some(parent) => correlation.trace(parent, text("tracestate")).traced(),
        None => correlation.traced(),
    }
}

async fn create(
    State(items): State<Items>,
    headers: HeaderMap,
    Json(change): Json<Change>,
) -> (StatusCode, Json<Item>) {
    (StatusCode::CREATED, Json(items.create(change, correlation(&headers)).await))
}

async fn update(
    State(items): State<Items>,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
    Json(change): Json<Change>,
) -> Result<Json<Item>, StatusCode> {
    items.update(id, change, correlation(&headers)).await.map(Json).ok_or(StatusCode::NOT_FOUND)
}

async fn delete(State(items): State<Items>, Path(id): Path<Uuid>, headers: HeaderMap) -> StatusCode {
    match items.delete(id, correlation(&headers)).await {
        Some(_) => StatusCode::NO_CONTENT,
        None => StatusCode::NOT_FOUND,
    }
}
