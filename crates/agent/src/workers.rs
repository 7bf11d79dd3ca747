//! The workers: tasks on the host's runtime. Each takes a partition for a while and calls the handler for one of
//! its records after the other.

mod pool;

use std::future::{Future as _, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;

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
    while let Some(mut run) = shared.next_run(back).await {
        run.read_ahead();
        while run.next() {
            handle(&shared, &*handler, &mut run).await;
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
    match call(handler, run).await {
        Ok(Ok(())) => {
            add(&shared.counts.handled, 1);
            run.done();
        }
        Ok(Err(error)) => failed(shared, run, &error),
        Err(_) => failed(shared, run, &HandlerError::from("the handler panicked")),
    }
}

fn delivery(run: &Run) -> Delivery<'_> {
    Delivery::new(run.record(), run.failures().saturating_add(1), run.cancellation())
}

/// Calls the handler, and notes that it has begun. A panic of it must not take the worker with it.
async fn call<H: Handler>(handler: &H, run: &Run) -> std::thread::Result<Result<(), HandlerError>> {
    let mut call = pin!(AssertUnwindSafe(async { handler.handle(delivery(run)).await }).catch_unwind());
    let mut begun = false;
    poll_fn(|context| {
        let polled = call.as_mut().poll(context);
        if !begun {
            run.begun();
            begun = true;
        }
        polled
    })
    .await
}

fn failed(shared: &Shared, run: &mut Run, error: &HandlerError) {
    let settings = &shared.settings;
    add(&shared.counts.failed, 1);
    let may_retry = settings.mapping.failure(error) == Failure::Retry;
    let wait = settings.on_error.wait(run.failures().saturating_add(1));
    if let Some(wait) = wait.filter(|_| may_retry) {
        run.retry(wait);
        return;
    }
    let (record, then) = (run.record(), settings.on_error.then);
    warn!(
        group.id = %settings.group, topic = %record.topic(), partition = %record.partition(),
        offset = record.offset(), %error, ?then, "handler failed for good"
    );
    match then {
        Then::Skip => {
            add(&shared.counts.skipped, 1);
            run.done();
        }
        Then::PausePartition => run.stop_partition(),
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
    use std::time::{Duration, Instant};

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
