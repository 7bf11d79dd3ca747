//! Pause with agents, as processes of their own: two instances, a third started after the pause, one
//! killed with SIGKILL. No handler starts after the ack, and after the resume nothing is lost: with
//! the eager, the cooperative and the KIP-848 protocol.

mod common;

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use common::Process;
use flowdeck_model::{CommandId, Hold, HoldId, InstanceState, Scope, Timestamp};
use flowdeck_protocol::Headers;
use flowdeck_protocol::wire::{Ack, AckRecord, hold_record, read_ack, release_record};
use flowdeck_testkit::{DEADLINE, Kafka, NodeOptions, private, unique, wait_for};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};

const PARTITIONS: i32 = 4;
const WORKERS: usize = 2;
/// A session of 6 s must end, then the group must settle.
const TAKEOVER: Duration = Duration::from_secs(60);

struct World {
    kafka: Kafka,
    group: String,
    topic: String,
    admin: String,
    holds: String,
    acks: String,
    protocol: &'static str,
}

impl World {
    async fn new(kafka: Kafka, protocol: &'static str) -> Self {
        let world = Self {
            kafka,
            group: unique("group"),
            topic: unique("topic"),
            admin: unique("admin"),
            holds: unique("holds"),
            acks: unique("acks"),
            protocol,
        };
        world.kafka.create_topic(&world.topic, PARTITIONS).await;
        world.kafka.create_topic(&world.admin, 1).await;
        world.kafka.create_topic_with(&world.holds, 1, &[("cleanup.policy", "compact")]).await;
        world.kafka.create_topic(&world.acks, 1).await;
        world
    }

    async fn produce(&self, each: usize) {
        for partition in 0..PARTITIONS {
            self.kafka.produce(&self.topic, partition, (0..each).map(|n| n.to_string())).await;
        }
    }

    fn start(&self, instance: &str) -> Process {
        let workers = WORKERS.to_string();
        let mut args = vec!["--bootstrap", self.kafka.bootstrap(), "--group", &self.group];
        args.extend(["--topics", &self.topic, "--admin-topic", &self.admin]);
        args.extend(["--holds-topic", &self.holds, "--acks-topic", &self.acks]);
        args.extend(["--workers", &workers, "--buffer", "20", "--handle-ms", "5"]);
        args.extend(["--protocol", self.protocol]);
        if self.protocol != "kip848" {
            // KIP-848 has the broker say it.
            args.extend(["--property", "session.timeout.ms=6000", "--property", "heartbeat.interval.ms=500"]);
        }
        Process::start(instance, &args)
    }

    /// In one transaction, as Flowdeck writes.
    async fn write(&self, record: flowdeck_protocol::Record) {
        let (kafka, topic) = (self.kafka.clone(), self.holds.clone());
        let write = move || {
            let producer: ThreadedProducer<_> = kafka
                .client()
                .set("transactional.id", format!("writer-{topic}"))
                .create_with_context(DefaultProducerContext)
                .expect("a producer");
            producer.init_transactions(DEADLINE).expect("a transactional id");
            producer.begin_transaction().expect("a transaction");
            let headers = record.headers.iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
                headers.insert(Header { key, value: Some(value) })
            });
            let mut out = BaseRecord::<[u8], [u8]>::to(&topic).partition(0).key(&record.key).headers(headers);
            if let Some(value) = &record.value {
                out = out.payload(value);
            }
            producer.send(out).map_err(|(error, _)| error).expect("room");
            producer.commit_transaction(DEADLINE).expect("a commit");
        };
        tokio::task::spawn_blocking(write).await.expect("written");
    }

    fn acks(&self) -> Vec<Ack> {
        let records = self.kafka.read_all(&self.acks);
        let acks = records.iter().map(|record| {
            let headers: Headers<'_> =
                record.headers.iter().map(|(key, value)| (key.as_str(), value.as_slice())).collect();
            match read_ack(&headers, record.value.as_deref()) {
                AckRecord::Ack(ack) => ack,
                other => panic!("{other:?}"),
            }
        });
        acks.collect()
    }

    async fn ack(&self, command: CommandId, instance: &str, state: InstanceState) -> Ack {
        wait_for(&format!("{state:?} of {instance}"), DEADLINE, async || {
            self.acks()
                .into_iter()
                .find(|ack| ack.command == command && ack.instance.as_str() == instance && ack.state == state)
        })
        .await
    }
}

