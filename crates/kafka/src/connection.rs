//! One librdkafka client and the thread that takes answers from its queue, reads them there and wakes
//! whoever asked.
//!
//! A request that nobody waits for any more is forgotten at once and its answer dropped unread, but for
//! requests to a group's coordinator. librdkafka 2.12 aborts the process where such a request runs into
//! its own time limit while the coordinator is away and the coordinator then comes back (it gives up one
//! reference twice). So those are never given a limit that they could reach: they stay on the books
//! until they are answered, no second one is made for a group whose last is unanswered, and a
//! connection on which one stays unanswered for long is replaced as a whole: soon where other requests
//! are answered, since the group then has another coordinator, for which librdkafka does not look while
//! it waits for the old one.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::client::lock;
use crate::config::{ClusterConfig, ConfigError};
use crate::error::Cause;
use crate::ffi::ask::Ask;
use crate::ffi::codes;
use crate::ffi::handle::Native;
use crate::ffi::queue::{Event, Queue};

/// How long the thread sleeps where there is nothing to take; it is woken to stop.
const IDLE: Duration = Duration::from_secs(1);
/// librdkafka's own limit for requests to coordinators: its longest.
const COORDINATOR_LIMIT_MS: i32 = 3_600_000;
/// A connection with an older unanswered one is replaced; well before the limit.
const STALE: Duration = Duration::from_secs(600);

pub(crate) type Reader = Box<dyn FnOnce(&Event) + Send>;

