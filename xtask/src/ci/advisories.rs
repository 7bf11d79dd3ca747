//! RustSec's advisories, from a checkout that is already here: CI downloads no database.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::say;
use crate::workspace::{cargo, must, root, target};

/// Names a checkout of RustSec's advisory-db.
const DB: &str = "FLOWDECK_ADVISORY_DB";
const VERSION: &str = "0.22.2";
const LIMIT: Duration = Duration::from_secs(15 * 60);

pub(super) fn check() -> Result<()> {
    let Some(db) = std::env::var_os(DB).map(PathBuf::from) else {
        println!("advisories: not checked ({DB} names no checkout of RustSec's advisory-db)");
        return Ok(());
    };
    ensure!(db.is_dir(), "{DB} names {}, which is no directory", db.display());
    let db = db.canonicalize().with_context(|| format!("find {}", db.display()))?;
    let mut audit = Command::new(cargo_audit()?);
    audit.args(["audit", "--no-fetch", "--stale", "--db"]).arg(db).current_dir(root());
    must("cargo audit", &audit, LIMIT)
}

/// The one on the path, else one of our own under target.
fn cargo_audit() -> Result<PathBuf> {
    if Command::new("cargo-audit").arg("--version").output().is_ok_and(|output| output.status.success()) {
        return Ok(PathBuf::from("cargo-audit"));
    }
    let tools = target().join("tools");
    let own = tools.join("bin/cargo-audit");
    if !own.is_file() {
        say::step("installing cargo-audit into target/tools");
        let mut install = cargo(&["install", "cargo-audit", "--version", VERSION, "--root"]);
        must("the installation of cargo-audit", install.arg(&tools), LIMIT)?;
    }
    Ok(own)
}
