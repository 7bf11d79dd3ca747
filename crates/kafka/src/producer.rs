//! Producing, for clusters in control mode: idempotent, or transactional with fencing. All acks.
//!
//! A topic must exist before a record is handed to librdkafka: it is looked up in the cluster's full
//! metadata, and the producer's own requests may create none (`allow.auto.create.topics=false`).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flowdeck_model::{Partition, TopicName};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{DeliveryFuture, FutureProducer, FutureRecord, Producer as _};
use rdkafka::{ClientConfig, ClientContext};

use crate::blocking::off_thread;
use crate::error::{Acl, Cause, Error, Operation};
use crate::ffi::{codes, logs};
use crate::{Cluster, Deadline};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProducerKind {
    Idempotent,
    /// Idempotent, for records of many bytes that are alike.
    Compressed,
    /// A producer that starts later with the same id fences this one.
    Transactional {
        id: String,
    },
    /// The same, for copies of records of any size: how large they may be, the topic decides. After one that was too large
    /// the next transaction needs a producer of its own.
    Copies {
        id: String,
    },
}

/// A record to write.
#[derive(Clone, PartialEq, Eq)]
pub struct NewRecord {
    pub topic: TopicName,
    /// `None`: by the key's hash, as Java's clients do (murmur2).
    pub partition: Option<Partition>,
    pub key: Option<Bytes>,
    /// `None` is a tombstone.
    pub value: Option<Bytes>,
    pub headers: Vec<(String, Option<Bytes>)>,
}

impl std::fmt::Debug for NewRecord {
    // Payloads stay out of logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NewRecord({}, {:?})", self.topic, self.partition)
    }
}

/// Where a record was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    pub partition: Partition,
    pub offset: i64,
}

/// A record was not written, or it is not known whether it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    #[error("another producer has taken over; this one can write no more")]
    Fenced,
    /// Not known whether it was written: it may still arrive.
    #[error("no confirmation in time: it may have been written")]
    InDoubt,
    /// Surely not written.
    #[error("topic {0} does not exist")]
    UnknownTopic(TopicName),
    #[error("not permitted: {0} is missing")]
    NotPermitted(Acl),
    #[error("the record is larger than the topic accepts")]
    TooLarge,
    /// The transaction was aborted; none of its records count.
    #[error("the transaction was aborted")]
    Aborted(#[source] Cause),
    #[error("it was not written")]
    Failed(#[source] Cause),
}

type Native = FutureProducer<Logs>;

/// rdkafka's own log would pass by our bound.
struct Logs;

impl ClientContext for Logs {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        logs::line(level as i32, facility, line);
    }

    fn error(&self, _: KafkaError, reason: &str) {
        logs::line(RDKafkaLogLevel::Warning as i32, "ERROR", reason);
    }
}

/// A producer of one cluster; cheap to clone. Dropping the last clone closes it, without blocking.
#[derive(Clone)]
pub struct Producer {
    inner: Arc<Inner>,
    cluster: Cluster,
}

struct Inner {
    /// Only `None` while it is being dropped.
    native: Option<Native>,
    /// Its `transactional.id`.
    transactional: Option<String>,
    /// One transaction at a time.
    turn: tokio::sync::Mutex<()>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        let native = self.native.take();
        // Ending the connections and the polling thread takes a moment.
        let closing = std::thread::Builder::new().name("kafka-close".to_owned()).spawn(move || drop(native));
        if closing.is_err() {
            tracing::warn!("could not start a thread to close a Kafka producer");
        }
    }
}

/// Longer than any wait that a caller has: within it a record is confirmed or given up.
const CONFIRM: &str = "10000";
/// Of a copy; Kafka's brokers take 1 MB unless they are told otherwise.
const LARGEST: &str = "33554432";
/// Kilobytes that wait in the client.
const QUEUED: &str = "16384";
const COPIES_QUEUED: &str = "65536";
/// How long the coordinator keeps a transaction that nobody ends.
const TRANSACTION: &str = "30000";
/// For an answer that librdkafka has already.
const REASON: Duration = Duration::from_secs(2);

