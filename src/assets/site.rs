//! The files of the site in memory, by path.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use super::description::Description;

pub(super) struct File {
    pub(super) plain: Bytes,
    pub(super) brotli: Option<Bytes>,
    pub(super) mime: &'static str,
    /// Of the content, in quotes. `None` where the path has a content hash: it never changes.
    pub(super) etag: Option<String>,
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

    pub fn pkg(&self) -> Option<&str> {
        self.0.pkg.as_deref()
    }

    pub fn build(&self) -> &str {
        &self.0.build
    }

    /// A file of the site by its path.
    pub(super) fn file(&self, path: &str) -> Option<&File> {
        self.0.files.get(path)
    }

    pub(super) fn new(description: Description, files: Vec<(String, Bytes)>) -> Self {
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
