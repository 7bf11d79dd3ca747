//! The workers: tasks on the host's runtime. Each takes a partition for a while and calls the handler for one of
//! its records after the other.

mod pool;

use std::any::Any;
use std::future::{Future as _, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use tokio::runtime::Handle;
use tokio::task::coop::consume_budget;
use tokio::task::yield_now;
use tokio_util::task::TaskTracker;
use tracing::warn;

use crate::failure::{Failure, HandlerError, Then};
use crate::handler::{Delivery, Handler};
use crate::lanes::Run;
use crate::shared::{Queue, Shared, add};
pub(crate) use pool::Pool;

/// Before the next try of a record whose dead letter Kafka did not take, at least.
const UNTAKEN: Duration = Duration::from_secs(1);

pub(crate) fn start<H: Handler>(shared: &Arc<Shared>, handler: H, tasks: &TaskTracker) {
    let (handler, tasks, runtime) = (Arc::new(handler), tasks.clone(), Handle::current());
    shared.pool.set_spawn(move |shared| {
        tasks.spawn_on(work(Arc::clone(shared), Arc::clone(&handler), tasks.clone()), &runtime);
    });
    shared.pool.fill(shared);
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
    let current = shared.history.worker();
    while let Some(mut run) = shared.next_run(back).await {
        run.read_ahead();
        let taken = current.takes(run.at());
        while run.next() {
            let began = current.begins(run.record(), taken);
            handle(&shared, &*handler, &mut run).await;
            current.ends(began);
            // A handler that never waits must not keep this thread from the host's other tasks.
            consume_budget().await;
            if shared.pool.ending() > 0 {
                break;
            }
            match shared.queue() {
                Queue::Lanes if run.turn_is_over() => break,
                // To give this lane back would mean to wake one more. It may need this thread.
                Queue::Woken if run.turn_is_over() => yield_now().await,
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

async fn handle<H: Handler>(shared: &Shared, handler: &H, run: &mut Run) {
    let called = match shared.settings.handler_timeout {
        None => call(handler, run).await,
        Some(limit) => match tokio::time::timeout(limit, call(handler, run)).await {
            Ok(called) => called,
            Err(_) => Err(HandlerError::from(format!("the handler did not end in {limit:?}"))),
        },
    };
    match called {
        Ok(()) => {
            add(&shared.counts.handled, 1);
            run.done();
        }
        Err(error) => failed(shared, run, &error).await,
    }
}

fn delivery(run: &Run) -> Delivery<'_> {
    Delivery::new(run.record(), attempts(run), run.cancellation())
}

fn attempts(run: &Run) -> u32 {
    run.failures().saturating_add(1)
}

/// Calls the handler, and notes that it has begun. A panic of it must not take the worker with it.
async fn call<H: Handler>(handler: &H, run: &Run) -> Result<(), HandlerError> {
    let mut call = pin!(AssertUnwindSafe(async { handler.handle(delivery(run)).await }).catch_unwind());
    let mut begun = false;
    let called = poll_fn(|context| {
        let polled = call.as_mut().poll(context);
        if !begun {
            run.begun();
            begun = true;
        }
        polled
    });
    called.await.unwrap_or_else(|panic| Err(panicked(&*panic)))
}

fn panicked(panic: &(dyn Any + Send)) -> HandlerError {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    HandlerError::from(match text {
        Some(text) => format!("the handler panicked: {text}"),
        None => "the handler panicked".to_owned(),
    })
}

async fn failed(shared: &Shared, run: &mut Run, error: &HandlerError) {
    let settings = &shared.settings;
    add(&shared.counts.failed, 1);
    shared.history.failed(delivery(run), error);
    let failure = settings.mapping.failure(error);
    let wait = settings.on_error.wait(attempts(run)).filter(|_| failure == Failure::Retry);
    if let Some(wait) = wait {
        run.retry(wait);
        return;
    }
    let then = match &settings.dead_letters {
        Some(_) if failure == Failure::DeadLetter => Then::DeadLetter,
        _ => settings.on_error.then,
    };
    let record = run.record();
    warn!(
        group.id = %settings.group, topic = %record.topic(), partition = %record.partition(),
        offset = record.offset(), attempts = attempts(run), %error, ?then, "handler failed for good"
    );
    match then {
        Then::Skip => {
            add(&shared.counts.skipped, 1);
            run.done();
        }
        Then::PausePartition => run.stop_partition(),
        Then::DeadLetter => dead_letter(shared, run, error).await,
    }
}

/// Where Kafka does not take it, the record stays where it is.
async fn dead_letter(shared: &Shared, run: &mut Run, error: &HandlerError) {
    // The builder asks for the topic.
    let Some(letters) = &shared.settings.dead_letters else { return run.stop_partition() };
    match letters.send(shared.settings.group.as_ref(), run.record(), attempts(run), error).await {
        Ok(()) => {
            add(&shared.counts.dead_lettered, 1);
            run.done();
        }
        Err(refused) => {
            let source = refused.source.to_string();
            let error = HandlerError::from(format!("{refused}: {source}"));
            warn!(group.id = %shared.settings.group, topic = letters.topic(), %source, "a dead letter was not taken; the record is tried again");
            shared.history.failed(delivery(run), &error);
            run.retry(shared.settings.on_error.backoff_max.max(UNTAKEN));
        }
    }
}

/// The record waits, and no worker does. It is returned first: the wait may be no time at all.
fn try_again(shared: &Arc<Shared>, run: Run, tasks: &TaskTracker) {
    let Some(retry) = shared.finish_run(run) else { return };
    let shared = Arc::clone(shared);
    tasks.spawn(async move {
        tokio::select! {
            () = tokio::time::sleep(retry.wait) => shared.backed_off(&retry),
            () = shared.draining.cancelled() => {}
        }
    });
}

/// A worker ends when the agent drains. If it is dropped otherwise the host's runtime is gone: then
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
    use crate::record::TopicPartition;
    use crate::view::HoldsStatus;
    use crate::view::tests::hold;
    use async_trait::async_trait;
    use flowdeck_model::{Hold, InstanceState, Scope};
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::time::Instant;

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
            std::thread::sleep(Duration::from_micros(200));
            self.begun.fetch_add(1, Ordering::SeqCst);
            self.too_late.fetch_add(self.answered.load(Ordering::SeqCst).into(), Ordering::SeqCst);
            tokio::task::yield_now().await;
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
    fn no_handler_begins_after_the_answer_to_a_pause() {
        rounds(Distribution::ByPartition);
    }

    #[test]
    fn no_handler_of_a_shared_partition_begins_after_the_answer_to_a_pause() {
        rounds(Distribution::ByKey);
    }

    fn rounds(distribution: Distribution) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().unwrap();
        let shared = Arc::new(Shared::new(Settings { workers: 4, distribution, ..settings() }));
        shared.lock().view.set_status(HoldsStatus::Known);
        shared.assign((0..PARTITIONS).map(|partition| (Arc::new(at(partition)), None)).collect());
        shared.regate(u64::MAX);
        let (handler, tasks) = (Late::default(), TaskTracker::new());
        let guard = runtime.enter();
        start(&shared, handler.clone(), &tasks);
        drop(guard);
        let mut offset = 0_i64;
        for round in 0..ROUNDS {
            let before = handler.begun.load(Ordering::SeqCst);
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
            while handler.begun.load(Ordering::SeqCst) == before {
                assert!(Instant::now() < patience, "no handler begins");
                std::hint::spin_loop();
            }
            std::thread::sleep(Duration::from_micros((round as u64 * 37) % 400));
            pause(&shared, &hold(Scope::group("g".into())));
            handler.answered.store(true, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(1));
            assert_eq!(handler.too_late.load(Ordering::SeqCst), 0, "round {round}");
            handler.answered.store(false, Ordering::SeqCst);
            resume(&shared);
        }
        shared.drain();
        tasks.close();
        runtime.block_on(tasks.wait());
    }
}
