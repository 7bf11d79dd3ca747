//! `[clusters.NAME.schema_registry]`: where the schemas of a cluster's records are.

use std::path::PathBuf;

use flowdeck_registry::{Credentials, RegistrySettings};
use serde::Deserialize;
use toml::Spanned;

use super::error::ConfigError;
use super::file::{Value, secret};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RegistryTable {
    url: Spanned<String>,
    username: Option<Spanned<String>>,
    password: Option<Spanned<Value>>,
    bearer: Option<Spanned<Value>>,
    ca: Option<Spanned<PathBuf>>,
}

pub(super) fn registry(
    table: RegistryTable,
    at: &impl Fn(usize, String) -> ConfigError,
) -> Result<RegistrySettings, ConfigError> {
    let start = table.url.span().start;
    let settings =
        RegistrySettings::new(table.url.get_ref()).map_err(|error| at(start, error.to_string()))?;
    let (credentials, start) = match (table.username, table.password, table.bearer) {
        (None, None, None) => (None, start),
        (Some(username), Some(password), None) => {
            let start = username.span().start;
            let (username, password) = (username.into_inner(), secret(password, at)?.0);
            (Some(Credentials::Basic { username, password }), start)
        }
        (None, None, Some(bearer)) => {
            let (token, start) = secret(bearer, at)?;
            (Some(Credentials::Bearer(token)), start)
        }
        _ => return Err(at(start, "write username and password, or bearer, or none of them".to_owned())),
    };
    let settings = settings.with_credentials(credentials).map_err(|error| at(start, error.to_string()))?;
    let Some(ca) = table.ca else { return Ok(settings) };
    let (start, path) = (ca.span().start, ca.into_inner());
    let told = |problem: String| at(start, format!("{} {problem}", path.display()));
    let pem = std::fs::read(&path).map_err(|error| told(format!("could not be read: {error}")))?;
    settings.with_ca(&pem).map_err(|error| told(format!("cannot be used: {error}")))
}
