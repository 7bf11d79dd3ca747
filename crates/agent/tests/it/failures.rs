//! What follows from a handler's failure: retries, dead letters, time limits, handlers that never return.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::commands::reports;
use crate::common::{Agents as _, a_while, settled, skip_at_once};
use crate::runtime::{committed, wait_committed};
use flowdeck_agent::testing::RecordingPublisher;
use flowdeck_agent::{
    AgentError, Context, DeadLetters, Failure, HandlerError, OnError, OnUnmatched, Outgoing, Raw, Router,
    Running, State, Then,
};
use flowdeck_model::InstanceState::{Acknowledged, Drained};
use flowdeck_protocol::wire::AgentTelemetry;
use flowdeck_testkit::{DEADLINE, World, unique, wait_for};
use rdkafka::producer::{FutureProducer, FutureRecord};

/// Offsets in the order in which they were tried.
#[derive(Clone, Default)]
struct Calls(Arc<Mutex<Vec<i64>>>);

impl Calls {
    fn all(&self) -> Vec<i64> {
        self.0.lock().unwrap().clone()
    }
}

/// Does what the value says.
async fn told(State(calls): State<Calls>, Raw(value): Raw, context: Context) -> Result<(), HandlerError> {
    calls.0.lock().unwrap().push(context.offset());
    match &value[..] {
        b"retry" => Err(HandlerError::retry("try it again")),
        b"once" if context.attempt() == 1 => Err(HandlerError::retry("not yet")),
        b"permanent" => Err(HandlerError::permanent("it is broken")),
        b"parse" => Err(str::parse::<u8>("x").unwrap_err().into()),
        b"panic" => panic!("as a handler may"),
        b"hang" => std::future::pending().await,
        _ => Ok(()),
    }
}

fn router() -> (Calls, Router<Calls>) {
    let calls = Calls::default();
    (calls.clone(), Router::new(calls).fallback(told))
}

async fn produce(world: &World, values: &[&str]) {
    world.kafka.produce(&world.topic, 0, values.iter().map(|value| value.as_bytes())).await;
}

fn retries(retries: u32, then: Then) -> OnError {
    let wait = Duration::from_millis(50);
    OnError { retries, backoff: wait, backoff_max: wait, then, ..OnError::default() }
}

fn header(message: &Outgoing, name: &str) -> String {
    let found = message.headers.iter().rev().find(|(header, _)| header == name);
    String::from_utf8(found.and_then(|(_, value)| value.clone()).unwrap_or_default()).unwrap()
}

#[tokio::test]
async fn it_reports_what_it_did_what_failed_and_what_hangs() {
    let world = World::new(2).await;
    let (_, router) = router();
    let agent = world.agent("i-1").label("region", "eu-1").workers(2).handler(router);
    let agent = agent.on_error(retries(1, Then::Skip)).start().await.unwrap();
    produce(&world, &["", "once", "panic", "hang", ""]).await;
    let report = wait_for("a report of the handler that hangs", DEADLINE, async || {
        let all = reports(&world).into_iter();
        let of_it = |one: &AgentTelemetry| one.report.running.first().is_some_and(|one| one.offset == 3);
        all.rev().find(of_it).map(|one| one.report)
    })
    .await;
    assert_eq!((report.counts.handled, report.counts.failed, report.counts.skipped), (2, 3, 1));
    assert_eq!((report.in_flight, report.buffered, report.buffer_size), (1, 1, 200));
    let errors: Vec<_> =
        report.errors.iter().map(|one| (one.offset, one.attempt, one.error.as_str())).collect();
    let panicked = "the handler panicked: as a handler may";
    assert_eq!(errors, [(2, 2, panicked), (2, 1, panicked), (1, 1, "not yet")], "the newest first");
    assert!(report.processing.is_some_and(|times| times.calls == 5 && times.max_micros >= times.p50_micros));
    assert_eq!((report.labels["region"].as_str(), report.workers), ("eu-1", 2));
    assert!(report.memory_bytes.is_some_and(|bytes| bytes > 0) && !report.host.is_empty());
    drop(agent);
}

