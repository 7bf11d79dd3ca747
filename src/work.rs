//! What the server tells of the work behind it, beyond what the ports show: readiness, and numbers
//! for `/metrics`. It belongs to no actor: these paths carry no payloads, and are for machines.

use std::sync::Arc;

use flowdeck_model::{ClusterName, Timestamp};
pub use flowdeck_observe::figures::{Figures, GroupFigures, PartitionFigures, TopicFigures};

/// One number about Flowdeck's own work.
#[derive(Debug, Clone, PartialEq)]
pub struct Number {
    /// Prometheus' name without `flowdeck_`, such as `refresh_seconds`.
    pub name: &'static str,
    pub help: &'static str,
    /// It only grows.
    pub counter: bool,
    pub labels: Vec<(&'static str, String)>,
    pub value: f64,
}

/// Of one cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterStatus {
    pub cluster: ClusterName,
    /// When it was read last.
    pub read_at: Option<Timestamp>,
    /// Another replica is elected to write.
    pub another_leads: bool,
}

pub trait Work: Send + Sync {
    /// Pages can be served.
    fn ready(&self) -> bool {
        true
    }

    /// What is known of groups and topics at this moment.
    fn figures(&self) -> Arc<dyn Figures> {
        Arc::new(Silent)
    }

    /// The clusters, and how old what is known of each is.
    fn clusters(&self) -> Vec<ClusterStatus> {
        vec![]
    }

    fn numbers(&self) -> Vec<Number> {
        vec![]
    }
}

/// For hosts and tests that have nothing to tell.
pub(crate) struct Silent;

impl Work for Silent {}

impl Figures for Silent {}
