//! A world of its own for each test: topics, a writer of holds as `wire.md` has it, agents in this
//! process, and what they said and did.

#![allow(dead_code, reason = "each test file takes what it needs")]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flowdeck_agent::{
    Agent, AgentBuilder, ClientConfig, Handler, HandlerError, OnError, Record, Running, Then, Timings,
    async_trait,
};
use flowdeck_model::{CommandId, Hold, HoldId, InstanceState, Scope, Timestamp};
use flowdeck_protocol::wire::{Ack, AckRecord, hold_record, read_ack, release_record};
use flowdeck_protocol::{Headers, Record as Wire};
use flowdeck_testkit::{DEADLINE, Kafka, kafka, unique, wait_for};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer as _, ThreadedProducer};

pub(crate) struct World {
    pub(crate) kafka: Kafka,
    pub(crate) group: String,
    pub(crate) topic: String,
    pub(crate) admin: String,
    pub(crate) holds: String,
    pub(crate) acks: String,
}

impl World {
    /// The group's topic with so many partitions, an admin topic, and none of Flowdeck's topics.
    pub(crate) async fn without_flowdeck(partitions: i32) -> Self {
        Self::bare(kafka().clone(), partitions).await
    }

    async fn bare(kafka: Kafka, partitions: i32) -> Self {
        let world = Self {
            kafka,
            group: unique("group"),
            topic: unique("topic"),
            admin: unique("admin"),
            holds: unique("holds"),
            acks: unique("acks"),
        };
        world.kafka.create_topic(&world.topic, partitions).await;
        world.kafka.create_topic(&world.admin, 1).await;
        world
    }

    pub(crate) async fn new(partitions: i32) -> Self {
        Self::on(kafka().clone(), partitions).await
    }

    /// On a broker of the test's own.
    pub(crate) async fn on(kafka: Kafka, partitions: i32) -> Self {
        let world = Self::bare(kafka, partitions).await;
        world.create_flowdeck().await;
        world
    }

    pub(crate) async fn create_flowdeck(&self) {
        self.kafka.create_topic_with(&self.holds, 1, &[("cleanup.policy", "compact")]).await;
        self.kafka.create_topic(&self.acks, 1).await;
    }

    pub(crate) async fn produce(&self, partition: i32, count: usize) {
        self.kafka.produce(&self.topic, partition, (0..count).map(|n| format!("{n}"))).await;
    }

    /// Eager and quick: short sessions, short looks.
    pub(crate) fn agent(&self, instance: &str) -> AgentBuilder {
        let mut config = self.kafka.client();
        config
            .set("auto.offset.reset", "earliest")
            .set("session.timeout.ms", "6000")
            .set("heartbeat.interval.ms", "500");
        self.agent_with(config, instance)
    }

    pub(crate) fn agent_with(&self, config: ClientConfig, instance: &str) -> AgentBuilder {
        Agent::builder(config, self.group.as_str())
            .consumer("c")
            .topics([self.topic.as_str()])
            .instance(instance)
            .admin_topic(self.admin.as_str(), 0)
            .flowdeck_topics(self.holds.as_str(), self.acks.as_str())
            .timings(quick())
    }

    pub(crate) fn scope(&self) -> Scope {
        Scope::group(self.group.as_str().into())
    }

    pub(crate) fn hold(&self, scope: Scope) -> Hold {
        Hold {
            scope,
            id: HoldId::random(),
            owner: "ana".into(),
            reason: "INC-1".into(),
            since: Timestamp::from_system(std::time::SystemTime::now()),
            until: None,
            except: vec![],
        }
    }

