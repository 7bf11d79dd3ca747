//! The producers of a cluster in control mode: a transactional one for `flowdeck.holds`, which fences
//! the leader before this one, and a plain idempotent one for KafkaFlow's admin topics. Only the elected leader has
//! them; a cluster in observe mode never has one.

use flowdeck_kafka::{
    Cause, Cluster, Deadline, Leadership, NewRecord, Placed, Producer, ProducerKind, SendError,
};
use flowdeck_model::{Partition, TopicName};
use flowdeck_protocol::Record;

pub(crate) const FENCED: &str = "another Flowdeck writes on this cluster with the same transactional.id, and is not elected with this one";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WriteError {
    Fenced,
    /// It may have been written.
    InDoubt,
    /// Surely not written; why, in words.
    NotWritten(String),
}

pub(crate) struct Writers {
    cluster: Cluster,
    /// Fixed for the cluster, so that a newer leader fences this one.
    id: String,
    /// This process is elected. Checked before the id is taken over: one that was elected before must not fence
    /// the one that is now.
    leadership: Leadership,
    holds: Option<Producer>,
    admin: Option<Producer>,
}

impl Writers {
    pub(crate) fn new(cluster: Cluster, id: String, leadership: Leadership) -> Self {
        Self { cluster, id, leadership, holds: None, admin: None }
    }

    pub(crate) fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Of a former term.
    pub(crate) fn forget(&mut self) {
        self.holds = None;
        self.admin = None;
    }

    /// Takes over the writer's id, which takes about a second the first time. Writes no record.
    pub(crate) async fn prepare(&mut self, deadline: Deadline) -> Result<(), WriteError> {
        self.transactional(deadline).await.map(drop)
    }

    fn check_elected(&self) -> Result<(), WriteError> {
        if self.leadership.is_held() {
            return Ok(());
        }
        Err(WriteError::NotWritten("this replica is not the elected writer any more".to_owned()))
    }

    /// All of `records` on the holds topic, or none.
    pub(crate) async fn write_holds(
        &mut self,
        topic: &TopicName,
        records: Vec<Record>,
        deadline: Deadline,
    ) -> Result<Vec<Placed>, WriteError> {
        let kept = self.holds.is_some();
        let records: Vec<NewRecord> =
            records.into_iter().map(|record| new_record(topic, None, record)).collect();
        let written = self.transactional(deadline).await?.transaction(records.clone(), deadline).await;
        match written {
            Ok(places) => Ok(places),
            // Brokers forget an id that was silent for a week: nothing was written, and a new producer can.
            Err(SendError::Aborted(cause)) if kept && cause != Cause::Timeout => {
                self.holds = None;
                let again = self.transactional(deadline).await?;
                again.transaction(records, deadline).await.map_err(|error| self.failed(error))
            }
            Err(error) => Err(self.failed(error)),
        }
    }

    async fn transactional(&mut self, deadline: Deadline) -> Result<Producer, WriteError> {
        self.check_elected()?;
        if let Some(producer) = &self.holds {
            return Ok(producer.clone());
        }
        let kind = ProducerKind::Transactional { id: self.id.clone() };
        let producer =
            self.cluster.producer(kind).map_err(|error| WriteError::NotWritten(error.with_cause()))?;
        match producer.init(deadline).await {
            Ok(()) => {
                self.holds = Some(producer.clone());
                Ok(producer)
            }
            Err(SendError::Fenced) => Err(self.failed(SendError::Fenced)),
            // Nothing was begun, so nothing can have been written.
            Err(SendError::InDoubt) => Err(WriteError::NotWritten("no answer in time".to_owned())),
            Err(error) => Err(self.failed(error)),
        }
    }

    pub(crate) async fn send_command(
        &mut self,
        topic: &TopicName,
        partition: Partition,
        record: Record,
        deadline: Deadline,
    ) -> Result<Placed, WriteError> {
        self.check_elected()?;
        let producer = match &self.admin {
            Some(producer) => producer.clone(),
            None => {
                let made = self.cluster.producer(ProducerKind::Idempotent);
                let producer = made.map_err(|error| WriteError::NotWritten(error.with_cause()))?;
                self.admin.insert(producer).clone()
            }
        };
        let sent = producer.send(new_record(topic, Some(partition), record), deadline).await;
        sent.map_err(WriteError::from)
    }

    /// After any failure the next write begins with a producer of its own.
    fn failed(&mut self, error: SendError) -> WriteError {
        self.holds = None;
        error.into()
    }
}

impl From<SendError> for WriteError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Fenced => Self::Fenced,
            SendError::InDoubt => Self::InDoubt,
            error => Self::NotWritten(match std::error::Error::source(&error) {
                Some(cause) => format!("{error}: {cause}"),
                None => error.to_string(),
            }),
        }
    }
}

pub(crate) fn new_record(topic: &TopicName, partition: Option<Partition>, record: Record) -> NewRecord {
    NewRecord {
        topic: topic.clone(),
        partition,
        key: Some(record.key.into()),
        value: record.value.map(Into::into),
        headers: record.headers.into_iter().map(|(name, value)| (name, Some(value.into()))).collect(),
    }
}
