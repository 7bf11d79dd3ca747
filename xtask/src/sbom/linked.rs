//! Which packages end up in the binary: cargo's own trees, with the features of a release, without what only
//! builds.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::workspace::{cargo, output_of};

/// Name and version.
type Key = (String, String);

pub(crate) struct Linked {
    server: BTreeSet<Key>,
    browser: BTreeSet<Key>,
}

impl Linked {
    pub(crate) fn ask() -> Result<Self> {
        let server = tree(&["--package", "flowdeck", "--features", "embed"])?;
        let browser = tree(&["--package", "frontend", "--target", "wasm32-unknown-unknown"])?;
        Ok(Self::of(&server, &browser))
    }

    /// From the lines of two trees.
    pub(super) fn of(server: &str, browser: &str) -> Self {
        Self { server: keys(server), browser: keys(browser) }
    }

    /// In which half it is; `None`: in neither.
    pub(super) fn place(&self, name: &str, version: &str) -> Option<&'static str> {
        let key = (name.to_owned(), version.to_owned());
        match (self.server.contains(&key), self.browser.contains(&key)) {
            (true, true) => Some("server, browser"),
            (true, false) => Some("server"),
            (false, true) => Some("browser"),
            (false, false) => None,
        }
    }

    /// By the directory of its source, `name-version`.
    pub(super) fn has_source(&self, dir: &str) -> bool {
        self.server.iter().chain(&self.browser).any(|(name, version)| format!("{name}-{version}") == dir)
    }
}

fn tree(select: &[&str]) -> Result<String> {
    let mut command =
        cargo(&["tree", "--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}"]);
    output_of("cargo tree", command.args(select))
}

/// Of lines such as `tokio v1.48.0` and `app v0.1.0 (/src/app) (*)`.
fn keys(tree: &str) -> BTreeSet<Key> {
    let key = |line: &str| {
        let mut words = line.split_whitespace();
        Some((words.next()?.to_owned(), words.next()?.strip_prefix('v')?.to_owned()))
    };
    tree.lines().filter_map(key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_tree() {
        let linked =
            Linked::of("app v0.1.0 (/src/app)\ntokio v1.48.0\ntokio v1.48.0 (*)\n\n", "app v0.1.0\n");
        assert_eq!(linked.place("app", "0.1.0"), Some("server, browser"));
        assert_eq!(linked.place("tokio", "1.48.0"), Some("server"));
        assert_eq!(linked.place("tokio", "1.47.0"), None);
        assert!(linked.has_source("tokio-1.48.0") && !linked.has_source("tokio-1.47.0"));
    }
}
