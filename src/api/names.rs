//! Names in paths, by the one encoder of `model::url`. What is no name of ours is 404 and never
//! reaches a port.

use flowdeck_model::error::ResourceKind;
use flowdeck_model::{ClusterName, CommandId, GroupId, PortError, TopicName, url};

/// The segment as the router decoded it.
pub(crate) fn cluster(segment: &str) -> Result<ClusterName, PortError> {
    url::decode(segment)
        .and_then(|name| name.parse().ok())
        .ok_or_else(|| PortError::not_found(ResourceKind::Cluster, short(segment)))
}

pub(crate) fn group(segment: &str) -> Result<GroupId, PortError> {
    url::decode(segment).map(GroupId::from).ok_or_else(|| not_ours(ResourceKind::Group, segment))
}

/// A name that no topic can have does not exist; Kafka is not asked.
pub(crate) fn topic(segment: &str) -> Result<TopicName, PortError> {
    let name = url::decode(segment).ok_or_else(|| not_ours(ResourceKind::Topic, segment))?;
    name.parse().map_err(|_| {
        PortError::not_found_because(ResourceKind::Topic, short(&name), "Kafka allows no topic of this name")
    })
}

pub(crate) fn command(segment: &str) -> Result<CommandId, PortError> {
    segment.parse().map_err(|_| {
        PortError::not_found_because(ResourceKind::Command, short(segment), "a command's id is a UUID")
    })
}

fn not_ours(what: ResourceKind, segment: &str) -> PortError {
    PortError::not_found_because(
        what,
        short(segment),
        "names with other characters than a-z A-Z 0-9 . _ - are written in URLs as ~ and their base64url",
    )
}

/// Keeps an answer about a hostile name readable.
fn short(name: &str) -> String {
    match name.char_indices().nth(120) {
        Some((cut, _)) => format!("{}…", &name[..cut]),
        None => name.to_owned(),
    }
}
