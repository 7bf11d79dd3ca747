//! A root directory of a container: files below that stay as they are, and what steps change above them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::dockerfile::Setting;

const MOUNT: &str = include_str!("mount.sh");
/// As Docker sets it where an image does not.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

#[derive(Clone)]
pub(super) struct Root {
    lower: PathBuf,
    dir: PathBuf,
}

/// FROM on this machine, TO in the root.
pub(super) type Mount = (PathBuf, String);

impl Root {
    /// In `dir`, of which nothing is kept.
    pub(super) fn fresh(lower: &Path, dir: &Path) -> Result<Self> {
        let named = || format!("make {} new", dir.display());
        if dir.exists() {
            fs::remove_dir_all(dir).with_context(named)?;
        }
        for part in ["upper", "work", "root"] {
            fs::create_dir_all(dir.join(part)).with_context(named)?;
        }
        Ok(Self::at(lower, dir))
    }

    /// One that was made before.
    pub(super) fn at(lower: &Path, dir: &Path) -> Self {
        Self { lower: lower.to_path_buf(), dir: dir.to_path_buf() }
    }

    /// The files below.
    pub(super) fn lower(&self) -> &Path {
        &self.lower
    }

    /// Where to write a path of the root while nothing is mounted.
    pub(super) fn above(&self, path: &Path) -> PathBuf {
        self.dir.join("upper").join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Where to read a path of the root while nothing is mounted.
    pub(super) fn find(&self, path: &Path) -> PathBuf {
        let above = self.above(path);
        if above.exists() { above } else { self.lower.join(path.strip_prefix("/").unwrap_or(path)) }
    }

    /// Where it is mounted.
    pub(super) fn mounted(&self) -> PathBuf {
        self.dir.join("root")
    }

    /// The words run in the root, in namespaces of their own: no process and no mount is left after them.
    pub(super) fn run(&self, mounts: &[Mount], words: &[String]) -> Command {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--pid", "--fork", "--kill-child", "sh", "-c", MOUNT, "mount"]);
        self.arguments(&mut command, "rw", mounts);
        command.args(words);
        command
    }

    /// Mounts it in our own namespace, read-only.
    pub(super) fn mount(&self, mounts: &[Mount]) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", MOUNT, "mount"]);
        self.arguments(&mut command, "ro", mounts);
        command
    }

    fn arguments(&self, command: &mut Command, access: &str, mounts: &[Mount]) {
        command.arg(&self.lower).arg(&self.dir).arg(access).arg(mounts.len().to_string());
        for (from, to) in mounts {
            command.arg(from).arg(to);
        }
    }

    /// The words with environment, directory and user of a setting, and with nothing else: what Docker does with
    /// USER, and what `cap_drop: [ALL]` and `no-new-privileges` add to it.
    pub(super) fn words(&self, setting: &Setting, words: &[String]) -> Result<Vec<String>> {
        let mut all: Vec<String> = Vec::new();
        if setting.user != "0" && setting.user != "root" {
            let group = self.group(&setting.user)?;
            all.extend(["setpriv", "--reuid", &setting.user, "--regid", &group].map(str::to_owned));
            all.extend(["--clear-groups", "--no-new-privs", "--bounding-set=-all"].map(str::to_owned));
        }
        all.extend(["/usr/bin/env", "-i", "-C", &setting.workdir].map(str::to_owned));
        if !setting.variables.contains_key("PATH") {
            all.push(format!("PATH={PATH}"));
        }
        all.extend(setting.variables.iter().map(|(name, value)| format!("{name}={value}")));
        all.extend_from_slice(words);
        Ok(all)
    }

    /// The group of a user by number, as the root's own /etc/passwd has it; else 0, as with Docker.
    fn group(&self, user: &str) -> Result<String> {
        let text =
            fs::read_to_string(self.find(Path::new("/etc/passwd"))).context("read the image's users")?;
        let of = |line: &str| {
            let fields: Vec<&str> = line.split(':').collect();
            (fields.get(2) == Some(&user)).then(|| fields.get(3).map(|group| (*group).to_owned())).flatten()
        };
        Ok(text.lines().find_map(of).unwrap_or_else(|| "0".to_owned()))
    }
}
