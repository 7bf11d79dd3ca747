//! Creating Flowdeck's own topics, and reading the configuration of a topic or a broker.

use std::collections::BTreeMap;

use flowdeck_model::TopicName;

use crate::error::{Acl, Cause, Error, Operation};
use crate::ffi::answers::ConfigRow;
use crate::ffi::ask::{Creation, NulByte};
use crate::ffi::codes;
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
    /// Kafka's own default.
    pub default: bool,
    /// Set on the topic itself; else it is the brokers'.
    pub own: bool,
    pub sensitive: bool,
}

impl std::fmt::Debug for ConfigEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let value = if self.sensitive { Some("(hidden)") } else { self.value.as_deref() };
        f.debug_struct("ConfigEntry").field("value", &value).field("default", &self.default).finish()
    }
}

impl Cluster {
    /// Writes to the cluster: only for clusters in control mode. One answer for each topic, in the
    /// order given.
    pub async fn create_topics(
        &self,
        topics: &[NewTopic],
        deadline: impl Into<Deadline>,
    ) -> Vec<(TopicName, Result<Created, Cause>)> {
        let deadline = deadline.into();
        let each = topics.iter().map(|topic| async move {
            let created = self.create_topic(topic, false, deadline).await;
            (topic.name.clone(), created)
        });
        futures::future::join_all(each).await
    }

    /// With `validate_only` the broker checks the request and creates nothing.
    pub(crate) async fn create_topic(
        &self,
        topic: &NewTopic,
        validate_only: bool,
        deadline: Deadline,
    ) -> Result<Created, Cause> {
        let creation = Creation {
            name: topic.name.as_str(),
            partitions: topic.partitions,
            replication: topic.replication,
            configs: topic.configs.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect(),
        };
        let acl = || Acl::topic("Create", topic.name.as_str());
        let call = self.client().call(
            deadline,
            acl,
            |ask| ask.create_topic(&creation, validate_only).map_err(Cause::Unsupported),
            |event| Ok(event.created_topic()),
        );
        match call.await? {
            (codes::NO_ERROR, _) => Ok(Created::Created),
            (codes::TOPIC_ALREADY_EXISTS, _) => Ok(Created::Existed),
            (code, message) => Err(match Cause::from_code(code, acl()) {
                // The broker's own message says which of partitions, replication and configuration it was.
                Cause::Kafka { code, name, .. } if !message.is_empty() => {
                    Cause::Kafka { code, name, message }
                }
                cause => cause,
            }),
        }
    }

    pub async fn topic_config(
        &self,
        topic: &TopicName,
        deadline: impl Into<Deadline>,
    ) -> Result<BTreeMap<String, ConfigEntry>, Error> {
        let call = self.client().call(
            deadline.into(),
            || Acl::topic("DescribeConfigs", topic.as_str()),
            |ask| ask.topic_config(topic.as_str()).map_err(|NulByte| Cause::UnknownTopic),
            |event| event.config(),
        );
        let rows = call.await.map_err(|cause| Error::new(Operation::TopicConfig, cause))?;
        Ok(entries(rows))
    }

    pub async fn broker_config(
        &self,
        broker: i32,
        deadline: impl Into<Deadline>,
    ) -> Result<BTreeMap<String, ConfigEntry>, Error> {
        let call = self.client().call(
            deadline.into(),
            || Acl::cluster("DescribeConfigs"),
            |ask| ask.broker_config(broker).map_err(|NulByte| Cause::UnknownTopic),
            |event| event.config(),
        );
        let rows = call.await.map_err(|cause| Error::new(Operation::BrokerConfig, cause))?;
        Ok(entries(rows))
    }
}

fn entries(rows: Vec<ConfigRow>) -> BTreeMap<String, ConfigEntry> {
    let entry = |row: ConfigRow| {
        let value = row.value.filter(|_| !row.sensitive);
        (row.name, ConfigEntry { value, default: row.default, own: row.own, sensitive: row.sensitive })
    };
    rows.into_iter().map(entry).collect()
}
