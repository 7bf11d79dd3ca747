//! The one writer of the holds: it is elected, takes over before the first pause, and never on a cluster in observe
//! mode.

use std::time::{Duration, Instant};

use flowdeck_kafka::ClusterConfig;
use flowdeck_model::view::Mode;
use flowdeck_model::{Action, Actor, CommandState, Permission, PortError, Ports, Submit, Timestamp, Via};
use flowdeck_observe::ClusterSettings;
use flowdeck_protocol::wire;
use flowdeck_testkit::{DEADLINE, End, Kafka, NodeOptions, kafka, private, unique, wait_for};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};

use crate::common::{Running, settings, submit};
use crate::fake_instance::FakeInstance;

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
async fn the_elected_one_is_ready_before_the_first_pause() {
    let settings = settings(Mode::Control);
    let (_, group) = group(kafka(), &settings).await;
    let former = Former::new(kafka(), &settings.writer_id).await;
    let running = Running::start(settings.clone());
    looks(&running, &running.who_may(&[Permission::View]), &group).await;
    wait_for("the takeover", DEADLINE, async || (!former.can_write()).then_some(())).await;
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

/// Both take commands and tell what came of them; one of them writes, and when it ends the other one does.
#[tokio::test(flavor = "multi_thread")]
async fn any_replica_takes_a_command_and_one_writes() {
    let settings = settings(Mode::Control);
    let (topic, group) = group(kafka(), &settings).await;
    let agent = FakeInstance::new(&settings, &group, "pay", &topic).agent();
    let first = Running::start(settings.clone());
    first.heard(&agent, &[0]).await;
    let second = Running::start(settings.clone());
    second.heard(&agent, &[0]).await;
    for (action, taker, other) in [(Action::Pause, &second, &first), (Action::Resume, &first, &second)] {
        let command = submit(action, &group, None, &[]);
        let taken = taker.ports.control.submit(&taker.cluster, command.clone()).await.unwrap();
        assert_eq!((taken.id, taken.existing), (command.id, false));
        // The same again at the other one is the same command, and with another body it is refused.
        wait_for("the other one knows it", DEADLINE, async || {
            let view = other.ports.control.command(&other.cluster, command.id).ok()?;
            (view.sent.len() == 1).then_some(())
        })
        .await;
        let again = other.ports.control.submit(&other.cluster, command.clone()).await.unwrap();
        assert_eq!((again.id, again.existing), (command.id, true));
        let different = Submit { reason: "INC-2".to_owned(), ..command };
        let refused = other.ports.control.submit(&other.cluster, different).await;
        assert!(matches!(refused, Err(PortError::Conflict { .. })), "{refused:?}");
    }
    assert_eq!(kafka().read_all(settings.holds_topic.as_str()).len(), 2);
    first.stop().await;
    let pause = submit(Action::Pause, &group, None, &[]);
    agent.says(&[0], &[]).await;
    second.ports.control.submit(&second.cluster, pause).await.unwrap();
    second.stop().await;
    assert_eq!(kafka().read_all(settings.holds_topic.as_str()).len(), 3);
}

/// Each request comes first in the audit, and what became of it later: one that leads before it has read both would begin
/// again, or refuse, what is done.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_long_ago_is_left_as_it_is() {
    let settings = settings(Mode::Control);
    let (_, group) = group(kafka(), &settings).await;
    let topic = settings.audit_topic.as_str();
    for own in [settings.holds_topic.as_str(), topic] {
        kafka().create_topic(own, 1).await;
    }
    let done = submit(Action::Pause, &group, None, &[]);
    let at = Timestamp::from_millis(1_000);
    let record = |submit: &Submit, state| {
        wire::operation_record(&wire::Operation {
            id: submit.id,
            at,
            actor: Actor::anonymous(Via::Api, None).view,
            request: wire::Request::of(submit).unwrap(),
            state,
            requested_at: at,
            sent_at: (state != CommandState::Requested).then_some(at),
            until: None,
            sent: vec![],
            written: None,
            holds: vec![],
            before: vec![],
            offsets: vec![],
            instances: vec![],
            notes: vec![],
            brings_back: vec![],
            must_end: vec![],
            left_out: wire::LeftOut::default(),
        })
    };
    let other = |_| record(&submit(Action::Pause, "other", None, &[]), CommandState::Confirmed);
    let mut all = vec![record(&done, CommandState::Requested)];
    all.extend((0..15_000).map(other));
    all.push(record(&done, CommandState::Confirmed));
    kafka().transact(&unique("former"), topic, vec![(all, End::Commit)]).await;
    let records = kafka().read_all(topic).len();
    let former = Former::new(kafka(), &settings.writer_id).await;
    let running = Running::start(settings.clone());
    wait_for("it leads", DEADLINE, async || (!former.can_write()).then_some(())).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let view = running.ports.control.command(&running.cluster, done.id).unwrap();
    assert_eq!((view.state, view.notes), (CommandState::Confirmed, vec![]));
    assert_eq!(kafka().read_all(topic).len(), records, "nothing was written of it");
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
    let agent = FakeInstance::new(&settings, &group, "pay", &topic).agent();
    let says = async || {
        broker.send_record(&agent.admin, &agent.telemetry(&[0], &[])).await;
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
