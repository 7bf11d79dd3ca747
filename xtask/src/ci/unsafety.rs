//! Every `unsafe` of this repository: it stands in `crates/kafka` alone, each with its reason, and
//! `docs/unsafe.md` lists them. Found among the tokens, so that neither text nor comment counts.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::say;
use crate::workspace::{output_of, root};

const ALLOWED: &str = "crates/kafka/";
const LIST: &str = "docs/unsafe.md";
/// Lines of one statement between its reason and its `unsafe`.
const REACH: usize = 3;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write docs/unsafe.md
    #[arg(long)]
    write: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    if !args.write {
        print!("{}", list(&all()?));
        return Ok(());
    }
    fs::write(root().join(LIST), list(&all()?)).with_context(|| format!("write {LIST}"))
}

/// The gate.
pub(super) fn check() -> Result<()> {
    let found = all()?;
    let wrong: Vec<String> = found.iter().filter_map(Found::problem).collect();
    ensure!(wrong.is_empty(), "{}", wrong.join("\n  "));
    let listed = fs::read_to_string(root().join(LIST)).unwrap_or_default();
    ensure!(listed == list(&found), "{LIST} is not current: run `cargo xtask unsafe --write`");
    say::step(&format!("{} places with `unsafe`, each with its reason", found.len()));
    Ok(())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Block,
    Impl,
    Function,
    Foreign,
    Attribute,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Impl => "impl",
            Self::Function => "function",
            Self::Foreign => "declarations",
            Self::Attribute => "attribute",
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Found {
    file: String,
    line: usize,
    kind: Kind,
    /// The function that it stands in or is, the trait that it implements.
    item: String,
    /// What the comment above says.
    reason: Option<String>,
}

impl Found {
    fn problem(&self) -> Option<String> {
        let Self { file, line, .. } = self;
        if !file.starts_with(ALLOWED) {
            return Some(format!("{file}:{line}: `unsafe` outside of {ALLOWED}"));
        }
        // Declarations promise nothing by themselves: each call of one has its reason.
        let bare = self.reason.is_none() && self.kind != Kind::Foreign;
        bare.then(|| format!("{file}:{line}: `unsafe` without a reason (`// SAFETY: …`) above it"))
    }
}

fn all() -> Result<Vec<Found>> {
    let mut found = Vec::new();
    for file in sources()? {
        let text =
            fs::read_to_string(root().join(&file)).with_context(|| format!("read {}", file.display()))?;
        found.extend(in_file(&file.display().to_string(), &text)?);
    }
    Ok(found)
}

/// The Rust files of the repository, those that are not committed yet among them.
fn sources() -> Result<Vec<PathBuf>> {
    let mut git = Command::new("git");
    git.args(["ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate", "-z", "--", "*.rs"]);
    let names = output_of("git ls-files", git.current_dir(root()))?;
    let mut files: Vec<PathBuf> = names.split_terminator('\0').map(PathBuf::from).collect();
    files.retain(|file| root().join(file).is_file());
    files.sort();
    Ok(files)
}

fn in_file(file: &str, text: &str) -> Result<Vec<Found>> {
    if !text.contains("unsafe") {
        return Ok(Vec::new());
    }
    let tokens: TokenStream = match text.parse() {
        Ok(tokens) => tokens,
        Err(error) => bail!("{file}: its tokens cannot be read: {error}"),
    };
    let lines: Vec<&str> = text.lines().collect();
    let mut walk = Walk { file, lines: &lines, function: String::new(), found: Vec::new() };
    walk.tokens(tokens);
    Ok(walk.found)
}

struct Walk<'a> {
    file: &'a str,
    lines: &'a [&'a str],
    /// The last one that began: a function in a function is rare, and the name is for people.
    function: String,
    found: Vec<Found>,
}

impl Walk<'_> {
    fn tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        for (at, token) in tokens.iter().enumerate() {
            let rest = &tokens[at + 1..];
            match token {
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Ident(word) if word == "fn" => {
                    if let Some(TokenTree::Ident(name)) = rest.first() {
                        self.function = name.to_string();
                    }
                }
                TokenTree::Ident(word) if word == "unsafe" => self.one(word.span().start().line, rest),
                _ => {}
            }
        }
    }

    fn one(&mut self, line: usize, rest: &[TokenTree]) {
        let (kind, item) = match rest.first() {
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                (Kind::Block, self.function.clone())
            }
            Some(TokenTree::Ident(word)) if word == "impl" || word == "trait" => {
                (Kind::Impl, upto_brace(rest))
            }
            Some(TokenTree::Ident(word)) if word == "fn" => {
                (Kind::Function, rest.get(1).map(ToString::to_string).unwrap_or_default())
            }
            Some(TokenTree::Ident(word)) if word == "extern" => (Kind::Foreign, "librdkafka".to_owned()),
            _ => (Kind::Attribute, self.function.clone()),
        };
        let reason = reason(self.lines, line);
        self.found.push(Found { file: self.file.to_owned(), line, kind, item, reason });
    }
}

