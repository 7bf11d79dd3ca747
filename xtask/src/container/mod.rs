//! `cargo xtask container`: the Dockerfile built and run by podman, without Docker and without a registry of images;
//! then what it made is run as compose.yaml says, and proven: see `inside.rs`.

mod compose;
mod images;
mod inside;
mod podman;
mod visit;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::machine::{self, Need};
use crate::say;
use crate::sbom::{self, Linked};
use crate::workspace::{must, root, target_dir};
use compose::Compose;
use images::IMAGE;
use inside::Proof;
use podman::Podman;

const LIMIT: Duration = Duration::from_secs(60);
const PROOF_LIMIT: Duration = Duration::from_secs(10 * 60);
/// Where the image has the server.
const PROGRAM: &str = "/usr/local/bin/flowdeck";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The part that has a network of its own; started by the command itself
    #[arg(long, hide = true)]
    inside: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    if args.inside {
        return prove();
    }
    match possible() {
        Ok(()) => build_and_prove(),
        // In CI a machine that cannot is no failure; a person who asks wants to know.
        Err(why) if std::env::var_os("CI").is_some() => {
            println!("container: not checked ({why:#})");
            Ok(())
        }
        Err(why) => Err(why),
    }
}

/// Why this machine cannot, before anything is done.
pub(crate) fn possible() -> Result<()> {
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "--net", "--pid", "--fork", "mount", "-t", "tmpfs", "none", "/mnt"]);
    let unshared = unshare.stdout(Stdio::null()).stderr(Stdio::null()).status();
    let namespaces = unshared.is_ok_and(|status| status.success());
    ensure!(machine::is_root() && namespaces, "it takes root and namespaces, by unshare");
    ensure!(
        machine::may_have("podman") && machine::may_have("debootstrap"),
        "it takes podman and debootstrap"
    );
    Ok(())
}

fn build_and_prove() -> Result<()> {
    machine::check(&[Need::Kafka])?;
    let ourselves = copy_of_ourselves()?;
    let podman = Podman::find()?;
    say::timed("image", || images::build(&podman))?;
    let binary = extract(&podman)?;
    let bytes = fs::read(&binary).with_context(|| format!("read {}", binary.display()))?;
    say::step(&format!("container: the binary has {:.1} MB", bytes.len() as f64 / 1e6));
    ensure!(!has_symbols(&bytes), "the release binary is not stripped: it has a .symtab");
    let (named, missing) = sbom::unlisted(&bytes, &Linked::ask()?);
    ensure!(named > 50, "the binary names {named} crates only: is it stripped of them?");
    ensure!(missing.is_empty(), "in the binary and not in the SBOM: {missing:?}");
    say::step(&format!("container: the {named} crates that the binary names are in the SBOM"));

    let mut inner = Command::new("unshare");
    inner.args(["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    inner.arg(ourselves).args(["container", "--inside"]);
    say::timed("proof", || must("the container", inner.current_dir(root()), PROOF_LIMIT))?;
    println!("{}", say::phases());
    Ok(())
}

/// The image takes long, and a build beside it, as CI's tests are, replaces the binary that runs.
fn copy_of_ourselves() -> Result<PathBuf> {
    let ourselves = std::env::current_exe().context("find ourselves")?;
    let copy = target_dir("container")?.join("xtask");
    fs::copy(&ourselves, &copy).with_context(|| format!("copy {}", ourselves.display()))?;
    Ok(copy)
}

fn binary_path() -> Result<PathBuf> {
    Ok(target_dir("container")?.join("flowdeck"))
}

/// The image's binary, on this machine.
fn extract(podman: &Podman) -> Result<PathBuf> {
    let path = binary_path()?;
    let mut create = podman.command();
    must("podman create", create.args(["create", "--quiet", "--replace", "--name=extract", IMAGE]), LIMIT)?;
    let mut copy = podman.command();
    must("podman cp", copy.arg("cp").arg(format!("extract:{PROGRAM}")).arg(&path), LIMIT)?;
    must("podman rm", podman.command().args(["rm", "extract"]), LIMIT)?;
    Ok(path)
}

/// Whether an ELF file has a table of symbols: the names of its sections say so.
fn has_symbols(binary: &[u8]) -> bool {
    const NAME: &[u8] = b"\0.symtab\0";
    binary.windows(NAME.len()).any(|part| part == NAME)
}

/// In namespaces of our own.
fn prove() -> Result<()> {
    let dir = target_dir("container/proof")?;
    Proof { podman: Podman::find()?, compose: Compose::read()?, dir, binary: binary_path()? }.run()
}

#[cfg(test)]
mod tests {
    #[test]
    fn symbols_are_found_by_their_sections_name() {
        assert!(super::has_symbols(b"\x7fELF\0.text\0.symtab\0.strtab\0"));
        assert!(!super::has_symbols(b"\x7fELF\0.text\0.dynsym\0.shstrtab\0"));
    }
}
