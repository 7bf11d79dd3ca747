//! The audit in Kafka: `flowdeck.audit`.

use std::sync::{Mutex, PoisonError};

use flowdeck_kafka::{Cluster, Deadline, Producer, ProducerKind, SendError};
use flowdeck_model::TopicName;
use flowdeck_protocol::wire::{
    bulk_record, log_in_record, look_record, operation_record, produce_record, redrive_record,
    retention_record,
};

use super::Entry;
use crate::writer::{WriteError, new_record};

pub(crate) struct TopicSink {
    cluster: Cluster,
    topic: TopicName,
    producer: Mutex<Option<Producer>>,
}

impl TopicSink {
    pub(crate) fn new(cluster: Cluster, topic: TopicName) -> Self {
        Self { cluster, topic, producer: Mutex::new(None) }
    }

    fn producer(&self) -> Result<Producer, WriteError> {
        let mut kept = self.producer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(producer) = &*kept {
            return Ok(producer.clone());
        }
        let made = self.cluster.producer(ProducerKind::Idempotent);
        let producer = made.map_err(|error| WriteError::NotWritten(error.with_cause()))?;
        Ok(kept.insert(producer).clone())
    }

    /// After a failure the next entry begins with a producer of its own.
    fn failed(&self, error: SendError) -> WriteError {
        *self.producer.lock().unwrap_or_else(PoisonError::into_inner) = None;
        error.into()
    }

    /// Gives the entry's offset.
    pub(crate) async fn write(&self, entry: Entry<'_>, deadline: Deadline) -> Result<i64, WriteError> {
        let record = match entry {
            Entry::Operation(operation) => operation_record(operation),
            Entry::LogIn(log_in) => log_in_record(log_in),
            Entry::Redrive(redrive) => redrive_record(redrive),
            Entry::Bulk(bulk) => bulk_record(bulk),
            Entry::Produce(produce) => produce_record(produce),
            Entry::Look(look) => look_record(look),
            Entry::Retention(retention) => retention_record(retention),
        };
        let sent = self.producer()?.send(new_record(&self.topic, None, record), deadline).await;
        sent.map(|placed| placed.offset).map_err(|error| self.failed(error))
    }
}
