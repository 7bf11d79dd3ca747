//! What a filter chooses, found in the sources, so that a unit test needs neither a broker nor the wasm, and
//! only the crates that hold it are built.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::workspace::{cargo, output_of, root};

/// What is to run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) rust: Option<RustTests>,
    pub(crate) browser: Option<BrowserTests>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RustTests {
    All,
    /// Those of these packages whose name holds `filter`.
    Some {
        packages: Vec<String>,
        filter: String,
    },
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BrowserTests {
    All,
    /// Those of these files.
    Files(Vec<String>),
    /// Those whose title holds these words.
    Titles(String),
}

impl Choice {
    pub(crate) fn of(filter: Option<&str>) -> Result<Self> {
        let Some(filter) = filter.filter(|filter| !filter.is_empty()) else {
            return Ok(Self { rust: Some(RustTests::All), browser: Some(BrowserTests::All) });
        };
        let specs = specs(&root().join("end2end/tests"));
        if let Some(rest) = filter.strip_prefix("e2e") {
            let words = rest.trim_start_matches([':', '/', ' ']);
            let browser = if words.is_empty() { Some(BrowserTests::All) } else { browser(words, &specs) };
            return Ok(Self { rust: None, browser });
        }
        let packages = packages()?;
        let holding = packages
            .into_iter()
            .filter(|package| sources(&package.dir()).iter().any(|file| holds(file, filter)));
        let packages: Vec<String> = holding.map(|package| package.name).collect();
        let rust = (!packages.is_empty()).then(|| RustTests::Some { packages, filter: filter.to_owned() });
        Ok(Self { rust, browser: browser(filter, &specs) })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rust.is_none() && self.browser.is_none()
    }
}

/// A source file: its path within the package, and its text.
struct Source {
    path: String,
    text: String,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
}

impl Package {
    fn dir(&self) -> PathBuf {
        self.manifest_path.parent().map(Path::to_path_buf).unwrap_or_default()
    }
}

/// The packages with tests for the host.
fn packages() -> Result<Vec<Package>> {
    let mut command = cargo(&["metadata", "--no-deps", "--format-version", "1", "--offline"]);
    let said = output_of("cargo metadata", &mut command)?;
    let metadata: Metadata = serde_json::from_str(&said).context("read cargo's metadata")?;
    Ok(metadata.packages.into_iter().filter(|package| package.name != "frontend").collect())
}

/// The Rust files of a package that hold tests.
fn sources(dir: &Path) -> Vec<Source> {
    let files = ["src", "tests"].iter().flat_map(|part| walk(&dir.join(part), ".rs"));
    let sources = files.filter_map(|path| {
        let text = fs::read_to_string(&path).ok()?;
        let tests = text.contains("#[test]") || text.contains("#[tokio::test") || text.contains("proptest!");
        let path = path.strip_prefix(dir).unwrap_or(&path).display().to_string();
        tests.then_some(Source { path, text })
    });
    sources.collect()
}

fn specs(dir: &Path) -> Vec<Source> {
    let read = |path: PathBuf| {
        Some(Source { text: fs::read_to_string(&path).ok()?, path: path.display().to_string() })
    };
    walk(dir, ".spec.ts").into_iter().filter_map(read).collect()
}

/// Whether a test of this file may have the filter in its path: `file::module::test`.
fn holds(source: &Source, filter: &str) -> bool {
    let name = filter.rsplit("::").find(|part| !part.is_empty()).unwrap_or(filter);
    let in_path = source.path.trim_end_matches(".rs").contains(name);
    let declares = |keyword: &str| {
        source.text.match_indices(keyword).any(|(at, _)| {
            let rest = &source.text[at + keyword.len()..];
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            rest[..end].contains(name)
        })
    };
    in_path || declares("fn ") || declares("mod ")
}

/// The browser tests that the words choose: by file, else by title.
fn browser(words: &str, specs: &[Source]) -> Option<BrowserTests> {
    let words = words.to_lowercase();
    let name =
        |spec: &Source| Path::new(&spec.path).file_name().map(|name| name.to_string_lossy().into_owned());
    let files: Vec<String> =
        specs.iter().filter_map(name).filter(|file| file.to_lowercase().contains(&words)).collect();
    if !files.is_empty() {
        return Some(BrowserTests::Files(files));
    }
    let titled =
        specs.iter().any(|spec| titles(&spec.text).any(|title| title.to_lowercase().contains(&words)));
    titled.then_some(BrowserTests::Titles(words))
}

/// The texts of `test("…` and `describe("…`.
fn titles(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let line = line.trim_start();
        let call = line.starts_with("test(") || line.starts_with("test.describe(");
        let quote = line.find(['"', '\'', '`']).filter(|_| call)?;
        let rest = &line[quote + 1..];
        Some(&rest[..rest.find(line.as_bytes()[quote] as char).unwrap_or(rest.len())])
    })
}

fn walk(dir: &Path, suffix: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            found.extend(walk(&path, suffix));
        } else if path.to_string_lossy().ends_with(suffix) {
            found.push(path);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn files_that_may_hold_a_test() {
        let file = source("src/lag.rs", "mod unknowns {\n #[test]\n fn never_committed_is_not_zero() {} }");
        for filter in ["never_committed", "lag", "unknowns", "lag::unknowns::never", "not_zero"] {
            assert!(holds(&file, filter), "{filter}");
        }
        for filter in ["pause", "lag::pause", "committed_is_zero"] {
            assert!(!holds(&file, filter), "{filter}");
        }
    }

    #[test]
    fn a_word_of_the_text_is_no_name() {
        assert!(!holds(&source("src/a.rs", "#[test] fn b() { pause(); }"), "pause"));
    }

    #[test]
    fn browser_tests_by_file_then_by_title() {
        let specs = [
            source("tests/fleet.spec.ts", "test(\"lag changes while it is watched\", async () => {"),
            source("tests/pause.spec.ts", "  test('kept over a rebalance', async () => {"),
        ];
        assert_eq!(browser("fleet", &specs), Some(BrowserTests::Files(vec!["fleet.spec.ts".to_owned()])));
        assert_eq!(browser("Rebalance", &specs), Some(BrowserTests::Titles("rebalance".to_owned())));
        assert_eq!(browser("never_committed", &specs), None);
        assert_eq!(browser("async", &specs), None);
    }

    #[test]
    fn no_filter_is_everything_and_e2e_is_the_browser() {
        let all = Choice::of(None).unwrap();
        assert_eq!(all, Choice { rust: Some(RustTests::All), browser: Some(BrowserTests::All) });
        assert_eq!(Choice::of(Some("e2e")).unwrap(), Choice { rust: None, browser: Some(BrowserTests::All) });
        assert!(Choice::of(Some("no_test_is_named_like_th\u{69}s_one_q")).unwrap().rust.is_none());
    }
}
