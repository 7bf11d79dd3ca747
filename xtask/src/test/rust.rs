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
const RUN_LIMIT: Duration = Duration::from_secs(40 * 60);
const GRACE: Duration = Duration::from_secs(5);

pub(crate) fn run(choice: &RustTests, machine: &Machine) -> Result<Tally> {
    let dir = target_dir("test")?.join(format!("kafka-{}", std::process::id()));
    let broker = SharedBroker::open(dir.clone())?;
    let mut tally = Tally::default();
    for selection in selections(choice, machine) {
        tally += one(&selection, &broker)?;
    }
    drop(broker);
    let _ = std::fs::remove_dir_all(&dir);
    Ok(tally)
}

/// One cargo call: what it builds, and the filter for what it runs.
struct Selection<'a> {
    words: Vec<&'a str>,
    filter: Option<&'a str>,
}

/// Everything is one call. Chosen packages are a call each, as `cargo test --package` by hand would be: a call
/// for several unites their features, and each new set would build librdkafka and the rest once more.
fn selections<'a>(choice: &'a RustTests, machine: &Machine) -> Vec<Selection<'a>> {
    match choice {
        RustTests::All => {
            let words = [["--workspace", "--exclude", "frontend"].as_slice(), machine.features()].concat();
            vec![Selection { words, filter: None }]
        }
        RustTests::Some { packages, filter } => {
            let select = |package: &'a String| {
                // No doc tests: a name is asked for, and building them takes longer than the rest.
                let words =
                    [["--tests", "--package", package.as_str()].as_slice(), features(package, machine)]
                        .concat();
                Selection { words, filter: Some(filter) }
            };
            packages.iter().map(select).collect()
        }
    }
}

fn one(selection: &Selection<'_>, broker: &SharedBroker) -> Result<Tally> {
    say::step("building the Rust tests");
    must("the build of the tests", cargo(&["test", "--no-run"]).args(&selection.words), BUILD_LIMIT)?;

    say::step("running the Rust tests");
    let mut test = cargo(&["test", "--no-fail-fast"]);
    test.args(&selection.words);
    if let Some(filter) = selection.filter {
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