impl Cluster {
    /// Starts a producer, in the background; needs no broker to be there. Writes to the cluster: only
    /// for clusters in control mode. Call within a runtime.
    pub fn producer(&self, kind: ProducerKind) -> Result<Producer, Error> {
        let copies = matches!(kind, ProducerKind::Copies { .. });
        let queued = if copies { COPIES_QUEUED } else { QUEUED };
        let mut own = vec![
            ("enable.idempotence", "true".to_owned()),
            ("acks", "all".to_owned()),
            ("message.timeout.ms", CONFIRM.to_owned()),
            ("socket.timeout.ms", CONFIRM.to_owned()),
            ("linger.ms", "1".to_owned()),
            ("queue.buffering.max.messages", "10000".to_owned()),
            ("queue.buffering.max.kbytes", queued.to_owned()),
            ("partitioner", "murmur2_random".to_owned()),
        ];
        let transactional = match &kind {
            ProducerKind::Idempotent => None,
            ProducerKind::Compressed => {
                own.push(("compression.type", "lz4".to_owned()));
                None
            }
            ProducerKind::Transactional { id } | ProducerKind::Copies { id } => {
                own.push(("transactional.id", id.clone()));
                // The socket's time must not be longer than a transaction's.
                own.push(("transaction.timeout.ms", TRANSACTION.to_owned()));
                Some(id.clone())
            }
        };
        if copies {
            own.push(("message.max.bytes", LARGEST.to_owned()));
        }
        let failed = |words: String| Error::new(Operation::Producer, Cause::Unsupported(words));
        let properties = self.config().properties_for(&own).map_err(|error| failed(error.to_string()))?;
        let mut config = ClientConfig::new();
        for (name, value) in properties {
            config.set(name, value);
        }
        let native =
            config.create_with_context::<_, Native>(Logs).map_err(|error| failed(config_message(&error)))?;
        let inner = Inner { native: Some(native), transactional, turn: tokio::sync::Mutex::new(()) };
        Ok(Producer { inner: Arc::new(inner), cluster: self.clone() })
    }
}

/// rdkafka's message would repeat the value, which may be a secret.
fn config_message(error: &KafkaError) -> String {
    match error {
        KafkaError::ClientConfig(_, _, name, _) => format!("property `{name}` is not accepted by a producer"),
        _ => "a producer could not be made of this configuration".to_owned(),
    }
}

impl Producer {
    fn native(&self) -> Result<&Native, SendError> {
        self.inner.native.as_ref().ok_or(SendError::Failed(Cause::Closing))
    }

    /// Writes one record and waits for its confirmation. Not for transactional producers.
    pub async fn send(&self, record: NewRecord, deadline: impl Into<Deadline>) -> Result<Placed, SendError> {
        let deadline = deadline.into();
        if self.inner.transactional.is_some() {
            return Err(SendError::Failed(Cause::Unsupported(
                "a transactional producer writes transactions".to_owned(),
            )));
        }
        self.check_topic(&record.topic, deadline).await?;
        let topic = record.topic.clone();
        let native = self.native()?;
        let confirmed = enqueue(native, &record).map_err(|error| failed(&error, &topic, native))?;
        confirm(confirmed, &topic, deadline, native).await
    }

    /// Transactional producers: takes over the id, which fences every earlier producer of it.
    pub async fn init(&self, deadline: impl Into<Deadline>) -> Result<(), SendError> {
        let deadline = deadline.into();
        let turn = tokio::time::timeout_at(deadline.instant(), self.inner.turn.lock()).await;
        let Ok(_turn) = turn else { return Err(SendError::Failed(Cause::Timeout)) };
        let left = deadline.left().max(Duration::from_millis(1));
        self.blocking(move |native| native.init_transactions(left)).await.map_err(SendError::from_transaction)
    }

    /// Writes all of `records` or none. Where they are confirmed, in the order given. One transaction
    /// of a producer at a time; others wait. Once begun it is ended (committed or aborted), also where
    /// this future is dropped.
    pub async fn transaction(
        &self,
        records: Vec<NewRecord>,
        deadline: impl Into<Deadline>,
    ) -> Result<Vec<Placed>, SendError> {
        let deadline = deadline.into();
        for record in &records {
            self.check_topic(&record.topic, deadline).await?;
        }
        let this = self.clone();
        let work = tokio::spawn(async move { this.transact(records, deadline).await });
        match tokio::time::timeout_at(deadline.instant(), work).await {
            Ok(Ok(outcome)) => outcome,
            // It goes on to its end by itself.
            Ok(Err(_)) | Err(_) => Err(SendError::InDoubt),
        }
    }

