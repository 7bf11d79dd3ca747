//! A value that may be kept outside of the configuration.

use std::path::PathBuf;

use serde::Deserialize;

/// As it is, or from an environment variable or a file, so that the configuration need not
/// hold it. Never printed.
#[derive(Clone, Deserialize)]
#[serde(untagged, expecting = "a string, { env = \"NAME\" } or { file = \"PATH\" }")]
pub(super) enum Secret {
    Plain(String),
    Elsewhere(Elsewhere),
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum Elsewhere {
    Env(String),
    File(PathBuf),
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

impl Secret {
    pub(super) fn resolve(self) -> Result<String, String> {
        match self {
            Self::Plain(text) => Ok(text),
            Self::Elsewhere(Elsewhere::Env(name)) => {
                std::env::var(&name).map_err(|_| format!("the environment variable {name} is not set"))
            }
            Self::Elsewhere(Elsewhere::File(path)) => std::fs::read_to_string(&path)
                .map(|text| text.trim_end_matches(['\r', '\n']).to_owned())
                .map_err(|error| format!("{} could not be read: {error}", path.display())),
        }
    }
}
