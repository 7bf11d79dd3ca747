//! The images that the Dockerfile begins with, and the one that it makes. Without a registry: `debian:SUITE-slim` is made
//! by debootstrap from Debian's packages, and `rust:VERSION-SUITE` is that Debian with a C compiler, into which this
//! machine's Rust is mounted.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use flowdeck_broker::supervise;

use super::podman::Podman;
use crate::machine;
use crate::say;
use crate::workspace::{must, root, target_dir};

pub(super) const IMAGE: &str = "flowdeck";
const LIMIT: Duration = Duration::from_secs(15 * 60);
const BUILD_LIMIT: Duration = Duration::from_secs(60 * 60);

/// The tags of `FROM` in our Dockerfile, less the stages that it names itself.
pub(super) fn bases(dockerfile: &str) -> Vec<&str> {
    dockerfile.lines().filter_map(|line| line.strip_prefix("FROM ")?.split_whitespace().next()).collect()
}

pub(super) fn build(podman: &Podman) -> Result<()> {
    let dockerfile = fs::read_to_string(root().join("Dockerfile")).context("read the Dockerfile")?;
    // Before a minute is spent on an image that this machine cannot make.
    for base in bases(&dockerfile) {
        match base.split_once(':') {
            Some(("debian", _)) => {}
            Some(("rust", tag)) => is_our_rust(tag)?,
            _ => bail!("FROM {base}: no image of it can be made here"),
        }
    }
    for base in bases(&dockerfile) {
        match base.split_once(':') {
            Some((_, tag)) if base.starts_with("rust:") => rust(podman, base, suite(tag)?)?,
            Some((_, tag)) => debian(podman, base, suite(tag)?)?,
            None => {}
        }
    }
    say::step("container: building the image");
    let mut build = podman.build(IMAGE);
    for (dir, access) in [(rustup()?, "rw"), (cargo()?.join("bin"), "ro")] {
        let dir = dir.display();
        build.arg(format!("--volume={dir}:{dir}:{access}"));
    }
    must("the build of the image", build.arg("."), BUILD_LIMIT)
}

/// `bookworm` of `bookworm-slim` and `1.95-bookworm`.
fn suite(tag: &str) -> Result<&str> {
    let part = tag.split('-').find(|part| part.bytes().all(|byte| byte.is_ascii_lowercase()));
    part.with_context(|| format!("the tag {tag} names no Debian"))
}

fn is_our_rust(tag: &str) -> Result<()> {
    let version = tag.split('-').next().unwrap_or_default();
    let toolchain =
        fs::read_to_string(root().join("rust-toolchain.toml")).context("read rust-toolchain.toml")?;
    let same = toolchain.lines().any(|line| line.starts_with(&format!("channel = \"{version}.")));
    ensure!(same, "FROM rust:{tag} is of another Rust than rust-toolchain.toml names");
    Ok(())
}

fn debian(podman: &Podman, image: &str, suite: &str) -> Result<()> {
    if podman.has_image(image) {
        return Ok(());
    }
    ensure!(machine::debootstrap()?, "debootstrap is missing: install it");
    say::step(&format!("container: making {image} (once)"));
    let dir = target_dir("container")?.join("debootstrap");
    let _ = fs::remove_dir_all(&dir);
    let mut bootstrap = Command::new("debootstrap");
    bootstrap.args(["--variant=minbase", suite]).arg(&dir);
    let (status, said) = supervise::capture("debootstrap", &bootstrap, LIMIT)?;
    let last = said.lines().last().unwrap_or_default();
    ensure!(status.success(), "debootstrap could not make Debian {suite}: {last}");
    let archive = dir.with_extension("tar");
    let mut tar = Command::new("tar");
    must("tar", tar.arg("-C").arg(&dir).arg("-cf").arg(&archive).arg("."), LIMIT)?;
    must("podman import", podman.command().args(["import", "--quiet"]).arg(&archive).arg(image), LIMIT)?;
    fs::remove_file(&archive).context("remove the archive")?;
    fs::remove_dir_all(&dir).context("remove the directory of debootstrap")
}

/// Optimised code is not what is proven here, and it takes twice the time: the release profile is built without.
fn rust(podman: &Podman, image: &str, suite: &str) -> Result<()> {
    let base = format!("debian:{suite}-slim");
    debian(podman, &base, suite)?;
    if podman.has_image(image) {
        return Ok(());
    }
    say::step(&format!("container: making {image} (once)"));
    let dir = target_dir("container/rust")?;
    // What lets cargo reach the registry from here does so there, too.
    let certificates =
        std::env::var("SSL_CERT_FILE").unwrap_or_else(|_| "/etc/ssl/certs/ca-certificates.crt".to_owned());
    fs::copy(&certificates, dir.join("host.pem")).with_context(|| format!("copy {certificates}"))?;
    let rustup = rustup()?;
    let bin = cargo()?.join("bin");
    let file = format!(
        "FROM {base}\n\
         RUN apt-get update && apt-get install -y --no-install-recommends \
         ca-certificates gcc g++ libc6-dev make perl pkg-config && rm -rf /var/lib/apt/lists/*\n\
         COPY host.pem /etc/ssl/host.pem\n\
         ENV SSL_CERT_FILE=/etc/ssl/host.pem CARGO_HTTP_CAINFO=/etc/ssl/host.pem\n\
         ENV CARGO_HOME=/usr/local/cargo RUSTUP_HOME={}\n\
         ENV PATH={}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n\
         ENV CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=0\n",
        rustup.display(),
        bin.display(),
    );
    fs::write(dir.join("Dockerfile"), file).context("write the base image's Dockerfile")?;
    let (status, said) = supervise::capture("the base image", podman.build(image).arg(&dir), LIMIT)?;
    ensure!(status.success(), "{image} could not be made:\n{said}");
    Ok(())
}

/// Where this machine has its toolchains.
fn rustup() -> Result<PathBuf> {
    home_dir("RUSTUP_HOME", ".rustup")
}

fn cargo() -> Result<PathBuf> {
    home_dir("CARGO_HOME", ".cargo")
}

fn home_dir(variable: &str, name: &str) -> Result<PathBuf> {
    if let Some(dir) = std::env::var_os(variable) {
        return Ok(PathBuf::from(dir));
    }
    let home = std::env::var_os("HOME").context("HOME is not set")?;
    Ok(Path::new(&home).join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_dockerfile_starts_from_images_that_can_be_made_here() {
        let text = fs::read_to_string(root().join("Dockerfile")).unwrap();
        let bases = bases(&text);
        assert_eq!(bases, ["rust:1.95-bookworm", "debian:bookworm-slim"]);
        for base in bases {
            assert_eq!(suite(base.split_once(':').unwrap().1).unwrap(), "bookworm");
        }
        assert!(suite("1.95").is_err());
        assert!(is_our_rust("1.95-bookworm").is_ok() && is_our_rust("1.9-bookworm").is_err());
    }
}
