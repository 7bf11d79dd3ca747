//! The words that this project does not use, by `xtask/src/ci/terms.toml`: each with the term to use instead and
//! where that applies. Works on lines, not on syntax: comments, texts and names count alike.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use regex::Regex;
use serde::Deserialize;

use crate::say;
use crate::workspace::{output_of, root};

const LIST: &str = "xtask/src/ci/terms.toml";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    /// Names for sets of paths.
    areas: BTreeMap<String, Vec<String>>,
    #[serde(rename = "term")]
    terms: Vec<Listed>,
    #[serde(default, rename = "allow")]
    allowed: Vec<Allowed>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    /// An identifier or a text: a regular expression, bounded as identifiers are.
    #[serde(default)]
    not: Option<String>,
    /// A word of prose: in any case, and within snake_case too.
    #[serde(default)]
    word: Option<String>,
    #[serde(rename = "use")]
    instead: String,
    /// Areas, or paths.
    #[serde(rename = "in")]
    places: Vec<String>,
}

/// A line where the word means something else.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
struct Allowed {
    file: String,
    /// Part of the line.
    line: String,
    #[serde(rename = "reason")]
    _reason: String,
}

struct Term {
    pattern: Regex,
    shown: String,
    instead: String,
    paths: Vec<String>,
}

struct Terms {
    terms: Vec<Term>,
    allowed: Vec<Allowed>,
}

/// The gate.
pub(super) fn check() -> Result<()> {
    let text = fs::read_to_string(root().join(LIST)).with_context(|| format!("read {LIST}"))?;
    let terms = Terms::parse(&text)?;
    let mut used = BTreeSet::new();
    let mut wrong = Vec::new();
    for file in files()? {
        // What is no text has no words.
        let Ok(text) = fs::read_to_string(root().join(&file)) else { continue };
        wrong.extend(terms.in_file(&file, &text, &mut used));
    }
    let idle = terms.allowed.iter().enumerate().filter(|(number, _)| !used.contains(number));
    wrong.extend(
        idle.map(|(_, allowed)| format!("{LIST}: no line of {} needs {:?}", allowed.file, allowed.line)),
    );
    ensure!(wrong.is_empty(), "{} lines:\n  {}", wrong.len(), wrong.join("\n  "));
    say::step(&format!("none of {} terms is used", terms.terms.len()));
    Ok(())
}

/// The files of the repository, those that are not committed yet among them.
fn files() -> Result<Vec<String>> {
    let mut git = Command::new("git");
    git.args(["ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate", "-z"]);
    let names = output_of("git ls-files", git.current_dir(root()))?;
    Ok(names.split_terminator('\0').filter(|name| *name != LIST).map(str::to_owned).collect())
}

impl Terms {
    fn parse(text: &str) -> Result<Self> {
        let List { areas, terms, allowed } = toml::from_str(text).with_context(|| format!("read {LIST}"))?;
        let terms = terms.into_iter().map(|listed| Term::new(listed, &areas)).collect::<Result<_>>()?;
        Ok(Self { terms, allowed })
    }

    /// `used`: adds the exceptions that a line needed.
    fn in_file(&self, file: &str, text: &str, used: &mut BTreeSet<usize>) -> Vec<String> {
        let terms: Vec<&Term> = self.terms.iter().filter(|term| term.covers(file)).collect();
        let mut wrong = Vec::new();
        for (number, line) in text.lines().enumerate() {
            for term in terms.iter().filter(|term| term.pattern.is_match(line)) {
                let exception = |one: &Allowed| one.file == file && line.contains(&one.line);
                match self.allowed.iter().position(exception) {
                    Some(index) => drop(used.insert(index)),
                    None => {
                        let Term { shown, instead, .. } = term;
                        wrong.push(format!("{file}:{}: {shown}: use {instead}: {}", number + 1, line.trim()));
                    }
                }
            }
        }
        wrong
    }
}

