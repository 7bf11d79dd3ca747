//! `cargo xtask test [filter]`: units, the real broker and the browser, and one sum of them all.

mod browser;
mod filter;
mod rust;
mod shared;
mod tally;

use std::process::ExitCode;

use anyhow::{Result, ensure};
use flowdeck_broker::stop;

use filter::Choice;
pub(crate) use tally::Tally;

use crate::machine::{self, Need};
use crate::say;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Part of a test's name; `e2e` for all browser tests, `e2e:WORDS` for those whose title holds WORDS
    filter: Option<String>,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let tally = all(args.filter.as_deref())?;
    println!("{}", say::phases());
    println!("{tally}");
    Ok(if tally.failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Runs what the filter chooses. A runner that fails as a whole counts as one failure, and the others still run.
pub(crate) fn all(filter: Option<&str>) -> Result<Tally> {
    let choice = Choice::of(filter)?;
    let none = || anyhow::anyhow!("no test's name holds {:?}", filter.unwrap_or_default());
    ensure!(!choice.is_empty(), none());
    let mut tally = Tally::default();
    if let Some(rust) = &choice.rust {
        let machine = machine::check(&[Need::Native])?;
        tally += counted("the Rust tests", rust::run(rust, &machine))?;
    }
    if let Some(browser) = &choice.browser {
        tally += counted("the browser tests", say::timed("browser tests", || browser::run(browser)))?;
    }
    // The name of a test's file alone is in no test's name.
    ensure!(!tally.is_empty(), none());
    Ok(tally)
}

fn counted(what: &str, result: Result<Tally>) -> Result<Tally> {
    stop::check()?;
    Ok(result.unwrap_or_else(|error| {
        say::step(&format!("{what} did not end well: {error:#}"));
        Tally::one_failure()
    }))
}
