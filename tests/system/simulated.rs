//! Many agents of one group without a process each: telemetry, reports and answers as agents send them, by few clients.
//! They consume nothing, and no member of the group is theirs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flowdeck_model::view::{ConsumerStatus, InstanceHolds};
use flowdeck_model::{CommandId, Incarnation, InstanceState, Partition, Timestamp};
use flowdeck_protocol::kafkaflow::{Telemetry, telemetry_record};
use flowdeck_protocol::wire::{
    self, Ack, AgentTelemetry, HOLDS, HoldRecord, TopicPartition, ack_record, agent_telemetry_record,
    read_hold,
};
use flowdeck_protocol::{Headers, Record};
use flowdeck_testkit::Kafka;
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use rdkafka::message::{Header, Headers as _, Message, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::json;
use tokio::task::JoinSet;

/// Each has one client that reads the holds, and one that writes.
const HOSTS: usize = 4;
const TELEMETRY_EVERY: Duration = Duration::from_secs(5);
/// So many parts of a host's instances speak one after the other in that time.
const PARTS: u32 = 50;
/// Nobody reads it, and it need not be there.
const TOPIC: &str = "simulated";

/// They end with their handle.
pub(crate) struct Simulated {
    _hosts: JoinSet<()>,
    is_silent: Arc<AtomicBool>,
}

struct Instance {
    name: String,
    incarnation: Incarnation,
    partition: Partition,
}

struct Host {
    group: String,
    instances: Vec<Instance>,
    holds: StreamConsumer,
    producer: FutureProducer,
    is_paused: bool,
    /// The first instance of the first host answers no command any more.
    is_silent: Option<Arc<AtomicBool>>,
}

/// What is asked of every instance of the group.
struct Asked {
    command: CommandId,
    pause: bool,
    offset: i64,
}

pub(crate) fn name(number: usize) -> String {
    format!("simulated-{number:04}")
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    Timestamp::from_millis(since.as_millis() as i64)
}

impl Simulated {
    /// Of a consumer with the group's name; `flowdeck.holds` must be there.
    pub(crate) fn start(kafka: &Kafka, group: &str, count: usize) -> Self {
        let is_silent = Arc::new(AtomicBool::new(false));
        let instance = |number: usize| Instance {
            name: name(number),
            incarnation: Incarnation::random(),
            partition: Partition::new(number as i32).expect("0 or more"),
        };
        let mut hosts = JoinSet::new();
        for first in 0..HOSTS {
            let host = Host {
                group: group.to_owned(),
                instances: (first..count).step_by(HOSTS).map(instance).collect(),
                holds: holds(kafka),
                producer: kafka.client().set("linger.ms", "5").create().expect("a producer"),
                is_paused: false,
                is_silent: (first == 0).then(|| Arc::clone(&is_silent)),
            };
            hosts.spawn(host.run());
        }
        Self { _hosts: hosts, is_silent }
    }

    /// From now on instance 0 answers no command, and goes on with its telemetry.
    pub(crate) fn silence_one(&self) {
        self.is_silent.store(true, Ordering::Relaxed);
    }
}

fn holds(kafka: &Kafka) -> StreamConsumer {
    let mut config = kafka.client();
    config.set("group.id", "simulated").set("enable.auto.commit", "false");
    let consumer: StreamConsumer =
        config.set("isolation.level", "read_committed").create().expect("a consumer");
    let mut list = TopicPartitionList::new();
    list.add_partition_offset("flowdeck.holds", 0, Offset::Beginning).expect("an offset");
    consumer.assign(&list).expect("an assignment");
    consumer
}

impl Host {
    async fn run(mut self) {
        let mut tick = tokio::time::interval(TELEMETRY_EVERY / PARTS);
        let size = self.instances.len().div_ceil(PARTS as usize).max(1);
        let mut parts = (0..PARTS as usize).cycle();
        loop {
            let asked = tokio::select! {
                _ = tick.tick() => {
                    let from = parts.next().unwrap_or_default() * size;
                    self.instances.iter().skip(from).take(size).for_each(|one| self.speak(one));
                    None
                }
                // What ends the client's wait is no hold.
                message = self.holds.recv() => message.ok().and_then(|one| self.asked(&one)),
            };
            if let Some(asked) = asked {
                self.answer(&asked);
            }
        }
    }

    fn asked(&self, message: &impl Message) -> Option<Asked> {
        let all = message.headers().into_iter().flat_map(|all| all.iter());
        let headers: Headers<'_> = all.map(|one| (one.key, one.value.unwrap_or_default())).collect();
        let command = wire::command_of(&headers)?;
        let (scope, pause) = match read_hold(&headers, message.key(), message.payload()) {
            HoldRecord::Set(hold) => (hold.scope, true),
            HoldRecord::Released { scope, .. } => (scope, false),
            _ => return None,
        };
        (scope.group.as_str() == self.group).then_some(Asked { command, pause, offset: message.offset() })
    }

    /// As agents do: an answer, another one once nothing is in flight, and the change in telemetry.
    fn answer(&mut self, asked: &Asked) {
        self.is_paused = asked.pause;
        let states = [InstanceState::Acknowledged, InstanceState::Drained];
        for state in states.into_iter().take(if asked.pause { 2 } else { 1 }) {
            for instance in self.instances.iter().filter(|one| self.obeys(one)) {
                self.send("flowdeck.acks", &self.ack(instance, asked, state));
            }
        }
        self.instances.iter().for_each(|one| self.speak(one));
    }

    fn obeys(&self, instance: &Instance) -> bool {
        let is_silent = self.is_silent.as_ref().is_some_and(|silent| silent.load(Ordering::Relaxed));
        !(is_silent && instance.partition.get() == 0)
    }

    fn ack(&self, instance: &Instance, asked: &Asked, state: InstanceState) -> Record {
        let topic = TOPIC.parse().expect("a topic's name");
        ack_record(&Ack {
            command: asked.command,
            holds_offset: asked.offset,
            group: self.group.as_str().into(),
            consumer: self.group.as_str().into(),
            instance: instance.name.as_str().into(),
            incarnation: instance.incarnation,
            state,
            partitions: vec![TopicPartition { topic, partition: instance.partition }],
            moved: vec![],
            at: now(),
            detail: None,
        })
    }

    fn speak(&self, instance: &Instance) {
        self.send("kafkaflow.admin", &self.telemetry(instance));
        self.send("kafkaflow.admin", &self.report(instance));
    }

    fn telemetry(&self, instance: &Instance) -> Record {
        let (own, none) = (vec![instance.partition], vec![]);
        let is_paused = self.is_paused && self.obeys(instance);
        let (running, paused) = if is_paused { (none, own) } else { (own, none) };
        let telemetry = Telemetry {
            group: self.group.as_str().into(),
            consumer: self.group.as_str().into(),
            topic: TOPIC.parse::<flowdeck_model::TopicName>().expect("a topic's name").into(),
            instance: instance.name.as_str().into(),
            status: ConsumerStatus::of(!running.is_empty(), !paused.is_empty()),
            running,
            paused,
            sent_at: now().into(),
            workers: 2,
            lag: 0,
            dropped_partitions: 0,
        };
        let mut record = telemetry_record(uuid::Uuid::new_v4(), telemetry, Some(instance.incarnation));
        record.headers.push((HOLDS.to_owned(), InstanceHolds::Known.word().as_bytes().to_vec()));
        record
    }

    fn report(&self, instance: &Instance) -> Record {
        let report = json!({
            "at": now(), "version": "0.1.0", "host": instance.name, "startedAt": now(), "workers": 2,
            "readCommitted": false, "cpuMillicores": 20, "memoryBytes": 30_000_000, "bufferSize": 100,
            "processing": { "seconds": 60, "calls": 600, "p50Micros": 900, "p95Micros": 4_000, "p99Micros": 9_000,
                "maxMicros": 20_000 },
        });
        let telemetry = AgentTelemetry {
            group: self.group.as_str().into(),
            consumer: self.group.as_str().into(),
            instance: instance.name.as_str().into(),
            incarnation: instance.incarnation,
            report: serde_json::from_value(report).expect("a report"),
        };
        agent_telemetry_record(telemetry).expect("short names")
    }

    /// Its delivery is not awaited: what does not arrive is missed by the test.
    fn send(&self, topic: &str, record: &Record) {
        let mut headers = OwnedHeaders::new();
        for (key, value) in &record.headers {
            headers = headers.insert(Header { key, value: Some(value) });
        }
        let value = record.value.as_deref().unwrap_or_default();
        let to = FutureRecord::to(topic).partition(0).key(&record.key).payload(value).headers(headers);
        drop(self.producer.send_result(to).map_err(|(error, _)| error).expect("space in the client's queue"));
    }
}