async fn stop(agent: Running) {
    agent.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_fails_for_good_goes_to_the_dead_letters() {
    let world = World::new(1).await;
    let letters = unique("letters");
    world.kafka.create_topic(&letters, 1).await;
    let trace: (&str, &[u8]) = ("trace", b"t-1");
    world.kafka.send(&world.topic, b"k-1", b"retry", &[trace]).await;
    produce(&world, &["permanent", "fine"]).await;
    let (calls, router) = router();
    let agent =
        world.agent("i-1").on_error(retries(2, Then::DeadLetter)).dead_letters(DeadLetters::to(&*letters));
    let agent = agent.handler(router).start().await.unwrap();
    wait_committed(&world, 0, 3).await;
    assert_eq!(calls.all(), vec![0, 0, 0, 1, 2]);
    assert_eq!((agent.counts().dead_lettered, agent.counts().skipped), (2, 0));
    let read = world.kafka.read_all(&letters);
    let [first, second] = &read[..] else { panic!("{read:?}") };
    assert_eq!((first.key.as_deref(), first.value.as_deref()), (Some(&b"k-1"[..]), Some(&b"retry"[..])));
    let text = |name| first.headers().last(name).map(|value| String::from_utf8_lossy(value).into_owned());
    for (name, want) in [
        ("trace", "t-1"),
        ("Flowdeck-Original-Topic", world.topic.as_str()),
        ("Flowdeck-Original-Partition", "0"),
        ("Flowdeck-Original-Offset", "0"),
        ("Flowdeck-Original-Group", world.group.as_str()),
        ("Flowdeck-Error", "try it again"),
        ("Flowdeck-Attempts", "3"),
    ] {
        assert_eq!(text(name).as_deref(), Some(want), "{name}");
    }
    for time in ["Flowdeck-Original-Timestamp", "Flowdeck-Failed-At"] {
        assert!(text(time).unwrap().parse::<i64>().unwrap() > 1_700_000_000_000, "{time}");
    }
    assert_eq!(second.headers().last("Flowdeck-Attempts"), Some(&b"1"[..]), "permanent: no second try");
    stop(agent).await;
}

/// A world whose topic has one record of 2 MB, and a topic for dead letters with these settings.
async fn large(letters: &[(&str, &str)]) -> (World, String) {
    let mut world = World::new(1).await;
    let dead = unique("letters");
    world.kafka.create_topic_with(&dead, 1, letters).await;
    world.topic = unique("large");
    world.kafka.create_topic_with(&world.topic, 1, &[LARGE]).await;
    let producer: FutureProducer = world.kafka.client().set("message.max.bytes", "5000000").create().unwrap();
    let value = vec![b'x'; LARGE_BYTES];
    let record = FutureRecord::<(), _>::to(&world.topic).partition(0).payload(&value);
    producer.send(record, DEADLINE).await.map_err(|(error, _)| error).unwrap();
    (world, dead)
}

const LARGE: (&str, &str) = ("max.message.bytes", "5000000");
const LARGE_BYTES: usize = 2_000_000;

async fn broken(State(calls): State<Calls>, context: Context) -> Result<(), HandlerError> {
    calls.0.lock().unwrap().push(context.offset());
    Err(HandlerError::permanent("it is broken"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_record_goes_to_the_dead_letters_where_the_topic_takes_it() {
    let (world, letters) = large(&[LARGE]).await;
    let calls = Calls::default();
    let agent = world.agent("i-1").on_error(retries(0, Then::DeadLetter));
    let agent = agent.dead_letters(DeadLetters::to(&*letters));
    let agent = agent.handler(Router::new(calls.clone()).fallback(broken)).start().await.unwrap();
    wait_committed(&world, 0, 1).await;
    assert_eq!((calls.all(), agent.counts().dead_lettered), (vec![0], 1));
    let read = world.kafka.read_all(&letters);
    let lengths: Vec<_> = read.iter().map(|one| one.value.as_ref().map(Vec::len)).collect();
    assert_eq!(lengths, [Some(LARGE_BYTES)]);
    stop(agent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_too_large_for_the_dead_letters_pauses_its_partition() {
    let (world, letters) = large(&[]).await;
    let calls = Calls::default();
    let agent = world.agent("i-1").on_error(retries(0, Then::DeadLetter));
    let agent = agent.dead_letters(DeadLetters::to(&*letters));
    let agent = agent.handler(Router::new(calls.clone()).fallback(broken)).start().await.unwrap();
    let failed = wait_for("the reason", DEADLINE, async || {
        agent.failed_calls().into_iter().find(|call| call.error.contains(&letters))
    })
    .await;
    assert!(failed.error.contains("MessageSizeTooLarge"), "{}", failed.error);
    assert!(failed.error.ends_with("; its partition is paused"), "{}", failed.error);
    settled(&agent, 0, 1).await;
    let report = wait_for("a report with the reason", DEADLINE, async || {
        let errors = |one: AgentTelemetry| one.report.errors.into_iter().map(|one| one.error);
        reports(&world).into_iter().flat_map(errors).find(|error| *error == failed.error)
    })
    .await;
    assert_eq!(report, failed.error);
    // Longer than the wait before a record is tried again that was not taken.
    a_while().await;
    a_while().await;
    assert_eq!((calls.all(), committed(&world, 0)), (vec![0], None), "it is not called again");
    settled(&agent, 0, 1).await;
    assert!(world.kafka.read_all(&letters).is_empty());
    stop(agent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn convexs_shape_and_a_publisher_that_does_not_take_it() {
    let world = World::new(1).await;
    produce(&world, &["permanent", "fine"]).await;
    let publisher = RecordingPublisher::default();
    publisher.refuse(Some("no such topic"));
    let (calls, router) = router();
    let letters = DeadLetters::to("convex.dlq").convex().by(publisher.clone());
    let agent = world.agent("i-1").on_error(retries(0, Then::DeadLetter)).dead_letters(letters);
    let agent = agent.handler(router).start().await.unwrap();
    wait_for("two tries", DEADLINE, async || (calls.all().len() >= 2).then_some(())).await;
    assert_eq!((calls.all()[..2].to_vec(), committed(&world, 0)), (vec![0, 0], None), "it stays where it is");
    let words = "topic \"convex.dlq\" did not take a message: no such topic";
    assert!(agent.failed_calls().iter().any(|call| call.error == words), "{:?}", agent.failed_calls());
    publisher.refuse(None);
    wait_committed(&world, 0, 2).await;
    let messages = publisher.messages();
    let [letter] = &messages[..] else { panic!("{messages:?}") };
    assert_eq!(letter.topic, "convex.dlq");
    let json: serde_json::Value = serde_json::from_slice(letter.value.as_deref().unwrap()).unwrap();
    assert_eq!(json["OriginalTopic"], world.topic.as_str());
    assert_eq!(
        (&json["OriginalMessage"], &json["ErrorMessage"]),
        (&"permanent".into(), &"it is broken".into())
    );
    assert_eq!(header(letter, "Flowdeck-Original-Offset"), "0");
    stop(agent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unmatched_message_may_go_to_the_dead_letters_and_a_mapping_decides_on_errors() {
    let world = World::new(1).await;
    let known: (&str, &[u8]) = ("Message-Type", b"Told, Tests");
    world.kafka.send(&world.topic, b"k", b"fine", &[]).await;
    world.kafka.send(&world.topic, b"k", b"parse", &[known]).await;
    world.kafka.send(&world.topic, b"k", b"retry", &[known]).await;
    let (publisher, calls) = (RecordingPublisher::default(), Calls::default());
    let router = Router::new(calls.clone()).message("Told", told).on_unmatched(OnUnmatched::DeadLetter);
    let agent = world
        .agent("i-1")
        .on_error(retries(2, Then::Skip))
        .dead_letters(DeadLetters::to("letters").by(publisher.clone()))
        .map_errors(|error| match error.is::<std::num::ParseIntError>() {
            true => Failure::Permanent,
            false => Failure::Retry,
        });
    let agent = agent.handler(router).start().await.unwrap();
    wait_committed(&world, 0, 3).await;
    assert_eq!(calls.all(), vec![1, 2, 2, 2]);
    assert_eq!((agent.counts().dead_lettered, agent.counts().skipped), (1, 2));
    assert_eq!(header(&publisher.messages()[0], "Flowdeck-Original-Offset"), "0");
    stop(agent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_calls_are_kept_with_their_text() {
    let world = World::new(1).await;
    produce(&world, &["panic", "once", "permanent"]).await;
    let (_, router) = router();
    let agent = world.agent("i-1").on_error(retries(1, Then::Skip)).handler(router).start().await.unwrap();
    wait_committed(&world, 0, 3).await;
    let failed: Vec<_> =
        agent.failed_calls().into_iter().map(|call| (call.offset, call.attempt, call.error)).collect();
    let want = [
        (0, 1, "the handler panicked: as a handler may"),
        (0, 2, "the handler panicked: as a handler may"),
        (1, 1, "not yet"),
        (2, 1, "it is broken"),
    ];
    assert_eq!(failed, want.map(|(offset, attempt, error)| (offset, attempt, error.to_owned())));
    stop(agent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_limit_ends_a_call_and_others_go_on() {
    let world = World::new(1).await;
    produce(&world, &["hang", "fine"]).await;
    let (calls, router) = router();
    let agent = world.agent("i-1").on_error(skip_at_once()).handler_timeout(Duration::from_millis(200));
    let agent = agent.handler(router).start().await.unwrap();
    wait_committed(&world, 0, 2).await;
    assert_eq!(calls.all(), vec![0, 1]);
    assert_eq!(agent.failed_calls()[0].error, "the handler did not end in 200ms");
    stop(agent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_never_returns_is_named_when_the_agent_stops() {
    let world = World::new(1).await;
    produce(&world, &["fine", "hang"]).await;
    let (_, router) = router();
    let agent = world.agent("i-1").handler(router).start().await.unwrap();
    let running = wait_for("the handler", DEADLINE, async || {
        agent.running_calls().into_iter().find(|call| call.offset == 1)
    })
    .await;
    assert_eq!((running.topic.as_str(), running.partition.get()), (world.topic.as_str(), 0));
    let error = agent.stop().await.unwrap_err();
    assert!(matches!(error, AgentError::HandlersRan { .. }));
    assert!(error.to_string().contains(&format!("{}[0] offset 1 since ", world.topic)), "{error}");
    assert_eq!(committed(&world, 0), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_retry_begins_under_a_hold() {
    let world = World::new(1).await;
    produce(&world, &["retry"]).await;
    let (calls, router) = router();
    let agent =
        world.agent("i-1").on_error(retries(u32::MAX, Then::Skip)).handler(router).start().await.unwrap();
    wait_for("some tries", DEADLINE, async || (calls.all().len() >= 3).then_some(())).await;
    let hold = world.pause(world.scope()).await;
    world.ack(hold.id.into(), "i-1", Acknowledged).await;
    let then = calls.all().len();
    world.ack(hold.id.into(), "i-1", Drained).await;
    a_while().await;
    assert_eq!(calls.all().len(), then);
    settled(&agent, 0, 1).await;
    world.release(&hold).await;
    wait_for("the next try", DEADLINE, async || (calls.all().len() > then).then_some(())).await;
    stop(agent).await;
}

#[tokio::test]
async fn dead_letters_need_a_topic_that_the_group_does_not_read() {
    let world = World::without_flowdeck(1).await;
    let (_, router) = router();
    let started = world.agent("i-1").on_error(retries(0, Then::DeadLetter)).handler(router).start().await;
    assert!(matches!(started.err(), Some(AgentError::NoDeadLetters { .. })));
    for (topic, loops) in [(&*world.topic, true), ("no/topic", false)] {
        let (_, router) = self::router();
        let started = world.agent("i-1").dead_letters(DeadLetters::to(topic)).handler(router).start().await;
        match started.err() {
            Some(AgentError::DeadLettersLoop { .. }) => assert!(loops),
            Some(AgentError::Topic { .. }) => assert!(!loops),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redrive_for_another_group_is_passed_over() {
    let world = World::new(1).await;
    let header: (&str, &[u8]) = ("Flowdeck-Redrive-Group", b"another-group");
    world.kafka.send(&world.topic, b"k-1", b"fine", &[header]).await;
    let own: (&str, &[u8]) = ("Flowdeck-Redrive-Group", world.group.as_bytes());
    world.kafka.send(&world.topic, b"k-1", b"fine", &[header, own]).await;
    produce(&world, &["fine"]).await;
    let (calls, router) = router();
    let agent = world.agent("i-1").handler(router).start().await.unwrap();
    wait_committed(&world, 0, 3).await;
    assert_eq!(calls.all(), vec![1, 2]);
    assert_eq!((agent.counts().redrives_of_others, agent.counts().handled), (1, 2));
    stop(agent).await;
}
