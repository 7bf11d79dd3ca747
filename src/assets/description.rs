//! `site.json`: what a build says of itself.

use std::path::PathBuf;

use serde::Deserialize;

#[derive(Debug, thiserror::Error)]
pub enum AssetsError {
    #[error("the site in {} could not be read", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{} is not what `cargo xtask build` writes", path.display())]
    Description { path: PathBuf, source: serde_json::Error },
}

#[derive(Deserialize)]
pub(super) struct Description {
    /// The folder of the hashed files, such as `pkg/3f9c…`.
    pub(super) pkg: String,
    pub(super) build: String,
}
