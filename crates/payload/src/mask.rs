//! What a reader is not shown: values of JSON by name or path, headers by name, texts by pattern. Applied to the decoded
//! text before anything is matched or sent. It works token by token, so that a text which was cut or is broken is
//! masked as far as it goes, numbers keep their digits, and the depth is not bounded by a stack.

mod json;
mod names;
mod path;

use std::borrow::Cow;

use regex::Regex;

pub use path::MaskPath;

/// In place of what is masked.
pub const MASKED: &str = "***";

/// A text is decoded so much longer than it is shown, so that the cut leaves no half of a pattern unmasked.
pub(crate) const MARGIN: usize = 256;

/// What is masked in the records of one topic.
#[derive(Debug, Clone, Default)]
pub struct Mask {
    paths: Vec<MaskPath>,
    /// As `names::normal`.
    headers: Vec<String>,
    patterns: Vec<Regex>,
    /// Usual names of secrets.
    usual: bool,
}

impl Mask {
    /// Nothing is masked.
    pub fn none() -> Self {
        Self::default()
    }

    /// Usual names of secrets alone.
    pub fn usual() -> Self {
        Self { usual: true, ..Self::default() }
    }

    pub fn with_path(mut self, path: MaskPath) -> Self {
        self.paths.push(path);
        self
    }

    pub fn with_header(mut self, name: &str) -> Self {
        self.headers.push(names::normal(name));
        self
    }

    pub fn with_pattern(mut self, pattern: Regex) -> Self {
        self.patterns.push(pattern);
        self
    }

    /// Both.
    pub fn and(mut self, other: &Self) -> Self {
        self.paths.extend(other.paths.iter().cloned());
        self.headers.extend(other.headers.iter().cloned());
        self.patterns.extend(other.patterns.iter().cloned());
        self.usual |= other.usual;
        self
    }

    /// Paths are given: what cannot be read as JSON might hold what they name.
    pub(crate) fn needs_json(&self) -> bool {
        !self.paths.is_empty()
    }

    pub(crate) fn is_none(&self) -> bool {
        self.paths.is_empty() && self.headers.is_empty() && self.patterns.is_empty() && !self.usual
    }

    pub fn hides_header(&self, name: &str) -> bool {
        let name = names::normal(name);
        self.headers.contains(&name) || (self.usual && names::is_secret(&name))
    }

    /// The text as a reader may see it, and how often something was masked.
    pub(crate) fn apply<'a>(&self, text: &'a str) -> (Cow<'a, str>, usize) {
        if self.is_none() {
            return (Cow::Borrowed(text), 0);
        }
        if text.trim_start().starts_with(['{', '[']) {
            return json::apply(self, text);
        }
        self.in_text(text)
    }

    /// By patterns, in a text or a string of JSON.
    fn in_text<'a>(&self, text: &'a str) -> (Cow<'a, str>, usize) {
        let (mut shown, mut count) = (Cow::Borrowed(text), 0);
        let usual = self.usual.then(names::assignment).into_iter();
        for pattern in self.patterns.iter().chain(usual) {
            let found = pattern.find_iter(&shown).count();
            if found == 0 {
                continue;
            }
            count += found;
            let with_name = pattern.capture_names().flatten().any(|name| name == "name");
            let put = if with_name { "${name}***" } else { MASKED };
            shown = Cow::Owned(pattern.replace_all(&shown, put).into_owned());
        }
        (shown, count)
    }
}

impl std::fmt::Display for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (paths, headers, patterns) = (self.paths.len(), self.headers.len(), self.patterns.len());
        write!(f, "{paths} paths, {headers} headers, {patterns} patterns")
    }
}

impl PartialEq for Mask {
    fn eq(&self, other: &Self) -> bool {
        let patterns =
            |mask: &Self| mask.patterns.iter().map(|one| one.as_str().to_owned()).collect::<Vec<_>>();
        self.paths == other.paths
            && self.headers == other.headers
            && self.usual == other.usual
            && patterns(self) == patterns(other)
    }
}

impl Eq for Mask {}
