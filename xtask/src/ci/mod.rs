//! `cargo xtask ci`: every gate, then all tests. A gate that fails does not hide the next one; the sum of the
//! tests is alone on the last line.

mod crates;
mod npm;
mod terms;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use flowdeck_broker::stop;

use crate::machine::{self, Machine, Need};
use crate::site::{self, Profile, WASM_LIMIT};
use crate::workspace::{cargo, cargo_tool, must};
use crate::{container, say, test};

const LIMIT: Duration = Duration::from_secs(30 * 60);

/// One gate: what it is called, and what it does.
type Gate<'a> = (&'static str, &'a dyn Fn() -> Result<()>);

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only the gates whose name holds this, and no tests
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
        ("size of the wasm", &wasm_size),
        ("container", &container::check),
    ];
    ensure!(gates.iter().any(|(name, _)| chosen(name)), "no gate's name holds {:?}", args.gate);
    let mut failed = Vec::new();
    for (name, gate) in gates.iter().filter(|(name, _)| chosen(name)) {
        say::step(&format!("gate: {name}"));
        let result = gate();
        stop::check()?;
        if let Err(error) = result {
            say::step(&format!("gate {name} failed: {error:#}"));
            failed.push(*name);
        }
    }
    let tally = if args.gate.is_none() { Some(test::all(None)?) } else { None };
    match failed.is_empty() {
        true => println!("gates: passed"),
        false => println!("gates failed: {}", failed.join("; ")),
    }
    if let Some(tally) = &tally {
        println!("{tally}");
    }
    let good = failed.is_empty() && !tally.is_some_and(|tally| tally.failed());
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn format() -> Result<()> {
    must("cargo fmt", &cargo_tool(&["fmt", "--all", "--check"]), LIMIT)
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
    let mut command = cargo(&["doc", "--no-deps", "--workspace", "--exclude", "frontend"]);
    must("cargo doc", command.args(machine.features()).env("RUSTDOCFLAGS", "-D warnings"), LIMIT)
}

fn wasm_size() -> Result<()> {
    let size = site::build(Profile::Release)?.wasm_brotli()?;
    say::step(&format!("the wasm travels as {size} bytes (at most {WASM_LIMIT})"));
    ensure!(
        size <= WASM_LIMIT,
        "the wasm grew: {size} bytes as brotli-11, over the {WASM_LIMIT} that it may have"
    );
    Ok(())
}
