//! What this cluster offers, found by one harmless probe each, not by brand or version number.

use crate::{Acl, Cluster, Deadline};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Capability {
    Yes,
    /// Why not, in words.
    No(String),
    NotPermitted(Acl),
    /// The probe did not come to an answer, or there is nothing yet to probe; why, in words.
    Unknown(String),
}

/// The table that the brokers' page and `--check` show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    pub list_groups: Capability,
    pub describe_groups: Capability,
    /// Groups of the KIP-848 protocol.
    pub consumer_protocol: Capability,
    pub committed_offsets: Capability,
    pub log_offsets: Capability,
    pub topic_ids: Capability,
    pub create_topics: Capability,
    pub transactions: Capability,
    pub delete_offsets: Capability,
    pub follow_commits: Capability,
}

impl Capabilities {
    /// Names for people, with the finding of each, in the order to show.
    pub fn rows(&self) -> [(&'static str, &Capability); 10] {
        [
            ("list groups", &self.list_groups),
            ("describe groups", &self.describe_groups),
            ("KIP-848 groups", &self.consumer_protocol),
            ("read committed offsets", &self.committed_offsets),
            ("read log offsets", &self.log_offsets),
            ("topic ids", &self.topic_ids),
            ("create topics", &self.create_topics),
            ("transactions", &self.transactions),
            ("delete committed offsets", &self.delete_offsets),
            ("follow commits (__consumer_offsets)", &self.follow_commits),
        ]
    }
}

impl Cluster {
    /// Probes that write nothing. Each is bounded by the deadline and answers for itself.
    pub async fn capabilities(&self, _deadline: impl Into<Deadline>) -> Capabilities {
        let unknown = || Capability::Unknown("being built".to_owned());
        Capabilities {
            list_groups: unknown(),
            describe_groups: unknown(),
            consumer_protocol: unknown(),
            committed_offsets: unknown(),
            log_offsets: unknown(),
            topic_ids: unknown(),
            create_topics: unknown(),
            transactions: unknown(),
            delete_offsets: unknown(),
            follow_commits: unknown(),
        }
    }
}
