//! Integration events of items: what all have in common, and the item's own fields beside it.

use flowdeck_agent::producer::{Event, TopicFields};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::events::timestamp;

/// Of every integration event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Base {
    pub event_id: Uuid,
    pub timestamp: String,
    pub event_type: String,
    pub event_version: String,
    pub source_service: String,
    pub correlation_id: String,
    pub user_id: Uuid,
}

impl Base {
    fn new(event_type: &str, user_id: Uuid, correlation_id: &str) -> Self {
        Self {
            event_id: Uuid::new_v4(),
            timestamp: timestamp(),
            event_type: event_type.to_owned(),
            event_version: "1.0".to_owned(),
            source_service: "customservice".to_owned(),
            correlation_id: correlation_id.to_owned(),
            user_id,
        }
    }
}

macro_rules! event {
    ($name:ident, $event_type:literal, $($field:ident: $type:ty),*) => {
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            #[serde(flatten)]
            pub base: Base,
            pub custom_item_id: Uuid,
            pub name: String,
            $(pub $field: $type,)*
        }

        impl $name {
            pub fn new(item: &super::items::Item, correlation_id: &str, $($field: $type),*) -> Self {
                let base = Base::new($event_type, item.user_id, correlation_id);
                Self { base, custom_item_id: item.id, name: item.name.clone(), $($field),* }
            }
        }

        impl Event for $name {
            const TYPE: &'static str = stringify!($name);

            fn topic() -> TopicFields {
                TopicFields::new("item").set("domain", "item").set("event-type", $event_type)
            }

            /// Events of one user stay in their order.
            fn key(&self) -> Option<String> {
                Some(self.base.user_id.to_string())
            }
        }
    };
}

event!(CustomItemCreatedEvent, "created", description: String, category_id: Uuid, status: String);
event!(CustomItemUpdatedEvent, "updated", description: String, status: String, modified_by: String);
event!(CustomItemDeletedEvent, "deleted", deleted_by: String);
