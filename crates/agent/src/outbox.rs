//! Sends telemetry and answers. Bounded: telemetry gives way first, answers wait for their topic to
//! appear; what is dropped is counted. Nothing here ever waits for Kafka.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use flowdeck_protocol::Record;
use flowdeck_protocol::wire::{Ack, TopicPartition, ack_record};
use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext};
use tracing::{debug, warn};

use crate::answers::Answer;
use crate::shared::{Shared, add, now};

/// More than so many unsent records: telemetry is dropped, so that answers find space.
const TELEMETRY_LIMIT: i32 = 200;
/// Answers that wait for `flowdeck.acks` to appear.
const WAITING_MAX: usize = 256;

pub(crate) struct Outbox {
    shared: Arc<Shared>,
    producer: BaseProducer<Deliveries>,
    waiting: VecDeque<Answer>,
    pub(crate) telemetry_is_here: bool,
    pub(crate) acks_are_here: bool,
}

pub(crate) struct Deliveries {
    shared: Arc<Shared>,
}

impl Outbox {
    pub(crate) fn new(shared: Arc<Shared>, config: &ClientConfig) -> KafkaResult<Self> {
        let producer = config.create_with_context(Deliveries { shared: Arc::clone(&shared) })?;
        Ok(Self {
            shared,
            producer,
            waiting: VecDeque::new(),
            telemetry_is_here: false,
            acks_are_here: false,
        })
    }

    pub(crate) fn telemetry(&mut self, records: Vec<Record>) {
        if !self.telemetry_is_here {
            return;
        }
        if self.producer.in_flight_count() > TELEMETRY_LIMIT {
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

    pub(crate) fn answer(&mut self, answer: Answer) {
        self.waiting.push_back(answer);
        if self.waiting.len() > WAITING_MAX {
            self.waiting.pop_front();
            add(&self.shared.counts.answers_dropped, 1);
        }
    }

    /// Serves deliveries and sends the answers that can be sent.
    pub(crate) fn serve(&mut self) {
        self.producer.poll(Duration::ZERO);
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
                    warn!(command = %answer.command, %error, "an answer to a command cannot be sent");
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
        let mut out = BaseRecord::with_opaque_to(topic, Box::new(kind))
            .partition(partition)
            .key(&record.key)
            .headers(headers);
        if let Some(value) = &record.value {
            out = out.payload(value);
        }
        self.producer.send(out).map_err(|(error, _)| {
            debug!(topic, %error, "not queued");
            error
        })
    }

    pub(crate) fn flush(&mut self, limit: Duration) {
        self.serve();
        if let Err(error) = self.producer.flush(limit) {
            debug!(%error, "the last telemetry and answers were not all taken");
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Telemetry,
    Answer,
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        crate::context::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        debug!(%error, reason, "the producer of telemetry and answers reports");
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Box<Kind>;

    fn delivery(&self, result: &DeliveryResult<'_>, kind: Self::DeliveryOpaque) {
        let Err((error, _)) = result else { return };
        let counts = &self.shared.counts;
        match *kind {
            Kind::Telemetry => add(&counts.telemetry_dropped, 1),
            Kind::Answer => {
                warn!(group.id = %self.shared.settings.group, %error, "an answer to a command was not taken");
                add(&counts.answers_dropped, 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::settings;
    use crate::record::TopicPartition;
    use flowdeck_model::{CommandId, InstanceState};
    use std::sync::atomic::Ordering;

    #[test]
    fn an_answer_that_can_never_be_sent_keeps_back_no_other() {
        let shared = Arc::new(Shared::new(settings()));
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", "127.0.0.1:1").set("message.max.bytes", "2000");
        let mut outbox = Outbox::new(Arc::clone(&shared), &config).unwrap();
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
        // librdkafka's own count of what is in flight has its events, too: connections that were refused.
        assert_eq!((outbox.waiting.len(), shared.counts.answers_dropped.load(Ordering::Relaxed)), (0, 1));
    }
}
