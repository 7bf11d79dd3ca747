//! From file, environment and flags to one configuration, and the rules between its settings.

use std::collections::BTreeSet;

use flowdeck_model::ClusterName;

use super::env::{self, Environment};
use super::error::{ConfigError, Place};
use super::file;
use super::flags::Flags;
use super::schema::Config;
use crate::auth::AuthMode;

impl Config {
    /// Reads everything. The working directory is looked at for `flowdeck.toml` only.
    pub fn load(flags: &Flags, environment: &Environment) -> Result<Self, ConfigError> {
        let path = file::find(flags.config.as_deref(), environment)?;
        let mut config = match &path {
            Some(path) => file::read(path)?,
            None => Self::default(),
        };
        config.file = path;
        env::apply(&mut config, environment)?;
        flags.apply(&mut config)?;
        config.check()?;
        Ok(config)
    }

    /// Rules between settings.
    fn check(&self) -> Result<(), ConfigError> {
        if self.auth.mode == AuthMode::None && !self.listen.ip().is_loopback() && !self.insecure_listen {
            return Err(ConfigError::new(
                Place::Setting("listen"),
                format!(
                    "{} can be reached from other machines, and there is no sign-in: everybody who reaches it may \
                     see and control. Set `auth.mode = \"local\"`; or, if a proxy or the network keeps others out, say so with \
                     `insecure_listen = true` (or --insecure-listen, or FLOWDECK_INSECURE_LISTEN=true)",
                    self.listen
                ),
            ));
        }
        if let (Some(_), Some(url)) = (&self.tls, &self.public_url)
            && !url.is_https()
        {
            let problem = format!("{} is plain http, but `tls` makes the server speak https", url.origin());
            return Err(ConfigError::new(Place::Setting("public_url"), problem));
        }
        for receiver in &self.alerts {
            let unknown = |name: &&ClusterName| self.clusters.iter().all(|cluster| cluster.name != **name);
            if let Some(name) = receiver.selection.clusters.iter().find(unknown) {
                return Err(ConfigError::new(
                    Place::Setting("alerts"),
                    format!(
                        "{:?} is told of cluster {name}, and no such cluster is configured",
                        receiver.name
                    ),
                ));
            }
        }
        let mut seen = BTreeSet::new();
        for cluster in &self.clusters {
            if !seen.insert(cluster.name.as_str()) {
                return Err(ConfigError::new(
                    Place::Cluster(cluster.name.clone()),
                    "this name is given to two clusters",
                ));
            }
            if cluster.bootstrap.trim().is_empty() {
                return Err(ConfigError::new(
                    Place::Cluster(cluster.name.clone()),
                    "`bootstrap` is missing: name at least one HOST:PORT",
                ));
            }
        }
        Ok(())
    }
}
