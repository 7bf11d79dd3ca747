//! Sends an agent's telemetry and answers, by the producer that all agents of a link share. Bounded: telemetry gives way
//! first, answers wait for their topic to appear; what is dropped is counted, for the agent whose it is. Nothing here
//! ever waits for Kafka.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use flowdeck_model::GroupId;
use flowdeck_protocol::Record;
use flowdeck_protocol::wire::{Ack, TopicPartition, ack_record};
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext};
use tracing::{debug, warn};

use crate::answers::Answer;
use crate::shared::{Shared, add, now};

/// More than so many unsent records of one agent: its telemetry is dropped, so that answers find space.
const TELEMETRY_LIMIT: usize = 200;
/// The same for all agents together: half of what the producer takes (`config::writer`).
const TELEMETRY_LIMIT_OF_ALL: i32 = 5_000;
/// Requests whose deliveries are served at once.
const DELIVERIES: usize = 1_000;
/// Answers that wait for `flowdeck.acks` to appear.
const WAITING_MAX: usize = 256;

pub(crate) type Producer = BaseProducer<Deliveries>;

pub(crate) struct Outbox {
    shared: Arc<Shared>,
    producer: Arc<Producer>,
    sender: Arc<Sender>,
    waiting: VecDeque<Answer>,
    pub(crate) telemetry_is_here: bool,
    pub(crate) acks_are_here: bool,
}

/// Whose a record is that the producer has.
#[derive(Debug)]
struct Sender {
    /// Its agent may end before.
    shared: Weak<Shared>,
    group: GroupId,
    /// Records that Kafka has neither taken nor refused yet.
    unsent: AtomicUsize,
}

/// Serves what Kafka said of records, which comes one request's at a time.
pub(crate) fn serve_deliveries(producer: &Producer) {
    for _ in 0..DELIVERIES {
        // It counts what waits to be served, too.
        let before = producer.in_flight_count();
        producer.poll(Duration::ZERO);
        if producer.in_flight_count() >= before {
            return;
        }
    }
}

impl Outbox {
    pub(crate) fn new(shared: Arc<Shared>, producer: Arc<Producer>) -> Self {
        let sender = Sender {
            shared: Arc::downgrade(&shared),
            group: shared.settings.group.clone(),
            unsent: AtomicUsize::new(0),
        };
        Self {
            shared,
            producer,
            sender: Arc::new(sender),
            waiting: VecDeque::new(),
            telemetry_is_here: false,
            acks_are_here: false,
        }
    }

    pub(crate) fn telemetry(&mut self, records: Vec<Record>) {
        if !self.telemetry_is_here {
            return;
        }
        if self.unsent() > TELEMETRY_LIMIT || self.producer.in_flight_count() > TELEMETRY_LIMIT_OF_ALL {
            add(&self.shared.counts.telemetry_dropped, records.len());
            return;
        }
        let stream = self.shared.settings.telemetry.clone();
        for record in records {
            if self.send(stream.topic.as_str(), stream.partition, &record, Kind::Telemetry).is_err() {
                add(&self.shared.counts.telemetry_dropped, 1);
            }
        }
    }

    fn unsent(&self) -> usize {
        self.sender.unsent.load(Ordering::Relaxed)
    }

    /// Kafka has all that can be sent.
    pub(crate) fn is_sent(&self) -> bool {
        self.unsent() == 0 && (self.waiting.is_empty() || !self.acks_are_here)
    }

    pub(crate) fn answer(&mut self, answer: Answer) {
        self.waiting.push_back(answer);
        if self.waiting.len() > WAITING_MAX {
            self.waiting.pop_front();
            add(&self.shared.counts.answers_dropped, 1);
        }
    }

