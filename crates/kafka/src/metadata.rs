//! Brokers, topics and partitions as the cluster's metadata tells them, and topic ids.

use std::collections::HashMap;
use std::fmt;

use flowdeck_model::{Partition, TopicName};

use crate::error::{Cause, Error, Operation};
use crate::{Cluster, Deadline, Topic};

/// The cluster at one moment: every broker, every topic that this client may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    pub cluster_id: Option<String>,
    pub controller: Option<i32>,
    pub brokers: Vec<Broker>,
    /// Sorted by name.
    pub topics: Vec<TopicMetadata>,
}

impl Metadata {
    pub fn topic(&self, name: &TopicName) -> Option<&TopicMetadata> {
        let at = self.topics.binary_search_by(|topic| topic.name.as_ref().cmp(name)).ok()?;
        self.topics.get(at)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    pub id: i32,
    pub host: String,
    pub port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicMetadata {
    pub name: Topic,
    /// Sorted by number.
    pub partitions: Vec<PartitionMetadata>,
    pub error: Option<Cause>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionMetadata {
    pub partition: Partition,
    /// `None`: no leader at the moment; the partition can be neither read nor written.
    pub leader: Option<i32>,
    pub replicas: Vec<i32>,
    pub isr: Vec<i32>,
    pub error: Option<Cause>,
}

/// A topic's id: another id under the same name is another log (the topic was created anew).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TopicId {
    pub(crate) most: i64,
    pub(crate) least: i64,
}

impl fmt::Debug for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", self.most, self.least)
    }
}

impl Cluster {
    /// Always the full list: naming a topic in a metadata request could create it.
    pub async fn metadata(&self, _deadline: impl Into<Deadline>) -> Result<Metadata, Error> {
        Err(Error::new(Operation::Metadata, Cause::Unsupported("being built".into())))
    }

    /// The ids of topics that are known to exist. A topic that the broker does not know is
    /// `Cause::UnknownTopic` in its place.
    pub async fn topic_ids(
        &self,
        _topics: &[TopicName],
        _deadline: impl Into<Deadline>,
    ) -> Result<HashMap<TopicName, Result<TopicId, Cause>>, Error> {
        Err(Error::new(Operation::TopicIds, Cause::Unsupported("being built".into())))
    }
}
