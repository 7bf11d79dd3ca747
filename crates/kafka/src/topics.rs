//! Creating Flowdeck's own topics, and reading a topic's configuration.

use std::collections::BTreeMap;

use flowdeck_model::TopicName;

use crate::error::{Cause, Error, Operation};
use crate::{Cluster, Deadline};

/// A topic to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTopic {
    pub name: TopicName,
    pub partitions: i32,
    pub replication: i16,
    pub configs: BTreeMap<String, String>,
}

/// How a wish to have a topic came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    Created,
    /// It was there before; its partitions and configuration are as they were.
    Existed,
}

#[derive(Clone, PartialEq, Eq)]
pub struct ConfigEntry {
    /// `None` where the broker hides it (sensitive) or has none.
    pub value: Option<String>,
    /// Not set on the topic itself.
    pub default: bool,
    pub sensitive: bool,
}

impl std::fmt::Debug for ConfigEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let value = if self.sensitive { Some("(hidden)") } else { self.value.as_deref() };
        f.debug_struct("ConfigEntry").field("value", &value).field("default", &self.default).finish()
    }
}

impl Cluster {
    /// Writes to the cluster: only for clusters in control mode. One answer for each topic.
    pub async fn create_topics(
        &self,
        _topics: &[NewTopic],
        _deadline: impl Into<Deadline>,
    ) -> Result<Vec<(TopicName, Result<Created, Cause>)>, Error> {
        Err(Error::new(Operation::CreateTopics, Cause::Unsupported("being built".into())))
    }

    pub async fn topic_config(
        &self,
        _topic: &TopicName,
        _deadline: impl Into<Deadline>,
    ) -> Result<BTreeMap<String, ConfigEntry>, Error> {
        Err(Error::new(Operation::TopicConfig, Cause::Unsupported("being built".into())))
    }
}
