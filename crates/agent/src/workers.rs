//! The workers: tasks on the host's runtime. Each takes a partition for a while and calls the handler for one of
//! its records after the other.

mod pool;

use std::any::Any;
use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use tokio::runtime::Handle;
use tokio::task::coop::{consume_budget, has_budget_remaining};
use tokio::task::yield_now;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use flowdeck_protocol::wire::REDRIVE_GROUP;

use crate::after_failure::{Next, Policy};
use crate::breaker::{NotAdmitted, Permit};
use crate::config::Settings;
use crate::failure::{Failure, HandlerError, Then};
use crate::function::first_step;
use crate::handler::{Delivery, Handler};
use crate::lanes::{NotBegun, Run};
use crate::observed::Outcome;
use crate::publish::PublishError;
use crate::record_log;
use crate::retry_topics::{NextTopic, Origin};
use crate::shared::{Queue, Shared, add};
pub(crate) use pool::Pool;

/// Before the next try of a record whose dead letter Kafka did not take, at least.
const UNTAKEN: Duration = Duration::from_secs(1);

/// One of the 128 that tokio gives to a task before it shall yield is used up by a record, or by so many that take this
/// time: to yield is to wake another of the runtime's threads, which costs as much as some records.
const UNIT_OF_BUDGET: Duration = Duration::from_micros(4);

pub(crate) fn start<H: Handler>(shared: &Arc<Shared>, handler: H, tasks: &TaskTracker) {
    let (handler, tasks, runtime) = (Arc::new(handler), tasks.clone(), Handle::current());
    shared.pool.set_spawn(move |shared| {
        let work = work(Arc::clone(shared), Arc::clone(&handler), tasks.clone());
        if shared.settings.thread_per_worker {
            return on_a_thread(&runtime, tasks.track_future(work));
        }
        tasks.spawn_on(work, &runtime);
        Ok(())
    });
    shared.pool.fill(shared);
}

/// What it awaits is driven by the host's runtime; what blocks, blocks this thread alone.
fn on_a_thread(runtime: &Handle, work: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
    let runtime = runtime.clone();
    let thread = std::thread::Builder::new().name("flowdeck-worker".to_owned());
    thread.spawn(move || runtime.block_on(work)).map(drop)
}

/// Workers that are too many end after the record that they handle.
pub(crate) fn set_count(shared: &Arc<Shared>, workers: usize) {
    shared.pool.set_target(workers);
    shared.change(|state| state.lanes.set_workers(workers, shared.settings.buffer));
    shared.pool.fill(shared);
    shared.arrivals.work.notify_waiters();
    shared.tell();
}

async fn work<H: Handler>(shared: Arc<Shared>, handler: Arc<H>, tasks: TaskTracker) {
    let guard = RuntimeGone(Some(Arc::clone(&shared)));
    let mut back = None;
    let (current, handled) = (shared.history.worker(), shared.counts.handled.worker());
    // Over all runs, of which each may be shorter.
    let mut paid = Instant::now();
    while let Some(mut run) = shared.next_run(back).await {
        run.read_ahead();
        let began = run.read_clock();
        let taken = current.takes(run.at(), began);
        while run.next() {
            if is_for_another_group(&shared, &run) {
                run.begun();
                add(&shared.counts.redrives_of_others, 1);
                run.done();
                run.read_clock();
            } else if let Some(admitted) = admit(&shared.settings, &mut run) {
                let began = run.now();
                current.begins(run.record(), taken, began);
                if handle(&shared, &*handler, &mut run, admitted).await {
                    handled.add_one();
                }
                current.ends(run.now().saturating_duration_since(began));
            } else {
                run.read_clock();
            }
            // A handler that never waits must not keep this thread from the host's other tasks.
            if run.now().saturating_duration_since(paid) >= UNIT_OF_BUDGET {
                let yields = !has_budget_remaining();
                consume_budget().await;
                paid = if yields { run.read_clock() } else { run.now() };
            }
            if shared.pool.ending() > 0 {
                break;
            }
            match shared.queue() {
                Queue::Lanes if run.turn_is_over() => break,
                // To give this lane back would mean to wake one more. It may need this thread.
                Queue::Woken if run.turn_is_over() => {
                    yield_now().await;
                    run.read_clock();
                }
                Queue::Empty | Queue::Woken | Queue::Lanes => {}
            }
        }
        if run.ends_with_a_retry() {
            back = None;
            try_again(&shared, run, &tasks);
        } else {
            back = Some(run);
        }
    }
    guard.end();
}