/// No handler of the instance started after it answered. What a worker had taken just before may
/// print its line an instant later: at most one for each worker, and none once it was drained.
fn assert_obeyed(process: &Process, acknowledged: &Ack, drained: &Ack) {
    let after = |ack: &Ack| process.started().iter().filter(|line| line.at > ack.at.millis()).count();
    assert!(
        after(acknowledged) <= WORKERS,
        "{}: {} started after the ack",
        process.instance,
        after(acknowledged)
    );
    assert_eq!(after(drained), 0, "{} started a handler after it was drained", process.instance);
}

async fn pause_with_agents(kafka: Kafka, protocol: &'static str) {
    let world = World::new(kafka, protocol).await;
    world.produce(500).await;
    let a = world.start("a");
    let mut b = world.start("b");
    a.wait_handled(20).await;
    b.wait_handled(20).await;

    let hold = Hold {
        scope: Scope::group(world.group.as_str().into()),
        id: HoldId::random(),
        owner: "ana".into(),
        reason: "INC-1".into(),
        since: Timestamp::from_system(SystemTime::now()),
        until: None,
        except: vec![],
    };
    let pause = CommandId::from(hold.id);
    world.write(hold_record(&hold, pause)).await;
    let mut obeyed = vec![];
    for process in [&a, &b] {
        let acknowledged = world.ack(pause, &process.instance, InstanceState::Acknowledged).await;
        let drained = world.ack(pause, &process.instance, InstanceState::Drained).await;
        assert!(drained.partitions.len() >= acknowledged.partitions.len());
        obeyed.push((acknowledged, drained));
    }

    // A third joins: partitions move, and move behind a shut gate.
    let c = world.start("c");
    wait_for("the third to own partitions", TAKEOVER, async || (c.assigned().1 > 0).then_some(())).await;
    world.ack(pause, "c", InstanceState::Drained).await;
    b.kill();
    wait_for("the others to own all partitions", TAKEOVER, async || {
        (a.assigned().1 + c.assigned().1 == usize::try_from(PARTITIONS).unwrap()).then_some(())
    })
    .await;
    world.produce(50).await;
    // Long enough for a gate that leaks to show: a handler takes 5 ms.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_obeyed(&a, &obeyed[0].0, &obeyed[0].1);
    assert_obeyed(&b, &obeyed[1].0, &obeyed[1].1);
    assert_eq!(c.started().len(), 0, "the third handled a record under the pause");
    let before = a.handled().len() + b.handled().len();
    assert!(before < 2_000, "all was handled before the pause");

    let resume = CommandId::random();
    world.write(release_record(&hold.scope, hold.id, resume)).await;
    for process in [&a, &c] {
        world.ack(resume, &process.instance, InstanceState::Acknowledged).await;
    }
    let want: BTreeSet<(i32, i64)> =
        (0..PARTITIONS).flat_map(|partition| (0..550).map(move |offset| (partition, offset))).collect();
    wait_for("every record to be handled", TAKEOVER, async || {
        let all = [&a, &b, &c].into_iter().flat_map(Process::handled);
        let seen: BTreeSet<_> = all.map(|line| (line.partition, line.offset)).collect();
        want.is_subset(&seen).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn eager() {
    pause_with_agents(flowdeck_testkit::kafka().clone(), "classic-eager").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cooperative() {
    pause_with_agents(flowdeck_testkit::kafka().clone(), "classic-cooperative").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kip848() {
    // The session is the broker's to choose: short, so that a killed member is missed soon.
    let properties = [
        ("group.consumer.min.session.timeout.ms", "1000"),
        ("group.consumer.session.timeout.ms", "6000"),
        ("group.consumer.min.heartbeat.interval.ms", "100"),
        ("group.consumer.heartbeat.interval.ms", "500"),
    ];
    let properties = properties.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let broker = private(&NodeOptions { properties, ..NodeOptions::default() });
    pause_with_agents(Kafka::at(broker.bootstrap()), "kip848").await;
}
