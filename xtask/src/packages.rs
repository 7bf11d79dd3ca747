//! What cargo knows of every package in Cargo.lock.

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::workspace::{cargo, output_of};

#[derive(Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    pub(crate) resolve: Resolve,
}

#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) license: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Resolve {
    pub(crate) nodes: Vec<Node>,
}

/// A package's id, and those that it depends on in any way.
#[derive(Deserialize)]
pub(crate) struct Node {
    pub(crate) id: String,
    pub(crate) dependencies: Vec<String>,
}

pub(crate) fn metadata() -> Result<Metadata> {
    // All features: what is optional and not on by default is in Cargo.lock, and may be shipped.
    let mut command = cargo(&["metadata", "--all-features", "--format-version", "1"]);
    serde_json::from_str(&output_of("cargo metadata", &mut command)?).context("read cargo's metadata")
}
