//! Convex's messages.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UserCreatedEvent {
    pub user_id: u32,
    pub email: String,
    pub created_at: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct BetPlacedEvent {
    pub bet_id: u32,
    pub user_id: u32,
    pub amount: f64,
    pub odds: f64,
    #[serde(default)]
    pub placed_at: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct NotificationMessage {
    pub user_id: u32,
    pub r#type: String,
    pub content: String,
}
