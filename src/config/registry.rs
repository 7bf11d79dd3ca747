//! `[clusters.NAME.schema_registry]`: where the schemas of a cluster's records are.

use std::path::PathBuf;

use flowdeck_registry::{Credentials, RegistrySettings};
use serde::Deserialize;
use toml::Spanned;

use super::error::ConfigError;
use super::file::{Value, certificates, secret};

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
    match table.ca {
        Some(ca) => certificates(ca, at, |pem| settings.with_ca(pem)),
        None => Ok(settings),
    }
}
