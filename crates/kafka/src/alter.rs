//! Setting and deleting a group's commits, deleting a group, and changing a topic's configuration. They write to the
//! cluster: only for clusters in control mode.
//!
//! Each call has a client of its own that ends with it: a request that waits for a group's coordinator, or for a broker,
//! would else be sent whenever that is back, long after its caller gave up. After a deadline it is not known whether the
//! broker took the request; reading what it changes tells.

use std::collections::HashMap;
use std::sync::Arc;

use flowdeck_model::{GroupId, Partition, TopicName};
use tokio::sync::oneshot;

use crate::connection::{Connection, Health, Reader};
use crate::describe::nul_byte;
use crate::error::{Acl, Cause};
use crate::ffi::ask::Ask;
use crate::ffi::codes;
use crate::ffi::partitions::PartitionList;
use crate::ffi::queue::Event;
use crate::{Cluster, Deadline, Topic};

/// One answer for each partition, in the order asked; `Err`: the request as a whole failed.
pub type Altered = Result<Vec<Result<(), Cause>>, Cause>;

impl Cluster {
    /// Commits offsets (0 or more) for a group without members. Kafka compares nothing: who calls reads them before.
    pub async fn set_committed(
        &self,
        group: &GroupId,
        offsets: &[(Topic, Partition, i64)],
        deadline: impl Into<Deadline>,
    ) -> Altered {
        let mut list = PartitionList::new(offsets.len());
        for (topic, partition, offset) in offsets {
            list.add(topic.as_str(), partition.get(), *offset);
        }
        let asked: Vec<_> = offsets.iter().map(|(topic, partition, _)| (topic.clone(), *partition)).collect();
        let rows = self.alter(
            group,
            "Read",
            deadline.into(),
            |ask| ask.set_committed(group.as_str(), &list).map_err(nul_byte),
            |event| event.set_committed(),
        );
        Ok(in_order(&asked, &rows.await?))
    }

    /// Deletes commits of a group that does not subscribe to their topics. One that is not there is no error.
    pub async fn delete_committed(
        &self,
        group: &GroupId,
        partitions: &[(Topic, Partition)],
        deadline: impl Into<Deadline>,
    ) -> Altered {
        let mut list = PartitionList::new(partitions.len());
        for (topic, partition) in partitions {
            list.add(topic.as_str(), partition.get(), 0);
        }
        let rows = self.alter(
            group,
            "Delete",
            deadline.into(),
            |ask| ask.delete_committed(group.as_str(), &list).map_err(nul_byte),
            |event| event.deleted_committed(),
        );
        Ok(in_order(partitions, &rows.await?))
    }

    /// Deletes a group without members, with all its commits.
    pub async fn delete_group(&self, group: &GroupId, deadline: impl Into<Deadline>) -> Result<(), Cause> {
        self.alter(
            group,
            "Delete",
            deadline.into(),
            |ask| ask.delete_group(group.as_str()).map_err(nul_byte),
            |event| event.deleted_group(),
        )
        .await
    }

    /// Sets entries of a topic's configuration, or takes them off the topic (`None`). All or none, and no other entry.
    pub async fn alter_topic_config(
        &self,
        topic: &TopicName,
        changes: &[(&str, Option<&str>)],
        deadline: impl Into<Deadline>,
    ) -> Result<(), Cause> {
        let acl = || Acl::topic("AlterConfigs", topic.as_str());
        let answer = self.once(
            None,
            acl,
            deadline.into(),
            |ask| ask.alter_topic_config(topic.as_str(), changes).map_err(Cause::Unsupported),
            |event| event.altered_config(),
        );
        match answer.await? {
            (codes::NO_ERROR, _) => Ok(()),
            (code, message) => Err(match Cause::from_code(code, acl()) {
                // The broker's own message says which entry it was.
                Cause::Kafka { code, name, .. } if !message.is_empty() => {
                    Cause::Kafka { code, name, message }
                }
                cause => cause,
            }),
        }
    }

    async fn alter<T: Send + 'static>(
        &self,
        group: &GroupId,
        needs: &'static str,
        deadline: Deadline,
        ask: impl FnOnce(Ask<'_>) -> Result<(), Cause>,
        read: impl FnOnce(&Event) -> Result<T, i32> + Send + 'static,
    ) -> Result<T, Cause> {
        let named = if group.as_str().trim().is_empty() { "flowdeck" } else { group.as_str() };
        let acl = || Acl::group(needs, group.as_str());
        self.once(Some(named), acl, deadline, ask, read).await
    }

    /// By a client of its own; one that asks the coordinator of a group names that group.
    async fn once<T: Send + 'static>(
        &self,
        group: Option<&str>,
        acl: impl FnOnce() -> Acl,
        deadline: Deadline,
        ask: impl FnOnce(Ask<'_>) -> Result<(), Cause>,
        read: impl FnOnce(&Event) -> Result<T, i32> + Send + 'static,
    ) -> Result<T, Cause> {
        let opened = Connection::open(self.config(), group, Arc::<Health>::default(), || ());
        let connection = opened.map_err(|_| Cause::Closing)?;
        let (answer, answered) = oneshot::channel();
        let reader: Reader = Box::new(move |event| {
            // The receiver may be gone: then nobody wants the answer.
            let _ = answer.send(event.check().and_then(|()| read(event)));
        });
        let coordinator = group.map(|group| ("alter", group.to_owned()));
        let _ticket = connection.ask(deadline.millis_to_answer(), coordinator, reader, ask)?;
        match tokio::time::timeout_at(deadline.instant(), answered).await {
            Ok(Ok(Ok(value))) => Ok(value),
            Ok(Ok(Err(code))) => Err(Cause::from_code(code, acl())),
            Ok(Err(_)) => Err(Cause::Closing),
            Err(_) => Err(Cause::Timeout),
        }
    }
}

/// A row of an answer: topic, partition and Kafka's code.
pub(crate) type CodeRow = (Vec<u8>, i32, i32);

fn in_order(asked: &[(Topic, Partition)], rows: &[CodeRow]) -> Vec<Result<(), Cause>> {
    let codes: HashMap<(&[u8], i32), i32> =
        rows.iter().map(|(topic, partition, code)| ((topic.as_slice(), *partition), *code)).collect();
    let answer = |(topic, partition): &(Topic, Partition)| {
        let code = codes.get(&(topic.as_str().as_bytes(), partition.get()));
        match code.copied() {
            Some(codes::NO_ERROR) => Ok(()),
            Some(code) => Err(Cause::from_code(code, Acl::topic("Read", topic.as_str()))),
            None => Err(Cause::UnknownTopic),
        }
    };
    asked.iter().map(answer).collect()
}
