//! `auth.session`: when a session is over, and where sessions are kept.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Deserialize;

use super::error::{SettingsError, refused};
use super::secret::Secret;

const IDLE: Duration = Duration::from_secs(30 * 60);
const ABSOLUTE: Duration = Duration::from_secs(12 * 3600);
const LONGEST_SESSION: Duration = Duration::from_secs(30 * 24 * 3600);

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SessionTable {
    idle: Option<String>,
    absolute: Option<String>,
    redis: Option<Secret>,
    redis_ca: Option<PathBuf>,
}

/// When a session is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionRules {
    /// Since its last use; streams do not count.
    pub idle: Duration,
    /// Since its log-in, however busy.
    pub absolute: Duration,
}

impl Default for SessionRules {
    fn default() -> Self {
        Self { idle: IDLE, absolute: ABSOLUTE }
    }
}

/// Where sessions are shared, and which issuers of certificates are trusted there.
#[derive(Clone)]
pub(in crate::auth) struct Redis {
    /// May hold a password: never printed.
    url: String,
    /// `None`: those that this machine trusts.
    pub(in crate::auth) roots: Option<Vec<CertificateDer<'static>>>,
}

#[cfg_attr(not(feature = "redis"), expect(dead_code, reason = "a build without Redis refuses it unread"))]
impl Redis {
    /// With TLS it is `rediss…://`.
    pub(in crate::auth) fn is_tls(&self) -> bool {
        self.url.starts_with("rediss")
    }

    /// As for a connection without TLS. For the client alone.
    pub(in crate::auth) fn plain_url(&self) -> String {
        self.url.strip_prefix("rediss").map_or_else(|| self.url.clone(), |rest| format!("redis{rest}"))
    }
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

pub(super) fn session(table: SessionTable) -> Result<(SessionRules, Option<Redis>), SettingsError> {
    let time = |field: &str, text: Option<String>, usual: Duration, least: Duration| {
        let Some(text) = text else { return Ok(usual) };
        match humantime::parse_duration(&text) {
            Ok(time) if (least..=LONGEST_SESSION).contains(&time) => Ok(time),
            _ => Err(refused(
                format!("auth.session.{field}"),
                format!(
                    "{text:?} is no time from {} to 30days, such as \"30m\"",
                    humantime::format_duration(least)
                ),
            )),
        }
    };
    let idle = time("idle", table.idle, IDLE, Duration::from_secs(60))?;
    let absolute = time("absolute", table.absolute, ABSOLUTE.max(idle), idle)?;
    let redis = match (table.redis, table.redis_ca) {
        (Some(url), ca) => Some(redis(url, ca)?),
        (None, None) => None,
        (None, Some(_)) => return Err(refused("auth.session.redis_ca", "there is no redis beside it")),
    };
    Ok((SessionRules { idle, absolute }, redis))
}

fn redis(secret: Secret, ca: Option<PathBuf>) -> Result<Redis, SettingsError> {
    let field = "auth.session.redis";
    let url = secret.resolve().map_err(|problem| refused(field, problem))?;
    let plain = url.strip_prefix("rediss").or_else(|| url.strip_prefix("redis"));
    if !plain
        .is_some_and(|rest| ["://", "-cluster://", "-sentinel://"].iter().any(|one| rest.starts_with(one)))
    {
        return Err(refused(
            field,
            "write redis://[USER:PASSWORD@]HOST:PORT[/DATABASE], or redis-cluster:// or redis-sentinel://; \
             with TLS rediss://, rediss-cluster:// or rediss-sentinel://",
        ));
    }
    let roots = ca.map(|path| issuers(&path)).transpose()?;
    let redis = Redis { url, roots };
    if redis.roots.is_some() && !redis.is_tls() {
        return Err(refused(field, "there is redis_ca, but only rediss:// speaks TLS"));
    }
    Ok(redis)
}

fn issuers(path: &Path) -> Result<Vec<CertificateDer<'static>>, SettingsError> {
    let refused =
        |problem: String| refused("auth.session.redis_ca", format!("{}: {problem}", path.display()));
    let text = std::fs::read(path).map_err(|error| refused(format!("it could not be read: {error}")))?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match all {
        Ok(all) if all.is_empty() => Err(refused("it holds no certificate".to_owned())),
        Ok(all) => Ok(all),
        Err(error) => Err(refused(format!("it is no PEM file: {error}"))),
    }
}
