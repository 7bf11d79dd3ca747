//! `flowdeck serve`: everything started in order, and stopped in the other order.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use flowdeck::alerts;
use flowdeck::auth::{Auth, AuthMode, CookieScope, OneTimePassword};
use flowdeck::config::{Config, ConfigError};
use flowdeck::lines::LostLines;
use flowdeck::{Assets, Certificate, Options, Process, Server, Tls, exposed_key, kafka};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// What the admin service gets to end after the listener is closed. With the listener's own time, the runtime's and
/// the log's an end takes less than 5 s.
const ADMIN_GRACE: Duration = Duration::from_millis(1_500);

/// Reads the configuration again.
pub(crate) type Again = Arc<dyn Fn() -> Result<Config, ConfigError> + Send + Sync>;

pub(crate) async fn run(
    config: Config,
    one_time: Option<OneTimePassword>,
    lost: Arc<LostLines>,
    hang_up: Signal,
    again: Again,
) -> anyhow::Result<ExitCode> {
    for note in &config.notes {
        tracing::warn!("{note}");
    }
    if config.clusters.is_empty() {
        tracing::warn!(
            "no cluster is configured: name one with --cluster NAME=HOST:PORT or in flowdeck.toml"
        );
    }
    let assets = Assets::find(config.site.clone()).context("the pages' files")?;
    if assets.pkg().is_none() {
        tracing::warn!(
            "no built site was found, so pages have no script and no style: run `cargo xtask run`"
        );
    }
    for cluster in &config.clusters {
        kafka::validate(cluster)?;
    }
    let tls = config.tls.as_ref().map(|files| Tls::new(Certificate::read(files)?)).transpose()?;
    if let Some(warning) = config.tls.as_ref().and_then(exposed_key) {
        tracing::warn!("{warning}");
    }
    // Before anything touches Kafka: a second server on this port does no work.
    let mut server = Server::bind(config.listen).await?;
    if let Some(tls) = &tls {
        server = server.with_tls(tls.clone());
    }
    let shutdown = CancellationToken::new();
    let admin_stop = CancellationToken::new();
    let admin = kafka::start(&config, admin_stop.clone());

    let mut options = Options::from_config(&config);
    let https = options.is_https();
    if config.auth.mode == AuthMode::Local && !https && !config.listen.ip().is_loopback() {
        tracing::warn!(
            "passwords travel as they are typed: set `tls`, or put TLS before this server and set `public_url` to https"
        );
    }
    let cookies = CookieScope::new(config.base.as_str(), https);
    let auth = Auth::open(config.auth.clone(), cookies, shutdown.clone(), admin.audit());
    let auth = auth.await.context("sign-in")?;

    on_hang_up(hang_up, Reload { auth: auth.clone(), tls, again }, shutdown.clone());

    options.authenticator = Arc::new(auth);
    options.assets = assets;
    options.shutdown = shutdown.clone();
    options.work = admin.work();
    options.alerts = alerts::start(&config, admin.work(), shutdown.clone());
    options.process = Process { connections: Some(server.connections()), log: Some(lost) };
    let service = flowdeck::service(admin.bind(), options);

    on_signal(shutdown.clone())?;
    announce(&config, &server, one_time);
    server.run(service, config.limits, shutdown).await;
    admin_stop.cancel();
    if !admin.join(ADMIN_GRACE).await {
        tracing::warn!("the admin service did not end in time; ending without it");
    }
    Ok(ExitCode::SUCCESS)
}

/// The first line on stdout: scripts wait for it. A one-time password is the second one: for the person who
/// started this, and never in the log.
fn announce(config: &Config, server: &Server, one_time: Option<OneTimePassword>) {
    let address = server.address();
    let mut out = std::io::stdout().lock();
    // A closed stdout is no reason not to serve.
    let _ = writeln!(out, "Flowdeck: {}://{address}{}", server.scheme(), config.base.path(""));
    if let Some(password) = one_time {
        let _ = writeln!(out, "Sign in as {} with the one-time password {password}", OneTimePassword::USER);
    }
    let _ = out.flush();
}

/// What is read again at SIGHUP, so that a user or token can be revoked, and a certificate renewed,
/// while the server runs.
#[derive(Clone)]
struct Reload {
    auth: Auth,
    tls: Option<Tls>,
    again: Again,
}

impl Reload {
    /// Where something is wrong, nothing is changed. Blocks while it reads files.
    fn read(&self) -> anyhow::Result<()> {
        let config = (self.again)()?;
        let renewed = match (&self.tls, &config.tls) {
            (Some(tls), Some(files)) => Some((tls, Certificate::read(files)?)),
            (None, None) => None,
            _ => bail!("`tls` cannot be turned on or off while the server runs"),
        };
        ensure!(
            self.auth.reload(config.auth.clone()),
            "`auth.mode` and a one-time password are of the start"
        );
        let certificate = renewed.is_some();
        if let Some((tls, renewed)) = renewed {
            tls.show(renewed);
        }
        let (users, tokens) = config.auth.counts();
        tracing::info!(target: "audit", event = "reload", users, tokens, certificate, "the configuration was read again");
        Ok(())
    }
}

/// From here on SIGHUP ends no process; one that comes before there is anything to read again waits. Inside a runtime.
pub(crate) fn hang_up() -> anyhow::Result<Signal> {
    signal(SignalKind::hangup()).context("listen for SIGHUP")
}

fn on_hang_up(mut hang_up: Signal, reload: Reload, shutdown: CancellationToken) {
    tokio::spawn(shutdown.run_until_cancelled_owned(async move {
        while hang_up.recv().await.is_some() {
            let reload = reload.clone();
            let read = tokio::task::spawn_blocking(move || reload.read()).await;
            if let Err(error) = read.map_err(anyhow::Error::from).flatten() {
                tracing::error!(
                    error = format!("{error:#}"),
                    "the configuration was not read again; nothing was changed"
                );
            }
        }
    }));
}

/// The first signal ends in order, the second at once.
fn on_signal(shutdown: CancellationToken) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    tokio::spawn(async move {
        for first in [true, false] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if !first {
                std::process::exit(130);
            }
            tracing::info!("stopping; a second signal ends at once");
            shutdown.cancel();
        }
    });
    Ok(())
}
