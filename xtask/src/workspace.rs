//! Where things are in this checkout, and how cargo is called in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use flowdeck_broker::{port, supervise};
use std::time::Duration;

/// The root of the checkout that this xtask was built from.
pub(crate) fn root() -> &'static Path {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest)
}

pub(crate) fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root().join(dir),
        None => root().join("target"),
    }
}

/// A directory under `target`, created.
pub(crate) fn target_dir(name: &str) -> Result<PathBuf> {
    let dir = target().join(name);
    fs::create_dir_all(&dir).with_context(|| format!("create {}", dir.display()))?;
    Ok(dir)
}

/// A command of cargo that builds or reads packages, with the lock file as it is. (A manifest that was edited
/// has changed it by now: `cargo xtask` itself is such a command, and CI and the image lock that one, too.)
pub(crate) fn cargo(args: &[&str]) -> Command {
    let (subcommand, rest) = args.split_at(1);
    let mut command = cargo_tool(subcommand);
    command.arg("--locked").args(rest);
    command
}

/// cargo, in the root, by the toolchain that runs us, and as if called by hand.
pub(crate) fn cargo_tool(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    as_by_hand(command.args(args));
    command
}

/// In the root, and without what `cargo run` tells us of ourselves: it makes build scripts run again that look at
/// it (ring's, and with it the server's link).
pub(crate) fn as_by_hand(command: &mut Command) -> &mut Command {
    command.current_dir(root());
    for (name, _) in std::env::vars_os() {
        let ours = name.to_str().is_some_and(|name| {
            ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|prefix| name.starts_with(prefix))
        });
        if ours {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a command that prints for itself; an end other than success is an error that says `what` failed.
pub(crate) fn must(what: &str, command: &Command, limit: Duration) -> Result<()> {
    let status = supervise::run(what, command, limit)?;
    if !status.success() {
        bail!("{what} failed ({status}): see its lines above");
    }
    Ok(())
}

/// What a command prints; an end other than success is an error with what it said.
pub(crate) fn output_of(what: &str, command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("run {what}"))?;
    if !output.status.success() {
        bail!("{what}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("read what {what} prints"))
}

/// An error in one line where the port is taken, with the flag that chooses another.
pub(crate) fn port_must_be_free(number: u16) -> Result<()> {
    if !port::is_free(number) {
        bail!("port {number} is taken: choose another with --port");
    }
    Ok(())
}