/// A re-drive that is meant for one group reaches all that read the topic.
fn is_for_another_group(shared: &Shared, run: &Run) -> bool {
    let group = run.record().headers().filter(|(name, _)| *name == REDRIVE_GROUP).last();
    group.is_some_and(|(_, group)| group != Some(shared.settings.group.as_str().as_bytes()))
}

/// A record that may be handled now.
struct Admitted {
    /// Seldom there, and large.
    origin: Option<Box<Origin>>,
    permit: Option<Permit>,
}

/// `None`: the record waits for its time on a retry topic or for the circuit breaker, or is another group's.
fn admit(settings: &Settings, run: &mut Run) -> Option<Admitted> {
    let origin = settings.origin(run.record());
    let other = origin.as_ref().is_some_and(Origin::is_of_another_group);
    let wait = origin.as_ref().and_then(Origin::wait).filter(|_| !other);
    let permit = match (&settings.breaker, wait) {
        (_, Some(wait)) => Err(wait),
        (Some(breaker), None) if !other => breaker.admit_call(Instant::now()).map_err(|refused| refused.wait),
        (_, None) => Ok(None),
    };
    match permit {
        Ok(permit) if !other => return Some(Admitted { origin: origin.map(Box::new), permit }),
        Ok(_) => run.done(),
        Err(wait) => run.put_off(wait),
    }
    run.begun();
    None
}

/// Whether the handler succeeded. The run's clock was read after all that it did.
async fn handle<H: Handler>(shared: &Shared, handler: &H, run: &mut Run, admitted: Admitted) -> bool {
    let (Admitted { origin, permit }, group) = (admitted, &shared.settings.group);
    let (origin, began) = (origin.as_deref(), run.now());
    record_log::begins(group, delivery(run, origin));
    let observed = shared.observed.begins(delivery(run, origin));
    let called = observed.within(call(handler, run, origin, shared.settings.handler_timeout)).await;
    let took = run.read_clock().saturating_duration_since(began);
    if is_put_back(run, &called) {
        if let Some(permit) = permit {
            permit.end_undecided();
        }
        record_log::put_back(group, delivery(run, origin));
        run.put_back();
        return false;
    }
    let cancelled = called.is_err() && run.cancellation().is_cancelled();
    let called = called.map_err(|error| judge(&shared.settings, error));
    if let Some(permit) = permit {
        if cancelled {
            permit.end_undecided();
        } else {
            permit.end(called.as_ref().copied().map_err(|(error, failure)| (*failure, &**error)));
        }
    }
    let Err((error, failure)) = called else {
        record_log::succeeded(group, delivery(run, origin), took);
        observed.ended(took, None);
        shared.observed.ended(run.record().topic(), Outcome::Handled);
        run.done();
        return true;
    };
    match error.source().downcast_ref::<NotAdmitted>() {
        Some(refused) => run.put_off(refused.wait),
        // It may be the handler's answer to the cancellation: no attempt, and the partition's next owner reads it again.
        None if cancelled => {
            let record = run.record();
            debug!(
                group.id = %group, topic = %record.topic(), partition = %record.partition(),
                offset = record.offset(), %error, "the handler failed after its cancellation; its record is read again"
            );
            run.put_off(Duration::ZERO);
        }
        None => {
            record_log::failed(group, delivery(run, origin), took, &error);
            observed.ended(took, Some(&error));
            drop(observed);
            failed(shared, run, origin, &error, failure).await;
        }
    }
    run.read_clock();
    false
}

