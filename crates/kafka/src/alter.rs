//! Setting and deleting a group's commits, and deleting a group. They write to the cluster: only for clusters in control
//! mode.
//!
//! Each call has a client of its own that ends with it: a request that waits for a group's coordinator would else be sent
//! whenever the coordinator is back, long after its caller gave up. After a deadline it is not known whether the broker
//! took the request; reading the commits tells.

use std::collections::HashMap;
use std::sync::Arc;

use flowdeck_model::{GroupId, Partition};
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

    async fn alter<T: Send + 'static>(
        &self,
        group: &GroupId,
        needs: &'static str,
        deadline: Deadline,
        ask: impl FnOnce(Ask<'_>) -> Result<(), Cause>,
        read: impl FnOnce(&Event) -> Result<T, i32> + Send + 'static,
    ) -> Result<T, Cause> {
        let named = if group.as_str().trim().is_empty() { "flowdeck" } else { group.as_str() };
        let opened = Connection::open(self.config(), Some(named), Arc::<Health>::default(), || ());
        let connection = opened.map_err(|_| Cause::Closing)?;
        let (answer, answered) = oneshot::channel();
        let reader: Reader = Box::new(move |event| {
            // The receiver may be gone: then nobody wants the answer.
            let _ = answer.send(event.check().and_then(|()| read(event)));
        });
        let key = ("alter", group.as_str().to_owned());
        let _ticket = connection.ask(deadline.millis_to_answer(), Some(key), reader, ask)?;
        match tokio::time::timeout_at(deadline.instant(), answered).await {
            Ok(Ok(Ok(value))) => Ok(value),
            Ok(Ok(Err(code))) => Err(Cause::from_code(code, Acl::group(needs, group.as_str()))),
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