    /// Sends the answers that can be sent.
    pub(crate) fn serve(&mut self) {
        while self.acks_are_here
            && let Some(answer) = self.waiting.pop_front()
        {
            let record = ack_record(&self.ack(&answer));
            let topic = self.shared.settings.acks.to_string();
            // One partition for each command would do; partition 0 keeps their order for all.
            match self.send(&topic, 0, &record, Kind::Answer) {
                Ok(()) => {}
                Err(KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)) => {
                    self.waiting.push_front(answer);
                    return;
                }
                // Trying again would fail again, and keep back all that come after it.
                Err(error) => {
                    warn!(group.id = %self.shared.settings.group, command = %answer.command, %error, "an answer to a command cannot be sent");
                    add(&self.shared.counts.answers_dropped, 1);
                }
            }
        }
    }

    fn ack(&self, answer: &Answer) -> Ack {
        let settings = &self.shared.settings;
        let partition = |at: &crate::record::TopicPartition| TopicPartition {
            topic: at.topic.clone(),
            partition: at.partition,
        };
        Ack {
            command: answer.command,
            holds_offset: answer.holds_offset,
            group: settings.group.clone(),
            consumer: settings.consumer.clone(),
            instance: settings.instance.clone(),
            incarnation: settings.incarnation,
            state: answer.state,
            partitions: answer.partitions.iter().map(partition).collect(),
            moved: answer.moved.clone(),
            at: now(),
            detail: answer.detail.clone(),
        }
    }

    fn send(&self, topic: &str, partition: i32, record: &Record, kind: Kind) -> KafkaResult<()> {
        let headers = record.headers.iter().fold(OwnedHeaders::new(), |headers, (name, value)| {
            headers.insert(Header { key: name, value: Some(value) })
        });
        let sent = Sent { sender: Arc::clone(&self.sender), kind };
        let mut out = BaseRecord::with_opaque_to(topic, Box::new(sent))
            .partition(partition)
            .key(&record.key)
            .headers(headers);
        if let Some(value) = &record.value {
            out = out.payload(value);
        }
        let queued = self.producer.send(out).map_err(|(error, _)| {
            debug!(topic, %error, "not queued");
            error
        });
        if queued.is_ok() {
            self.sender.unsent.fetch_add(1, Ordering::Relaxed);
        }
        queued
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Telemetry,
    Answer,
}

/// What the producer gives back with a record.
#[derive(Debug)]
pub(crate) struct Sent {
    sender: Arc<Sender>,
    kind: Kind,
}

pub(crate) struct Deliveries;

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        crate::context::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        debug!(%error, reason, "the producer of telemetry and answers reports");
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Box<Sent>;

    /// Called by the thread that sends, when it polls.
    fn delivery(&self, result: &DeliveryResult<'_>, sent: Self::DeliveryOpaque) {
        let Sent { sender, kind } = *sent;
        sender.unsent.fetch_sub(1, Ordering::Relaxed);
        let Err((error, _)) = result else { return };
        if kind == Kind::Answer {
            warn!(group.id = %sender.group, %error, "an answer to a command was not taken");
        }
        let Some(shared) = sender.shared.upgrade() else { return };
        match kind {
            Kind::Telemetry => add(&shared.counts.telemetry_dropped, 1),
            Kind::Answer => add(&shared.counts.answers_dropped, 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::settings;
    use crate::record::TopicPartition;
    use flowdeck_model::{CommandId, InstanceState};
    use rdkafka::ClientConfig;

    #[test]
    fn an_answer_that_can_never_be_sent_keeps_back_no_other() {
        let shared = Arc::new(Shared::new(settings()));
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", "127.0.0.1:1").set("message.max.bytes", "2000");
        let producer = config.create_with_context(Deliveries).unwrap();
        let mut outbox = Outbox::new(Arc::clone(&shared), Arc::new(producer));
        for partitions in [100, 1] {
            outbox.answer(Answer {
                command: CommandId::random(),
                holds_offset: 0,
                state: InstanceState::Acknowledged,
                partitions: (0..partitions).map(|n| TopicPartition::parse("t", n).unwrap()).collect(),
                moved: vec![],
                detail: None,
            });
        }
        outbox.acks_are_here = true;
        outbox.serve();
        let counts = (outbox.waiting.len(), shared.counts.answers_dropped.load(Ordering::Relaxed));
        assert_eq!((counts, outbox.unsent(), outbox.is_sent()), ((0, 1), 1, false));
    }

    #[test]
    fn what_is_dropped_counts_for_the_agent_whose_it_was() {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", "127.0.0.1:1");
        let producer: Arc<Producer> = Arc::new(config.create_with_context(Deliveries).unwrap());
        let both = [(), ()].map(|()| Arc::new(Shared::new(settings())));
        let [mut one, mut other] =
            both.each_ref().map(|shared| Outbox::new(Arc::clone(shared), Arc::clone(&producer)));
        let record = || Record { key: vec![], value: None, headers: vec![] };
        for outbox in [&mut one, &mut other] {
            outbox.telemetry_is_here = true;
            outbox.telemetry(vec![record()]);
        }
        one.telemetry(vec![record(), record()]);
        assert_eq!((one.unsent(), other.unsent()), (3, 1));
        drop((one, other));
        // What was not sent is given back.
        drop(producer);
        let dropped = both.map(|shared| shared.counts.telemetry_dropped.load(Ordering::Relaxed));
        assert_eq!(dropped, [3, 1]);
    }
}
