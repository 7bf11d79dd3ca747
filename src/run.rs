//! `flowdeck serve`: everything started in order, and stopped in the other order.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use flowdeck::auth::{Auth, AuthMode, CookieScope, OneTimePassword};
use flowdeck::config::{Config, ConfigError};
use flowdeck::{Assets, Options, Server, kafka};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// What the admin service gets to end after the listener is closed; with the listener's own time
/// an end takes less than 5 s.
const ADMIN_GRACE: Duration = Duration::from_millis(500);

/// Reads the configuration again.
pub(crate) type Again = Arc<dyn Fn() -> Result<Config, ConfigError> + Send + Sync>;

pub(crate) async fn run(
    config: Config,
    one_time: Option<OneTimePassword>,
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
    // Before anything touches Kafka: a second server on this port does no work.
    let server = Server::bind(config.listen).await?;
    let shutdown = CancellationToken::new();
    let admin_stop = CancellationToken::new();
    let admin = kafka::start(&config, admin_stop.clone());

    let https = config.public_url.as_ref().is_some_and(|url| url.is_https());
    if config.auth.mode == AuthMode::Local && !https && !config.listen.ip().is_loopback() {
        tracing::warn!(
            "passwords travel as they are typed: put TLS before this server and set `public_url` to https"
        );
    }
    let cookies = CookieScope::new(config.base.as_str(), https);
    let auth = Auth::open(config.auth.clone(), cookies, shutdown.clone()).await.context("sign-in")?;

    if config.auth.mode == AuthMode::Local {
        on_hang_up(auth.clone(), again, shutdown.clone())?;
    }

    let mut options = Options::from_config(&config);
    options.door = Arc::new(auth);
    options.assets = assets;
    options.shutdown = shutdown.clone();
    options.work = admin.work();
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
    let _ = writeln!(out, "Flowdeck: http://{address}{}", config.base.path(""));
    if let Some(password) = one_time {
        let _ = writeln!(out, "Sign in as {} with the one-time password {password}", OneTimePassword::USER);
    }
    let _ = out.flush();
}

/// SIGHUP: users, roles and tokens are read again, so that one can be revoked while the server runs.
/// Where something is wrong, nothing is changed and the log says it.
fn on_hang_up(auth: Auth, again: Again, shutdown: CancellationToken) -> anyhow::Result<()> {
    let mut hang_up = signal(SignalKind::hangup()).context("listen for SIGHUP")?;
    tokio::spawn(shutdown.run_until_cancelled_owned(async move {
        while hang_up.recv().await.is_some() {
            let again = again.clone();
            match tokio::task::spawn_blocking(move || again()).await {
                Ok(Ok(config)) if auth.reload(config.auth.clone()) => {
                    let (users, tokens) = config.auth.counts();
                    tracing::info!(target: "audit", event = "reload", users, tokens, "users, roles and tokens were read again");
                }
                Ok(Ok(_)) => tracing::error!("`auth.mode` and a one-time password are of the start; nothing was changed"),
                Ok(Err(error)) => tracing::error!(%error, "the configuration was not read again; nothing was changed"),
                Err(error) => tracing::error!(%error, "the configuration was not read again; nothing was changed"),
            }
        }
    }));
    Ok(())
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
