//! The workers: tasks on the host's runtime that take one record after the other and call the handler.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt as _;
use tokio_util::task::TaskTracker;
use tracing::warn;

use crate::handler::{Handler, HandlerError, Then};
use crate::lanes::{Job, Outcome};
use crate::shared::{Shared, add};

pub(crate) fn start<H: Handler>(shared: &Arc<Shared>, handler: H, tasks: &TaskTracker) {
    let handler = Arc::new(handler);
    for _ in 0..shared.settings.workers {
        tasks.spawn(work(Arc::clone(shared), Arc::clone(&handler), tasks.clone()));
    }
}

async fn work<H: Handler>(shared: Arc<Shared>, handler: Arc<H>, tasks: TaskTracker) {
    let _guard = RuntimeGone(Arc::clone(&shared));
    while let Some(job) = shared.next_job().await {
        // A panic of the handler must not take the worker with it.
        let call = AssertUnwindSafe(async { handler.handle(&job.record).await }).catch_unwind().await;
        let error = match call {
            Ok(Ok(())) => {
                add(&shared.counts.handled, 1);
                shared.done(&job, &Outcome::Done);
                continue;
            }
            Ok(Err(error)) => error,
            Err(_) => HandlerError::from("the handler panicked"),
        };
        failed(&shared, job, &error, &tasks);
    }
}

fn failed(shared: &Arc<Shared>, job: Job, error: &HandlerError, tasks: &TaskTracker) {
    let (settings, at) = (&shared.settings, job.record.at());
    add(&shared.counts.failed, 1);
    let Some(wait) = settings.on_error.wait(job.failures.saturating_add(1)) else {
        let then = settings.on_error.then;
        warn!(
            group.id = %settings.group, topic = %at.topic, partition = %at.partition,
            offset = job.record.offset(), %error, ?then, "handler failed for good"
        );
        let outcome = match then {
            Then::Skip => {
                add(&shared.counts.skipped, 1);
                Outcome::Done
            }
            Then::Stand => Outcome::Stand,
        };
        shared.done(&job, &outcome);
        return;
    };
    shared.done(&job, &Outcome::Retry);
    let shared = Arc::clone(shared);
    tasks.spawn(async move {
        tokio::select! {
            () = tokio::time::sleep(wait) => shared.backed_off(&job),
            () = shared.draining.cancelled() => {}
        }
    });
}

/// A worker ends when the agent drains. If it is dropped otherwise the host's runtime is gone: then
/// the threads must not keep the partitions from instances that can work.
struct RuntimeGone(Arc<Shared>);

impl Drop for RuntimeGone {
    fn drop(&mut self) {
        if !self.0.draining.is_cancelled() {
            self.0.abandon();
        }
    }
}
