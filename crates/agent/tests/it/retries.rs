//! Retry topics and the circuit breaker: what is tried when, and that a hold wins.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::commands::reports;
use crate::common::{Agents as _, a_while, settled};
use crate::runtime::wait_committed;
use flowdeck_agent::{
    CircuitBreaker, CircuitState, Context, DeadLetters, Failure, HandlerError, OnError, Raw, RetryTopics,
    Router, State, Then,
};
use flowdeck_model::Scope;
use flowdeck_testkit::{DEADLINE, World, unique, wait_for};

const DELAY: Duration = Duration::from_millis(1_000);

#[derive(Debug, Clone)]
struct Call {
    at: Instant,
    value: String,
    attempt: u32,
    /// On which topic, and where it came from.
    topic: String,
    origin: Option<(String, i64)>,
}

#[derive(Clone, Default)]
struct Calls(Arc<Mutex<Vec<Call>>>);

impl Calls {
    fn of(&self, value: &str) -> Vec<Call> {
        self.0.lock().unwrap().iter().filter(|call| call.value == value).cloned().collect()
    }

    async fn wait_for(&self, value: &str, count: usize) {
        let what = format!("{count} calls for {value}");
        wait_for(&what, DEADLINE, async || (self.of(value).len() >= count).then_some(())).await;
    }
}

async fn told(State(calls): State<Calls>, Raw(value): Raw, context: Context) -> Result<(), HandlerError> {
    let value = String::from_utf8(value.to_vec()).unwrap();
    let origin = context.origin().map(|origin| (origin.topic().to_string(), origin.offset()));
    let (topic, attempt) = (context.topic().to_string(), context.attempt());
    calls.0.lock().unwrap().push(Call { at: Instant::now(), value: value.clone(), attempt, topic, origin });
    match value.as_str() {
        "fails" => Err(HandlerError::retry("try it again")),
        "twice" if context.attempt() <= 2 => Err(HandlerError::retry("not yet")),
        _ => Ok(()),
    }
}

fn retries(retries: u32, then: Then) -> OnError {
    let wait = Duration::from_millis(20);
    OnError { retries, backoff: wait, backoff_max: wait, then, jitter: false }
}

