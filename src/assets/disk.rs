//! The site as a directory, read at start.

use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::description::{AssetsError, Description};
use super::site::Assets;

/// Where a debug build puts it, from the workspace's root.
const USUAL: &str = "target/site/debug";

/// A directory that was named must be there; the usual one may be absent.
pub(super) fn load(named: Option<PathBuf>) -> Result<Assets, AssetsError> {
    let root = named.clone().unwrap_or_else(|| PathBuf::from(USUAL));
    let description = root.join("site.json");
    if named.is_none() && !description.is_file() {
        return Ok(Assets::none());
    }
    let read = |path: &Path| {
        std::fs::read(path).map_err(|source| AssetsError::Read { path: path.to_owned(), source })
    };
    let text = read(&description)?;
    let parsed: Description = serde_json::from_slice(&text)
        .map_err(|source| AssetsError::Description { path: description.clone(), source })?;
    let mut files = vec![];
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder)
            .map_err(|source| AssetsError::Read { path: folder.clone(), source })?;
        for entry in entries {
            let path = entry.map_err(|source| AssetsError::Read { path: folder.clone(), source })?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let Ok(below) = path.strip_prefix(&root) else { continue };
            let Some(name) = below.to_str() else { continue };
            if wanted(name, &parsed) {
                files.push((name.to_owned(), Bytes::from(read(&path)?)));
            }
        }
    }
    Ok(Assets::new(parsed, files))
}

/// Files of older builds may lie beside the newest.
fn wanted(name: &str, description: &Description) -> bool {
    let current = format!("{}/", description.pkg.trim_matches('/'));
    name != "site.json" && (!name.starts_with("pkg/") || name.starts_with(&current))
}
