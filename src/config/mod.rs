//! What the server is told: file, environment, flags, in this order of growing weight, parsed into
//! types that cannot hold a wrong value. It owns the names and defaults of all settings; it opens
//! no connection and no listener.

mod check;
mod cluster;
mod env;
mod error;
mod file;
mod rebalancing;
mod values;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use flowdeck_model::view::Mode;
use serde::Deserialize;

use crate::auth::{self, AuthMode};

pub use cluster::{AdminStream, AdminTopics, ClusterConfig, Property};
pub use env::{Environment, VARIABLES, Variable, documentation};
pub use error::{ConfigError, Place};
pub use rebalancing::Rebalancing;
pub(crate) use values::host_of;
pub use values::{Base, Cidr, HostName, Listen, LogFormat, LogLevel, PublicUrl};

/// All that is in force.
#[derive(Debug, Clone)]
pub struct Config {
    pub listen: SocketAddr,
    /// A listener that is not loopback needs these words while there is no sign-in.
    pub insecure_listen: bool,
    pub base: Base,
    pub public_url: Option<PublicUrl>,
    pub allowed_hosts: Vec<HostName>,
    pub trusted_proxies: Vec<Cidr>,
    /// TLS by the server itself.
    pub tls: Option<TlsFiles>,
    pub log_level: LogLevel,
    pub log_format: LogFormat,
    pub limits: Limits,
    pub rebalancing: Rebalancing,
    pub auth: auth::Settings,
    /// A directory made by `cargo xtask build`, in place of the default.
    pub site: Option<PathBuf>,
    pub clusters: Vec<ClusterConfig>,
    /// What was read and does nothing, or may be a mistake; for the log and `--check`.
    pub notes: Vec<String>,
    /// Where settings came from, for `--check`.
    pub file: Option<PathBuf>,
}

/// PEM files, read at the start and again at SIGHUP.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// The server's own certificate first, then those that lead to its issuer.
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// Bounds on what clients can ask of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Event streams open at once, in all.
    pub streams: usize,
    /// Event streams open at once of one session; at the bound the oldest makes room for the newest.
    /// A browser has six connections to a host over HTTP/1.1: one fewer leaves one to ask with.
    pub streams_per_session: usize,
    /// Event streams open at once from one address, of those without a session.
    pub streams_per_client: usize,
    /// Connections open at once.
    pub connections: usize,
    /// Requests being answered at once; more get 503.
    pub requests: usize,
    /// Bytes of a request's body.
    pub body: usize,
    /// Seconds until a request (but a stream) is given up.
    pub request_seconds: u64,
    /// Seconds that a client has to send a request's head, and that it may keep an idle connection.
    pub head_seconds: u64,
    /// Seconds that a client may take no byte of what it is sent.
    pub stall_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            streams: 512,
            streams_per_session: 5,
            streams_per_client: 32,
            connections: 2_048,
            requests: 256,
            body: 64 * 1024,
            request_seconds: 30,
            head_seconds: 30,
            stall_seconds: 30,
        }
    }
}

/// What the command line says; `None` and empty where it is silent.
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

    /// A cluster by name, made where there is none: environment and flags may name new ones.
    pub(crate) fn cluster_mut(&mut self, name: flowdeck_model::ClusterName) -> &mut ClusterConfig {
        let at = self.clusters.iter().position(|cluster| cluster.name == name).unwrap_or_else(|| {
            self.clusters.push(ClusterConfig::new(name));
            self.clusters.len() - 1
        });
        &mut self.clusters[at]
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
        let mut seen = BTreeMap::new();
        for cluster in &self.clusters {
            if seen.insert(cluster.name.as_str(), ()).is_some() {
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

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8077)),
            insecure_listen: false,
            base: Base::default(),
            public_url: None,
            allowed_hosts: vec![],
            trusted_proxies: vec![],
            tls: None,
            log_level: LogLevel::default(),
            log_format: LogFormat::default(),
            limits: Limits::default(),
            rebalancing: Rebalancing::default(),
            auth: auth::Settings::default(),
            site: None,
            clusters: vec![],
            notes: vec![],
            file: None,
        }
    }
}

impl Flags {
    fn apply(&self, config: &mut Config) -> Result<(), ConfigError> {
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
            cluster::apply_pair(config, Place::Flag("--cluster"), given)?;
        }
        if let Some(mode) = self.mode {
            config.clusters.iter_mut().for_each(|cluster| cluster.mode = mode);
        }
        Ok(())
    }
}
