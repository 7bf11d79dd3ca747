//! A cluster's brokers: what each leads and keeps, what is not in sync, what the cluster offers and what is missing. No
//! controller: with KRaft, brokers name any of them.

use serde::{Deserialize, Serialize};

use super::ClusterView;
use crate::ids::Version;
use crate::names::{Partition, TopicName};
use crate::time::Timestamp;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct BrokersView {
    pub version: Version,
    pub now: Timestamp,
    pub cluster_info: ClusterView,
    /// When topics and brokers were read.
    pub as_of: Option<Timestamp>,
    pub cluster_id: Option<String>,
    pub brokers: Vec<BrokerRow>,
    /// Of all topics that Flowdeck may see.
    pub partitions: u32,
    /// Without a leader: they can be neither read nor written.
    pub offline_partitions: u32,
    /// With replicas that are not in sync.
    pub under_replicated_partitions: u32,
    /// Those of both kinds, offline ones first, at most 100.
    pub troubled: Vec<TroubledPartition>,
    pub capabilities: Vec<CapabilityRow>,
    /// What could not be read, and why.
    pub notes: Vec<String>,
}

/// At most so many partitions in `troubled`.
pub const TROUBLED_MAX: usize = 100;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct BrokerRow {
    pub id: i32,
    /// `null`: partitions have replicas on it, and the cluster does not list it: it is down.
    pub address: Option<String>,
    /// `null`: it has none, or it is not known.
    pub rack: Option<String>,
    /// Partitions that it leads.
    pub leaders: u32,
    /// Partitions of which it is the first replica, so that it should lead them.
    pub preferred_leaders: u32,
    pub replicas: u32,
    /// Replicas of these that are not in sync.
    pub out_of_sync: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct TroubledPartition {
    pub topic: TopicName,
    pub partition: Partition,
    pub leader: Option<i32>,
    pub replicas: Vec<i32>,
    pub in_sync: Vec<i32>,
}

/// Whether the cluster has what a part of Flowdeck needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum Offered {
    Yes,
    No,
    NotPermitted,
    Unknown,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct CapabilityRow {
    pub name: String,
    pub offered: Offered,
    /// Why not; where it is not permitted, the ACL that is missing.
    pub why: Option<String>,
}
