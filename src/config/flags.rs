//! What the command line says.

use std::path::PathBuf;

use flowdeck_model::ClusterName;
use flowdeck_model::view::Mode;

use super::cluster;
use super::error::{ConfigError, Place};
use super::schema::Config;
use super::values::{self, Listen};

/// `None` and empty where the command line is silent.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    pub config: Option<PathBuf>,
    pub listen: Option<String>,
    pub base: Option<String>,
    pub mode: Option<Mode>,
    /// `NAME=HOST:PORT[,HOST:PORT]`
    pub clusters: Vec<String>,
    pub insecure_listen: bool,
    pub log: Option<String>,
}

impl Flags {
    pub(super) fn apply(&self, config: &mut Config) -> Result<(), ConfigError> {
        if let Some(listen) = &self.listen {
            config.listen = values::parse::<Listen>(Place::Flag("--listen"), listen)?.0;
        }
        if let Some(base) = &self.base {
            config.base = values::parse(Place::Flag("--base"), base)?;
        }
        if let Some(log) = &self.log {
            config.log_level = values::parse(Place::Flag("--log"), log)?;
        }
        config.insecure_listen |= self.insecure_listen;
        for given in &self.clusters {
            set_bootstrap(config, Place::Flag("--cluster"), given)?;
        }
        if let Some(mode) = self.mode {
            config.clusters.iter_mut().for_each(|cluster| cluster.mode = mode);
        }
        Ok(())
    }
}

/// `NAME=HOST:PORT[,HOST:PORT]` from a flag or a variable.
pub(super) fn set_bootstrap(config: &mut Config, place: Place, given: &str) -> Result<(), ConfigError> {
    let refused =
        || ConfigError::new(place.clone(), format!("{given:?} is no cluster: write NAME=HOST:PORT"));
    let (name, bootstrap) = given.split_once('=').ok_or_else(refused)?;
    let name: ClusterName =
        name.trim().parse().map_err(|error| ConfigError::new(place.clone(), format!("{error}")))?;
    cluster::bootstrap_servers(bootstrap).map_err(|problem| ConfigError::new(place.clone(), problem))?;
    config.cluster_mut(name).bootstrap = bootstrap.trim().to_owned();
    Ok(())
}
