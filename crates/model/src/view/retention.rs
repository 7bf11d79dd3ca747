//! A raised retention, and what raising it would do.

use serde::{Deserialize, Serialize};

use super::ClusterView;
use crate::actor::ActorView;
use crate::ids::CommandId;
use crate::names::TopicName;
use crate::retention::{RetentionPause, RetentionRequest, RetentionState, TopicRetention};
use crate::time::Timestamp;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct RetentionView {
    pub id: CommandId,
    pub cluster_info: ClusterView,
    pub request: RetentionRequest,
    pub actor: ActorView,
    pub state: RetentionState,
    /// What is put back; null before the values are changed.
    pub before: Option<TopicRetention>,
    pub pause: RetentionPause,
    /// Who ordered that the values be put back at once.
    pub ended_by: Option<String>,
    /// When the values are put back, as it is known now. Null once it is over.
    pub due: Option<Timestamp>,
    pub notes: Vec<String>,
    /// The server's clock when the view was made.
    pub now: Timestamp,
    pub requested_at: Timestamp,
    pub changed_at: Timestamp,
}

/// One of a topic, in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct RetentionRow {
    pub id: CommandId,
    pub topic: TopicName,
    pub actor: ActorView,
    pub state: RetentionState,
    pub until: Timestamp,
    pub requested_at: Timestamp,
}

/// What raising it would do. Nothing has happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct RetentionPreview {
    /// The body that does exactly this, but for its reason.
    pub request: RetentionRequest,
    pub now: Timestamp,
    /// Null where it is not known how much comes to the topic.
    pub growth: Option<DiskGrowth>,
    /// Not over yet, on the same topic: it is replaced.
    pub replaces: Option<RetentionRow>,
    /// Pauses of the group on the topic, now.
    pub pauses: u32,
    /// What one may not expect.
    pub notes: Vec<String>,
}

/// An estimate of what the brokers' disks need more at most, all replicas together: records that come until the end, at the
/// present rate and size. Compression is not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct DiskGrowth {
    pub bytes: u64,
    pub records: u64,
    /// Of the newest records, on average.
    pub record_bytes: u64,
    /// Those that were looked at for it.
    pub sampled: u32,
    /// Over so many minutes the records were counted.
    pub minutes: u32,
    pub replicas: u32,
    pub partitions: u32,
}

impl DiskGrowth {
    /// Of one replica of one partition, where they grow alike.
    pub fn of_partition(&self) -> u64 {
        let parts = u64::from(self.replicas.max(1)) * u64::from(self.partitions.max(1));
        self.bytes.div_ceil(parts)
    }
}