/// The function of a router was kept back as the gate is shut. A layer may have made success of it.
fn is_put_back(run: &Run, called: &Called) -> bool {
    run.call().is_refused() || called.as_ref().is_err_and(|error| error.source().is::<NotBegun>())
}

fn delivery<'a>(run: &'a Run, origin: Option<&'a Origin>) -> Delivery<'a> {
    Delivery::new(run.record(), attempts(run, origin), run.cancellation()).from(origin).behind(run.call())
}

fn tries_here(run: &Run) -> u32 {
    run.failures().saturating_add(1)
}

fn attempts(run: &Run, origin: Option<&Origin>) -> u32 {
    tries_here(run).saturating_add(origin.map_or(0, Origin::attempts))
}

type Called = Result<(), Box<HandlerError>>;

/// Calls the handler, and notes that it has begun. A panic of it must not take the worker with it. The error is boxed
/// at once: what goes up through the futures is a pointer then.
async fn call<H: Handler>(
    handler: &H,
    run: &Run,
    origin: Option<&Origin>,
    limit: Option<Duration>,
) -> Called {
    let handle = async { handler.handle(delivery(run, origin)).await.map_err(Box::new) };
    let caught = async {
        let caught = AssertUnwindSafe(handle).catch_unwind().await;
        caught.unwrap_or_else(|panic| Err(Box::new(HandlerError::from(panicked("the handler", &*panic)))))
    };
    let call = first_step(caught, || run.begun());
    match limit {
        None => call.await,
        Some(limit) => call_within(limit, run, pin!(call)).await,
    }
}

/// The limit counts from the end of the wait for a router's layers.
async fn call_within(limit: Duration, run: &Run, mut call: Pin<&mut impl Future<Output = Called>>) -> Called {
    let mut began = Instant::now();
    let before = poll_fn(|context| {
        if run.call().waits() {
            began = Instant::now();
        }
        match call.as_mut().poll(context) {
            Poll::Pending if run.call().waits() => Poll::Pending,
            Poll::Pending => Poll::Ready(None),
            Poll::Ready(called) => Poll::Ready(Some(called)),
        }
    });
    if let Some(called) = before.await {
        return called;
    }
    let left = limit.saturating_sub(began.elapsed());
    let called = tokio::time::timeout(left, call).await;
    called.unwrap_or_else(|_| {
        Err(Box::new(HandlerError::from(format!("the handler did not end in {limit:?}"))))
    })
}

pub(crate) fn panicked(what: &str, panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    match text {
        Some(text) => format!("{what} panicked: {text}"),
        None => format!("{what} panicked"),
    }
}

/// What the error means. The mapping and the error's own text are the host's code: where they panic, another error takes
/// the place of the handler's, which may be tried again.
fn judge(settings: &Settings, error: Box<HandlerError>) -> (Box<HandlerError>, Failure) {
    if error.source().is::<NotAdmitted>() {
        return (error, Failure::Retry);
    }
    let judged = catch_unwind(AssertUnwindSafe(|| {
        // Whether it can be written is seen here, not where it is logged or sent.
        let _ = error.to_string();
        settings.mapping.failure(&error)
    }));
    match judged {
        Ok(failure) => (error, failure),
        Err(panic) => {
            let text = panicked("map_errors, or the Display of the handler's error,", &*panic);
            (Box::new(HandlerError::retry(text)), Failure::Retry)
        }
    }
}

/// A panic of the host's own `Publisher` is a failure of it: the record stays where it is, and is tried again.
async fn publish(
    topic: &str,
    sent: impl Future<Output = Result<(), PublishError>>,
) -> Result<(), PublishError> {
    let caught = AssertUnwindSafe(sent).catch_unwind().await;
    caught.unwrap_or_else(|panic| {
        Err(PublishError { topic: topic.to_owned(), source: panicked("the publisher", &*panic).into() })
    })
}

