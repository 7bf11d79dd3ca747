//! `cargo xtask bench`: release builds, a fresh broker for each run of each scenario, three runs, a verdict,
//! and a file that is kept. What is measured is in `crates/bench`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use flowdeck_broker::{Broker, Jvm, KafkaHome, NodeOptions, env, stop, supervise};
use serde::{Deserialize, Serialize};

use crate::machine::{self, Need};
use crate::site::{Site, WASM_LIMIT};
use crate::workspace::{cargo, must, root, target, target_dir};
use crate::{build, say};

const BUILD_LIMIT: Duration = Duration::from_secs(60 * 60);
const RUN_LIMIT: Duration = Duration::from_secs(20 * 60);

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only these scenarios; nothing is kept then
    scenarios: Vec<String>,
    /// How often each is run
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
}

/// One line of a scenario's answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Figure {
    name: String,
    unit: String,
    value: f64,
    limit: f64,
    samples: u64,
}

/// A figure over all runs. The limit holds where every run is within it.
#[derive(Debug, Serialize)]
struct Line {
    name: String,
    unit: String,
    limit: f64,
    samples: u64,
    runs: Vec<f64>,
}

impl Line {
    fn holds(&self) -> bool {
        !self.runs.is_empty() && self.runs.iter().all(|value| *value <= self.limit)
    }
}