    /// Writes records to the topic of holds as Flowdeck does: in one transaction.
    pub(crate) async fn write(&self, records: Vec<Wire>) {
        let (kafka, topic) = (self.kafka.clone(), self.holds.clone());
        let write = move || {
            let producer: ThreadedProducer<_> = kafka
                .client()
                .set("transactional.id", format!("writer-{topic}"))
                .set("transaction.timeout.ms", "60000")
                .create_with_context(rdkafka::producer::DefaultProducerContext)
                .expect("a producer");
            producer.init_transactions(DEADLINE).expect("a transactional id");
            producer.begin_transaction().expect("a transaction");
            for record in records {
                let headers = record.headers.iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
                    headers.insert(Header { key, value: Some(value) })
                });
                let mut out =
                    BaseRecord::<[u8], [u8]>::to(&topic).partition(0).key(&record.key).headers(headers);
                if let Some(value) = &record.value {
                    out = out.payload(value);
                }
                producer.send(out).map_err(|(error, _)| error).expect("room");
            }
            producer.commit_transaction(DEADLINE).expect("a commit");
        };
        tokio::task::spawn_blocking(write).await.expect("written");
    }

    pub(crate) async fn pause(&self, scope: Scope) -> Hold {
        let hold = self.hold(scope);
        self.write(vec![hold_record(&hold, hold.id.into())]).await;
        hold
    }

    pub(crate) async fn release(&self, hold: &Hold) -> CommandId {
        let command = CommandId::random();
        self.write(vec![release_record(&hold.scope, hold.id, command)]).await;
        command
    }

    pub(crate) fn acks(&self) -> Vec<Ack> {
        let records = self.kafka.read_all(&self.acks);
        let acks = records.iter().map(|record| {
            let headers: Headers<'_> =
                record.headers.iter().map(|(key, value)| (key.as_str(), value.as_slice())).collect();
            match read_ack(&headers, record.value.as_deref()) {
                AckRecord::Ack(ack) => {
                    assert_eq!(record.key.as_deref(), Some(ack.command.to_string().as_bytes()));
                    ack
                }
                other => panic!("{other:?}"),
            }
        });
        acks.collect()
    }

    /// Waits for the answer of one instance to a command.
    pub(crate) async fn ack(&self, command: CommandId, instance: &str, state: InstanceState) -> Ack {
        let what = format!("{state:?} of {instance}");
        wait_for(&what, DEADLINE, async || {
            self.acks()
                .into_iter()
                .find(|ack| ack.command == command && ack.instance.as_str() == instance && ack.state == state)
        })
        .await
    }
}

pub(crate) fn quick() -> Timings {
    Timings {
        telemetry: Duration::from_secs(1),
        commit: Duration::from_millis(200),
        look: Duration::from_millis(500),
        holds: Duration::from_secs(5),
        expiry: Duration::from_secs(60),
        give_back: Duration::from_secs(3),
    }
}

pub(crate) fn skip_at_once() -> OnError {
    OnError { retries: 0, backoff: Duration::ZERO, backoff_max: Duration::ZERO, then: Then::Skip }
}

/// What handlers saw, in the order of their starts.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Vec<(i32, i64)>>>);

impl Seen {
    pub(crate) fn all(&self) -> Vec<(i32, i64)> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    pub(crate) fn distinct(&self) -> BTreeSet<(i32, i64)> {
        self.all().into_iter().collect()
    }

    pub(crate) async fn wait_for(&self, count: usize) {
        wait_for(&format!("{count} records"), DEADLINE, async || {
            (self.distinct().len() >= count).then_some(())
        })
        .await;
    }
}

/// Notes each start; takes some time.
pub(crate) struct Noting {
    pub(crate) seen: Seen,
    pub(crate) takes: Duration,
}

#[async_trait]
impl Handler for Noting {
    async fn handle(&self, record: &Record) -> Result<(), HandlerError> {
        self.seen.0.lock().unwrap().push((record.partition().get(), record.offset()));
        tokio::time::sleep(self.takes).await;
        Ok(())
    }
}

pub(crate) fn noting(takes_ms: u64) -> (Seen, Noting) {
    let seen = Seen::default();
    (seen.clone(), Noting { seen, takes: Duration::from_millis(takes_ms) })
}

/// Waits until the agent owns partitions and none is waiting to be decided: (running, standing).
pub(crate) async fn settled(agent: &Running, running: usize, standing: usize) {
    wait_for(&format!("{running} running and {standing} standing"), DEADLINE, async || {
        let partitions = agent.partitions();
        let runs = partitions.iter().filter(|(_, _, runs)| *runs).count();
        (runs == running && partitions.len() - runs == standing).then_some(())
    })
    .await;
}

/// Long enough for a gate that leaks to show.
pub(crate) async fn a_while() {
    tokio::time::sleep(Duration::from_millis(1_200)).await;
}
