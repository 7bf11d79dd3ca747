//! The port of dead letters: which topics hold them, a topic's newest ones in groups, and one with its original. As a
//! peek it touches no group, and masks before anything leaves.

mod letters;
mod one;
mod topics;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use flowdeck_kafka::{Cluster, Deadline, Isolation, ReadOutcome, ReadRequest, ReadStart, Record};
use flowdeck_model::record_place::RecordPlace;
use flowdeck_model::view::audit::LookKind;
use flowdeck_model::view::{DeadLetterTopicsView, DeadLetterView, DeadLettersView};
use flowdeck_model::{
    Actor, ClusterName, DeadLetters, DeadLettersQuery, Partition, Permission, PortError, TopicName,
};
use tokio::sync::OwnedSemaphorePermit;

use super::{allowed_on_cluster, allowed_payloads, cluster_of, topic};
use crate::core::{ClusterHandle, Core};
use crate::looks::{LookAt, Looking};
use crate::snapshot::ClusterSnapshot;

pub struct BoundDeadLetters {
    core: Arc<Core>,
    actor: Actor,
}

impl BoundDeadLetters {
    pub fn new(core: Arc<Core>, actor: Actor) -> Self {
        Self { core, actor }
    }

    fn unavailable(cluster: &ClusterName, detail: impl Into<String>) -> PortError {
        PortError::Unavailable { cluster: cluster.clone(), detail: detail.into() }
    }

    /// Of the cluster; one of the few reads at a time that a cluster has for users.
    fn kafka<'a>(
        &self,
        one: &ClusterSnapshot,
        handle: &'a ClusterHandle,
    ) -> Result<(&'a Cluster, OwnedSemaphorePermit), PortError> {
        let name = &handle.settings.name;
        let Some(kafka) = &handle.cluster else {
            return Err(Self::unavailable(name, one.view.error.clone().unwrap_or_default()));
        };
        let Ok(permit) = Arc::clone(&handle.peeks).try_acquire_owned() else {
            let at_once = self.core.settings.peek_at_once;
            let detail = format!("{at_once} peeks run on {name}: try again in a moment");
            return Err(PortError::TooMany { detail });
        };
        Ok((kafka, permit))
    }

    /// The topic's part of the snapshot, for who may read its records.
    fn readable(
        &self,
        cluster: &ClusterName,
        name: &TopicName,
    ) -> Result<(Arc<ClusterSnapshot>, &ClusterHandle), PortError> {
        let snapshot = self.core.publisher.current();
        let found = cluster_of(&self.core, &snapshot, cluster);
        let there = found.as_ref().ok().map(|(one, _)| &**one);
        allowed_payloads(&self.actor, cluster, there, name)?;
        let (one, handle) = found?;
        topic::known(&one, name)?;
        if !one.settings.shows_payloads(name) {
            return Err(PortError::PayloadsOff { on: format!("topic {name} of {cluster}") });
        }
        Ok((one, handle))
    }

    fn looking<'a>(
        &self,
        handle: &'a ClusterHandle,
        kind: LookKind,
        topic: Option<&TopicName>,
        from: String,
    ) -> Looking<'a> {
        let cluster = &handle.settings.name;
        let topic = topic.map(TopicName::as_str);
        let at = LookAt { kind, cluster, topic, partition: None, from, find: None, unmasked: false };
        Looking::begin(&handle.looks, &self.actor, &at)
    }
}

#[async_trait]
impl DeadLetters for BoundDeadLetters {
    async fn topics(&self, cluster: &ClusterName, by_shape: bool) -> Result<DeadLetterTopicsView, PortError> {
        let snapshot = self.core.publisher.current();
        allowed_on_cluster(&self.actor, Permission::View, cluster)?;
        let (one, handle) = cluster_of(&self.core, &snapshot, cluster)?;
        self.list(&one, handle, by_shape).await
    }

    async fn letters(
        &self,
        cluster: &ClusterName,
        topic: &TopicName,
        query: &DeadLettersQuery,
    ) -> Result<DeadLettersView, PortError> {
        let (one, handle) = self.readable(cluster, topic)?;
        let (kafka, _permit) = self.kafka(&one, handle)?;
        let mut looking = self.looking(handle, LookKind::DeadLetters, Some(topic), "latest".to_owned());
        let view = self.newest(&one, kafka, topic, query).await?;
        looking.came_to(view.letters.len(), u64::from(view.scanned));
        Ok(view)
    }

    async fn letter(
        &self,
        cluster: &ClusterName,
        topic: &TopicName,
        place: RecordPlace,
    ) -> Result<DeadLetterView, PortError> {
        let (one, handle) = self.readable(cluster, topic)?;
        let (kafka, _permit) = self.kafka(&one, handle)?;
        let mut looking = self.looking(handle, LookKind::DeadLetters, Some(topic), place.to_string());
        let view = self.one(&one, kafka, topic, place).await?;
        looking.came_to(1, 1);
        Ok(view)
    }
}

/// A bounded read of committed records.
struct Look {
    partitions: Option<Vec<Partition>>,
    start: ReadStart,
    records: usize,
    bytes: usize,
    value: usize,
    time: Duration,
}

impl Look {
    async fn read(self, core: &Core, kafka: &Cluster, topic: &TopicName) -> Result<ReadOutcome, String> {
        let request = ReadRequest {
            topic: topic.clone(),
            partitions: self.partitions,
            start: self.start,
            limit_records: self.records,
            limit_bytes: self.bytes,
            max_value_bytes: self.value,
            isolation: Isolation::ReadCommitted,
            neighbours: false,
            transactions: false,
            deadline: Deadline::after(self.time),
        };
        // Dropping the future drops the guard, which ends the read.
        let cancel = core.shutdown.child_token();
        let _guard = cancel.clone().drop_guard();
        kafka.read(request, cancel).await.map_err(|error| error.with_cause())
    }
}

/// The time of a record, where it is a date.
fn time_of(record: &Record) -> Option<flowdeck_model::Timestamp> {
    record.timestamp.and_then(flowdeck_kafka::RecordTime::at)
}