/// Which request to a coordinator; one at a time where the last is unanswered.
pub(crate) type CoordinatorKey = (&'static str, String);

struct Waiting {
    /// `None`: nobody waits for the answer any more.
    reader: Option<Reader>,
    since: Instant,
    /// Only of requests to coordinators.
    coordinator: Option<CoordinatorKey>,
}

#[derive(Default)]
struct Books {
    waiting: HashMap<u64, Waiting>,
    /// Requests to coordinators that nobody waits for, and that are not answered yet, with when they were made.
    left: HashMap<CoordinatorKey, Instant>,
}

#[derive(Default)]
pub(crate) struct Health {
    /// The last request was answered.
    answers: AtomicBool,
    /// The client's own last trouble since the last good answer: why nothing is answered.
    pub(crate) trouble: Mutex<Option<Cause>>,
}

impl Health {
    pub(crate) fn answers(&self) -> bool {
        self.answers.load(Ordering::Acquire)
    }

    pub(crate) fn good(&self) {
        if !self.answers.swap(true, Ordering::AcqRel) {
            lock(&self.trouble).take();
        }
    }

    pub(crate) fn bad(&self) {
        self.answers.store(false, Ordering::Release);
    }
}

pub(crate) struct Connection {
    native: Arc<Native>,
    queue: Arc<Queue>,
    shared: Arc<Shared>,
    next: AtomicU64,
    opened: Instant,
}

struct Shared {
    stop: AtomicBool,
    books: Mutex<Books>,
    health: Arc<Health>,
}

impl Connection {
    /// `group`: for requests to coordinators. librdkafka 2.12 follows a null pointer where a coordinator
    /// answers an OffsetFetch with "not coordinator" and its client has no group's name; so it is told
    /// the name of a group that is asked for. It looks up that group's coordinator, which the request
    /// does anyway; it subscribes to nothing, so that it neither joins nor commits.
    /// `stale` is called, on the connection's thread, where it must be replaced.
    pub(crate) fn open(
        config: &ClusterConfig,
        group: Option<&str>,
        health: Arc<Health>,
        stale: impl FnOnce() + Send + 'static,
    ) -> Result<Self, ConfigError> {
        let mut own = Vec::new();
        if let Some(group) = group {
            own = vec![("group.id", group.to_owned()), ("enable.auto.commit", "false".to_owned())];
        }
        let native = Arc::new(Native::new(&config.properties_for(&own)?, true)?);
        if group.is_some() {
            native.merge_queues();
        }
        let queue = Arc::new(Queue::main(native.clone()));
        let shared = Arc::new(Shared { stop: AtomicBool::new(false), books: Mutex::default(), health });
        let (thread_queue, thread_shared) = (queue.clone(), shared.clone());
        std::thread::Builder::new()
            .name("kafka-answers".to_owned())
            .spawn(move || {
                if take_answers(&thread_queue, &thread_shared) == Ended::Stale {
                    tracing::warn!(target: "librdkafka", "a group's coordinator stays away: connecting anew");
                    stale();
                }
                // Whoever still waits learns that there will be no answer.
                lock(&thread_shared.books).waiting.clear();
            })
            .map_err(|error| ConfigError::Client { words: format!("no thread could be started: {error}") })?;
        Ok(Self { native, queue, shared, next: AtomicU64::new(1), opened: Instant::now() })
    }

    pub(crate) fn age(&self) -> Duration {
        self.opened.elapsed()
    }

    /// Since when a request that nobody waits for any more is unanswered.
    pub(crate) fn left_since(&self, key: &CoordinatorKey) -> Option<Instant> {
        lock(&self.shared.books).left.get(key).copied()
    }

    pub(crate) fn unanswered(&self) -> usize {
        lock(&self.shared.books).waiting.len()
    }

    pub(crate) fn native(&self) -> &Arc<Native> {
        &self.native
    }

    /// Makes a request whose answer goes to `reader`; dropping the ticket forgets it.
    pub(crate) fn ask(
        &self,
        timeout_ms: i32,
        coordinator: Option<CoordinatorKey>,
        reader: Reader,
        ask: impl FnOnce(Ask<'_>) -> Result<(), Cause>,
    ) -> Result<Ticket, Cause> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let timeout_ms = if coordinator.is_some() { COORDINATOR_LIMIT_MS } else { timeout_ms };
        let waiting = Waiting { reader: Some(reader), since: Instant::now(), coordinator };
        lock(&self.shared.books).waiting.insert(id, waiting);
        match ask(Ask { queue: &self.queue, id, timeout_ms }) {
            Ok(()) => Ok(Ticket { shared: self.shared.clone(), id }),
            Err(cause) => {
                lock(&self.shared.books).waiting.remove(&id);
                Err(cause)
            }
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        self.queue.wake();
    }
}

/// A request that was made.
pub(crate) struct Ticket {
    shared: Arc<Shared>,
    id: u64,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut books = lock(&self.shared.books);
        let Books { waiting, left } = &mut *books;
        let Some(entry) = waiting.get_mut(&self.id) else { return };
        match entry.coordinator.clone() {
            None => drop(waiting.remove(&self.id)),
            Some(key) => {
                entry.reader = None;
                left.insert(key, entry.since);
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Ended {
    Stopped,
    Stale,
}

fn take_answers(queue: &Queue, shared: &Shared) -> Ended {
    let mut looked = Instant::now();
    while !shared.stop.load(Ordering::Acquire) {
        if looked.elapsed() >= IDLE {
            looked = Instant::now();
            if is_stale(&lock(&shared.books), looked) {
                return Ended::Stale;
            }
        }
        let Some(event) = queue.poll(IDLE) else { continue };
        if event.is_client_error() {
            note_trouble(&event, &shared.health);
            continue;
        }
        let reader = event.id().and_then(|id| answered(&mut lock(&shared.books), id));
        if let Some(read) = reader {
            read(&event);
        }
    }
    Ended::Stopped
}

fn answered(books: &mut Books, id: u64) -> Option<Reader> {
    let entry = books.waiting.remove(&id)?;
    if let (None, Some(key)) = (&entry.reader, &entry.coordinator) {
        books.left.remove(key);
    }
    entry.reader
}

fn is_stale(books: &Books, now: Instant) -> bool {
    let of_coordinators = books.waiting.values().filter(|waiting| waiting.coordinator.is_some());
    of_coordinators.into_iter().any(|waiting| now.saturating_duration_since(waiting.since) > STALE)
}

/// Of the client's errors those matter that explain why nothing is answered. The most telling stays:
/// after refused credentials comes "all brokers are down".
fn note_trouble(event: &Event, health: &Health) {
    let cause = match event.code() {
        codes::AUTHENTICATION | codes::SSL => Cause::Authentication,
        codes::ALL_BROKERS_DOWN | codes::RESOLVE => Cause::Unreachable,
        _ => return,
    };
    health.bad();
    let mut trouble = lock(&health.trouble);
    if trouble.as_ref() == Some(&cause) || *trouble == Some(Cause::Authentication) {
        return;
    }
    tracing::warn!(target: "librdkafka", "{}", event.message());
    *trouble = Some(cause);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(since: Instant, coordinator: Option<CoordinatorKey>, wanted: bool) -> Waiting {
        let reader: Option<Reader> = if wanted { Some(Box::new(|_: &Event| {})) } else { None };
        Waiting { reader, since, coordinator }
    }

    #[test]
    fn only_an_old_request_to_a_coordinator_makes_a_connection_stale() {
        let start = Instant::now();
        let mut books = Books::default();
        books.waiting.insert(1, entry(start, None, true));
        assert!(!is_stale(&books, start + STALE * 2));
        books.waiting.insert(2, entry(start, Some(("committed", "g".into())), false));
        assert!(!is_stale(&books, start + STALE));
        assert!(is_stale(&books, start + STALE * 2));
    }

    #[test]
    fn what_was_left_is_free_again_once_answered() {
        let key = || ("committed", "g".to_owned());
        let mut books = Books::default();
        books.waiting.insert(1, entry(Instant::now(), Some(key()), false));
        books.left.insert(key(), Instant::now());
        assert!(answered(&mut books, 1).is_none());
        assert!(books.left.is_empty() && books.waiting.is_empty());
        assert!(answered(&mut books, 1).is_none());
    }
}
