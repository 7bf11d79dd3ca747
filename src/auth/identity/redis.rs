//! Sessions in Redis, where several replicas share them. Expired records are Redis' own to remove:
//! each is written with its time.

use std::sync::Arc;

use fred::prelude::{Builder, ClientLike as _, Config, ReconnectPolicy};
use fred::types::config::TlsConnector;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tokio_util::sync::CancellationToken;
use tower_sessions::SessionStore;
use tower_sessions_redis_store::RedisStore;

use super::store::{OpenError, PATIENCE};
use crate::auth::settings::session::Redis;

const CONNECTIONS: usize = 2;

/// Redis that is away when the server starts is no reason not to start: log-ins say so until it is
/// there.
pub(in crate::auth) async fn open(
    redis: &Redis,
    stop: CancellationToken,
) -> Result<Arc<dyn SessionStore>, OpenError> {
    let refused = |error: fred::error::Error| OpenError::Redis(error.details().to_owned());
    let mut config = Config::from_url(&redis.plain_url()).map_err(refused)?;
    if redis.is_tls() {
        config.tls = Some(connector(redis.roots.clone()).await?.into());
    }
    let pool = Builder::from_config(config)
        .with_connection_config(|config| config.connection_timeout = PATIENCE)
        .with_performance_config(|config| config.default_command_timeout = PATIENCE)
        // For ever, from 100 ms to 5 s apart.
        .set_policy(ReconnectPolicy::new_exponential(0, 100, 5_000, 2))
        .build_pool(CONNECTIONS)
        .map_err(refused)?;
    let running = pool.connect();
    match tokio::time::timeout(PATIENCE, pool.wait_for_connect()).await {
        Ok(Ok(())) => tracing::info!(tls = redis.is_tls(), "sessions are kept in Redis"),
        Ok(Err(error)) => {
            let error = error.details();
            tracing::warn!(error, "Redis cannot be used yet, so nobody can sign in until it can");
        }
        Err(_) => tracing::warn!("Redis does not answer yet, so nobody can sign in until it does"),
    }
    let leaving = pool.clone();
    tokio::spawn(async move {
        stop.cancelled().await;
        let _ = tokio::time::timeout(PATIENCE, leaving.quit()).await;
        running.abort();
    });
    Ok(Arc::new(RedisStore::new(pool)))
}

/// Trusts the given issuers, or else those that this machine trusts.
async fn connector(own: Option<Vec<CertificateDer<'static>>>) -> Result<TlsConnector, OpenError> {
    let mut roots = RootCertStore::empty();
    match own {
        Some(own) => {
            for root in own {
                roots.add(root).map_err(|error| OpenError::RedisCa(error.to_string()))?;
            }
        }
        None => {
            let found = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs).await;
            roots.add_parsable_certificates(found.map(|found| found.certs).unwrap_or_default());
        }
    }
    if roots.is_empty() {
        let problem = "this machine trusts no issuer of certificates: name the file of Redis' own here";
        return Err(OpenError::RedisCa(problem.to_owned()));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| OpenError::RedisCa(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config.into())
}