/// `Send for Queue` of `impl Send for Queue { … }`.
fn upto_brace(rest: &[TokenTree]) -> String {
    let words = rest.iter().skip(1).take_while(|token| !matches!(token, TokenTree::Group(_)));
    words.map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// The comment above line `number` (from 1) from `SAFETY:` or `# Safety` on.
fn reason(lines: &[&str], number: usize) -> Option<String> {
    let comment = |line: &&&str| line.trim_start().starts_with("//");
    let above = &lines[..number - 1];
    let ends_before = |line: &str| line.ends_with([';', '{', '}']) || line.is_empty();
    let skipped =
        above.iter().rev().take(REACH).take_while(|line| !comment(line) && !ends_before(line.trim_end()));
    let above = &above[..above.len() - skipped.count()];
    let mut text: Vec<&str> = above.iter().rev().take_while(comment).map(|line| words(line)).collect();
    text.reverse();
    let text = text.join(" ");
    let said = text.split_once("SAFETY:").or_else(|| text.split_once("# Safety"))?.1.trim();
    (!said.is_empty()).then(|| said.to_owned())
}

fn words(comment: &str) -> &str {
    comment.trim().trim_start_matches('/').trim_start_matches('!').trim()
}

fn list(found: &[Found]) -> String {
    let mut out = "# Every `unsafe`\n\n\
         Made by `cargo xtask unsafe --write`; `cargo xtask ci --gate unsafe` fails where it is not current, where one\n\
         stands outside of `crates/kafka`, and where one has no reason. The compiler denies `unsafe` in every other crate.\n"
        .to_owned();
    let _ = writeln!(out, "\n{} places.", found.len());
    let mut file = "";
    for one in found {
        if one.file != file {
            file = &one.file;
            let _ = writeln!(out, "\n## {file}\n\n| what | where | why it is sound |\n|---|---|---|");
        }
        let reason = one.reason.as_deref().unwrap_or("each call has its own reason").replace('|', "\\|");
        let _ = writeln!(out, "| {} | `{}` | {reason} |", one.kind.name(), one.item);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
        //! This unsafe is a word.
        // SAFETY: one owner.
        unsafe impl Send for Queue {}
        /// Reads.
        ///
        /// # Safety
        /// `start` is live.
        #[inline]
        unsafe fn read(start: *const u8) -> u8 {
            let text = "unsafe { }";
            // SAFETY: the caller vouches
            // for it.
            let value =
                unsafe { *start };
            unsafe { *start }
        }
        unsafe extern "C" {}
        macro_rules! hidden { () => { unsafe { here() } } }
    "#;

    #[test]
    fn each_is_found_with_its_reason_and_words_are_not() {
        let found = in_file("crates/kafka/src/x.rs", FILE).unwrap();
        let seen: Vec<_> =
            found.iter().map(|one| (one.kind, one.item.as_str(), one.reason.as_deref())).collect();
        assert_eq!(
            seen,
            [
                (Kind::Impl, "Send for Queue", Some("one owner.")),
                (Kind::Function, "read", Some("`start` is live.")),
                (Kind::Block, "read", Some("the caller vouches for it.")),
                (Kind::Block, "read", None),
                (Kind::Foreign, "librdkafka", None),
                (Kind::Block, "read", None),
            ]
        );
        let wrong: Vec<_> = found.iter().filter_map(Found::problem).collect();
        assert_eq!(wrong.len(), 2, "{wrong:?}");
        assert!(wrong[0].contains("x.rs:16: `unsafe` without a reason"), "{wrong:?}");
    }

    #[test]
    fn elsewhere_it_is_refused_whatever_its_reason() {
        let found = in_file("src/x.rs", "// SAFETY: sure\nunsafe impl Send for X {}").unwrap();
        assert!(found[0].problem().unwrap().contains("src/x.rs:2: `unsafe` outside"));
    }

    #[test]
    fn the_list_of_this_repository_is_current() {
        check().unwrap();
    }
}
