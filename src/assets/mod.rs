//! The browser's side as files: script, wasm, style, fonts, icons, as `cargo xtask build` wrote
//! them. Read once at start, so that a build that runs meanwhile never mixes two versions. Without
//! them pages are served plain, without script and style.

#[cfg(not(feature = "embed"))]
mod disk;
#[cfg(feature = "embed")]
mod embed;
mod respond;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;

pub(crate) use respond::{pkg, public};

#[derive(Debug, thiserror::Error)]
pub enum AssetsError {
    #[error("the site in {} could not be read", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{} is not what `cargo xtask build` writes", path.display())]
    Description { path: PathBuf, source: serde_json::Error },
}

/// `site.json`, beside the files.
#[derive(Deserialize)]
struct Description {
    /// The folder of the hashed files, such as `pkg/3f9c…`.
    pkg: String,
    build: String,
}

struct File {
    plain: Bytes,
    brotli: Option<Bytes>,
    mime: &'static str,
    /// Of the content, in quotes. `None` where the path has a content hash: it never changes.
    etag: Option<String>,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Assets(Arc<Site>);

struct Site {
    /// By path from the site's root, without a leading slash.
    files: HashMap<String, File>,
    /// Below the base path: `/pkg/3f9c…`.
    pkg: Option<String>,
    build: String,
}

impl Assets {
    /// No files: pages without script and style.
    pub fn none() -> Self {
        Self(Arc::new(Site { files: HashMap::new(), pkg: None, build: plain_build() }))
    }

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

    pub fn pkg(&self) -> Option<&str> {
        self.0.pkg.as_deref()
    }

    pub fn build(&self) -> &str {
        &self.0.build
    }

    fn new(description: Description, files: Vec<(String, Bytes)>) -> Self {
        let mut all: HashMap<String, File> = HashMap::new();
        let mut squeezed: HashMap<String, Bytes> = HashMap::new();
        for (path, bytes) in files {
            if let Some(plain) = path.strip_suffix(".br") {
                squeezed.insert(plain.to_owned(), bytes);
                continue;
            }
            let etag = (!path.starts_with("pkg/")).then(|| etag(&bytes));
            let file = File { etag, mime: mime(&path), plain: bytes, brotli: None };
            all.insert(path, file);
        }
        for (path, bytes) in squeezed {
            if let Some(file) = all.get_mut(&path) {
                file.brotli = Some(bytes);
            }
        }
        let pkg = format!("/{}", description.pkg.trim_matches('/'));
        Self(Arc::new(Site { files: all, pkg: Some(pkg), build: description.build }))
    }
}

fn plain_build() -> String {
    concat!(env!("CARGO_PKG_VERSION"), "-plain").to_owned()
}

fn etag(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    let hash = sha2::Sha256::digest(bytes);
    let hex: String = hash.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}

fn mime(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("wasm") => "application/wasm",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("json" | "webmanifest") => "application/json",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
