//! Brokers, topics and partitions as the cluster's metadata tells them, and topic ids.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use flowdeck_model::{Partition, TopicName};

use crate::error::{Acl, Cause, Error, Operation};
use crate::ffi::ask::NulByte;
use crate::ffi::codes;
use crate::ffi::metadata::{MetadataRows, PartitionRows, TopicRows};
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

/// 32 hexadecimal digits.
impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", self.most, self.least)
    }
}

impl fmt::Debug for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Topics named in one DescribeTopics request.
const TOPICS_A_REQUEST: usize = 500;

impl Cluster {
    /// Always the full list: naming a topic in a metadata request could create it.
    pub async fn metadata(&self, deadline: impl Into<Deadline>) -> Result<Arc<Metadata>, Error> {
        let read = self.client().blocking(
            deadline.into(),
            || Acl::cluster("Describe"),
            |native, span| {
                let rows = native.metadata(span)?;
                Ok((rows, native.cluster_id(), native.controller_id()))
            },
        );
        let (rows, cluster_id, controller) =
            read.await.map_err(|cause| Error::new(Operation::Metadata, cause))?;
        let metadata = assemble(rows, cluster_id, controller, |name| self.client().topic(name));
        let metadata = Arc::new(metadata);
        self.saw(metadata.clone());
        Ok(metadata)
    }

    /// The ids of topics that are known to exist. A topic that the broker does not know is
    /// `Cause::UnknownTopic` in its place, and stays unknown. Topics without ids (brokers before Kafka
    /// 2.8) are left out.
    pub async fn topic_ids(
        &self,
        topics: &[TopicName],
        deadline: impl Into<Deadline>,
    ) -> Result<HashMap<TopicName, Result<TopicId, Cause>>, Error> {
        let deadline = deadline.into();
        let mut ids = HashMap::with_capacity(topics.len());
        for part in topics.chunks(TOPICS_A_REQUEST) {
            let names: Vec<&str> = part.iter().map(TopicName::as_str).collect();
            let call = self.client().call(
                deadline,
                || Acl::cluster("Describe"),
                |ask| ask.describe_topics(&names).map_err(|NulByte| Cause::UnknownTopic),
                |event| Ok(event.described_topics()),
            );
            let rows = call.await.map_err(|cause| Error::new(Operation::TopicIds, cause))?;
            for row in rows {
                let Ok(name) = row.name.parse::<TopicName>() else { continue };
                if row.code != codes::NO_ERROR {
                    let cause = Cause::from_code(row.code, Acl::topic("Describe", name.as_str()));
                    ids.insert(name, Err(cause));
                } else if let Some((most, least)) = row.id {
                    ids.insert(name, Ok(TopicId { most, least }));
                }
            }
        }
        Ok(ids)
    }
}

pub(crate) fn assemble(
    rows: MetadataRows,
    cluster_id: Option<String>,
    controller: Option<i32>,
    name: impl Fn(&str) -> Option<Topic>,
) -> Metadata {
    let mut brokers: Vec<_> = rows
        .brokers
        .into_iter()
        .map(|(id, host, port)| Broker { id, host, port: u16::try_from(port).unwrap_or(0) })
        .collect();
    brokers.sort_unstable_by_key(|broker| broker.id);
    let mut topics: Vec<_> = rows.topics.into_iter().filter_map(|row| topic(row, &name)).collect();
    topics.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Metadata { cluster_id, controller, brokers, topics }
}

fn topic(row: TopicRows, name: impl Fn(&str) -> Option<Topic>) -> Option<TopicMetadata> {
    let name = name(&row.name)?;
    let error = error(row.code, &row.name);
    let mut partitions: Vec<_> =
        row.partitions.into_iter().filter_map(|partition| self::partition(partition, &row.name)).collect();
    partitions.sort_unstable_by_key(|partition| partition.partition);
    Some(TopicMetadata { name, partitions, error })
}

fn partition(row: PartitionRows, topic: &str) -> Option<PartitionMetadata> {
    Some(PartitionMetadata {
        partition: Partition::new(row.partition)?,
        leader: (row.leader >= 0).then_some(row.leader),
        replicas: row.replicas,
        isr: row.isr,
        error: error(row.code, topic),
    })
}

fn error(code: i32, topic: &str) -> Option<Cause> {
    (code != codes::NO_ERROR).then(|| Cause::from_code(code, Acl::topic("Describe", topic)))
}