    async fn transact(&self, records: Vec<NewRecord>, deadline: Deadline) -> Result<Vec<Placed>, SendError> {
        let turn = tokio::time::timeout_at(deadline.instant(), self.inner.turn.lock()).await;
        let Ok(_turn) = turn else { return Err(SendError::Failed(Cause::Timeout)) };
        let native = self.native()?;
        native
            .begin_transaction()
            .map_err(|error| SendError::from_transaction(self.inner.failure(&error, native)))?;
        let written = self.write_all(&records, deadline).await;
        let placed = match written {
            Ok(placed) => placed,
            Err(error) => {
                let error = self.reason(error, &records).await;
                return Err(self.abort(error).await);
            }
        };
        let left = deadline.left().max(Duration::from_millis(1));
        match self.blocking(move |native| native.commit_transaction(left)).await {
            Ok(()) => Ok(placed),
            Err(failure) if failure.fenced => Err(SendError::Fenced),
            // Must be aborted: then surely nothing counts.
            Err(failure) if failure.abort => Err(self.abort(SendError::Failed(failure.cause)).await),
            Err(_) => self.settle().await.map(|()| placed),
        }
    }

    /// The outcome of a commit is not known. Asks again until it is, for as long as a record may take.
    async fn settle(&self) -> Result<(), SendError> {
        let again = self.blocking(|native| native.commit_transaction(Duration::from_secs(10))).await;
        match again {
            Ok(()) => Ok(()),
            Err(failure) if failure.fenced => Err(SendError::Fenced),
            Err(failure) if failure.abort => Err(self.abort(SendError::Failed(failure.cause)).await),
            Err(_) => Err(SendError::InDoubt),
        }
    }

    async fn write_all(&self, records: &[NewRecord], deadline: Deadline) -> Result<Vec<Placed>, SendError> {
        let mut confirmations = Vec::with_capacity(records.len());
        for record in records {
            let native = self.native()?;
            let confirmed = enqueue(native, record).map_err(|error| failed(&error, &record.topic, native))?;
            confirmations.push((confirmed, &record.topic));
        }
        let mut placed = Vec::with_capacity(records.len());
        for (confirmed, topic) in confirmations {
            placed.push(confirm(confirmed, topic, deadline, self.native()?).await?);
        }
        Ok(placed)
    }

    /// A record that librdkafka took back says nothing of why. The transaction does, where it is asked to
    /// commit: which it refuses once a record has failed.
    async fn reason(&self, error: SendError, records: &[NewRecord]) -> SendError {
        let taken_back = RDKafkaErrorCode::PurgeQueue as i32;
        let is_taken_back =
            matches!(&error, SendError::Failed(Cause::Kafka { code, .. }) if *code == taken_back);
        if !is_taken_back {
            return error;
        }
        match (self.blocking(|native| native.commit_transaction(REASON)).await, records.first()) {
            (Err(failure), _) if failure.fenced => SendError::Fenced,
            (Err(failure), Some(record)) if failure.topic => {
                SendError::NotPermitted(Acl::topic("Write", record.topic.as_str()))
            }
            (Err(failure), _) => SendError::Failed(failure.cause),
            (Ok(()), _) => error,
        }
    }

    /// What the caller is told once the transaction was aborted because of `error`.
    async fn abort(&self, error: SendError) -> SendError {
        if error == SendError::Fenced {
            return error;
        }
        let aborted = self.blocking(|native| native.abort_transaction(Duration::from_secs(10))).await;
        match (aborted, error) {
            (Err(failure), _) if failure.fenced => SendError::Fenced,
            // The coordinator ends it by its own time; a transaction that is not committed never counts.
            (_, SendError::Failed(cause)) => SendError::Aborted(cause),
            (_, SendError::InDoubt) => SendError::Aborted(Cause::Timeout),
            (_, error) => error,
        }
    }

    /// A call of librdkafka that blocks its thread for as long as its own time allows.
    async fn blocking(
        &self,
        call: impl FnOnce(&Native) -> Result<(), KafkaError> + Send + 'static,
    ) -> Result<(), Failure> {
        let inner = self.inner.clone();
        let work = off_thread(move || match &inner.native {
            Some(native) => call(native).map_err(|error| inner.failure(&error, native)),
            None => Err(Failure::closing()),
        });
        work.await.unwrap_or(Err(Failure::closing()))
    }

    async fn check_topic(&self, topic: &TopicName, deadline: Deadline) -> Result<(), SendError> {
        match self.cluster.metadata_with(topic, Operation::Producer, deadline).await {
            Ok(_) => Ok(()),
            Err(error) => Err(match error.cause {
                Cause::UnknownTopic => SendError::UnknownTopic(topic.clone()),
                Cause::NotPermitted(acl) => SendError::NotPermitted(acl),
                cause => SendError::Failed(cause),
            }),
        }
    }
}