async fn failed(
    shared: &Shared,
    run: &mut Run,
    origin: Option<&Origin>,
    error: &HandlerError,
    failure: Failure,
) {
    let settings = &shared.settings;
    add(&shared.counts.failed, 1);
    shared.history.failed(delivery(run, origin), error);
    let policy = Policy {
        on_error: &settings.on_error,
        retry_topics: settings.retry_topics.as_ref(),
        dead_letters: settings.dead_letters.as_ref(),
    };
    let then = match policy.next(failure, run.record().topic(), tries_here(run)) {
        Next::Retry(wait) => {
            shared.observed.tried_again(run.record().topic());
            return run.retry(wait);
        }
        Next::RetryTopic(next) => return later(shared, run, origin, next, error).await,
        Next::Then(then) => then,
    };
    let record = run.record();
    warn!(
        group.id = %settings.group, topic = %record.topic(), partition = %record.partition(),
        offset = record.offset(), attempts = attempts(run, origin), %error, ?then, "handler failed for good"
    );
    match then {
        Then::Skip => {
            add(&shared.counts.skipped, 1);
            shared.observed.ended(run.record().topic(), Outcome::Skipped);
            run.done();
        }
        Then::PausePartition => run.stop_partition(),
        Then::DeadLetter => dead_letter(shared, run, origin, error).await,
    }
}

/// To a retry topic.
async fn later(
    shared: &Shared,
    run: &mut Run,
    origin: Option<&Origin>,
    next: NextTopic<'_>,
    error: &HandlerError,
) {
    let sent = next.send(run.record(), origin, &shared.settings.group, attempts(run, origin), error);
    match publish(next.topic(), sent).await {
        Ok(()) => {
            add(&shared.counts.retry_topics, 1);
            shared.observed.ended(run.record().topic(), Outcome::RetryTopic);
            run.done();
        }
        Err(refused) => untaken(shared, run, origin, next.topic(), &refused),
    }
}

async fn dead_letter(shared: &Shared, run: &mut Run, origin: Option<&Origin>, error: &HandlerError) {
    // The builder asks for the topic.
    let Some(letters) = &shared.settings.dead_letters else { return run.stop_partition() };
    let sent =
        letters.send(shared.settings.group.as_ref(), run.record(), origin, attempts(run, origin), error);
    match publish(letters.topic(), sent).await {
        Ok(()) => {
            add(&shared.counts.dead_lettered, 1);
            shared.observed.ended(run.record().topic(), Outcome::DeadLetter);
            run.done();
        }
        Err(refused) => untaken(shared, run, origin, letters.topic(), &refused),
    }
}

/// Kafka did not take it: the record stays where it is. Its partition is paused where another try would be refused too.
fn untaken(shared: &Shared, run: &mut Run, origin: Option<&Origin>, topic: &str, refused: &PublishError) {
    let source = refused.source.to_string();
    let for_good = refused.is_for_good();
    let paused = if for_good { "; its partition is paused" } else { "" };
    let error = HandlerError::from(format!("{refused}: {source}{paused}"));
    shared.history.failed(delivery(run, origin), &error);
    if for_good {
        let record = run.record();
        warn!(
            group.id = %shared.settings.group, topic, %source, original.topic = %record.topic(),
            partition = %record.partition(), offset = record.offset(),
            "a failed record can not be taken; its partition is paused"
        );
        return run.stop_partition();
    }
    warn!(group.id = %shared.settings.group, topic, %source, "a failed record was not taken; it is tried again");
    run.retry(shared.settings.on_error.backoff_max.max(UNTAKEN));
}

/// The record waits, and no worker does. It is returned first: the wait may be no time at all.
fn try_again(shared: &Arc<Shared>, run: Run, tasks: &TaskTracker) {
    let cancelled = run.cancellation().clone();
    let Some(retry) = shared.finish_run(run) else { return };
    let shared = Arc::clone(shared);
    tasks.spawn(async move {
        tokio::select! {
            () = tokio::time::sleep(retry.wait) => shared.backed_off(&retry),
            () = shared.draining.cancelled() => {}
            // Nothing of the partition is tried any more.
            () = cancelled.cancelled() => {}
        }
    });
}

