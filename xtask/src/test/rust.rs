//! The Rust tests: one cargo call, its output passed on and counted.

use std::io::{BufRead, BufReader, Write};
use std::process::ChildStdout;
use std::time::Duration;

use anyhow::{Context, Result};
use flowdeck_broker::supervise::Output;
use flowdeck_broker::{Job, env};

use super::filter::RustTests;
use super::shared::SharedBroker;
use super::tally::Tally;
use crate::machine::Machine;
use crate::say;
use crate::workspace::{cargo, must, target_dir};

const BUILD_LIMIT: Duration = Duration::from_secs(40 * 60);
const RUN_LIMIT: Duration = Duration::from_secs(15 * 60);
const GRACE: Duration = Duration::from_secs(5);

pub(crate) fn run(choice: &RustTests, machine: &Machine) -> Result<Tally> {
    let select = select(choice);
    let mut build = cargo(&["test", "--no-run", "--no-fail-fast"]);
    say::step("building the Rust tests");
    must("the build of the tests", build.args(&select).args(features(choice, machine)), BUILD_LIMIT)?;

    say::step("running the Rust tests");
    let dir = target_dir("test")?;
    let broker = SharedBroker::open(dir.join(format!("kafka-{}", std::process::id())))?;
    let mut test = cargo(&["test", "--no-fail-fast"]);
    test.args(&select).args(features(choice, machine));
    if let RustTests::Some { filter, .. } = choice {
        test.arg("--").arg(filter);
    }
    if std::env::var_os(env::TEST_KAFKA).is_none() {
        test.env(env::TEST_KAFKA, broker.env());
    }
    let mut job = Job::spawn("cargo test", &test, Output::Pipe, GRACE)?;
    let stdout = job.take_stdout().context("the pipe of a child that was started with one")?;
    let reader = std::thread::spawn(move || count(stdout));
    let status = job.wait(RUN_LIMIT);
    let tally = reader.join().unwrap_or_default();
    let _ = std::fs::remove_dir_all(dir.join(format!("kafka-{}", std::process::id())));
    match status {
        Ok(status) => Ok(tally.ended(status.success())),
        Err(error) => {
            say::step(&format!("{error:#}"));
            Ok(tally.ended(false))
        }
    }
}

fn select(choice: &RustTests) -> Vec<String> {
    let words: Vec<&str> = match choice {
        RustTests::All => vec!["--workspace", "--exclude", "frontend"],
        // No doc tests: a name is asked for, and building them takes longer than the rest.
        RustTests::Some { packages, .. } => {
            ["--tests"].into_iter().chain(packages.iter().flat_map(|name| ["--package", name])).collect()
        }
    };
    words.into_iter().map(str::to_owned).collect()
}

/// The vendored OpenSSL is a feature of the server, so it can be named where the server is chosen.
fn features(choice: &RustTests, machine: &Machine) -> &'static [&'static str] {
    match choice {
        RustTests::All => machine.features(),
        RustTests::Some { packages, .. } if packages.iter().any(|name| name == "flowdeck") => {
            machine.features()
        }
        RustTests::Some { .. } => &[],
    }
}

/// Passes each line on as it comes and adds up the results.
fn count(stdout: ChildStdout) -> Tally {
    let mut tally = Tally::default();
    for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
        // Our own output closed: counting still matters.
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(&line).and_then(|()| out.write_all(b"\n"));
        if let Some(more) = Tally::from_libtest(&String::from_utf8_lossy(&line)) {
            tally += more;
        }
    }
    tally
}
