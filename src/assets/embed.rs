//! The site compiled into the program: one self-contained binary. The folder must be there when
//! this is compiled; `build.rs` says so where it is not.

use std::borrow::Cow;
use std::path::PathBuf;

use bytes::Bytes;
use rust_embed::RustEmbed;

use super::description::{AssetsError, Description};
use super::site::Assets;

#[derive(RustEmbed)]
#[folder = "target/site/release"]
struct Embedded;

pub(super) fn load() -> Result<Assets, AssetsError> {
    let path = PathBuf::from("site.json (compiled in)");
    let text = Embedded::get("site.json").map(|file| file.data).unwrap_or_default();
    let parsed: Description =
        serde_json::from_slice(&text).map_err(|source| AssetsError::Description { path, source })?;
    let files = Embedded::iter().filter(|name| name != "site.json").filter_map(|name| {
        let bytes = match Embedded::get(&name)?.data {
            Cow::Borrowed(bytes) => Bytes::from_static(bytes),
            Cow::Owned(bytes) => Bytes::from(bytes),
        };
        Some((name.into_owned(), bytes))
    });
    Ok(Assets::new(parsed, files.collect()))
}
