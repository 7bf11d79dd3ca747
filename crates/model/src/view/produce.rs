//! A record that was produced, and what producing one would do.

use serde::{Deserialize, Serialize};

use super::ClusterView;
use crate::actor::ActorView;
use crate::ids::CommandId;
use crate::names::{GroupId, Partition, TopicName};
use crate::produce::{ProduceSource, ProduceState};
use crate::record_place::RecordPlace;
use crate::time::Timestamp;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ProduceView {
    pub id: CommandId,
    pub cluster_info: ClusterView,
    pub topic: TopicName,
    /// As it was asked for. Null: by the key.
    pub partition: Option<Partition>,
    pub source: Option<ProduceSource>,
    /// Bytes of key, value and headers.
    pub size: u64,
    pub reason: String,
    pub actor: ActorView,
    pub state: ProduceState,
    /// Where Kafka wrote it.
    pub place: Option<RecordPlace>,
    /// Why it was not written, or why that is not known.
    pub note: Option<String>,
    /// The server's clock when the view was made.
    pub now: Timestamp,
    pub requested_at: Timestamp,
    pub changed_at: Timestamp,
}

/// What producing it would do. Nothing has happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ProducePreview {
    pub topic: TopicName,
    pub partitions: u32,
    pub partition: Option<Partition>,
    pub key_size: Option<u64>,
    /// Null: a tombstone.
    pub value_size: Option<u64>,
    pub headers: u32,
    /// Consumer groups that read the topic, and get the record; those that the reader may view.
    pub groups: Vec<GroupId>,
    /// Its consumer groups that the reader may not view.
    pub other_groups: u32,
    /// What one may not expect.
    pub notes: Vec<String>,
}
