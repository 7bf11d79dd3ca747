//! The browser's side as files: script, wasm, style, fonts, icons, as `cargo xtask build` wrote
//! them. Read once at start, so that a build that runs meanwhile never mixes two versions. Without
//! them pages are served plain, without script and style.

mod description;
#[cfg(not(feature = "embed"))]
mod disk;
#[cfg(feature = "embed")]
mod embed;
pub(crate) mod respond;
pub(crate) mod site;

use std::path::PathBuf;

pub use description::AssetsError;
pub use site::Assets;

impl Assets {
    /// From the directory that is named, or where a build puts it; compiled in with feature `embed`.
    pub fn find(named: Option<PathBuf>) -> Result<Self, AssetsError> {
        #[cfg(feature = "embed")]
        {
            let _ = named;
            embed::load()
        }
        #[cfg(not(feature = "embed"))]
        disk::load(named)
    }
}
