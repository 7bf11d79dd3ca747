//! Momentum's events: what the attribute of an event's topic says, and its partition key.

use flowdeck_agent::producer::{Event, TopicFields};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::events::timestamp;

/// Which service publishes them.
pub const SOURCE: &str = "urn:momentum:sales-api";

/// Topics that other services read, or this one alone.
fn topic(name: &str, domain: &str, scope: &str, version: &str) -> TopicFields {
    TopicFields::new(name).plural().set("domain", domain).set("scope", scope).set("version", version)
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomerCreated {
    pub customer_id: Uuid,
    pub name: String,
    pub email: String,
    pub created_at: String,
}

impl CustomerCreated {
    pub fn random() -> Self {
        Self {
            customer_id: Uuid::new_v4(),
            name: "John Doe".to_owned(),
            email: "john.doe@example.com".to_owned(),
            created_at: timestamp(),
        }
    }
}

impl Event for CustomerCreated {
    const TYPE: &'static str = "CustomerCreated";

    fn topic() -> TopicFields {
        topic("customer", "sales", "public", "v1")
    }

    fn key(&self) -> Option<String> {
        Some(self.customer_id.to_string())
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomerUpdated {
    pub customer_id: Uuid,
    pub name: String,
}

impl Event for CustomerUpdated {
    const TYPE: &'static str = "CustomerUpdated";

    fn topic() -> TopicFields {
        topic("customer-update", "sales", "internal", "v1")
    }

    fn key(&self) -> Option<String> {
        Some(self.customer_id.to_string())
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentProcessed {
    pub order_id: Uuid,
    pub amount: f64,
}

impl Event for PaymentProcessed {
    const TYPE: &'static str = "PaymentProcessed";

    fn topic() -> TopicFields {
        topic("order-payment", "ecommerce", "public", "v2")
    }

    fn key(&self) -> Option<String> {
        Some(self.order_id.to_string())
    }
}
