//! Roles: named sets of grants. Three are built in; others are in the configuration.

use flowdeck_model::actor::{Grant, Pattern, Permission};
use serde::Deserialize;

/// Name and permissions, everywhere. They cannot be given another meaning.
const BUILT_IN: [(&str, &[Permission]); 3] = [
    ("viewer", &[Permission::View]),
    ("operator", &[Permission::View, Permission::ReadPayloads, Permission::Control]),
    ("admin", &Permission::ALL),
];

pub(super) fn built_in() -> impl Iterator<Item = (String, Vec<Grant>)> {
    BUILT_IN.iter().map(|(name, permissions)| ((*name).to_owned(), vec![Grant::everywhere(permissions)]))
}

/// `[[auth.roles.NAME]]`: each table is one grant of the role.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GrantTable {
    permissions: Vec<PermissionName>,
    #[serde(default = "any")]
    clusters: String,
    #[serde(default = "any")]
    groups: String,
    /// For what is about topics: payloads, produce, re-drive, retention.
    #[serde(default = "any")]
    topics: String,
}

fn any() -> String {
    "*".to_owned()
}

/// A permission as the configuration writes it.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PermissionName {
    View,
    ReadPayloads,
    Control,
    Offsets,
    Produce,
    ReadUnmasked,
    Redrive,
    Retention,
}

impl From<PermissionName> for Permission {
    fn from(name: PermissionName) -> Self {
        match name {
            PermissionName::View => Self::View,
            PermissionName::ReadPayloads => Self::ReadPayloads,
            PermissionName::Control => Self::Control,
            PermissionName::Offsets => Self::Offsets,
            PermissionName::Produce => Self::Produce,
            PermissionName::ReadUnmasked => Self::ReadUnmasked,
            PermissionName::Redrive => Self::Redrive,
            PermissionName::Retention => Self::Retention,
        }
    }
}

impl GrantTable {
    /// Whoever may change a group may view it: a grant without `view` would show errors only.
    pub(super) fn into_grant(self) -> Result<Grant, (&'static str, &'static str)> {
        if self.permissions.is_empty() {
            return Err((
                "permissions",
                "name at least one of view, read_payloads, control, offsets, produce, read_unmasked, redrive, retention",
            ));
        }
        for (field, pattern) in
            [("clusters", &self.clusters), ("groups", &self.groups), ("topics", &self.topics)]
        {
            if pattern.is_empty() {
                return Err((field, "an empty pattern matches nothing; write \"*\" for all"));
            }
        }
        let mut permissions = vec![Permission::View];
        for permission in self.permissions.into_iter().map(Permission::from) {
            if !permissions.contains(&permission) {
                permissions.push(permission);
            }
        }
        Ok(Grant {
            permissions,
            clusters: Pattern::new(self.clusters),
            groups: Pattern::new(self.groups),
            topics: Pattern::new(self.topics),
        })
    }
}
