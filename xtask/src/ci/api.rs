//! The public API of flowdeck-agent as text, `crates/agent/api.txt`: what a change does to it is in the diff.
//! `UPDATE_API=1 cargo xtask ci --gate api` writes it anew.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use public_api::Builder;

use super::{LIMIT, RUSTDOC_FLAGS};
use crate::machine::Machine;
use crate::workspace::{must, root, target, target_dir};

const SNAPSHOT: &str = "crates/agent/api.txt";
const UPDATE: &str = "UPDATE_API";

pub(super) fn check(machine: &Machine) -> Result<()> {
    let now = text(&json(machine)?)?;
    let path = root().join(SNAPSHOT);
    if std::env::var_os(UPDATE).is_some() {
        return fs::write(&path, now).with_context(|| format!("write {SNAPSHOT}"));
    }
    let kept = fs::read_to_string(&path).with_context(|| format!("read {SNAPSHOT}"))?;
    let changes = changes(&kept, &now);
    ensure!(
        changes.is_empty(),
        "the public API of flowdeck-agent is not what {SNAPSHOT} says; where that is meant: {UPDATE}=1 cargo xtask ci --gate \
         api\n{}",
        changes.join("\n")
    );
    Ok(())
}

/// As the documentation is built, so that what it takes is there. The option for JSON is unstable; rustdoc alone is told to
/// take it, since some build scripts look at that variable too.
fn json(machine: &Machine) -> Result<PathBuf> {
    let flags = format!("{RUSTDOC_FLAGS} -Z unstable-options --output-format json");
    let mut command = super::doc(machine);
    command.env("RUSTDOC", rustdoc()?).env("RUSTDOCFLAGS", flags);
    must("cargo doc as JSON", &command, LIMIT)?;
    Ok(target().join("doc/flowdeck_agent.json"))
}

fn rustdoc() -> Result<PathBuf> {
    let path = target_dir("api")?.join("rustdoc");
    fs::write(&path, "#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec rustdoc \"$@\"\n").context("write a script")?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).context("make it executable")?;
    Ok(path)
}

fn text(json: &Path) -> Result<String> {
    let api = Builder::from_rustdoc_json(json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()
        .with_context(|| format!("read {}", json.display()))?;
    Ok(api.to_string())
}

/// Lines that went and lines that came.
fn changes(kept: &str, now: &str) -> Vec<String> {
    let only_in = |one: &str, other: &str, sign: &str| -> Vec<String> {
        let others: std::collections::HashSet<&str> = other.lines().collect();
        one.lines().filter(|line| !others.contains(line)).map(|line| format!("{sign} {line}")).collect()
    };
    [only_in(kept, now, "-"), only_in(now, kept, "+")].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_and_what_came() {
        assert_eq!(changes("a\nb\n", "a\nb\n"), Vec::<String>::new());
        assert_eq!(changes("a\nb\n", "a\nc\n"), ["- b", "+ c"]);
    }
}
