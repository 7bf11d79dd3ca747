//! The images that stages begin with, without a registry of images: `debian:SUITE-slim` is made by debootstrap from
//! Debian's packages; `rust:VERSION-SUITE` is this machine, below a layer that takes every change, where it has that
//! Rust on that Debian.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use flowdeck_broker::supervise;

use crate::machine;
use crate::say;
use crate::workspace::root;

const LIMIT: Duration = Duration::from_secs(15 * 60);

pub(super) struct Base {
    pub(super) lower: PathBuf,
    pub(super) variables: BTreeMap<String, String>,
}

enum Known<'a> {
    Debian { suite: &'a str },
    Rust { version: &'a str, suite: &'a str },
}

fn known(image: &str) -> Result<Known<'_>> {
    let known = match image.split_once(':') {
        Some(("debian", tag)) => tag.strip_suffix("-slim").map(|suite| Known::Debian { suite }),
        Some(("rust", tag)) => tag.split_once('-').map(|(version, suite)| Known::Rust { version, suite }),
        _ => None,
    };
    known.with_context(|| format!("FROM {image}: nothing here can stand for it"))
}

/// That it is an image of a kind that is known, and of the Rust that builds the rest.
pub(super) fn is_ours(image: &str) -> Result<()> {
    let Known::Rust { version, .. } = known(image)? else { return Ok(()) };
    let toolchain =
        fs::read_to_string(root().join("rust-toolchain.toml")).context("read rust-toolchain.toml")?;
    let same = toolchain.lines().any(|line| line.starts_with(&format!("channel = \"{version}.")));
    ensure!(same, "FROM {image} is of another Rust than rust-toolchain.toml names");
    Ok(())
}

/// Why this machine cannot, before a step is run. A Debian is made here: that takes one of its mirrors.
pub(super) fn can_stand_for(image: &str, work: &Path) -> Result<()> {
    match known(image)? {
        Known::Debian { suite } => {
            ensure!(machine::may_have_debootstrap(), "debootstrap is missing, and no apt-get to install it");
            debian(suite, work).map(drop)
        }
        Known::Rust { version, suite } => this_machine(version, suite),
    }
}

/// `work`: where what is made is kept.
pub(super) fn base(image: &str, work: &Path) -> Result<Base> {
    match known(image)? {
        Known::Debian { suite } => Ok(Base { lower: debian(suite, work)?, variables: BTreeMap::new() }),
        Known::Rust { version, suite } => {
            this_machine(version, suite)?;
            Ok(Base { lower: PathBuf::from("/"), variables: variables() })
        }
    }
}

fn debian(suite: &str, work: &Path) -> Result<PathBuf> {
    let dir = work.join(format!("debian-{suite}"));
    if dir.is_dir() {
        return Ok(dir);
    }
    ensure!(machine::debootstrap()?, "debootstrap is missing: install it");
    say::step(&format!("making a Debian {suite} (once)"));
    let making = work.join(".making");
    if making.exists() {
        fs::remove_dir_all(&making).with_context(|| format!("remove {}", making.display()))?;
    }
    let mut command = Command::new("debootstrap");
    command.args(["--variant=minbase", suite]).arg(&making);
    let (status, said) = supervise::capture("debootstrap", &command, LIMIT)?;
    let last = said.lines().last().unwrap_or_default();
    ensure!(status.success(), "debootstrap could not make Debian {suite}: {last}");
    fs::rename(&making, &dir).with_context(|| format!("move the Debian to {}", dir.display()))?;
    Ok(dir)
}

fn this_machine(version: &str, suite: &str) -> Result<()> {
    let rustc = Command::new("rustc").arg("--version").output().context("ask rustc for its version")?;
    let said = String::from_utf8_lossy(&rustc.stdout).into_owned();
    let same = said.split_whitespace().nth(1).is_some_and(|ours| ours.starts_with(&format!("{version}.")));
    ensure!(same, "the image has Rust {version}, this machine {}", said.trim());
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    ensure!(
        release.lines().any(|line| line == format!("VERSION_CODENAME={suite}")),
        "the image is of Debian {suite}, and this machine is not"
    );
    Ok(())
}

/// As in the image, where cargo keeps its things in /usr/local/cargo; the toolchain is this machine's. What leads to
/// the network here leads there, too.
fn variables() -> BTreeMap<String, String> {
    let kept = |name: &str| {
        let name = name.to_ascii_lowercase();
        ["http_proxy", "https_proxy", "no_proxy", "all_proxy", "path", "home"].contains(&name.as_str())
            || [
                "ssl_cert_",
                "cargo_http_",
                "cargo_net_",
                "cargo_registries_",
                "cargo_source_",
                "rustup_dist_",
            ]
            .iter()
            .any(|start| name.starts_with(start))
    };
    let mut variables: BTreeMap<String, String> = std::env::vars().filter(|(name, _)| kept(name)).collect();
    let home = variables.get("HOME").cloned().unwrap_or_else(|| "/root".to_owned());
    let rustup = std::env::var("RUSTUP_HOME").unwrap_or_else(|_| format!("{home}/.rustup"));
    variables.insert("RUSTUP_HOME".to_owned(), rustup);
    variables.insert("CARGO_HOME".to_owned(), "/usr/local/cargo".to_owned());
    variables
}
