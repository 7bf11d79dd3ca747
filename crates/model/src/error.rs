//! What a port answers when it cannot do what was asked: what failed, where, what to do. No HTTP
//! here; the server maps each variant to one status.

use serde::{Deserialize, Serialize};

use crate::actor::Permission;
use crate::names::ClusterName;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase", tag = "error")]
pub enum PortError {
    #[error("there is no {what} {name:?}{}", in_words(.hint))]
    NotFound { what: ResourceKind, name: String, hint: Option<String> },
    #[error("this needs the permission to {} on {on}", .permission.label())]
    Forbidden { permission: Permission, on: String },
    /// The configuration keeps payloads of this topic from everybody.
    #[error("records of {on} are not shown: the configuration says payloads = false")]
    PayloadsOff { on: String },
    #[error("{field}: {problem}")]
    Invalid { field: String, problem: String },
    #[error("{detail}")]
    Conflict { detail: String },
    #[error(
        "cluster {cluster} is in observe mode, so Flowdeck writes nothing to it; set mode = \"control\" for it in the configuration"
    )]
    ObserveMode { cluster: ClusterName },
    /// The command is understood and cannot be carried out: no instance listens, or the name is ambiguous.
    #[error("{detail}")]
    Unprocessable { detail: String },
    #[error("cluster {cluster}: {detail}")]
    Unavailable { cluster: ClusterName, detail: String },
    /// The order may have been taken, and may be carried out yet. The same request under the same id is done once at most.
    // No page reads it from the browser.
    #[cfg(not(target_family = "wasm"))]
    #[error("cluster {cluster}: it is not known whether this was taken: {detail}; look at operation {id}")]
    InDoubt { cluster: ClusterName, id: crate::ids::CommandId, detail: String },
    #[error("{detail}")]
    TooMany { detail: String },
}

/// What was looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ResourceKind {
    Cluster,
    Group,
    Topic,
    Partition,
    Command,
    Record,
    Page,
}

impl std::fmt::Display for ResourceKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Cluster => "cluster",
            Self::Group => "group",
            Self::Topic => "topic",
            Self::Partition => "partition",
            Self::Command => "command",
            Self::Record => "record",
            Self::Page => "page",
        })
    }
}

fn in_words(hint: &Option<String>) -> String {
    hint.as_ref().map(|hint| format!(": {hint}")).unwrap_or_default()
}

impl PortError {
    pub fn not_found(what: ResourceKind, name: impl Into<String>) -> Self {
        Self::NotFound { what, name: name.into(), hint: None }
    }

    pub fn not_found_because(what: ResourceKind, name: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::NotFound { what, name: name.into(), hint: Some(hint.into()) }
    }

    pub fn invalid(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), problem: problem.into() }
    }
}
