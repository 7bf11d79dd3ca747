//! podman, with all that it keeps under target/container: images and containers of this checkout alone.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::machine;
use crate::workspace::{output_of, root, target_dir};

/// What a container may have: the runtime's own defaults are more than a machine without CAP_SYS_RESOURCE grants.
const LIMITS: [&str; 2] = ["--ulimit=nofile=4096:4096", "--ulimit=nproc=4096:4096"];

pub(super) struct Podman {
    dir: PathBuf,
}

impl Podman {
    /// Installs it where that is possible.
    pub(super) fn find() -> Result<Self> {
        ensure!(machine::podman()?, "podman and runc are missing: install them");
        Ok(Self { dir: target_dir("container")? })
    }

    /// Its mounts end with the command.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new("unshare");
        command.args(["--mount", "podman"]).current_dir(root());
        for (name, dir) in [("--root", "storage"), ("--runroot", "run"), ("--tmpdir", "tmp")] {
            command.arg(name).arg(self.dir.join(dir));
        }
        // Nothing here needs systemd; runc works with either version of cgroups, and with both at once.
        command.args(["--cgroup-manager=cgroupfs", "--runtime=runc", "--events-backend=file"]);
        // Where the caches of `RUN --mount=type=cache` are kept.
        command.env("TMPDIR", &self.dir).env("DISABLE_HC_SYSTEMD", "true");
        command
    }

    /// With the chroot isolation of buildah, since a build needs the network and no walls; HEALTHCHECK is of
    /// Docker's format alone. No registry is asked.
    pub(super) fn build(&self, tag: &str) -> Command {
        let inner = self.command();
        // Other work of this machine goes first: CI builds the image while its tests wait.
        let mut command = Command::new("nice");
        command.args(["-n", "19"]).arg(inner.get_program()).args(inner.get_args());
        command.current_dir(root()).env("TMPDIR", &self.dir);
        command.args(["build", "--isolation=chroot", "--format=docker", "--pull-never", "--layers=false"]);
        command.args(["--tag", tag]);
        command
    }

    /// As compose.yaml runs it: read-only, without capabilities; in the network of whoever runs it.
    pub(super) fn run(&self) -> Command {
        let mut command = self.command();
        command.args(["run", "--pull=never", "--network=host", "--read-only", "--read-only-tmpfs=false"]);
        command
            .args(["--cap-drop=ALL", "--security-opt=no-new-privileges", "--log-driver=none"])
            .args(LIMITS);
        command
    }

    pub(super) fn has_image(&self, tag: &str) -> bool {
        let exists = self.command().args(["image", "exists", tag]).status();
        exists.is_ok_and(|status| status.success())
    }

    /// What podman prints of a thing, by a template.
    pub(super) fn inspect(&self, kind: &str, name: &str, template: &str) -> Result<String> {
        let mut command = self.command();
        let text = output_of("podman inspect", command.args([kind, "inspect", "--format", template, name]))?;
        Ok(text.trim().to_owned())
    }
}

/// Runs a command to its end, within a limit.
pub(super) fn output(command: &Command, limit: Duration) -> Result<Output> {
    let mut limited = Command::new("timeout");
    limited.arg(limit.as_secs().to_string()).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        limited.env(name, value.unwrap_or_default());
    }
    limited.stdin(Stdio::null()).output().context("run podman")
}
