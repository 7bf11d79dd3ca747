//! `cargo xtask container`: the image without Docker. The Dockerfile's own steps are run, each in a root directory of
//! its own; then what they made is run as compose.yaml says, and proven: see `inside.rs`.

mod base;
mod compose;
mod context;
mod dockerfile;
mod inside;
mod root;
mod stages;
mod visit;

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::machine::{self, Need};
use crate::say;
use crate::sbom::{self, Linked};
use crate::workspace::{must, root, target_dir};
use compose::Compose;
use dockerfile::Stage;
use inside::Container;
use root::Root;

const PROOF_LIMIT: Duration = Duration::from_secs(10 * 60);

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The part that has a network of its own; started by the command itself, with FROM's files
    #[arg(long, hide = true)]
    inside: Option<std::path::PathBuf>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    match &args.inside {
        Some(lower) => prove(lower),
        None => {
            let stages = stages()?;
            may(&stages)?;
            build_and_prove(stages)
        }
    }
}

/// As a gate: on a machine that cannot, that is said, and is no failure.
pub(crate) fn check() -> Result<()> {
    let stages = stages()?;
    if let Err(why) = may(&stages) {
        println!("container: not checked ({why:#})");
        return Ok(());
    }
    build_and_prove(stages)
}

/// The Dockerfile, and that something can stand for each image that it begins with.
fn stages() -> Result<Vec<Stage>> {
    let text = fs::read_to_string(root().join("Dockerfile")).context("read the Dockerfile")?;
    let stages = dockerfile::parse(&text)?;
    stages.iter().try_for_each(|stage| base::is_ours(&stage.base))?;
    Ok(stages)
}

/// Why this machine cannot, before a step is run.
fn may(stages: &[Stage]) -> Result<()> {
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "--net", "--pid", "--fork", "mount", "-t", "tmpfs", "none", "/mnt"]);
    let unshared = unshare.stdout(Stdio::null()).stderr(Stdio::null()).status();
    let namespaces = unshared.is_ok_and(|status| status.success());
    ensure!(machine::is_root() && namespaces, "it takes root and namespaces, by unshare");
    let work = target_dir("container")?;
    stages.iter().try_for_each(|stage| base::can_stand_for(&stage.base, &work))
}

fn build_and_prove(stages: Vec<Stage>) -> Result<()> {
    machine::check(&[Need::Kafka])?;
    let work = target_dir("container")?;
    let image = stages::build(stages, &work)?;
    let binary = inside::binary(&image)?;
    say::step(&format!("container: the binary has {:.1} MB", binary.len() as f64 / 1e6));
    ensure!(!has_symbols(&binary), "the release binary is not stripped: it has a .symtab");
    let (named, missing) = sbom::unlisted(&binary, &Linked::ask()?);
    ensure!(named > 50, "the binary names {named} crates only: is it stripped of them?");
    ensure!(missing.is_empty(), "in the binary and not in the SBOM: {missing:?}");
    say::step(&format!("container: the {named} crates that the binary names are in the SBOM"));

    let mut inner = Command::new("unshare");
    inner.args(["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    inner.arg(std::env::current_exe().context("find ourselves")?).args(["container", "--inside"]);
    must("the container", inner.arg(image.lower()).current_dir(root()), PROOF_LIMIT)
}

/// Whether an ELF file has a table of symbols: the names of its sections say so.
fn has_symbols(binary: &[u8]) -> bool {
    const NAME: &[u8] = b"\0.symtab\0";
    binary.windows(NAME.len()).any(|part| part == NAME)
}

/// In namespaces of our own.
fn prove(lower: &std::path::Path) -> Result<()> {
    let stages = stages()?;
    let work = target_dir("container")?;
    let number = stages.len() - 1;
    let image = stages.into_iter().next_back().context("the Dockerfile has no stage")?.image;
    let root = Root::at(lower, &work.join(format!("stage-{number}")));
    Container { root, image, compose: Compose::read()?, dir: target_dir("container/run")? }.prove()
}

#[cfg(test)]
mod tests {
    #[test]
    fn symbols_are_found_by_their_sections_name() {
        assert!(super::has_symbols(b"\x7fELF\0.text\0.symtab\0.strtab\0"));
        assert!(!super::has_symbols(b"\x7fELF\0.text\0.dynsym\0.shstrtab\0"));
    }
}
