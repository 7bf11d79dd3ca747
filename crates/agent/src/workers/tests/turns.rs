//! Functions behind layers that wait: they begin once they are called, not while the layers wait.

use std::collections::BTreeMap;
use std::sync::Mutex;

use futures::future::BoxFuture;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tower::limit::ConcurrencyLimitLayer;
use tower::{Layer, Service, ServiceExt as _};

use super::*;
use crate::failure::BoxError;
use crate::message::{Context, Message};
use crate::router::Router;
use crate::{CircuitBreaker, CircuitState, State};

const SOON: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(30);

/// What a function did, and what it waits for: each call ends once it is let go.
#[derive(Clone)]
struct Calls {
    begun: Arc<Mutex<Vec<(i32, i64, u32)>>>,
    ends: Arc<Semaphore>,
}

impl Default for Calls {
    fn default() -> Self {
        Self { begun: Arc::default(), ends: Arc::new(Semaphore::new(0)) }
    }
}

impl Calls {
    fn begun(&self) -> usize {
        self.begun.lock().unwrap().len()
    }

    /// Lets so many calls end.
    fn end(&self, calls: usize) {
        self.ends.add_permits(calls);
    }
}

async fn called(State(calls): State<Calls>, context: Context) {
    let call = (context.partition().get(), context.offset(), context.attempt());
    calls.begun.lock().unwrap().push(call);
    calls.ends.acquire().await.unwrap().forget();
}

/// Lets one call through at a time, and waits within `call`.
#[derive(Clone)]
struct WaitsInCall {
    turns: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    /// Makes success of an error.
    hides_errors: bool,
}

impl WaitsInCall {
    fn new(hides_errors: bool) -> Self {
        Self { turns: Arc::new(Semaphore::new(1)), waiting: Arc::default(), hides_errors }
    }
}

impl<T> Layer<T> for WaitsInCall {
    type Service = WaitsInCallService<T>;

    fn layer(&self, inner: T) -> Self::Service {
        WaitsInCallService(self.clone(), inner)
    }
}

#[derive(Clone)]
struct WaitsInCallService<T>(WaitsInCall, T);

impl<T> Service<Message> for WaitsInCallService<T>
where
    T: Service<Message, Response = (), Error = BoxError, Future: Send + 'static>,
{
    type Response = ();
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<(), BoxError>>;

    fn poll_ready(&mut self, task: &mut std::task::Context<'_>) -> Poll<Result<(), BoxError>> {
        self.1.poll_ready(task)
    }

    fn call(&mut self, message: Message) -> Self::Future {
        let (layer, called) = (self.0.clone(), self.1.call(message));
        Box::pin(async move {
            layer.waiting.fetch_add(1, Ordering::SeqCst);
            let _turn = layer.turns.acquire().await.unwrap();
            layer.waiting.fetch_sub(1, Ordering::SeqCst);
            match called.await {
                Err(_) if layer.hides_errors => Ok(()),
                called => called,
            }
        })
    }
}

/// An agent whose workers run.
struct Agent {
    shared: Arc<Shared>,
    runtime: Runtime,
    tasks: TaskTracker,
}

