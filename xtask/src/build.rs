//! Building the programs: `run`, `build --release`, and what demo and tests need.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use flowdeck_broker::supervise;

use crate::machine::{self, Machine, Need};
use crate::say;
use crate::site::{self, Profile, Site, WASM_LIMIT};
use crate::workspace::{cargo, must, target};

const LIMIT: Duration = Duration::from_secs(60 * 60);
/// A server that a person runs has no limit of ours.
const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 3600);

#[derive(clap::Args)]
pub(crate) struct RunArgs {
    /// For the server: `cargo xtask run -- serve --help`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

#[derive(clap::Args)]
pub(crate) struct BuildArgs {
    /// The only kind: a debug build serves its files from target/site, see `run`
    #[arg(long, required = true)]
    release: bool,
}

/// The programs of a debug build.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    pub(crate) server: PathBuf,
    pub(crate) fleets: PathBuf,
}

/// The server and the fleet, with the features that the whole workspace agrees on: so the demo, the tests and
/// the browser tests share every dependency that was built once, librdkafka before all.
pub(crate) fn programs(machine: &Machine) -> Result<Programs> {
    say::step("building the server and the services (a first build takes minutes)");
    let args =
        ["build", "--workspace", "--exclude", "frontend", "--bin", "flowdeck", "--bin", "flowdeck-fleets"];
    must("the build", cargo(&args).args(machine.features()), LIMIT)?;
    let dir = target().join("debug");
    Ok(Programs { server: dir.join("flowdeck"), fleets: dir.join("flowdeck-fleets") })
}

pub(crate) fn run(args: &RunArgs) -> Result<ExitCode> {
    let machine = machine::check(&[Need::Wasm, Need::Native])?;
    let site = site::build(Profile::Debug)?;
    let programs = programs(&machine)?;
    let mut server = Command::new(&programs.server);
    match args.args.is_empty() {
        true => server.arg("serve"),
        false => server.args(&args.args),
    };
    let status = supervise::run("the server", serves(&mut server, &site), FOR_EVER)?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Tells a server where its pages are.
pub(crate) fn serves<'a>(server: &'a mut Command, site: &Site) -> &'a mut Command {
    server.env("FLOWDECK_SITE", &site.dir)
}

pub(crate) fn build(args: &BuildArgs) -> Result<()> {
    if !args.release {
        bail!("say `build --release`");
    }
    let (binary, site) = release()?;
    wasm_is_small(&site)?;
    let size = fs::metadata(&binary).with_context(|| format!("measure {}", binary.display()))?.len();
    println!("{}", binary.display());
    println!(
        "{:.1} MB with all assets; its wasm travels as {} KB",
        size as f64 / 1e6,
        site.wasm_brotli()? / 1024
    );
    Ok(())
}

/// Fails where the pages' wasm outgrew its limit.
pub(crate) fn wasm_is_small(site: &Site) -> Result<()> {
    let size = site.wasm_brotli()?;
    ensure!(
        size <= WASM_LIMIT,
        "the wasm grew: {size} bytes as brotli-11, over the {WASM_LIMIT} that it may have"
    );
    Ok(())
}

/// The self-contained binary, and the site within it.
pub(crate) fn release() -> Result<(PathBuf, Site)> {
    let machine = machine::check(&[Need::Wasm, Need::Native])?;
    let site = site::build(Profile::Release)?;
    say::step("building the server (release)");
    let features = if machine.vendored_ssl { "embed,ssl-vendored" } else { "embed" };
    must(
        "the release build",
        &cargo(&["build", "--release", "--package", "flowdeck", "--features", features]),
        LIMIT,
    )?;
    Ok((target().join("release/flowdeck"), site))
}
