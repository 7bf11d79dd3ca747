//! `cargo xtask ci`: every gate of a change but the tests and the image, which are commands of their own (`.ci/run`
//! runs all three). A gate that fails does not hide the next one.

mod api;
mod crates;
mod npm;
mod terms;

use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Result, ensure};
use flowdeck_broker::stop;

use crate::machine::{self, Machine, Need};
use crate::site::{self, Profile};
use crate::workspace::{cargo, cargo_tool, must};
use crate::{build, container, say};

const LIMIT: Duration = Duration::from_secs(30 * 60);
/// They replace what is in .cargo/config.toml.
const RUSTDOC_FLAGS: &str = "--cfg erase_components";

/// One gate: what it is called, and what it does.
type Gate<'a> = (&'static str, &'a dyn Fn() -> Result<()>);

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only the gates whose name holds this
    #[arg(long)]
    gate: Option<String>,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let chosen = |name: &str| args.gate.as_deref().is_none_or(|part| name.contains(part));
    let machine = machine::check(&[Need::Wasm, Need::Native, Need::Kafka, Need::Browser])?;
    let gates: &[Gate<'_>] = &[
        ("format", &format),
        ("terms", &terms::check),
        ("crates", &crates::check),
        ("advisories", &crates::advisories),
        ("npm audit", &npm::check),
        ("clippy, host", &|| clippy_host(&machine)),
        ("clippy, wasm", &clippy_wasm),
        ("documentation", &|| docs(&machine)),
        ("api", &|| api::check(&machine)),
        ("package", &package),
        ("size of the wasm", &wasm_size),
    ];
    ensure!(gates.iter().any(|(name, _)| chosen(name)), "no gate's name holds {:?}", args.gate);
    let mut failed = Vec::new();
    for (name, gate) in gates.iter().filter(|(name, _)| chosen(name)) {
        say::step(&format!("gate: {name}"));
        let result = say::timed(name, gate);
        stop::check()?;
        if let Err(error) = result {
            say::step(&format!("gate {name} failed: {error:#}"));
            failed.push(*name);
        }
    }
    println!("{}", say::phases());
    match failed.is_empty() {
        true => println!("gates: passed"),
        false => println!("gates failed: {}", failed.join("; ")),
    }
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn format() -> Result<()> {
    must("cargo fmt", &cargo_tool(&["fmt", "--all", "--check"]), LIMIT)
}

/// What a service that uses the agent would get from a registry. That it builds there is tried by hand, without
/// `--no-verify`: it builds librdkafka once more.
fn package() -> Result<()> {
    let mut words = vec!["package", "--no-verify", "--allow-dirty"];
    for name in ["flowdeck-model", "flowdeck-protocol", "flowdeck-agent"] {
        words.extend(["-p", name]);
    }
    must("cargo package", &cargo(&words), LIMIT)
}

/// Without the wasm entry point, which is empty on the host.
fn clippy_host(machine: &Machine) -> Result<()> {
    let mut command = cargo(&["clippy", "--workspace", "--exclude", "frontend", "--all-targets"]);
    must("clippy", command.args(machine.features()).args(["--", "-D", "warnings"]), LIMIT)
}

/// The pages as the browser gets them.
fn clippy_wasm() -> Result<()> {
    let args = [
        "clippy",
        "--package",
        "frontend",
        "--package",
        "flowdeck-model",
        "--target",
        "wasm32-unknown-unknown",
    ];
    must("clippy for wasm", cargo(&args).args(["--", "-D", "warnings"]), LIMIT)
}

fn docs(machine: &Machine) -> Result<()> {
    let flags = format!("{RUSTDOC_FLAGS} -D warnings");
    must("cargo doc", doc(machine).env("RUSTDOCFLAGS", flags), LIMIT)
}

/// Of all crates, the agent with all that a service may ask for.
fn doc(machine: &Machine) -> Command {
    let mut command = cargo(&["doc", "--no-deps", "--workspace", "--exclude", "frontend"]);
    for feature in ["avro", "axum", "otel", "prost"] {
        command.arg(format!("--features=flowdeck-agent/{feature}"));
    }
    command.args(machine.features());
    command
}

/// Where the image is made, its build is the one that checks it: the wasm of a release takes minutes.
fn wasm_size() -> Result<()> {
    if container::possible().is_ok() {
        say::step("the size of the wasm is checked by `cargo xtask container`");
        return Ok(());
    }
    build::wasm_is_small(&site::build(Profile::Release)?)
}