impl Term {
    fn new(listed: Listed, areas: &BTreeMap<String, Vec<String>>) -> Result<Self> {
        let Listed { not, word, instead, places } = listed;
        let (shown, pattern) = match (not, word) {
            (Some(text), None) => {
                let edge = |end: Option<char>| match end {
                    Some(end) if end.is_alphanumeric() => r"\b",
                    _ => "",
                };
                let (before, after) = (edge(text.chars().next()), edge(text.chars().next_back()));
                let pattern = format!("{before}(?:{text}){after}");
                (text, pattern)
            }
            (None, Some(text)) => {
                let pattern = format!("(?i)(?:^|[^a-z])(?:{text})(?:$|[^a-z])");
                (text, pattern)
            }
            _ => anyhow::bail!("{LIST}: a term is either `not` or `word`: {instead}"),
        };
        let pattern = Regex::new(&pattern).with_context(|| format!("{LIST}: {shown}"))?;
        ensure!(!places.is_empty(), "{LIST}: {shown} applies nowhere");
        let paths = places
            .into_iter()
            .flat_map(|place| areas.get(&place).cloned().unwrap_or_else(|| vec![place]))
            .collect();
        Ok(Self { pattern, shown, instead, paths })
    }

    fn covers(&self, file: &str) -> bool {
        self.paths.iter().any(|path| {
            file.strip_prefix(path.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = r#"
        [areas]
        code = ["src", "crates"]
        [[term]]
        not = "Keeper"
        use = "ClusterActor"
        in = ["code"]
        [[term]]
        not = '"Held"'
        use = "Active pauses"
        in = ["app/src"]
        [[term]]
        word = "gadgets?"
        use = "part"
        in = ["code", "README.md"]
        [[allow]]
        file = "src/a.rs"
        line = "Inspector Gadget"
        reason = "a title"
    "#;

    fn wrong(file: &str, line: &str) -> usize {
        Terms::parse(LIST).unwrap().in_file(file, line, &mut BTreeSet::new()).len()
    }

    #[test]
    fn identifiers_are_matched_as_a_whole_and_in_their_case() {
        for (line, want) in
            [("struct Keeper;", 1), ("Keeper::new()", 1), ("keeper", 0), ("BookKeeper", 0), ("Keepers", 0)]
        {
            assert_eq!(wrong("crates/admin/src/a.rs", line), want, "{line}");
        }
        assert_eq!(wrong("app/src/a.rs", "th(\"Held\")"), 1);
        assert_eq!(wrong("app/src/a.rs", "th(\"Held back\")"), 0);
    }

    #[test]
    fn words_are_matched_in_any_case_and_in_names() {
        for (line, want) in [
            ("A Gadget came", 1),
            ("fn a_gadget_writes()", 1),
            ("gadgets", 1),
            ("egadgets", 0),
            ("gadgetry", 0),
        ] {
            assert_eq!(wrong("src/b.rs", line), want, "{line}");
        }
    }

    #[test]
    fn only_the_named_paths_are_covered() {
        for (file, want) in [("src/b.rs", 1), ("README.md", 1), ("src.rs", 0), ("docs/README.md", 0)] {
            assert_eq!(wrong(file, "gadget"), want, "{file}");
        }
    }

    #[test]
    fn an_exception_holds_for_its_line_alone_and_is_noted() {
        let terms = Terms::parse(LIST).unwrap();
        let mut used = BTreeSet::new();
        let text = "// Inspector Gadget\n// a gadget";
        let wrong = terms.in_file("src/a.rs", text, &mut used);
        assert_eq!(wrong, ["src/a.rs:2: gadgets?: use part: // a gadget"]);
        assert_eq!(used, BTreeSet::from([0]));
    }

    #[test]
    fn a_term_without_pattern_or_place_is_refused() {
        let list = |term: &str| format!("[areas]\n[[term]]\nuse = 'x'\n{term}");
        for term in [
            "in = ['src']",
            "not = 'a'\nword = 'b'\nin = ['src']",
            "not = 'a'\nin = []",
            "not = '('\nin = ['src']",
        ] {
            assert!(Terms::parse(&list(term)).is_err(), "{term}");
        }
    }
}
