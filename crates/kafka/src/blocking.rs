//! Calls of librdkafka that block their thread and cannot be interrupted, each on a thread of its own.
//! Not on the runtime's blocking threads: for those a runtime waits when it ends.

use tokio::sync::oneshot;

/// `None`: no thread could be started, or the call panicked.
pub(crate) async fn off_thread<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (done, waits) = oneshot::channel();
    let thread = std::thread::Builder::new().name("kafka-call".to_owned());
    // The receiver is gone where nobody waits any more.
    let started = thread.spawn(move || drop(done.send(call())));
    started.ok()?;
    waits.await.ok()
}