/// A worker ends when the agent drains. If it is dropped otherwise the host's runtime is gone, or it panicked: then
/// the threads must not keep the partitions from instances that can work.
struct RuntimeGone(Option<Arc<Shared>>);

impl RuntimeGone {
    /// The worker ended by itself.
    fn end(mut self) {
        self.0 = None;
    }
}

impl Drop for RuntimeGone {
    fn drop(&mut self) {
        if let Some(shared) = self.0.take().filter(|shared| !shared.draining.is_cancelled()) {
            if std::thread::panicking() {
                shared.vitals.failed.store(true, Ordering::Relaxed);
            }
            shared.abandon();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Record;
    use crate::answers::Answers;
    use crate::config::tests::settings;
    use crate::config::{Distribution, Settings};
    use crate::dead_letters::DeadLetters;
    use crate::failure::{Mapping, OnError};
    use crate::publish::{Outgoing, Publisher};
    use crate::record::TopicPartition;
    use crate::view::HoldsStatus;
    use crate::view::tests::hold;
    use async_trait::async_trait;
    use flowdeck_model::{Hold, InstanceState, Scope};
    use std::sync::atomic::{AtomicBool, AtomicUsize};

    mod turns;

    const PARTITIONS: i32 = 6;
    const ROUNDS: usize = 200;

    /// Its first statement comes late, as where the machine is busy; then it notes whether the pause was
    /// answered by then.
    #[derive(Clone, Default)]
    struct Late {
        answered: Arc<AtomicBool>,
        begun: Arc<AtomicUsize>,
        too_late: Arc<AtomicUsize>,
    }

    #[async_trait]
    impl Handler for Late {
        async fn handle(&self, _: Delivery<'_>) -> Result<(), HandlerError> {
            self.begins().await;
            Ok(())
        }
    }

    impl Late {
        async fn begins(&self) {
            std::thread::sleep(Duration::from_micros(200));
            self.begun.fetch_add(1, Ordering::SeqCst);
            self.too_late.fetch_add(self.answered.load(Ordering::SeqCst).into(), Ordering::SeqCst);
            tokio::task::yield_now().await;
        }
    }

    /// Never waits.
    #[derive(Clone, Default)]
    struct Quick(Arc<AtomicUsize>);

    #[async_trait]
    impl Handler for Quick {
        async fn handle(&self, _: Delivery<'_>) -> Result<(), HandlerError> {
            self.0.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }
    }

    fn at(partition: i32) -> TopicPartition {
        TopicPartition::parse("t", partition).unwrap()
    }

    /// As the control thread does it: the hold is read, the gates are set, and the answer is due.
    fn pause(shared: &Shared, hold: &Hold) {
        let mut answers = Answers::default();
        shared.lock().view.set(b"k", hold.clone());
        answers.set(&shared.settings, hold, None, None, 0);
        shared.regate(u64::MAX);
        let limit = Instant::now() + Duration::from_secs(30);
        loop {
            assert!(Instant::now() < limit, "no answer");
            let snapshot = shared.lock().lanes.snapshot();
            let due = answers.due(&shared.settings, &snapshot, Instant::now());
            if due.iter().any(|answer| answer.state == InstanceState::Acknowledged) {
                return;
            }
            std::hint::spin_loop();
        }
    }

    fn resume(shared: &Shared) {
        shared.lock().view.release(b"k");
        shared.regate(u64::MAX);
    }

    #[test]
    fn handlers_that_never_wait_leave_their_thread_to_other_tasks() {
        const RECORDS: usize = 20_000;
        for distribution in [Distribution::ByPartition, Distribution::ByKey] {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let shared = Arc::new(Shared::new(Settings { workers: 1, distribution, ..settings() }));
            shared.lock().view.set_status(HoldsStatus::Known);
            shared.assign(vec![(Arc::new(at(0)), None)]);
            shared.regate(u64::MAX);
            for offset in 0..RECORDS as i64 {
                let record = Record::test_keyed("t", 0, offset, Some(&offset.to_be_bytes()));
                shared.change(|state| state.lanes.push(record));
            }
            let (handler, tasks) = (Quick::default(), TaskTracker::new());
            let seen = runtime.block_on(async {
                start(&shared, handler.clone(), &tasks);
                tokio::spawn(async move { handler.0.load(Ordering::SeqCst) }).await.unwrap()
            });
            assert!(seen < RECORDS, "{distribution:?}: the other task waited for all records");
            shared.drain();
            tasks.close();
            runtime.block_on(tasks.wait());
        }
    }

    #[test]
    fn no_handler_begins_after_the_answer_to_a_pause() {
        let late = Late::default();
        rounds(Distribution::ByPartition, late.clone(), &late);
    }

    #[test]
    fn no_handler_of_a_shared_partition_begins_after_the_answer_to_a_pause() {
        let late = Late::default();
        rounds(Distribution::ByKey, late.clone(), &late);
    }

    /// Starts the worker for one record, and ends it once `over` is true of its agent.
    fn one_record<H: Handler>(settings: Settings, handler: H, over: impl Fn(&Shared) -> bool) -> Arc<Shared> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let shared = Arc::new(Shared::new(Settings { workers: 1, ..settings }));
        shared.lock().view.set_status(HoldsStatus::Known);
        shared.assign(vec![(Arc::new(at(0)), None)]);
        shared.regate(u64::MAX);
        shared.change(|state| state.lanes.push(Record::test("t", 0, 0)));
        let tasks = TaskTracker::new();
        runtime.block_on(async {
            start(&shared, handler, &tasks);
            let limit = Instant::now() + Duration::from_secs(30);
            while !over(&shared) && Instant::now() < limit {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            assert!(over(&shared), "it goes on");
            assert!(!shared.draining.is_cancelled(), "the worker panicked");
            shared.drain();
            tasks.close();
            tasks.wait().await;
        });
        shared
    }

    fn retries(retries: u32, then: Then) -> OnError {
        OnError { retries, backoff: Duration::ZERO, backoff_max: Duration::ZERO, jitter: false, then }
    }

    /// Fails with this error.
    #[derive(Clone)]
    struct Fails<E>(E);

    #[async_trait]
    impl<E: std::error::Error + Clone + Send + Sync + 'static> Handler for Fails<E> {
        async fn handle(&self, _: Delivery<'_>) -> Result<(), HandlerError> {
            Err(HandlerError::from(self.0.clone()))
        }
    }

    #[derive(Debug, Clone, thiserror::Error)]
    #[error("no connection")]
    struct NoConnection;

    #[derive(Debug, Clone)]
    struct NoText;

    impl std::fmt::Display for NoText {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("as an error may")
        }
    }

