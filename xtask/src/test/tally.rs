//! Counting what the runners report.

use std::fmt;
use std::ops::AddAssign;

use anyhow::{Context, Result};
use serde::Deserialize;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    passed: u64,
    failed: u64,
    skipped: u64,
}

impl Tally {
    /// A runner that could not say how its tests went.
    pub(crate) fn one_failure() -> Self {
        Self { failed: 1, ..Self::default() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn failed(&self) -> bool {
        self.failed > 0
    }

    /// A line of libtest's output: `test result: ok. 14 passed; 0 failed; 1 ignored; …`, else nothing.
    pub(crate) fn from_libtest(line: &str) -> Option<Self> {
        let counts = line.strip_prefix("test result: ")?.split_once(". ")?.1;
        let mut tally = Self::default();
        for part in counts.split(';') {
            let (number, word) = part.trim().split_once(' ')?;
            match word {
                "passed" => tally.passed = number.parse().ok()?,
                "failed" => tally.failed = number.parse().ok()?,
                "ignored" => tally.skipped = number.parse().ok()?,
                _ => {}
            }
        }
        Some(tally)
    }

    /// nextest's last line: `Summary [ 1.2s] 9 tests run: 8 passed (1 slow), 1 timed out, 2 skipped`, else nothing.
    pub(crate) fn from_nextest(line: &str) -> Option<Self> {
        let counts = line.trim_start().strip_prefix("Summary [")?.split_once("run: ")?.1;
        let mut tally = Self::default();
        for part in counts.split(',') {
            let (number, rest) = part.trim().split_once(' ')?;
            let number: u64 = number.parse().ok()?;
            match rest.split(" (").next()? {
                "passed" => tally.passed = number,
                "skipped" => tally.skipped = number,
                // Failed, timed out, could not be started.
                _ => tally.failed += number,
            }
        }
        Some(tally)
    }

    /// Playwright's JSON report. A flaky test passed only when it was repeated: that is no pass.
    pub(crate) fn from_playwright(report: &str) -> Result<Self> {
        #[derive(Deserialize)]
        struct Report {
            stats: Stats,
        }
        #[derive(Deserialize)]
        struct Stats {
            expected: u64,
            unexpected: u64,
            flaky: u64,
            skipped: u64,
        }
        let Report { stats } = serde_json::from_str(report).context("read Playwright's report")?;
        Ok(Self { passed: stats.expected, failed: stats.unexpected + stats.flaky, skipped: stats.skipped })
    }

    /// A runner that ended badly without naming a failed test has failed nevertheless.
    pub(crate) fn ended(mut self, success: bool) -> Self {
        if !success && self.failed == 0 {
            self.failed = 1;
        }
        self
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        match self.skipped {
            0 => Ok(()),
            skipped => write!(f, ", {skipped} skipped"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(passed: u64, failed: u64, skipped: u64) -> Tally {
        Tally { passed, failed, skipped }
    }

    #[test]
    fn libtest_lines() {
        let ok =
            "test result: ok. 14 passed; 0 failed; 2 ignored; 0 measured; 3 filtered out; finished in 0.56s";
        assert_eq!(Tally::from_libtest(ok), Some(tally(14, 0, 2)));
        let bad =
            "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1s";
        assert_eq!(Tally::from_libtest(bad), Some(tally(1, 2, 0)));
        assert_eq!(Tally::from_libtest("test lag::unknown ... ok"), None);
        assert_eq!(Tally::from_libtest("running 14 tests"), None);
    }

    #[test]
    fn nextest_lines() {
        let cases = [
            ("     Summary [   0.012s] 31 tests run: 31 passed, 0 skipped", Some(tally(31, 0, 0))),
            ("Summary [ 9.1s] 1 test run: 1 passed (1 slow), 2 skipped", Some(tally(1, 0, 2))),
            (
                "Summary [ 9.1s] 9/12 tests run: 6 passed, 1 failed, 2 timed out, 3 skipped",
                Some(tally(6, 3, 3)),
            ),
            ("        PASS [   0.005s] flowdeck-model lag::never_committed", None),
        ];
        for (line, want) in cases {
            assert_eq!(Tally::from_nextest(line), want, "{line}");
        }
    }

    #[test]
    fn playwright_reports() {
        let report = r#"{"suites":[],"stats":{"startTime":"x","duration":1,"expected":5,"skipped":1,"unexpected":2,"flaky":1}}"#;
        assert_eq!(Tally::from_playwright(report).unwrap(), tally(5, 3, 1));
        assert!(Tally::from_playwright("{}").is_err());
    }

    #[test]
    fn the_last_line() {
        assert_eq!(tally(3, 0, 0).to_string(), "3 passed, 0 failed");
        assert_eq!(tally(3, 1, 2).to_string(), "3 passed, 1 failed, 2 skipped");
    }

    #[test]
    fn a_bad_end_is_never_a_success() {
        assert_eq!(tally(3, 0, 0).ended(false), tally(3, 1, 0));
        assert_eq!(tally(3, 2, 0).ended(false), tally(3, 2, 0));
        assert_eq!(tally(3, 0, 0).ended(true), tally(3, 0, 0));
    }
}
