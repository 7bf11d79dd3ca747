//! The licence of every crate in Cargo.lock against the allow-list of `xtask/licences.toml`.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use spdx::{Expression, ParseMode};

use crate::packages::{Package, metadata};
use crate::say;
use crate::workspace::root;

/// The allow-list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Policy {
    /// SPDX identifiers that any crate may have.
    allow: Vec<String>,
    /// Further ones for single crates, each with its reason.
    #[serde(default)]
    exceptions: BTreeMap<String, Exception>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exception {
    allow: Vec<String>,
    #[serde(rename = "reason")]
    _reason: String,
}

pub(super) fn check() -> Result<()> {
    let text = fs::read_to_string(root().join("xtask/licences.toml")).context("read xtask/licences.toml")?;
    let policy: Policy = toml::from_str(&text).context("read xtask/licences.toml")?;
    let packages = metadata()?.packages;
    let refused: Vec<String> = packages.iter().filter_map(|package| policy.refuses(package)).collect();
    if !refused.is_empty() {
        bail!("not allowed by xtask/licences.toml:\n  {}", refused.join("\n  "));
    }
    say::step(&format!("the licences of {} crates are allowed", packages.len()));
    Ok(())
}

impl Policy {
    /// Why a package is not allowed; `None` where it is.
    fn refuses(&self, package: &Package) -> Option<String> {
        let Package { name, version, license, .. } = package;
        let Some(license) = license else { return Some(format!("{name} {version}: names no licence")) };
        let expression = match Expression::parse_mode(license, ParseMode::LAX) {
            Ok(expression) => expression,
            Err(error) => {
                return Some(format!("{name} {version}: {license:?} is no licence expression: {error}"));
            }
        };
        let allowed = expression.evaluate(|requirement| self.allows(name, &requirement.to_string()));
        (!allowed).then(|| format!("{name} {version}: {license}"))
    }

    fn allows(&self, name: &str, licence: &str) -> bool {
        let special = self.exceptions.get(name).map(|exception| &exception.allow);
        self.allow.iter().chain(special.into_iter().flatten()).any(|allowed| allowed == licence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_evaluated() {
        let policy: Policy = toml::from_str(
            "allow = ['MIT', 'Apache-2.0', 'Apache-2.0 WITH LLVM-exception', 'Unicode-3.0']\n\
             [exceptions.webpki-roots]\nallow = ['CDLA-Permissive-2.0']\nreason = 'data'",
        )
        .unwrap();
        let refused = |name: &str, license: Option<&str>| {
            let package = Package {
                id: String::new(),
                name: name.to_owned(),
                version: "1.0.0".to_owned(),
                license: license.map(str::to_owned),
            };
            policy.refuses(&package).is_some()
        };
        let cases = [
            ("a", Some("MIT OR Apache-2.0"), false),
            ("a", Some("MIT/Apache-2.0"), false),
            ("a", Some("GPL-3.0-only OR MIT"), false),
            ("a", Some("GPL-3.0-only"), true),
            ("a", Some("MIT AND GPL-3.0-only"), true),
            ("a", Some("(MIT OR Apache-2.0) AND Unicode-3.0"), false),
            ("a", Some("Apache-2.0 WITH LLVM-exception"), false),
            ("a", Some("MIT WITH LLVM-exception"), true),
            ("a", Some("CDLA-Permissive-2.0"), true),
            ("webpki-roots", Some("CDLA-Permissive-2.0"), false),
            ("a", Some("as you like"), true),
            ("a", None, true),
        ];
        for (name, license, expected) in cases {
            assert_eq!(refused(name, license), expected, "{name} {license:?}");
        }
    }
}