async fn topic(world: &World, stem: &str) -> String {
    let name = unique(stem);
    world.kafka.create_topic(&name, 1).await;
    name
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_record_goes_from_topic_to_topic_and_keeps_back_no_other() {
    let world = World::new(1).await;
    let [first, second, letters] =
        [topic(&world, "r1").await, topic(&world, "r2").await, topic(&world, "dlq").await];
    for value in ["fails", "twice", "fine"] {
        world.kafka.send(&world.topic, b"k", value.as_bytes(), &[("own", b"x")]).await;
    }
    // Another group's retry: nothing of this one.
    let other: [(&str, &[u8]); 6] = [
        ("Flowdeck-Original-Topic", b"t"),
        ("Flowdeck-Original-Partition", b"0"),
        ("Flowdeck-Original-Offset", b"0"),
        ("Flowdeck-Attempts", b"1"),
        ("Flowdeck-Retry-At", b"0"),
        ("Flowdeck-Original-Group", b"another"),
    ];
    world.kafka.send(&first, b"k", b"another group's", &other).await;
    let calls = Calls::default();
    // The function is found by the topic where the record came from.
    let router = Router::new(calls.clone()).topic(world.topic.as_str(), told);
    let agent = world
        .agent("i-1")
        .on_error(retries(1, Then::DeadLetter))
        .retry_topics(RetryTopics::new().topic(&*first, DELAY).topic(&*second, 2 * DELAY))
        .dead_letters(DeadLetters::to(&*letters));
    let agent = agent.handler(router).start().await.unwrap();
    let letter =
        wait_for("the dead letter", DEADLINE, async || world.kafka.read_all(&letters).into_iter().next())
            .await;
    wait_committed(&world, 0, 3).await;

    let failed = calls.of("fails");
    let tried: Vec<_> = failed.iter().map(|call| (call.attempt, call.topic.as_str())).collect();
    let (t, r1, r2) = (world.topic.as_str(), first.as_str(), second.as_str());
    assert_eq!(tried, [(1, t), (2, t), (3, r1), (4, r1), (5, r2), (6, r2)]);
    assert!(failed[2].at - failed[1].at >= DELAY && failed[4].at - failed[3].at >= 2 * DELAY);
    assert_eq!((&failed[0].origin, &failed[5].origin), (&None, &Some((world.topic.clone(), 0))));
    let twice: Vec<_> = calls.of("twice").iter().map(|call| (call.attempt, call.topic.clone())).collect();
    assert_eq!(twice, [(1, t.to_owned()), (2, t.to_owned()), (3, r1.to_owned())]);
    assert!(calls.of("fine")[0].at < failed[2].at, "it does not wait for what failed before it");
    assert!(calls.of("another group's").is_empty());

    let text = |name| letter.headers().last(name).map(|value| String::from_utf8_lossy(value).into_owned());
    for (name, want) in [
        ("own", "x"),
        ("Flowdeck-Original-Topic", t),
        ("Flowdeck-Original-Offset", "0"),
        ("Flowdeck-Attempts", "6"),
        ("Flowdeck-Error", "try it again"),
    ] {
        assert_eq!(text(name).as_deref(), Some(want), "{name}");
    }
    assert_eq!(text("Flowdeck-Retry-At"), None);
    let counts = agent.counts();
    assert_eq!((counts.retry_topics, counts.dead_lettered, counts.handled), (3, 1, 2));
    agent.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_topic_without_commit_is_read_from_its_beginning() {
    let world = World::new(1).await;
    let retry = topic(&world, "r1").await;
    world.kafka.send(&world.topic, b"k", b"fails", &[]).await;
    let calls = Calls::default();
    let delay = 3 * DELAY;
    let agent = world
        .agent("i-1")
        .on_error(retries(0, Then::Skip))
        .retry_topics(RetryTopics::new().topic(&*retry, delay))
        .handler(Router::new(calls.clone()).fallback(told));
    let agent = agent.start().await.unwrap();
    wait_committed(&world, 0, 1).await;
    agent.stop().await.unwrap();
    // As librdkafka does where nothing is said.
    let mut config = world.kafka.client();
    config
        .set("auto.offset.reset", "latest")
        .set("session.timeout.ms", "6000")
        .set("heartbeat.interval.ms", "500");
    let agent = world
        .agent_with(config, "i-2")
        .on_error(retries(0, Then::Skip))
        .retry_topics(RetryTopics::new().topic(&*retry, delay))
        .handler(Router::new(calls.clone()).fallback(told));
    let agent = agent.start().await.unwrap();
    calls.wait_for("fails", 2).await;
    agent.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_delayed_retry_begins_under_a_hold_of_the_group_or_of_its_topic() {
    let world = World::new(1).await;
    let retry = topic(&world, "r1").await;
    let calls = Calls::default();
    let agent = world
        .agent("i-1")
        .on_error(retries(0, Then::Skip))
        .retry_topics(RetryTopics::new().topic(&*retry, DELAY))
        .handler(Router::new(calls.clone()).fallback(told));
    let agent = agent.start().await.unwrap();
    settled(&agent, 2, 0).await;
    let of_topic = Scope { topic: Some(world.topic.parse().unwrap()), ..world.scope() };
    for (round, scope) in [world.scope(), of_topic].into_iter().enumerate() {
        let before = calls.of("fails").len();
        world.kafka.send(&world.topic, b"k", b"fails", &[]).await;
        calls.wait_for("fails", before + 1).await;
        let hold = world.pause(scope).await;
        settled(&agent, 0, 2).await;
        let under = calls.of("fails").len();
        tokio::time::sleep(DELAY).await;
        a_while().await;
        assert_eq!(calls.of("fails").len(), under, "round {round}");
        world.release(&hold).await;
        calls.wait_for("fails", before + 2).await;
        wait_for("the end of its tries", DEADLINE, async || {
            (agent.counts().skipped == round as u64 + 1).then_some(())
        })
        .await;
    }
    agent.stop().await.unwrap();
}

/// The dependency of a handler, which may be down.
#[derive(Clone, Default)]
struct Dependency {
    up: Arc<AtomicBool>,
    calls: Arc<AtomicUsize>,
}

async fn depends(State(dependency): State<Dependency>) -> Result<(), HandlerError> {
    dependency.calls.fetch_add(1, Ordering::SeqCst);
    match dependency.up.load(Ordering::SeqCst) {
        true => Ok(()),
        false => Err("no connection".into()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_circuit_pauses_the_consumer_apart_from_a_hold() {
    let world = World::new(2).await;
    world.produce(0, 5).await;
    world.produce(1, 5).await;
    let (dependency, breaker) = (Dependency::default(), CircuitBreaker::new(3, DELAY));
    let calls = || dependency.calls.load(Ordering::SeqCst);
    let agent = world
        .agent("i-1")
        .workers(2)
        .on_error(retries(u32::MAX, Then::PausePartition))
        .circuit_breaker(breaker.clone())
        .handler(Router::new(dependency.clone()).fallback(depends));
    let agent = agent.start().await.unwrap();
    let opened = |times: u64| {
        let world = &world;
        async move {
            wait_for(&format!("a report that it opened {times} times"), DEADLINE, async || {
                let breakers = reports(world).into_iter().filter_map(|one| one.report.circuit_breaker);
                breakers.into_iter().find(|one| one.opened >= times && one.state != CircuitState::Closed)
            })
            .await
        }
    };
    let view = opened(1).await;
    assert_eq!(view.error.as_deref(), Some("no connection"));
    // Each time it opens again after one try.
    opened(3).await;
    let hold = world.pause(world.scope()).await;
    settled(&agent, 0, 2).await;
    wait_for("it is open", DEADLINE, async || (breaker.state() == CircuitState::Open).then_some(())).await;
    let under = calls();
    tokio::time::sleep(DELAY).await;
    a_while().await;
    assert_eq!((calls(), breaker.state()), (under, CircuitState::Open), "no try under a hold");
    let breakers = reports(&world).into_iter().filter_map(|one| one.report.circuit_breaker);
    let times = breakers.map(|one| one.opened).max().unwrap_or(0) as usize;
    assert!(
        under <= 3 + times,
        "{under} calls, opened {times} times: one try each, and one that had begun before"
    );
    dependency.up.store(true, Ordering::SeqCst);
    world.release(&hold).await;
    wait_committed(&world, 0, 5).await;
    wait_committed(&world, 1, 5).await;
    assert_eq!((breaker.state(), agent.counts().handled), (CircuitState::Closed, 10));
    agent.stop().await.unwrap();
}

async fn poison() -> Result<(), HandlerError> {
    Err("not JSON".into())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_mapping_calls_permanent_opens_no_circuit() {
    let world = World::new(1).await;
    world.produce(0, 10).await;
    let breaker = CircuitBreaker::new(3, Duration::from_secs(60));
    let agent = world
        .agent("i-1")
        .on_error(retries(2, Then::Skip))
        .map_errors(|_| Failure::Permanent)
        .circuit_breaker(breaker.clone())
        .handler(Router::new(()).fallback(poison));
    let agent = agent.start().await.unwrap();
    wait_committed(&world, 0, 10).await;
    assert_eq!((breaker.state(), agent.counts().skipped), (CircuitState::Closed, 10));
    let report = wait_for("a report of all ten", DEADLINE, async || {
        reports(&world).into_iter().map(|one| one.report).find(|report| report.counts.skipped == 10)
    })
    .await;
    assert_eq!(report.circuit_breaker.map(|breaker| breaker.opened), Some(0));
    agent.stop().await.unwrap();
}
