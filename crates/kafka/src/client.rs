//! What a [`Cluster`](crate::Cluster) asks through: the present connection, made anew where it had to be
//! given up, and the deadline of each call.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use flowdeck_model::TopicName;
use tokio::sync::oneshot;

use crate::blocking::off_thread;
use crate::config::{ClusterConfig, ConfigError};
use crate::connection::{Connection, CoordinatorKey, Health, Reader};
use crate::error::{Acl, Cause};
use crate::ffi::ask::Ask;
use crate::ffi::codes;
use crate::ffi::handle::Native;
use crate::ffi::queue::Event;
use crate::{Deadline, Topic};

/// A lock whose data is valid after a panic in between, too.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Topic names that were seen, each kept once. Rows of many groups name the same few topics.
#[derive(Default)]
pub(crate) struct Names(Mutex<HashMap<Box<str>, Topic>>);

/// Above this many the table starts anew: topics come and go, and it must not grow for ever.
const MOST_NAMES: usize = 200_000;

/// A younger connection has looked up the coordinators itself: they are on the move, and it is kept.
const MOVED: Duration = Duration::from_secs(5);
/// A coordinator that owes an answer for so long, while brokers answer, is gone: the group has another.
const GONE: Duration = Duration::from_secs(12);
/// How often to look whether a group's last request was answered after all.
const LEFT: Duration = Duration::from_millis(25);

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

/// Empty where nobody has asked since the last had to be given up.
type Place = Arc<Mutex<Option<Arc<Connection>>>>;

pub(crate) struct Client {
    config: ClusterConfig,
    connection: Place,
    /// For requests to groups' coordinators: opened with the first, and given up where they have moved,
    /// without touching the other.
    coordinators: Place,
    health: Arc<Health>,
    names: Arc<Names>,
    /// One at a time finds out whether the brokers answer again.
    knock: tokio::sync::Mutex<()>,
}

impl Client {
    pub(crate) fn new(config: ClusterConfig) -> Result<Self, ConfigError> {
        let client = Self {
            config,
            connection: Place::default(),
            coordinators: Place::default(),
            health: Arc::default(),
            names: Arc::default(),
            knock: tokio::sync::Mutex::new(()),
        };
        client.connection()?;
        Ok(client)
    }

    pub(crate) fn config(&self) -> &ClusterConfig {
        &self.config
    }

    fn connection(&self) -> Result<Arc<Connection>, ConfigError> {
        self.open(&self.connection, None)
    }

    /// `group` names one that is asked for (see [`Connection::open`]).
    fn coordinators(&self, group: &str) -> Result<Arc<Connection>, ConfigError> {
        self.open(&self.coordinators, Some(if group.trim().is_empty() { "flowdeck" } else { group }))
    }

    fn open(&self, place: &Place, group: Option<&str>) -> Result<Arc<Connection>, ConfigError> {
        let weak = Arc::downgrade(place);
        let mut place = lock(place);
        if let Some(connection) = &*place {
            return Ok(connection.clone());
        }
        let opened = Connection::open(&self.config, group, self.health.clone(), move || give_up(&weak))?;
        let opened = Arc::new(opened);
        *place = Some(opened.clone());
        Ok(opened)
    }

    /// Requests that are not answered yet, those that nobody waits for any more among them.
    pub(crate) fn unanswered(&self) -> usize {
        let of = |place: &Place| lock(place).as_ref().map_or(0, |connection| connection.unanswered());
        of(&self.connection) + of(&self.coordinators)
    }

    pub(crate) fn topic(&self, name: &str) -> Option<Topic> {
        self.names.topic(name)
    }