    impl std::error::Error for NoText {}

    fn errors(shared: &Shared) -> Vec<String> {
        shared.history.failures().into_iter().map(|call| call.error).collect()
    }

    #[test]
    fn panic_of_the_mapping_or_of_an_error_is_retried() {
        let base = Settings { on_error: retries(1, Then::Skip), ..settings() };
        let mapping = Mapping::new(|_| panic!("as a mapping may"));
        let skipped = |shared: &Shared| shared.counts.read().skipped == 1;
        for shared in [
            one_record(Settings { mapping, ..base.clone() }, Fails(NoConnection), skipped),
            one_record(base, Fails(NoText), skipped),
        ] {
            let errors = errors(&shared);
            assert_eq!(errors.len(), 2, "a retry");
            assert!(errors.iter().all(|error| error.contains("panicked: as a")), "{errors:?}");
        }
    }

    struct Panics;

    #[async_trait]
    impl Publisher for Panics {
        async fn publish(&self, _: Outgoing) -> Result<(), PublishError> {
            panic!("as a publisher may")
        }
    }

    #[test]
    fn panic_of_a_publisher_leaves_the_record_uncommitted() {
        let dead_letters = Some(DeadLetters::to("dlq").by(Panics));
        let base = Settings { on_error: retries(0, Then::DeadLetter), dead_letters, ..settings() };
        let shared = one_record(base, Fails(NoConnection), |shared| errors(shared).len() == 2);
        let errors = errors(&shared);
        assert!(errors.iter().any(|error| error.contains("the publisher panicked: as a publisher may")));
        assert_eq!((shared.counts.read().dead_lettered, shared.lock().lanes.due()), (0, vec![]));
    }

