//! All settings, in types that cannot hold a wrong value, and their defaults.

use std::net::SocketAddr;
use std::path::PathBuf;

use flowdeck_alerts::Receiver;
use serde::Deserialize;

use super::cluster::ClusterConfig;
use super::labels::Labels;
use super::limits::Limits;
use super::metrics::Metrics;
use super::rebalancing::Rebalancing;
use super::values::{Base, Cidr, HostName, LogFormat, LogLevel, PublicUrl};
use super::verdicts::Verdicts;
use crate::auth;

/// All that is in force.
#[derive(Debug, Clone)]
pub struct Config {
    pub listen: SocketAddr,
    /// A listener that is not loopback needs this while there is no sign-in.
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
    pub verdicts: Verdicts,
    pub metrics: Metrics,
    pub labels: Vec<Labels>,
    /// Who is told what is said of groups.
    pub alerts: Vec<Receiver>,
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

impl Config {
    /// A cluster by name, made where there is none: environment and flags may name new ones.
    pub(crate) fn cluster_mut(&mut self, name: flowdeck_model::ClusterName) -> &mut ClusterConfig {
        let at = self.clusters.iter().position(|cluster| cluster.name == name).unwrap_or_else(|| {
            self.clusters.push(ClusterConfig::new(name));
            self.clusters.len() - 1
        });
        &mut self.clusters[at]
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
            verdicts: Verdicts::default(),
            metrics: Metrics::default(),
            labels: vec![],
            alerts: vec![],
            auth: auth::Settings::default(),
            site: None,
            clusters: vec![],
            notes: vec![],
            file: None,
        }
    }
}