    /// The table of topic names, for readers of answers.
    pub(crate) fn names(&self) -> impl Fn(&str) -> Option<Topic> + Send + 'static {
        let names = self.names.clone();
        move |name| names.topic(name)
    }

    /// Makes a request and waits for its answer, at most until the deadline. `read` runs on the
    /// connection's thread, and only where the request as a whole did not fail.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        deadline: Deadline,
        acl: impl FnOnce() -> Acl,
        ask: impl FnOnce(Ask<'_>) -> Result<(), Cause>,
        read: impl FnOnce(&Event) -> Result<T, i32> + Send + 'static,
    ) -> Result<T, Cause> {
        let connection = self.connection().map_err(|_| Cause::Closing)?;
        self.request(&connection, deadline, None, acl, ask, read).await
    }

    /// As `call`, for a request that goes to a group's coordinator. `key` names the request.
    pub(crate) async fn call_coordinator<T: Send + 'static>(
        &self,
        deadline: Deadline,
        key: CoordinatorKey,
        acl: impl FnOnce() -> Acl,
        ask: impl FnOnce(Ask<'_>) -> Result<(), Cause>,
        read: impl FnOnce(&Event) -> Result<T, i32> + Send + 'static,
    ) -> Result<T, Cause> {
        // None is made while brokers are away: it would stay on the books (see `connection`).
        self.see_answers(deadline).await?;
        if key.1.contains('\0') {
            return Err(Cause::Unsupported("a group's name with a NUL byte cannot be asked for".to_owned()));
        }
        let mut connection = self.coordinators(&key.1).map_err(|_| Cause::Closing)?;
        while let Some(since) = connection.left_since(&key) {
            if since.elapsed() > GONE && self.health.answers() {
                replace(&self.coordinators, &connection);
                connection = self.coordinators(&key.1).map_err(|_| Cause::Closing)?;
                continue;
            }
            if deadline.passed() {
                return Err(self.explain(Cause::Timeout));
            }
            tokio::time::sleep(LEFT.min(deadline.left())).await;
        }
        let answer = self.request(&connection, deadline, Some(key), acl, ask, read).await;
        if matches!(answer, Err(Cause::Kafka { code: codes::NOT_COORDINATOR, .. }))
            && connection.age() > MOVED
        {
            // librdkafka would go on asking the old one for as long as it is asked.
            replace(&self.coordinators, &connection);
        }
        answer
    }

    async fn request<T: Send + 'static>(
        &self,
        connection: &Connection,
        deadline: Deadline,
        coordinator: Option<CoordinatorKey>,
        acl: impl FnOnce() -> Acl,
        ask: impl FnOnce(Ask<'_>) -> Result<(), Cause>,
        read: impl FnOnce(&Event) -> Result<T, i32> + Send + 'static,
    ) -> Result<T, Cause> {
        if deadline.passed() {
            return Err(self.explain(Cause::Timeout));
        }
        let (answer, answered) = oneshot::channel();
        let reader: Reader = Box::new(move |event| {
            // The receiver may be gone: then nobody wants the answer.
            let _ = answer.send(event.check().and_then(|()| read(event)));
        });
        let _ticket = connection.ask(deadline.millis_to_answer(), coordinator, reader, ask)?;
        let answer = tokio::time::timeout_at(deadline.instant(), answered).await;
        self.outcome(answer.map(|answer| answer.ok()).ok(), acl)
    }

    /// Returns once brokers answer: at once where they did last time.
    async fn see_answers(&self, deadline: Deadline) -> Result<(), Cause> {
        if self.health.answers() {
            return Ok(());
        }
        let knock = tokio::time::timeout_at(deadline.instant(), self.knock.lock()).await;
        let Ok(_knock) = knock else { return Err(self.explain(Cause::Timeout)) };
        if self.health.answers() {
            return Ok(());
        }
        let any = |ask: Ask<'_>| {
            ask.describe_cluster();
            Ok(())
        };
        match self.call(deadline, || Acl::cluster("Describe"), any, |_| Ok(())).await {
            Err(cause @ (Cause::Timeout | Cause::Unreachable | Cause::Authentication | Cause::Closing)) => {
                Err(cause)
            }
            // A refusal is an answer.
            _ => Ok(()),
        }
    }

    /// Runs a call of librdkafka that blocks its thread, on a thread for that, until the deadline.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        deadline: Deadline,
        acl: impl FnOnce() -> Acl,
        call: impl FnOnce(&Native, Duration) -> Result<T, i32> + Send + 'static,
    ) -> Result<T, Cause> {
        let native = self.connection().map_err(|_| Cause::Closing)?.native().clone();
        // 0 would mean "do not wait at all" and -1 for ever.
        let left = deadline.left().clamp(Duration::from_millis(1), Duration::from_secs(600));
        let answer = off_thread(move || call(&native, left));
        self.outcome(tokio::time::timeout_at(deadline.instant(), answer).await.ok(), acl)
    }

    /// `None`: not in time; inside it, no answer will come.
    fn outcome<T>(
        &self,
        answer: Option<Option<Result<T, i32>>>,
        acl: impl FnOnce() -> Acl,
    ) -> Result<T, Cause> {
        let cause = match answer {
            Some(Some(Ok(value))) => {
                self.health.good();
                return Ok(value);
            }
            Some(Some(Err(code))) => Cause::from_code(code, acl()),
            Some(None) => Cause::Closing,
            None => Cause::Timeout,
        };
        match cause {
            Cause::Timeout | Cause::Unreachable => self.health.bad(),
            Cause::Closing => {}
            // A refusal is an answer.
            _ => self.health.good(),
        }
        Err(self.explain(cause))
    }

    /// Says what is known of why there was no answer.
    fn explain(&self, cause: Cause) -> Cause {
        if !matches!(cause, Cause::Timeout | Cause::Unreachable) {
            return cause;
        }
        lock(&self.health.trouble).clone().unwrap_or(cause)
    }
}

/// Gives `old` up, unless that was done already.
fn replace(place: &Place, old: &Arc<Connection>) {
    let mut place = lock(place);
    if place.as_ref().is_some_and(|present| Arc::ptr_eq(present, old)) {
        *place = None;
    }
}

/// Called on the connection's own thread: the next request opens another.
fn give_up(place: &Weak<Mutex<Option<Arc<Connection>>>>) {
    if let Some(place) = place.upgrade() {
        let connection = lock(&place).take();
        drop(connection);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_was_given_up_is_replaced() {
        let client = Client::new(ClusterConfig::new("127.0.0.1:1")).unwrap();
        let first = client.connection().unwrap();
        assert!(Arc::ptr_eq(&first, &client.connection().unwrap()));
        give_up(&Arc::downgrade(&client.connection));
        assert!(!Arc::ptr_eq(&first, &client.connection().unwrap()));
    }

    #[test]
    fn coordinators_are_looked_up_anew_once_for_each_move() {
        let client = Client::new(ClusterConfig::new("127.0.0.1:1")).unwrap();
        let first = client.coordinators(" ").unwrap();
        replace(&client.coordinators, &first);
        let second = client.coordinators("g").unwrap();
        assert!(!Arc::ptr_eq(&first, &second));
        replace(&client.coordinators, &first);
        assert!(Arc::ptr_eq(&second, &client.coordinators("h").unwrap()));
    }

    #[test]
    fn names_are_kept_once_and_only_those_that_kafka_allows() {
        let names = Names::default();
        let first = names.topic("orders").unwrap();
        assert!(Arc::ptr_eq(&first, &names.topic("orders").unwrap()));
        assert_eq!(names.topic("no topic"), None);
    }
}