/// Why a transactional call failed.
struct Failure {
    cause: Cause,
    fenced: bool,
    /// The transaction must be aborted; the producer can go on after that.
    abort: bool,
    /// A topic may not be written to.
    topic: bool,
}

impl Failure {
    fn closing() -> Self {
        Self { cause: Cause::Closing, fenced: false, abort: false, topic: false }
    }
}

impl Inner {
    fn failure(&self, error: &KafkaError, native: &Native) -> Failure {
        let abort = matches!(error, KafkaError::Transaction(error) if error.txn_requires_abort());
        let id = self.transactional.as_deref().unwrap_or_default();
        let cause = cause(error, &Acl { operation: "Write", resource: format!("TransactionalId:{id}") });
        let fenced = cause == Cause::Fenced || is_fenced(native);
        let topic = code(error) == Some(RDKafkaErrorCode::TopicAuthorizationFailed);
        Failure { fenced, cause: if fenced { Cause::Fenced } else { cause }, abort, topic }
    }
}

/// A fenced producer can do nothing any more, and says only that its error is fatal.
fn is_fenced(native: &Native) -> bool {
    let fatal = native.client().fatal_error();
    let fencing = [codes::FENCED, codes::PRODUCER_FENCED, codes::INVALID_PRODUCER_EPOCH];
    fatal.is_some_and(|(code, _)| fencing.contains(&(code as i32)))
}

impl SendError {
    fn from_transaction(failure: Failure) -> Self {
        match failure.cause {
            Cause::Fenced => Self::Fenced,
            Cause::NotPermitted(acl) => Self::NotPermitted(acl),
            cause => Self::Failed(cause),
        }
    }
}

fn enqueue(native: &Native, record: &NewRecord) -> Result<DeliveryFuture, KafkaError> {
    let mut headers = OwnedHeaders::new_with_capacity(record.headers.len());
    for (key, value) in &record.headers {
        headers = headers.insert(Header { key, value: value.as_deref() });
    }
    let mut out = FutureRecord::<[u8], [u8]>::to(record.topic.as_str()).headers(headers);
    out.key = record.key.as_deref();
    out.payload = record.value.as_deref();
    out.partition = record.partition.map(Partition::get);
    native.send_result(out).map_err(|(error, _)| error)
}

async fn confirm(
    confirmed: DeliveryFuture,
    topic: &TopicName,
    deadline: Deadline,
    native: &Native,
) -> Result<Placed, SendError> {
    match tokio::time::timeout_at(deadline.instant(), confirmed).await {
        Ok(Ok(Ok(delivery))) => match Partition::new(delivery.partition) {
            Some(partition) => Ok(Placed { partition, offset: delivery.offset }),
            None => Err(SendError::InDoubt),
        },
        Ok(Ok(Err((error, _)))) => Err(failed(&error, topic, native)),
        // Still under way: librdkafka goes on for as long as `message.timeout.ms`.
        Ok(Err(_)) | Err(_) => Err(SendError::InDoubt),
    }
}

fn failed(error: &KafkaError, topic: &TopicName, native: &Native) -> SendError {
    if is_fenced(native) {
        return SendError::Fenced;
    }
    if error.rdkafka_error_code() == Some(RDKafkaErrorCode::MessageSizeTooLarge) {
        return SendError::TooLarge;
    }
    match cause(error, &Acl::topic("Write", topic.as_str())) {
        Cause::Fenced => SendError::Fenced,
        Cause::NotPermitted(acl) => SendError::NotPermitted(acl),
        Cause::UnknownTopic => SendError::UnknownTopic(topic.clone()),
        // Sent perhaps, and never answered.
        Cause::Timeout | Cause::Unreachable => SendError::InDoubt,
        cause => SendError::Failed(cause),
    }
}

fn code(error: &KafkaError) -> Option<RDKafkaErrorCode> {
    match error {
        KafkaError::Transaction(error) => Some(error.code()),
        error => error.rdkafka_error_code(),
    }
}

fn cause(error: &KafkaError, acl: &Acl) -> Cause {
    match code(error) {
        Some(code) => Cause::from_code(code as i32, acl.clone()),
        None => Cause::Unsupported("the client refused the call".to_owned()),
    }
}
