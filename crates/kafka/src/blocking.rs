//! Calls of librdkafka that block their thread and cannot be interrupted, each on a thread of its own.
//! Not on the runtime's blocking threads: for those a runtime waits when it ends.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::oneshot;

/// Calls that have not come back. Each ends by its own time limit; who asks keeps their number small.
static RUNNING: AtomicUsize = AtomicUsize::new(0);

/// How many such calls, of all clusters, are under way.
pub fn blocking_calls() -> usize {
    RUNNING.load(Ordering::Relaxed)
}

/// Counted until it is dropped, also by a panic.
struct Counted;

impl Counted {
    fn enter() -> Self {
        RUNNING.fetch_add(1, Ordering::Relaxed);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        RUNNING.fetch_sub(1, Ordering::Relaxed);
    }
}

/// `None`: no thread could be started, or the call panicked.
pub(crate) async fn off_thread<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (done, waits) = oneshot::channel();
    let thread = std::thread::Builder::new().name("kafka-call".to_owned());
    // The receiver is gone where nobody waits any more.
    let counted = Counted::enter();
    let started = thread.spawn(move || {
        let _counted = counted;
        drop(done.send(call()))
    });
    started.ok()?;
    waits.await.ok()
}
