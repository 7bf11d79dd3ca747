//! Commits of a group that has no members, put back where Kafka has none any more.

use std::collections::HashSet;

use flowdeck_model::{GroupId, Partition, TopicName};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{ClientConfig, ClientContext, Offset, TopicPartitionList};

use crate::blocking::off_thread;
use crate::error::{Acl, Cause, Error, Operation};
use crate::ffi::logs;
use crate::{Cluster, Deadline};

struct Logs;

impl ClientContext for Logs {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        logs::line(level as i32, facility, line);
    }
}

impl ConsumerContext for Logs {}

type Place = (TopicName, Partition, i64);

impl Cluster {
    /// Those of `kept` that the group has no commit of; says how many they were. Kafka takes them only while the group has
    /// no member, and nobody joins by this. Writes to the cluster: only for clusters in control mode.
    pub async fn put_back(
        &self,
        group: &GroupId,
        kept: &[Place],
        deadline: impl Into<Deadline>,
    ) -> Result<usize, Error> {
        let deadline = deadline.into();
        let mut answer = Err(Cause::Timeout);
        self.committed(std::slice::from_ref(group), 1, deadline, |_, one| answer = one).await;
        let failed = |cause| Error::new(Operation::PutBack, cause);
        let known: HashSet<(TopicName, Partition)> = answer
            .map_err(failed)?
            .into_iter()
            .filter(|one| !matches!(one.offset(), Ok(None)))
            .map(|one| (one.topic.as_ref().clone(), one.partition))
            .collect();
        let is_missing = |place: &&Place| !known.contains(&(place.0.clone(), place.1));
        let missing: Vec<Place> = kept.iter().filter(is_missing).cloned().collect();
        if missing.is_empty() {
            return Ok(0);
        }
        let count = missing.len();
        let own = [("group.id", group.as_str().to_owned()), ("enable.auto.commit", "false".to_owned())];
        let properties = self.config().properties_for(&own);
        let properties = properties.map_err(|error| failed(Cause::Unsupported(error.to_string())))?;
        let acl = Acl::group("Read", group.as_str());
        let call = off_thread(move || {
            let mut config = ClientConfig::new();
            for (name, value) in properties {
                config.set(name, value);
            }
            let client: BaseConsumer<Logs> = config.create_with_context(Logs)?;
            let mut list = TopicPartitionList::new();
            for (topic, partition, offset) in missing {
                list.add_partition_offset(topic.as_str(), partition.get(), Offset::Offset(offset))?;
            }
            client.commit(&list, CommitMode::Sync)
        });
        match tokio::time::timeout_at(deadline.instant(), call).await {
            Err(_) => Err(failed(Cause::Timeout)),
            Ok(None) => Err(failed(Cause::Closing)),
            Ok(Some(Ok(()))) => Ok(count),
            Ok(Some(Err(error))) => Err(failed(cause(&error, acl))),
        }
    }
}

/// rdkafka's own message could repeat a property's value.
fn cause(error: &KafkaError, acl: Acl) -> Cause {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::GroupAuthorizationFailed) => Cause::NotPermitted(acl),
        Some(code) => Cause::from_code(code as i32, acl),
        None => Cause::Unsupported("a client could not be made of this configuration".to_owned()),
    }
}