#[derive(Serialize)]
struct Report {
    date: String,
    commit: String,
    machine: BTreeMap<&'static str, String>,
    /// What else the machine did before: the system's load over one minute.
    load: String,
    scenarios: BTreeMap<String, Vec<Line>>,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let load = load();
    let machine = machine::check(&[Need::Kafka])?;
    let home = KafkaHome::resolve(&mut say::step)?;
    let (server, site) = build::release()?;
    let features: &[&str] = if machine.vendored_ssl { &["--features", "ssl-vendored"] } else { &[] };
    must(
        "the build of the bench",
        cargo(&["build", "--release", "--package", "flowdeck-bench"]).args(features),
        BUILD_LIMIT,
    )?;
    let bench = target().join("release/flowdeck-bench");
    let all = names(&bench)?;
    for wanted in &args.scenarios {
        ensure!(all.contains(wanted), "no scenario {wanted:?}; there are: {}", all.join(", "));
    }
    let assets = vec![wasm(&site)?];
    let mut good = print("assets", &assets);
    let mut scenarios = BTreeMap::from([("assets".to_owned(), assets)]);
    let mut failed = Vec::new();
    for name in all.iter().filter(|name| args.scenarios.is_empty() || args.scenarios.contains(name)) {
        match scenario(&bench, name, args.runs, &server, &home) {
            Ok(lines) => {
                good &= print(name, &lines);
                scenarios.insert(name.clone(), lines);
            }
            Err(error) => {
                say::step(&format!("{name} failed: {error:#}"));
                failed.push(name.as_str());
            }
        }
        stop::check()?;
    }
    ensure!(failed.is_empty(), "scenarios that did not end well: {}", failed.join(", "));
    if args.scenarios.is_empty() {
        let path = keep(scenarios, load)?;
        say::step(&format!("kept in {}", path.display()));
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn scenario(bench: &Path, name: &str, runs: u32, server: &Path, home: &KafkaHome) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    for number in 1..=runs {
        say::step(&format!("{name}: run {number} of {runs}"));
        merge(&mut lines, one_run(bench, name, server, home)?);
    }
    Ok(lines)
}

fn names(bench: &Path) -> Result<Vec<String>> {
    let (status, text) = supervise::capture("the bench", Command::new(bench).arg("list"), RUN_LIMIT)?;
    ensure!(status.success(), "the bench could not name its scenarios");
    Ok(text.lines().map(str::to_owned).collect())
}

fn one_run(bench: &Path, name: &str, server: &Path, home: &KafkaHome) -> Result<Vec<Figure>> {
    let dir = target_dir("bench")?.join(format!("kafka-{}", std::process::id()));
    let _ = fs::remove_dir_all(&dir);
    // As on a real cluster: commits of many groups spread over 50 partitions.
    let properties = vec![("offsets.topic.num.partitions".to_owned(), "50".to_owned())];
    let broker =
        Broker::start(home, &dir, &NodeOptions { jvm: Jvm::Bench, properties, ..NodeOptions::default() })?;
    let mut command = Command::new(bench);
    command.args(["run", name]).env("KAFKA_BOOTSTRAP", broker.bootstrap()).env("FLOWDECK_BIN", server);
    command.env(env::KAFKA_LIBS, home.libs());
    let (status, text) = supervise::capture(name, &command, RUN_LIMIT)?;
    drop(broker);
    let _ = fs::remove_dir_all(&dir);
    ensure!(status.success(), "the scenario {name} did not end well: see its lines above");
    let line = text.lines().last().unwrap_or_default();
    serde_json::from_str(line).with_context(|| format!("read the figures of {name}: {line:?}"))
}

/// Adds a run's figures to those of the runs before it.
fn merge(lines: &mut Vec<Line>, figures: Vec<Figure>) {
    for Figure { name, unit, value, limit, samples } in figures {
        match lines.iter_mut().find(|line| line.name == name) {
            Some(line) => line.runs.push(value),
            None => lines.push(Line { name, unit, limit, samples, runs: vec![value] }),
        }
    }
}

fn wasm(site: &Site) -> Result<Line> {
    let kilobytes = |bytes: u64| bytes as f64 / 1024.0;
    Ok(Line {
        name: "wasm as brotli-11".to_owned(),
        unit: "KB".to_owned(),
        limit: kilobytes(WASM_LIMIT),
        samples: 1,
        runs: vec![kilobytes(site.wasm_brotli()?)],
    })
}

/// Prints the lines of a scenario; whether all limits hold.
fn print(scenario: &str, lines: &[Line]) -> bool {
    for line in lines {
        let runs: Vec<String> = line.runs.iter().map(|value| format!("{value:.2}")).collect();
        let mark = if line.holds() { "ok  " } else { "OVER" };
        let Line { name, unit, limit, samples, .. } = line;
        println!(
            "{mark} {scenario}: {name}: {} {unit} (limit {limit:.2}, {samples} samples)",
            runs.join(", ")
        );
    }
    lines.iter().all(Line::holds)
}

fn keep(scenarios: BTreeMap<String, Vec<Line>>, load: String) -> Result<PathBuf> {
    let date = said("date", &["-u", "+%Y-%m-%d"]);
    let dir = root().join("docs/bench");
    fs::create_dir_all(&dir).context("create docs/bench")?;
    let path = dir.join(format!("{date}.json"));
    let report = Report {
        date,
        commit: said("git", &["describe", "--always", "--dirty", "--exclude=*"]),
        machine: describe(),
        load,
        scenarios,
    };
    let text = serde_json::to_string_pretty(&report).context("write the report")?;
    fs::write(&path, text + "\n").with_context(|| format!("write {}", path.display()))?;
    Ok(path)
}

/// What the figures depend on: no host name, no path.
fn describe() -> BTreeMap<&'static str, String> {
    let proc = |file: &str, key: &str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(key)).unwrap_or_default();
        line.split_once(':').map_or_else(String::new, |(_, value)| value.trim().to_owned())
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    BTreeMap::from([
        ("processor", proc("/proc/cpuinfo", "model name")),
        ("cores", cores.to_string()),
        ("memory", proc("/proc/meminfo", "MemTotal")),
        ("kernel", said("uname", &["-sr"])),
        ("rustc", said("rustc", &["--version"])),
        ("java", said("java", &["--version"]).lines().next().unwrap_or_default().to_owned()),
        ("kafka", flowdeck_broker::KAFKA_VERSION_LINE.to_owned()),
    ])
}

fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}

fn said(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).current_dir(root()).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(value: f64) -> Figure {
        Figure { name: "x".to_owned(), unit: "ms".to_owned(), value, limit: 50.0, samples: 200 }
    }

    #[test]
    fn every_run_counts() {
        let mut lines = Vec::new();
        for value in [40.0, 49.9, 45.0] {
            merge(&mut lines, vec![figure(value)]);
        }
        assert_eq!((lines.len(), lines[0].runs.len()), (1, 3));
        assert!(lines[0].holds());
        merge(&mut lines, vec![figure(50.1)]);
        assert!(!lines[0].holds());
    }

    #[test]
    fn no_run_is_no_success() {
        let line = Line {
            name: "x".to_owned(),
            unit: "ms".to_owned(),
            limit: 50.0,
            samples: 0,
            runs: vec![f64::NAN],
        };
        assert!(!line.holds());
    }
}
