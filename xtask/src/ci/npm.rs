//! `npm audit` of the browser tests' packages. Not every registry serves it; where it is missing that is
//! said, and is no failure.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use flowdeck_broker::supervise;
use serde_json::Value;

use crate::say;
use crate::workspace::root;

const LIMIT: Duration = Duration::from_secs(120);

/// What npm's report says.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Found(u64),
    NotChecked(String),
}

pub(super) fn check() -> Result<()> {
    let mut npm = Command::new("npm");
    npm.args(["audit", "--json"]).current_dir(root().join("end2end"));
    let (_, report) = supervise::capture("npm audit", &npm, LIMIT)?;
    match verdict(&report)? {
        Verdict::Found(0) => say::step("npm audit: nothing known"),
        Verdict::Found(count) => bail!("{count} known vulnerabilities: run `npm audit` in end2end"),
        Verdict::NotChecked(why) => println!("npm audit: not checked ({why})"),
    }
    Ok(())
}

fn verdict(report: &str) -> Result<Verdict> {
    let report: Value = serde_json::from_str(report).context("read npm's report")?;
    if let Some(count) = report["metadata"]["vulnerabilities"]["total"].as_u64() {
        return Ok(Verdict::Found(count));
    }
    let said = report["message"].as_str().or_else(|| report["error"]["summary"].as_str());
    let said = said.unwrap_or("the registry gave no report");
    // Not the address: it is nobody's business in a log.
    let why = said.split(" - ").next().unwrap_or(said);
    Ok(Verdict::NotChecked(format!("the registry's audit endpoint answers: {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports() {
        let found = r#"{"auditReportVersion":2,"metadata":{"vulnerabilities":{"high":2,"total":2}}}"#;
        assert_eq!(verdict(found).unwrap(), Verdict::Found(2));
        let none = r#"{"auditReportVersion":2,"metadata":{"vulnerabilities":{"total":0}}}"#;
        assert_eq!(verdict(none).unwrap(), Verdict::Found(0));
        let refused =
            r#"{"message":"405 Method Not Allowed - POST https://registry/x","error":{"summary":""}}"#;
        let Verdict::NotChecked(why) = verdict(refused).unwrap() else {
            panic!("a report where there is none")
        };
        assert!(why.ends_with("405 Method Not Allowed"), "{why}");
        assert!(verdict("").is_err());
    }
}
