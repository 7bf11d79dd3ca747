//! The one encoder for names in URLs, used by links, API and stream. Safe names are written as they are,
//! all others as `~` and the unpadded base64url of their UTF-8 bytes, because routers decode twice,
//! browsers fold `%2e%2e` and proxies refuse `%2F`. One URL for one name: a `~` form of a safe name
//! does not decode.

mod base64url;

use crate::names::{ClusterName, GroupId, TopicName};

fn is_safe(name: &str) -> bool {
    !name.is_empty()
        && name != "."
        && name != ".."
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// A name as one path segment or query value.
pub fn encode(name: &str) -> String {
    if is_safe(name) { name.to_owned() } else { format!("~{}", base64url::encode(name.as_bytes())) }
}

/// The name that a segment encodes; `None` where it encodes none (answer 404).
pub fn decode(segment: &str) -> Option<String> {
    let Some(encoded) = segment.strip_prefix('~') else {
        return is_safe(segment).then(|| segment.to_owned());
    };
    let bytes = base64url::decode(encoded)?;
    let name = String::from_utf8(bytes).ok()?;
    (!is_safe(&name)).then_some(name)
}

/// Paths below the base path. They start with `/`; the caller puts its base before them.
pub fn group_path(cluster: &ClusterName, group: &GroupId) -> String {
    format!("/c/{}/groups/{}", encode(cluster.as_str()), encode(group.as_str()))
}

/// What the agents of a group report of themselves.
pub fn agents_path(cluster: &ClusterName, group: &GroupId) -> String {
    format!("{}/agents", group_path(cluster, group))
}

pub fn topic_path(cluster: &ClusterName, topic: &TopicName) -> String {
    format!("/c/{}/topics/{}", encode(cluster.as_str()), encode(topic.as_str()))
}

/// The page of a topic's records as they come.
pub fn tail_path(cluster: &ClusterName, topic: &TopicName) -> String {
    format!("{}/live", topic_path(cluster, topic))
}

/// The stream of the same, below `/api/v1`.
pub fn tail_path_of_api(cluster: &ClusterName, topic: &TopicName) -> String {
    format!("/clusters/{}/topics/{}/messages/tail", encode(cluster.as_str()), encode(topic.as_str()))
}

/// The form that produces a record to a topic.
pub fn produce_path(cluster: &ClusterName, topic: &TopicName) -> String {
    format!("{}/produce", topic_path(cluster, topic))
}

pub fn produced_path(cluster: &ClusterName, id: crate::ids::CommandId) -> String {
    format!("/c/{}/produced/{id}", encode(cluster.as_str()))
}

/// The form that raises a topic's retention.
pub fn retention_path(cluster: &ClusterName, topic: &TopicName) -> String {
    format!("{}/retention", topic_path(cluster, topic))
}

/// The topics of a group, for the same.
pub fn group_retention_path(cluster: &ClusterName, group: &GroupId) -> String {
    format!("{}/retention", group_path(cluster, group))
}

pub fn raised_path(cluster: &ClusterName, id: crate::ids::CommandId) -> String {
    format!("/c/{}/retentions/{id}", encode(cluster.as_str()))
}

pub fn dead_letters_path(cluster: &ClusterName, topic: &TopicName) -> String {
    format!("/c/{}/dead-letters/{}", encode(cluster.as_str()), encode(topic.as_str()))
}

pub fn redrive_path(cluster: &ClusterName, id: crate::CommandId) -> String {
    format!("/c/{}/redrives/{id}", encode(cluster.as_str()))
}

pub fn bulk_path(cluster: &ClusterName, id: crate::CommandId) -> String {
    format!("/c/{}/bulks/{id}", encode(cluster.as_str()))
}

/// The canary resume that began with this command.
pub fn canary_path(cluster: &ClusterName, id: crate::CommandId) -> String {
    format!("/c/{}/canaries/{id}", encode(cluster.as_str()))
}

/// As the query of a form's address: it resumes what one pause holds, and nothing that another one holds too.
pub const ALONE: &str = "alone";

pub fn command_path(cluster: &ClusterName, id: crate::CommandId) -> String {
    format!("/c/{}/commands/{id}", encode(cluster.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_as_the_wire_page_says() {
        for (name, segment) in [
            ("dev-audio-processor", "dev-audio-processor"),
            ("a.b_c", "a.b_c"),
            ("", "~"),
            (".", "~Lg"),
            ("..", "~Li4"),
            ("a/b", "~YS9i"),
            ("a%2Fb", "~YSUyRmI"),
            ("~x", "~fng"),
        ] {
            assert_eq!(encode(name), segment);
            assert_eq!(decode(segment).as_deref(), Some(name));
        }
    }

    #[test]
    fn what_is_no_encoding_does_not_decode() {
        // A `~` form of a plain name, bad base64, padding, non-canonical bits, not UTF-8, unsafe text.
        for segment in ["~YWJj", "~%", "~Lg==", "~Lh", "~_w", "a b", "..", "", "a%2Fb"] {
            assert_eq!(decode(segment), None, "{segment}");
        }
    }

    proptest! {
        #[test]
        fn every_name_comes_back(name in "\\PC*") {
            let segment = encode(&name);
            prop_assert!(segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-~".contains(&b)));
            prop_assert_eq!(decode(&segment), Some(name));
        }

        #[test]
        fn one_segment_for_one_name(segment in "[~A-Za-z0-9._%-]{0,12}") {
            if let Some(name) = decode(&segment) {
                prop_assert_eq!(encode(&name), segment);
            }
        }
    }
}
