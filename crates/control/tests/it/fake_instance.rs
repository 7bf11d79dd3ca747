//! What consumers write: telemetry as KafkaFlow and agents send it, an agent's acks, and external
//! commands, made with the wire's own encoders.

use flowdeck_model::view::{AgentReport, InstanceHolds};
use flowdeck_model::{CommandId, Incarnation, InstanceState, Partition, Timestamp};
use flowdeck_observe::ClusterSettings;
use flowdeck_protocol::Record;
use flowdeck_protocol::kafkaflow::{
    Command, ConsumerStatus, DateTime, Telemetry, external_command_record, telemetry_record,
};
use flowdeck_protocol::wire::{Ack, HOLDS, TopicPartition, ack_record};
use flowdeck_protocol::wire::{AgentTelemetry, agent_telemetry_record};
use flowdeck_testkit::{DEADLINE, kafka};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};

/// One instance of a consumer on one topic.
#[derive(Clone)]
pub(crate) struct FakeInstance {
    pub(crate) admin: String,
    pub(crate) acks: String,
    pub(crate) group: String,
    pub(crate) consumer: String,
    pub(crate) instance: String,
    pub(crate) topic: String,
    pub(crate) incarnation: Option<Incarnation>,
}

impl FakeInstance {
    pub(crate) fn new(settings: &ClusterSettings, group: &str, consumer: &str, topic: &str) -> Self {
        Self {
            admin: settings.admin_topics[0].telemetry.0.to_string(),
            acks: settings.acks_topic.to_string(),
            group: group.to_owned(),
            consumer: consumer.to_owned(),
            instance: "host-1".to_owned(),
            topic: topic.to_owned(),
            incarnation: None,
        }
    }

    pub(crate) fn agent(self) -> Self {
        Self { incarnation: Some(Incarnation::random()), ..self }
    }

    pub(crate) fn named(self, instance: &str) -> Self {
        Self { instance: instance.to_owned(), ..self }
    }

    /// Says which partitions run and which are paused.
    pub(crate) async fn says(&self, running: &[i32], paused: &[i32]) {
        send(&self.admin, self.telemetry(running, paused)).await;
    }

    /// The same as an agent, with the state of its holds.
    pub(crate) async fn says_of_the_holds(&self, running: &[i32], holds: InstanceHolds) {
        let mut record = self.telemetry(running, &[]);
        record.headers.push((HOLDS.to_owned(), holds.word().as_bytes().to_vec()));
        send(&self.admin, record).await;
    }

    /// What an agent reports of itself.
    pub(crate) async fn reports(&self, report: AgentReport) {
        let telemetry = AgentTelemetry {
            group: self.group.as_str().into(),
            consumer: self.consumer.as_str().into(),
            instance: self.instance.as_str().into(),
            incarnation: self.incarnation.expect("an agent"),
            report,
        };
        send(&self.admin, agent_telemetry_record(telemetry).expect("short names")).await;
    }

    pub(crate) fn telemetry(&self, running: &[i32], paused: &[i32]) -> Record {
        let list = |numbers: &[i32]| numbers.iter().filter_map(|n| Partition::new(*n)).collect::<Vec<_>>();
        let telemetry = Telemetry {
            group: self.group.as_str().into(),
            consumer: self.consumer.as_str().into(),
            topic: self.topic.parse::<flowdeck_model::TopicName>().unwrap().into(),
            instance: self.instance.as_str().into(),
            running: list(running),
            paused: list(paused),
            sent_at: DateTime::from_ticks(638_000_000_000_000_000).unwrap(),
            workers: 3,
            status: ConsumerStatus::of(!running.is_empty(), !paused.is_empty()),
            lag: 0,
            dropped_partitions: 0,
        };
        telemetry_record(uuid::Uuid::new_v4(), telemetry, self.incarnation)
    }

    pub(crate) async fn acks(&self, command: CommandId, state: InstanceState) {
        self.acks_owning(command, state, vec![]).await;
    }

    pub(crate) async fn acks_owning(
        &self,
        command: CommandId,
        state: InstanceState,
        partitions: Vec<TopicPartition>,
    ) {
        let ack = Ack {
            command,
            holds_offset: 0,
            group: self.group.as_str().into(),
            consumer: self.consumer.as_str().into(),
            instance: self.instance.as_str().into(),
            incarnation: self.incarnation.expect("an agent"),
            state,
            partitions,
            moved: vec![],
            at: Timestamp::from_millis(0),
            detail: None,
        };
        send(&self.acks, ack_record(&ack)).await;
    }
}

/// A command as KafkaFlow's own dashboard sends it.
pub(crate) async fn external(settings: &ClusterSettings, command: Command) {
    let admin = settings.admin_topics[0].commands.0.to_string();
    send(&admin, external_command_record(uuid::Uuid::new_v4(), command)).await;
}

/// By one producer for each test's thread of work: a client of its own for each record would take longer
/// than what is tested.
async fn send(topic: &str, record: Record) {
    thread_local! {
        static PRODUCER: FutureProducer = kafka().producer();
    }
    let mut headers = OwnedHeaders::new();
    for (key, value) in &record.headers {
        headers = headers.insert(Header { key, value: Some(value) });
    }
    let value = record.value.unwrap_or_default();
    let to = FutureRecord::to(topic).partition(0).key(&record.key).payload(&value).headers(headers);
    let producer = PRODUCER.with(Clone::clone);
    producer.send(to, DEADLINE).await.map_err(|(error, _)| error).expect("a delivery");
}
