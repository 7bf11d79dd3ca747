//! The connection behind a [`Cluster`](crate::Cluster): one librdkafka client and one thread that
//! takes answers from its queue, reads them there and wakes whoever asked.
//!
//! Bounded by its callers: a request that nobody waits for any more is forgotten at once, and its
//! answer dropped unread.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use flowdeck_model::TopicName;
use tokio::sync::oneshot;

use crate::config::{ClusterConfig, ConfigError};
use crate::error::{Acl, Cause};
use crate::ffi::ask::Ask;
use crate::ffi::codes;
use crate::ffi::handle::Native;
use crate::ffi::queue::{Event, Queue};
use crate::{Deadline, Topic};

/// How long the thread sleeps where there is nothing to take; it is woken to stop.
const IDLE: Duration = Duration::from_secs(1);

type Reader = Box<dyn FnOnce(&Event) + Send>;

/// A lock whose data is valid after a panic in between, too.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    waiting: Mutex<HashMap<u64, Reader>>,
    /// The client's own last trouble since the last good answer: why nothing is answered.
    trouble: Mutex<Option<Cause>>,
    names: Names,
}

/// Topic names that were seen, each kept once. Rows of many groups name the same few topics.
#[derive(Default)]
pub(crate) struct Names(Mutex<HashMap<Box<str>, Topic>>);

/// Above this many the table starts anew: topics come and go, and it must not grow for ever.
const MOST_NAMES: usize = 200_000;

impl Names {
    /// `None`: no topic can have this name.
    pub(crate) fn topic(&self, name: &str) -> Option<Topic> {
        let mut names = lock(&self.0);
        if let Some(topic) = names.get(name) {
            return Some(topic.clone());
        }
        let topic = Arc::new(name.parse::<TopicName>().ok()?);
        if names.len() >= MOST_NAMES {
            names.clear();
        }
        names.insert(name.into(), topic.clone());
        Some(topic)
    }
}

pub(crate) struct Client {
    native: Arc<Native>,
    queue: Arc<Queue>,
    shared: Arc<Shared>,
    next: AtomicU64,
}

impl Client {
    pub(crate) fn new(config: &ClusterConfig) -> Result<Self, ConfigError> {
        let native = Arc::new(Native::new(&config.properties_for(&[])?, true)?);
        let queue = Arc::new(Queue::main(native.clone()));
        let shared = Arc::new(Shared::default());
        let (thread_queue, thread_shared) = (queue.clone(), shared.clone());
        std::thread::Builder::new()
            .name("kafka-answers".to_owned())
            .spawn(move || take_answers(&thread_queue, &thread_shared))
            .map_err(|error| ConfigError::Client { words: format!("no thread could be started: {error}") })?;
        Ok(Self { native, queue, shared, next: AtomicU64::new(1) })
    }

    pub(crate) fn native(&self) -> &Arc<Native> {
        &self.native
    }

    pub(crate) fn topic(&self, name: &str) -> Option<Topic> {
        self.shared.names.topic(name)
    }

    /// The table of topic names, for readers of answers.
    pub(crate) fn names(&self) -> impl Fn(&str) -> Option<Topic> + Send + 'static {
        let shared = self.shared.clone();
        move |name| shared.names.topic(name)
    }

    /// Makes a request and waits for its answer, at most until the deadline. `read` runs on the
    /// client's thread, and only where the request as a whole did not fail.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        deadline: Deadline,
        acl: impl FnOnce() -> Acl,
        ask: impl FnOnce(Ask<'_>) -> Result<(), Cause>,
        read: impl FnOnce(&Event) -> Result<T, i32> + Send + 'static,
    ) -> Result<T, Cause> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        let reader: Reader = Box::new(move |event| {
            // The receiver may be gone: then nobody wants the answer.
            let _ = answer.send(event.check().and_then(|()| read(event)));
        });
        lock(&self.shared.waiting).insert(id, reader);
        let _forget = Forget { shared: &self.shared, id };
        ask(Ask { queue: &self.queue, id, timeout_ms: deadline.millis() })?;
        match tokio::time::timeout_at(deadline.instant(), answered).await {
            Ok(Ok(Ok(value))) => {
                lock(&self.shared.trouble).take();
                Ok(value)
            }
            Ok(Ok(Err(code))) => Err(self.with_trouble(Cause::from_code(code, acl()))),
            Ok(Err(_)) => Err(Cause::Closing),
            Err(_) => Err(self.with_trouble(Cause::Timeout)),
        }
    }

    /// Says what is known of why there was no answer.
    pub(crate) fn with_trouble(&self, cause: Cause) -> Cause {
        if !matches!(cause, Cause::Timeout | Cause::Unreachable) {
            return cause;
        }
        lock(&self.shared.trouble).clone().unwrap_or(cause)
    }

    /// Runs a call of librdkafka that blocks its thread, on a thread for that, until the deadline.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        deadline: Deadline,
        acl: impl FnOnce() -> Acl,
        call: impl FnOnce(&Native, Duration) -> Result<T, i32> + Send + 'static,
    ) -> Result<T, Cause> {
        let native = self.native.clone();
        // 0 would mean "do not wait at all" and -1 for ever.
        let left = deadline.left().clamp(Duration::from_millis(1), Duration::from_secs(600));
        let task = tokio::task::spawn_blocking(move || call(&native, left));
        match tokio::time::timeout_at(deadline.instant(), task).await {
            Ok(Ok(Ok(value))) => {
                lock(&self.shared.trouble).take();
                Ok(value)
            }
            Ok(Ok(Err(code))) => Err(self.with_trouble(Cause::from_code(code, acl()))),
            Ok(Err(_)) => Err(Cause::Closing),
            Err(_) => Err(self.with_trouble(Cause::Timeout)),
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        self.queue.wake();
    }
}

/// Forgets a request once nobody waits for it.
struct Forget<'a> {
    shared: &'a Shared,
    id: u64,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        lock(&self.shared.waiting).remove(&self.id);
    }
}

fn take_answers(queue: &Queue, shared: &Shared) {
    while !shared.stop.load(Ordering::Acquire) {
        let Some(event) = queue.poll(IDLE) else { continue };
        if event.is_client_error() {
            note_trouble(&event, shared);
            continue;
        }
        let reader = event.id().and_then(|id| lock(&shared.waiting).remove(&id));
        if let Some(read) = reader {
            read(&event);
        }
    }
}

/// Of the client's errors those matter that explain why nothing is answered. The most telling stays:
/// after refused credentials comes "all brokers are down".
fn note_trouble(event: &Event, shared: &Shared) {
    let cause = match event.code() {
        codes::AUTHENTICATION | codes::SSL => Cause::Authentication,
        codes::ALL_BROKERS_DOWN | codes::RESOLVE => Cause::Unreachable,
        _ => return,
    };
    let mut trouble = lock(&shared.trouble);
    if trouble.as_ref() == Some(&cause) || *trouble == Some(Cause::Authentication) {
        return;
    }
    tracing::warn!(target: "librdkafka", "{}", event.words());
    *trouble = Some(cause);
}
