//! The browser tests: Playwright in a real Chromium, against the real server, services and Kafka.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use flowdeck_broker::{Broker, KafkaHome, NodeOptions, env, port, supervise};

use super::filter::BrowserTests;
use super::tally::Tally;
use crate::machine::{self, Need};
use crate::site::{self, Profile};
use crate::stack::{self, Plan, Stack};
use crate::workspace::{must, root, target_dir};
use crate::{build, say};

const INSTALL_LIMIT: Duration = Duration::from_secs(5 * 60);
const RUN_LIMIT: Duration = Duration::from_secs(40 * 60);

pub(crate) fn run(choice: &BrowserTests) -> Result<Tally> {
    let machine = machine::check(&[Need::Wasm, Need::Native, Need::Kafka, Need::Browser])?;
    let chromium = machine::chromium().context("the browser that was just found")?;
    let end2end = root().join("end2end");
    install(&end2end)?;
    let site = site::build(Profile::Debug)?;
    let programs = build::programs(&machine)?;
    let home = KafkaHome::resolve(&mut say::step)?;

    let dir = target_dir(&format!("test/browser-{}", std::process::id()))?;
    say::step("starting Kafka for the browser tests");
    let broker = Broker::start(&home, &dir.join("kafka"), &NodeOptions::default())?;
    let second = Broker::start(&home, &dir.join("second"), &NodeOptions::default())?;
    let bootstrap = broker.bootstrap();
    let [port] = port::free(1)?[..] else { unreachable!("one was asked for") };
    let plan = Plan {
        programs: &programs,
        site: &site,
        bootstrap: bootstrap.clone(),
        cluster: "demo",
        port,
        services: &[],
        dir: &dir,
    };
    let mut stack = Stack::start(&plan, Some(broker))?;
    stack.wait_for_groups(&stack::planned(&programs, &[])?)?;

    say::step("running the browser tests");
    let report = dir.join("report.json");
    let mut playwright = Command::new("node");
    playwright.arg("node_modules/@playwright/test/cli.js").args(["test", "--reporter=list,json"]);
    if !matches!(choice, BrowserTests::All) {
        // A filter may name none of these; the tally says so where it named nothing at all.
        playwright.arg("--pass-with-no-tests");
    }
    match choice {
        BrowserTests::All => {}
        BrowserTests::Files(files) => {
            playwright.args(files);
        }
        BrowserTests::Titles(words) => {
            playwright.arg("--grep").arg(words);
        }
    }
    playwright.current_dir(&end2end);
    playwright.env("PLAYWRIGHT_JSON_OUTPUT_NAME", &report).env("CHROMIUM", chromium);
    playwright.env("FLOWDECK_TEST_RESULTS", dir.join("results"));
    playwright.env("FLOWDECK_URL", stack.url()).env("KAFKA_BOOTSTRAP", &bootstrap);
    playwright.env("KAFKA_BOOTSTRAP_SECOND", second.bootstrap());
    playwright.env("FLOWDECK_BIN", &programs.server).env("FLEETS_BIN", &programs.fleets);
    playwright.env("FLOWDECK_SITE", &site.dir).env(env::KAFKA_LIBS, home.libs());
    let status = supervise::run("Playwright", &playwright, RUN_LIMIT)?;
    let text = fs::read_to_string(&report).context("find Playwright's report")?;
    let tally = Tally::from_playwright(&text)?.ended(status.success());
    stack.check()?;
    if !tally.failed() {
        drop((stack, second));
        let _ = fs::remove_dir_all(&dir);
    }
    Ok(tally)
}

/// `npm ci`, where the lock file is newer than what is installed.
fn install(end2end: &Path) -> Result<()> {
    let time = |path: &str| fs::metadata(end2end.join(path)).and_then(|data| data.modified()).ok();
    if time("node_modules/.package-lock.json").is_some_and(|done| time("package-lock.json") <= Some(done)) {
        return Ok(());
    }
    say::step("installing Playwright (npm ci)");
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-audit", "--no-fund"])
        .env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1")
        .current_dir(end2end);
    must("npm ci", &npm, INSTALL_LIMIT)
}
