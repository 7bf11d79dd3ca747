//! The handle on a cluster.

use std::sync::Arc;

use crate::config::{ClusterConfig, ConfigError};
use crate::error::{Cause, Error, Operation};
use crate::{Deadline, Rights};

/// A cluster; cheap to clone. Dropping the last clone ends its threads, without blocking.
#[derive(Clone)]
pub struct Cluster {
    config: Arc<ClusterConfig>,
}

impl Cluster {
    /// Connects in the background: neither blocks nor needs a broker to be there. A wrong property is
    /// named in the error.
    pub fn new(config: ClusterConfig) -> Result<Self, ConfigError> {
        config.properties_for(&[])?;
        Ok(Self { config: Arc::new(config) })
    }

    pub fn config(&self) -> &ClusterConfig {
        &self.config
    }

    /// What this client may do on the cluster as a whole.
    pub async fn rights(&self, _deadline: impl Into<Deadline>) -> Result<Rights, Error> {
        Err(Error::new(Operation::ClusterRights, Cause::Unsupported("being built".into())))
    }
}