    #[test]
    fn panic_of_a_worker_ends_the_agent_as_failed() {
        fn worker(_guard: RuntimeGone) {
            panic!("as no worker may")
        }
        let shared = Arc::new(Shared::new(settings()));
        let guard = RuntimeGone(Some(Arc::clone(&shared)));
        assert!(std::thread::spawn(move || worker(guard)).join().is_err());
        assert!(shared.closing.is_cancelled() && shared.vitals.failed.load(Ordering::Relaxed));
    }

    /// Answers its cancellation with an error.
    #[derive(Clone, Default)]
    struct Ends(Arc<AtomicUsize>);

    #[async_trait]
    impl Handler for Ends {
        async fn handle(&self, delivery: Delivery<'_>) -> Result<(), HandlerError> {
            self.0.fetch_add(1, Ordering::SeqCst);
            delivery.cancellation().cancelled().await;
            Err(HandlerError::permanent("it was cancelled"))
        }
    }

    #[test]
    fn error_after_cancellation_is_no_attempt() {
        let (handler, base) = (Ends::default(), Settings { on_error: retries(0, Then::Skip), ..settings() });
        let begun = Arc::clone(&handler.0);
        let closed = one_record(base.clone(), handler.clone(), |_| begun.load(Ordering::SeqCst) == 1);
        let revoked = one_record(base, handler, |shared| {
            if begun.load(Ordering::SeqCst) == 2 {
                shared.lock().lanes.leave(&[at(0)]);
            }
            begun.load(Ordering::SeqCst) == 2 && shared.wait_idle(&[at(0)], Duration::ZERO)
        });
        for shared in [closed, revoked] {
            let counts = shared.counts.read();
            assert_eq!((counts.failed, counts.skipped, counts.handled), (0, 0, 0));
            assert_eq!((errors(&shared), shared.lock().lanes.due()), (vec![], vec![]));
        }
    }

    /// `handler` calls `late`.
    fn rounds(distribution: Distribution, handler: impl Handler, late: &Late) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().unwrap();
        let shared = Arc::new(Shared::new(Settings { workers: 4, distribution, ..settings() }));
        shared.lock().view.set_status(HoldsStatus::Known);
        shared.assign((0..PARTITIONS).map(|partition| (Arc::new(at(partition)), None)).collect());
        shared.regate(u64::MAX);
        let tasks = TaskTracker::new();
        let guard = runtime.enter();
        start(&shared, handler, &tasks);
        drop(guard);
        let mut offset = 0_i64;
        for round in 0..ROUNDS {
            let before = late.begun.load(Ordering::SeqCst);
            for partition in 0..PARTITIONS {
                for _ in 0..5 {
                    let key = offset.to_be_bytes();
                    let record = Record::test_keyed("t", partition, offset, Some(&key));
                    shared.change(|state| state.lanes.push(record));
                    offset += 1;
                }
            }
            // Each round the gates shut at another moment.
            let patience = Instant::now() + Duration::from_secs(30);
            while late.begun.load(Ordering::SeqCst) == before {
                assert!(Instant::now() < patience, "no handler begins");
                std::hint::spin_loop();
            }
            std::thread::sleep(Duration::from_micros((round as u64 * 37) % 400));
            pause(&shared, &hold(Scope::group("g".into())));
            late.answered.store(true, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(1));
            assert_eq!(late.too_late.load(Ordering::SeqCst), 0, "round {round}");
            late.answered.store(false, Ordering::SeqCst);
            resume(&shared);
        }
        shared.drain();
        tasks.close();
        runtime.block_on(tasks.wait());
    }
}
