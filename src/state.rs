//! What all handlers share, and the options from which it is made.

use std::sync::Arc;

use flowdeck_alerts::Alerts;
use flowdeck_model::ports::Bind;
use flowdeck_model::{ClusterName, Timestamp};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::assets::site::Assets;
use crate::auth::{Auth, AuthMode, Authenticator};
use crate::clock::now;
use crate::config::{self, Base, Cidr, Config, Limits, PublicUrl};
use crate::events::streams::Streams;
use crate::hosts::Hosts;
use crate::metrics::registry::Metrics;
use crate::process::Process;
use crate::work::{Silent, Work};

/// How the service behaves. [`Options::new`] is safe for a loopback listener.
#[derive(Clone)]
pub struct Options {
    pub base: Base,
    pub hosts: Hosts,
    pub public_url: Option<PublicUrl>,
    /// The one that KafkaFlow's own HTTP contracts are about.
    pub default_cluster: Option<ClusterName>,
    /// The listener itself speaks TLS.
    pub tls: bool,
    pub trusted_proxies: Vec<Cidr>,
    pub limits: Limits,
    pub assets: Assets,
    /// Shown above every page.
    pub warnings: Vec<String>,
    /// Cancelled when the program ends: open streams are told, and close.
    pub shutdown: CancellationToken,
    pub work: Arc<dyn Work>,
    pub metrics: config::Metrics,
    pub process: Process,
    /// Whom it tells what it finds.
    pub alerts: Alerts,
    pub authenticator: Arc<dyn Authenticator>,
}

impl Options {
    pub fn new(base: Base) -> Self {
        Self {
            base,
            hosts: Hosts::loopback(),
            public_url: None,
            default_cluster: None,
            tls: false,
            trusted_proxies: vec![],
            limits: Limits::default(),
            assets: Assets::none(),
            warnings: vec![],
            shutdown: CancellationToken::new(),
            work: Arc::new(Silent),
            metrics: config::Metrics::default(),
            process: Process::default(),
            alerts: Alerts::default(),
            authenticator: Arc::new(Auth::none()),
        }
    }

    pub fn from_config(config: &Config) -> Self {
        let mut options = Self::new(config.base.clone());
        options.hosts = Hosts::of(config);
        options.public_url = config.public_url.clone();
        options.default_cluster = config.clusters.first().map(|cluster| cluster.name.clone());
        options.tls = config.tls.is_some();
        options.trusted_proxies = config.trusted_proxies.clone();
        options.limits = config.limits;
        options.metrics = config.metrics.clone();
        if !config.listen.ip().is_loopback() && config.auth.mode == AuthMode::None {
            options.warnings.push(format!(
                "This server listens on {} without sign-in: whoever reaches it may see and control.",
                config.listen
            ));
        }
        options
    }

    /// Browsers reach the service by https: by its own TLS, or a proxy's.
    pub fn is_https(&self) -> bool {
        self.tls || self.public_url.as_ref().is_some_and(PublicUrl::is_https)
    }
}

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct AppState(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) bind: Arc<dyn Bind>,
    pub(crate) options: Options,
    /// The base path for leptos, which wants it for ever. Leaked once for each service made.
    pub(crate) base: &'static str,
    pub(crate) streams: Streams,
    pub(crate) metrics: Metrics,
    pub(crate) requests: Semaphore,
    pub(crate) started: Timestamp,
}

impl AppState {
    pub(crate) fn new(bind: Arc<dyn Bind>, options: Options) -> Self {
        let limits = options.limits;
        let streams = Streams::new(&limits);
        Self(Arc::new(Inner {
            bind,
            base: options.base.as_str().to_owned().leak(),
            metrics: Metrics::new(&options, &streams),
            streams,
            requests: Semaphore::new(limits.requests),
            started: now(),
            options,
        }))
    }
}

impl std::ops::Deref for AppState {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}