impl Agent {
    fn start(settings: Settings, partitions: i32, handler: impl Handler) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build();
        let (runtime, shared) = (runtime.unwrap(), Arc::new(Shared::new(settings)));
        shared.lock().view.set_status(HoldsStatus::Known);
        shared.assign((0..partitions).map(|partition| (Arc::new(at(partition)), None)).collect());
        shared.regate(u64::MAX);
        let tasks = TaskTracker::new();
        let guard = runtime.enter();
        start(&shared, handler, &tasks);
        drop(guard);
        Self { shared, runtime, tasks }
    }

    fn push(&self, partition: i32, offset: i64, key: &[u8]) {
        let record = Record::test_keyed("t", partition, offset, Some(key));
        self.shared.change(|state| state.lanes.push(record));
    }

    fn wait(&self, what: &str, over: impl Fn(&Shared) -> bool) {
        let limit = Instant::now() + PATIENCE;
        while !over(&self.shared) {
            assert!(Instant::now() < limit, "{what}: {:?}", self.shared.lock().lanes.snapshot());
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// All runs have a handler that was polled.
    fn wait_in_flight(&self, partitions: usize) {
        self.wait("in flight", |shared| {
            let snapshot = shared.lock().lanes.snapshot();
            let in_flight = snapshot.seen.iter().filter(|seen| seen.in_flight).count();
            in_flight == partitions && snapshot.starting.is_empty()
        });
    }

    fn due(&self) -> BTreeMap<i32, i64> {
        let due = self.shared.lock().lanes.due();
        due.into_iter().map(|(at, next)| (at.partition.get(), next)).collect()
    }

    fn end(self) -> Arc<Shared> {
        self.shared.drain();
        self.tasks.close();
        self.runtime.block_on(async { tokio::time::timeout(PATIENCE, self.tasks.wait()).await.unwrap() });
        self.shared
    }
}

fn group() -> Hold {
    hold(Scope::group("g".into()))
}

fn two_workers() -> Settings {
    Settings { workers: 2, on_error: retries(0, Then::Skip), ..settings() }
}

/// One runs, and another one waits for it; a pause is acknowledged. The one that waits begins after the resume alone,
/// and that is its first attempt.
fn waiting_call_begins_after_the_resume(router: Router<Calls>, calls: &Calls, is_waiting: impl Fn() -> bool) {
    let agent = Agent::start(two_workers(), 2, router);
    agent.push(0, 0, b"a");
    agent.push(1, 0, b"b");
    agent.wait_in_flight(2);
    agent.wait("a call and one that waits", |_| calls.begun() == 1 && is_waiting());
    pause(&agent.shared, &group());
    calls.end(1);
    agent.wait("the first ends", |shared| shared.counts.handled.sum() == 1);
    agent.wait("the second is put back", |shared| !shared.seen().iter().any(|seen| seen.in_flight));
    std::thread::sleep(SOON);
    assert_eq!((calls.begun(), agent.due().len()), (1, 1), "under the pause");
    resume(&agent.shared);
    agent.wait("the second begins", |_| calls.begun() == 2);
    calls.end(1);
    agent.wait("both are handled", |shared| shared.counts.handled.sum() == 2);
    agent.wait("both are due", |_| agent.due() == BTreeMap::from([(0, 1), (1, 1)]));
    let begun = calls.begun.lock().unwrap().clone();
    assert!(begun.iter().all(|(_, _, attempt)| *attempt == 1), "{begun:?}");
    let shared = agent.end();
    let counts = shared.counts.read();
    assert_eq!((counts.failed, counts.skipped, errors(&shared)), (0, 0, vec![]));
}

#[test]
fn waiting_for_readiness_ends_with_an_acknowledged_pause() {
    let calls = Calls::default();
    let router = Router::new(calls.clone()).topic("t", called).layer(ConcurrencyLimitLayer::new(1));
    waiting_call_begins_after_the_resume(router, &calls, || true);
}

#[test]
fn waiting_within_call_does_not_begin_under_an_acknowledged_pause() {
    for hides_errors in [false, true] {
        let (calls, layer) = (Calls::default(), WaitsInCall::new(hides_errors));
        let router = Router::new(calls.clone()).topic("t", called).layer(layer.clone());
        let waiting = || layer.waiting.load(Ordering::SeqCst) == 1;
        waiting_call_begins_after_the_resume(router, &calls, waiting);
    }
}

#[test]
fn pause_drains_what_waits_for_readiness_before_the_running_call_ends() {
    let calls = Calls::default();
    let router = Router::new(calls.clone()).topic("t", called).layer(ConcurrencyLimitLayer::new(1));
    let agent = Agent::start(two_workers(), 2, router);
    agent.push(0, 0, b"a");
    agent.push(1, 0, b"b");
    agent.wait_in_flight(2);
    pause(&agent.shared, &group());
    agent.wait_in_flight(1);
    assert_eq!(calls.begun(), 1);
    // A partition that is taken away while its record waits, too.
    resume(&agent.shared);
    agent.wait_in_flight(2);
    let waits = 1 - calls.begun.lock().unwrap()[0].0;
    agent.shared.lock().lanes.leave(&[at(waits)]);
    assert!(agent.shared.wait_idle(&[at(waits)], PATIENCE), "it does not wait for its turn");
    calls.end(1);
    let shared = agent.end();
    let counts = shared.counts.read();
    assert_eq!((calls.begun(), counts.failed, counts.dropped_uncommitted), (1, 0, 1));
}

#[test]
fn records_that_are_put_back_keep_the_order_of_their_key() {
    let calls = Calls::default();
    let router = Router::new(calls.clone()).topic("t", called).layer(ConcurrencyLimitLayer::new(1));
    let settings = Settings { distribution: Distribution::ByKey, workers: 3, ..two_workers() };
    let agent = Agent::start(settings, 1, router);
    let keys: [&[u8]; 3] = [b"a", b"b", b"c"];
    for offset in 0..9 {
        agent.push(0, offset, keys[offset as usize % 3]);
    }
    for round in 1..=9 {
        agent.wait("a call", |_| calls.begun() == round);
        pause(&agent.shared, &group());
        calls.end(1);
        agent.wait("nothing runs", |shared| !shared.seen()[0].in_flight);
        assert_eq!(calls.begun(), round);
        resume(&agent.shared);
    }
    agent.wait("all are due", |_| agent.due() == BTreeMap::from([(0, 9)]));
    let mut offsets: [Vec<i64>; 3] = [vec![], vec![], vec![]];
    for (_, offset, attempt) in calls.begun.lock().unwrap().iter() {
        assert_eq!(*attempt, 1);
        offsets[*offset as usize % 3].push(*offset);
    }
    assert_eq!(offsets, [vec![0, 3, 6], vec![1, 4, 7], vec![2, 5, 8]]);
    assert_eq!(agent.end().counts.read().failed, 0);
}

/// Calls again what failed, until it is refused.
#[derive(Clone, Default)]
struct CallsAgain(Arc<AtomicUsize>);

impl<T> Layer<T> for CallsAgain {
    type Service = CallsAgainService<T>;

    fn layer(&self, inner: T) -> Self::Service {
        CallsAgainService(Arc::clone(&self.0), inner)
    }
}

#[derive(Clone)]
struct CallsAgainService<T>(Arc<AtomicUsize>, T);

impl<T> Service<Message> for CallsAgainService<T>
where
    T: Service<Message, Response = (), Error = BoxError, Future: Send + 'static> + Clone + Send + 'static,
{
    type Response = ();
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<(), BoxError>>;

    fn poll_ready(&mut self, task: &mut std::task::Context<'_>) -> Poll<Result<(), BoxError>> {
        self.1.poll_ready(task)
    }

    fn call(&mut self, message: Message) -> Self::Future {
        let (refused, mut inner) = (Arc::clone(&self.0), self.1.clone());
        Box::pin(async move {
            loop {
                match inner.ready().await?.call(message.clone()).await {
                    Ok(()) => return Ok(()),
                    Err(error) if error.is::<NotBegun>() => {
                        refused.fetch_add(1, Ordering::SeqCst);
                        return Err(error);
                    }
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        })
    }
}

#[test]
fn retry_of_a_layer_is_kept_back_by_a_pause() {
    let (tries, layer) = (Arc::new(AtomicUsize::new(0)), CallsAgain::default());
    let fails = |State(tries): State<Arc<AtomicUsize>>| async move {
        tries.fetch_add(1, Ordering::SeqCst);
        Err::<(), _>("not yet")
    };
    let router = Router::new(Arc::clone(&tries)).topic("t", fails).layer(layer.clone());
    let agent = Agent::start(two_workers(), 1, router);
    agent.push(0, 0, b"a");
    agent.wait("tries", |_| tries.load(Ordering::SeqCst) > 1);
    pause(&agent.shared, &group());
    let before = tries.load(Ordering::SeqCst);
    agent.wait("the record is put back", |shared| !shared.seen()[0].in_flight);
    assert_eq!((tries.load(Ordering::SeqCst), layer.0.load(Ordering::SeqCst)), (before, 1));
    resume(&agent.shared);
    agent.wait("tries", |_| tries.load(Ordering::SeqCst) > before);
    pause(&agent.shared, &group());
    let shared = agent.end();
    assert_eq!((shared.counts.read().failed, errors(&shared)), (0, vec![]));
}

#[test]
fn refused_call_tells_a_circuit_breaker_nothing() {
    let layer = WaitsInCall::new(false);
    let layers = CircuitBreaker::new(1, PATIENCE);
    let whole = CircuitBreaker::new(1, PATIENCE);
    let calls = Calls::default();
    let router = Router::new(calls.clone()).topic("t", called).layer(layer.clone()).layer(layers.clone());
    let settings = Settings { breaker: Some(whole.clone()), ..two_workers() };
    let agent = Agent::start(settings, 2, router);
    agent.push(0, 0, b"a");
    agent.push(1, 0, b"b");
    agent.wait("one waits", |_| calls.begun() == 1 && layer.waiting.load(Ordering::SeqCst) == 1);
    pause(&agent.shared, &group());
    calls.end(1);
    agent.wait("nothing runs", |shared| !shared.seen().iter().any(|seen| seen.in_flight));
    assert_eq!((layers.state(), whole.state()), (CircuitState::Closed, CircuitState::Closed));
    agent.end();
}

#[test]
fn handler_timeout_counts_from_the_call() {
    let works = || tokio::time::sleep(Duration::from_millis(200));
    let router = Router::new(()).topic("t", works).layer(ConcurrencyLimitLayer::new(1));
    let limit = Some(Duration::from_millis(350));
    let settings = Settings { workers: 4, handler_timeout: limit, ..two_workers() };
    let agent = Agent::start(settings.clone(), 4, router);
    (0..4).for_each(|partition| agent.push(partition, 0, b"a"));
    agent.wait("all are handled", |shared| shared.counts.handled.sum() == 4);
    assert_eq!(errors(&agent.end()), Vec::<String>::new(), "the last waited for 600 ms");

    let hangs = || std::future::pending::<()>();
    let router = Router::new(()).topic("t", hangs).layer(ConcurrencyLimitLayer::new(1));
    let agent = Agent::start(settings, 2, router);
    (0..2).for_each(|partition| agent.push(partition, 0, b"a"));
    agent.wait("both are ended", |shared| shared.counts.read().skipped == 2);
    assert_eq!(errors(&agent.end()), vec!["the handler did not end in 350ms"; 2]);
}

async fn begins(State(late): State<Late>) {
    late.begins().await;
}

#[test]
fn no_function_behind_a_limit_begins_after_the_answer_to_a_pause() {
    for distribution in [Distribution::ByPartition, Distribution::ByKey] {
        let late = Late::default();
        let router = Router::new(late.clone()).topic("t", begins).layer(ConcurrencyLimitLayer::new(2));
        rounds(distribution, router, &late);
    }
}

#[test]
fn no_function_behind_a_layer_that_waits_in_call_begins_after_the_answer_to_a_pause() {
    let late = Late::default();
    let router = Router::new(late.clone()).topic("t", begins).layer(WaitsInCall::new(false));
    rounds(Distribution::ByPartition, router, &late);
}
