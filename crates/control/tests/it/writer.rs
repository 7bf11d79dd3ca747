//! When the one writer of the holds takes over: before the first pause, and never for a mere look by
//! one who may not pause, or on a cluster in observe mode.

use std::time::{Duration, Instant};

use flowdeck_kafka::ClusterConfig;
use flowdeck_model::view::Mode;
use flowdeck_model::{Action, CommandId, Hold, Permission, PortError, Ports, Scope, Timestamp};
use flowdeck_observe::ClusterSettings;
use flowdeck_protocol::wire::hold_record;
use flowdeck_testkit::{DEADLINE, End, Kafka, NodeOptions, kafka, private, unique, wait_for};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};

use crate::common::{Running, settings, submit};
use crate::voices::Voice;

/// Longer than a takeover takes.
const WATCH: Duration = Duration::from_millis(2_500);

/// Why a command is refused before anything is written.
const NOT_READY: [&str; 2] = ["first refresh is not over", "not read to their end yet"];
/// Until the broker of the test has forgotten an id.
const FORGOTTEN: Duration = Duration::from_secs(4);

/// Another Flowdeck's writer: it can write until a newer one takes over its id.
struct Former {
    producer: ThreadedProducer<DefaultProducerContext>,
    topic: String,
}

impl Former {
    async fn new(kafka: &Kafka, writer_id: &str) -> Self {
        let topic = unique("former");
        kafka.create_topic(&topic, 1).await;
        let mut config = kafka.client();
        config.set("transactional.id", writer_id).set("transaction.timeout.ms", "60000");
        let producer: ThreadedProducer<_> =
            config.create_with_context(DefaultProducerContext).expect("a producer");
        producer.init_transactions(DEADLINE).expect("the writer's id");
        Self { producer, topic }
    }

    fn can_write(&self) -> bool {
        let write = || {
            self.producer.begin_transaction()?;
            let record = BaseRecord::<(), str>::to(&self.topic).payload("x");
            self.producer.send(record).map_err(|(error, _)| error)?;
            self.producer.commit_transaction(DEADLINE)
        };
        write().is_ok()
    }
}

/// Looks at the group, as pages and streams do, again and again for `WATCH`.
async fn looks(running: &Running, ports: &Ports, group: &str) {
    let look = async || ports.fleet.group(&running.cluster, &group.into()).ok();
    wait_for("the group", DEADLINE, look).await;
    let end = Instant::now() + WATCH;
    while Instant::now() < end {
        let _ = ports.fleet.fleet(&Default::default());
        look().await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A group on a topic of its own.
async fn group(kafka: &Kafka, settings: &ClusterSettings) -> (String, String) {
    let (topic, group) = (unique("orders"), unique("payments"));
    kafka.create_topic(&topic, 1).await;
    kafka.create_topic(settings.admin_topics[0].telemetry.0.as_str(), 1).await;
    kafka.commit(&group, &[(&topic, 0, 0)]);
    (topic, group)
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_ready_before_the_first_pause_of_one_who_looks_and_may() {
    let settings = settings(Mode::Control);
    let (topic, group) = group(kafka(), &settings).await;
    let former = Former::new(kafka(), &settings.writer_id).await;
    let running = Running::start(settings.clone());
    looks(&running, &running.who_may(&[Permission::View, Permission::ReadPayloads]), &group).await;
    assert!(former.can_write(), "nobody looked who may pause");
    running.heard(&Voice::new(&settings, &group, "pay", &topic).agent(), &[0]).await;
    wait_for("the takeover", DEADLINE, async || (!former.can_write()).then_some(())).await;
    // The former one was fenced before anybody clicked. How much sooner the first pause is so, the bench measures.
    let pause = submit(Action::Pause, &group, None, &[]);
    running.ports.control.submit(&running.cluster, pause).await.unwrap();
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_observe_mode_nobody_takes_over() {
    let settings = settings(Mode::Observe);
    let (_, group) = group(kafka(), &settings).await;
    let former = Former::new(kafka(), &settings.writer_id).await;
    let running = Running::start(settings);
    looks(&running, &running.ports, &group).await;
    assert!(former.can_write());
    running.stop().await;
}

/// The end of a pause is the writer's first: only what it left undone is a reason to take over from it.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_nobody_looks_at_leaves_the_end_of_a_pause_to_the_writer() {
    let mut settings = settings(Mode::Control);
    settings.timing.writer_first = 3 * WATCH;
    let (_, group) = group(kafka(), &settings).await;
    kafka().create_topic(settings.holds_topic.as_str(), 1).await;
    let hold = Hold {
        scope: Scope::group(group.as_str().into()),
        id: CommandId::random().into(),
        owner: "ana".to_owned(),
        reason: "INC-1".to_owned(),
        since: Timestamp::from_millis(0),
        until: Some(Timestamp::from_millis(1)),
        except: vec![],
    };
    let records = vec![hold_record(&hold, hold.id.into())];
    let topic = settings.holds_topic.as_str();
    kafka().transact(&settings.writer_id, topic, vec![(records, End::Commit)]).await;
    let writer = Former::new(kafka(), &settings.writer_id).await;
    let running = Running::start(settings);
    let viewer = running.who_may(&[Permission::View]);
    let held = || {
        let view = viewer.fleet.group(&running.cluster, &group.as_str().into());
        view.ok().map(|view| !view.row.holds.is_empty())
    };
    wait_for("the hold", DEADLINE, async || held().filter(|held| *held)).await;
    tokio::time::sleep(WATCH).await;
    assert!(writer.can_write(), "its time to end the pause is not over");
    assert_eq!(held(), Some(true));
    wait_for("the end of the pause", DEADLINE, async || held().filter(|held| !held)).await;
    assert!(!writer.can_write());
    running.stop().await;
}

/// Brokers forget a transactional id that was silent for a week; here, for two seconds.
#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_the_broker_forgot_writes_the_next_pause() {
    let properties = [
        ("transactional.id.expiration.ms", "2000"),
        ("transaction.remove.expired.transaction.cleanup.interval.ms", "500"),
    ];
    let properties = properties.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let broker = private(&NodeOptions { properties, ..NodeOptions::default() });
    let mut settings = settings(Mode::Control);
    settings.kafka = ClusterConfig::new(broker.bootstrap());
    let (topic, group) = group(&broker, &settings).await;
    let running = Running::start(settings.clone());
    let voice = Voice::new(&settings, &group, "pay", &topic).agent();
    let says = async || {
        broker.send_record(&voice.admin, &voice.telemetry(&[0], &[])).await;
    };
    for action in [Action::Pause, Action::Resume, Action::Pause] {
        let command = submit(action, &group, None, &[]);
        wait_for("an instance that listens", DEADLINE, async || {
            says().await;
            let sent = running.ports.control.submit(&running.cluster, command.clone()).await;
            match sent {
                Ok(sent) => Some(sent),
                Err(PortError::Unprocessable { .. }) => None,
                Err(error) if NOT_READY.iter().any(|words| error.to_string().contains(words)) => None,
                Err(error) => panic!("{action:?}: {error}"),
            }
        })
        .await;
        tokio::time::sleep(FORGOTTEN).await;
    }
    assert_eq!(broker.read_all(settings.holds_topic.as_str()).len(), 3);
    running.stop().await;
}
