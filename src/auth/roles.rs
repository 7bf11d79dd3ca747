//! Roles: named sets of grants. Three are built in; others are in the configuration.

use flowdeck_model::actor::{Grant, Pattern, Permission};
use serde::Deserialize;

/// Name and permissions, everywhere. They cannot be given another meaning.
const BUILT_IN: [(&str, &[Permission]); 3] = [
    ("viewer", &[Permission::See]),
    ("operator", &[Permission::See, Permission::ReadPayloads, Permission::Control]),
    ("admin", &Permission::ALL),
];

pub(super) fn built_in() -> impl Iterator<Item = (String, Vec<Grant>)> {
    let any = |permissions: &[Permission]| Grant {
        permissions: permissions.to_vec(),
        clusters: Pattern::any(),
        groups: Pattern::any(),
    };
    BUILT_IN.iter().map(move |(name, permissions)| ((*name).to_owned(), vec![any(permissions)]))
}

/// `[[auth.roles.NAME]]`: each table is one grant of the role.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GrantTable {
    permissions: Vec<Word>,
    #[serde(default = "any")]
    clusters: String,
    #[serde(default = "any")]
    groups: String,
}

fn any() -> String {
    "*".to_owned()
}

/// A permission as the configuration writes it.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    See,
    ReadPayloads,
    Control,
    Offsets,
    Produce,
}

impl From<Word> for Permission {
    fn from(word: Word) -> Self {
        match word {
            Word::See => Self::See,
            Word::ReadPayloads => Self::ReadPayloads,
            Word::Control => Self::Control,
            Word::Offsets => Self::Offsets,
            Word::Produce => Self::Produce,
        }
    }
}

impl GrantTable {
    /// Whoever may change a group may see it: a grant without `see` would show errors only.
    pub(super) fn into_grant(self) -> Result<Grant, (&'static str, &'static str)> {
        if self.permissions.is_empty() {
            return Err((
                "permissions",
                "name at least one of see, read_payloads, control, offsets, produce",
            ));
        }
        for (field, pattern) in [("clusters", &self.clusters), ("groups", &self.groups)] {
            if pattern.is_empty() {
                return Err((field, "an empty pattern matches nothing; write \"*\" for all"));
            }
        }
        let mut permissions = vec![Permission::See];
        for permission in self.permissions.into_iter().map(Permission::from) {
            if !permissions.contains(&permission) {
                permissions.push(permission);
            }
        }
        Ok(Grant { permissions, clusters: Pattern::new(self.clusters), groups: Pattern::new(self.groups) })
    }
}
