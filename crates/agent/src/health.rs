//! Whether the consumer works, for probes: as JSON, and as an axum router behind the feature `axum`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::lanes::Seen;
use crate::shared::Shared;
use crate::view::HoldsStatus;

/// The Kafka client's own default of `max.poll.interval.ms`.
const POLL_INTERVAL: Duration = Duration::from_secs(300);

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub enum HealthStatus {
    /// All is well; a pause, a stop by command and a drain are.
    Healthy,
    /// It is not.
    Unhealthy,
}

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Check {
    /// What was found.
    pub status: HealthStatus,
    /// In words.
    pub detail: String,
}

/// `{"status":"Healthy","checks":{"kafka":{"status":"Healthy","detail":"…"}},"partitions":3,"paused":0}`; of several
/// consumers with `"consumers":{"orders":{…},"payments":{…}}`, where each has the same form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Health {
    /// The worst of the checks.
    pub status: HealthStatus,
    /// By name: `kafka`.
    pub checks: BTreeMap<&'static str, Check>,
    /// That it owns; of several consumers all together.
    pub partitions: usize,
    /// Those of them of which no handler may begin.
    pub paused: usize,
    /// Of several consumers each by its name, a second one of a name as `name#2`; empty for one consumer.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub consumers: BTreeMap<String, Health>,
}

impl Health {
    /// Of several consumers: healthy where all are.
    fn of_all(consumers: BTreeMap<String, Self>) -> Self {
        let unwell = consumers.iter().filter(|(_, health)| health.status != HealthStatus::Healthy);
        let unwell: Vec<String> = unwell
            .flat_map(|(name, health)| {
                health.checks.values().map(move |check| format!("{name}: {}", check.detail))
            })
            .collect();
        let kafka = match (consumers.is_empty(), unwell.is_empty()) {
            (true, _) => Check { status: HealthStatus::Healthy, detail: "no consumer runs".to_owned() },
            (_, true) => Check { status: HealthStatus::Healthy, detail: "connected".to_owned() },
            _ => Check { status: HealthStatus::Unhealthy, detail: unwell.join("; ") },
        };
        Self {
            status: kafka.status,
            checks: [("kafka", kafka)].into(),
            partitions: consumers.values().map(|health| health.partitions).sum(),
            paused: consumers.values().map(|health| health.paused).sum(),
            consumers,
        }
    }
}

/// Asks a running consumer, or all of an app or a bus, for their health. Cheap to clone, and no hindrance to their end.
#[derive(Clone)]
pub struct HealthHandle(Asked);

#[derive(Clone)]
enum Asked {
    One(Arc<Shared>),
    All(Arc<ByName>),
}

/// The consumers of now, each with its name.
type ByName = dyn Fn() -> Vec<(String, HealthHandle)> + Send + Sync;

impl std::fmt::Debug for HealthHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HealthHandle")
    }
}

impl HealthHandle {
    /// Of one consumer.
    pub(crate) fn of(shared: Arc<Shared>) -> Self {
        Self(Asked::One(shared))
    }

    /// Of several; `consumers` says each time which.
    pub(crate) fn of_all(consumers: impl Fn() -> Vec<(String, Self)> + Send + Sync + 'static) -> Self {
        Self(Asked::All(Arc::new(consumers)))
    }

    /// The `kafka` check, and what is owned. Several consumers are healthy where all are.
    pub fn health(&self) -> Health {
        match &self.0 {
            Asked::One(shared) => of_one(shared),
            Asked::All(consumers) => {
                let mut all = BTreeMap::new();
                for (name, handle) in consumers() {
                    all.insert(unused(name, &all), handle.health());
                }
                Health::of_all(all)
            }
        }
    }

    /// Whether the process need not be replaced. Kafka has no say in it: false only where a consumer ended by itself,
    /// or where its thread has not asked Kafka for longer than `max.poll.interval.ms`.
    pub fn is_live(&self) -> bool {
        match &self.0 {
            Asked::One(shared) => {
                !shared.vitals.failed.load(Ordering::Relaxed)
                    && shared.vitals.polled_within(shared.settings.poll_interval)
            }
            Asked::All(consumers) => consumers().iter().all(|(_, handle)| handle.is_live()),
        }
    }
}

/// The name, with a number where another one has it.
fn unused(name: String, all: &BTreeMap<String, Health>) -> String {
    let numbered = (2..).map(|number| format!("{name}#{number}"));
    let free = std::iter::once(name.clone()).chain(numbered).find(|name| !all.contains_key(name));
    free.unwrap_or(name)
}

fn of_one(shared: &Shared) -> Health {
    let (seen, kafka) = (shared.seen(), kafka(shared));
    Health {
        status: kafka.status,
        checks: [("kafka", kafka)].into(),
        partitions: seen.len(),
        paused: seen.iter().filter(|lane| !Seen::runs(lane)).count(),
        consumers: BTreeMap::new(),
    }
}

fn kafka(shared: &Shared) -> Check {
    let settled = match shared.lock().view.status() {
        HoldsStatus::Reading => Err("the cluster has not answered yet".to_owned()),
        HoldsStatus::Known | HoldsStatus::Absent | HoldsStatus::Unknown(_) => Ok(()),
    };
    let vitals = &shared.vitals;
    let checked = settled.and_then(|()| match () {
        () if vitals.failed.load(Ordering::Relaxed) => Err("the consumer ended by itself".to_owned()),
        () if vitals.brokers_down.load(Ordering::Relaxed) => Err("no broker is connected".to_owned()),
        () => Ok("connected".to_owned()),
    });
    match checked {
        Ok(detail) => Check { status: HealthStatus::Healthy, detail },
        Err(detail) => Check { status: HealthStatus::Unhealthy, detail },
    }
}

/// What the poll thread and its client say of themselves.
#[derive(Debug)]
pub(crate) struct Vitals {
    began: Instant,
    /// Of the last poll, in milliseconds since `began`.
    polled: AtomicI64,
    /// Until one has answered, too.
    pub(crate) brokers_down: AtomicBool,
    /// The consumer ended by an error.
    pub(crate) failed: AtomicBool,
}

impl Vitals {
    pub(crate) fn new() -> Self {
        Self {
            began: Instant::now(),
            polled: AtomicI64::new(0),
            brokers_down: AtomicBool::new(true),
            failed: AtomicBool::new(false),
        }
    }

    pub(crate) fn polls(&self) {
        self.polled.store(self.now(), Ordering::Relaxed);
    }

    fn polled_within(&self, limit: Duration) -> bool {
        let since = self.now().saturating_sub(self.polled.load(Ordering::Relaxed));
        u64::try_from(since).is_ok_and(|since| Duration::from_millis(since) <= limit)
    }

    fn now(&self) -> i64 {
        i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX)
    }
}

/// Of the host's configuration.
pub(crate) fn poll_interval(config: &rdkafka::ClientConfig) -> Duration {
    let millis = config.get("max.poll.interval.ms").and_then(|value| value.parse().ok());
    millis.map_or(POLL_INTERVAL, Duration::from_millis)
}

/// `/health` and `/health/ready`: [`Health`] as JSON, 200 or 503; `/health/live`: 200 or 503.
#[cfg(feature = "axum")]
pub fn router(health: HealthHandle) -> axum::Router {
    use axum::Json;
    use axum::http::StatusCode;
    use axum::routing::get;

    let status = |well| if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let ready = {
        let health = health.clone();
        move || {
            let health = health.health();
            std::future::ready((status(health.status == HealthStatus::Healthy), Json(health)))
        }
    };
    let live = move || std::future::ready(status(health.is_live()));
    axum::Router::new()
        .route("/health", get(ready.clone()))
        .route("/health/ready", get(ready))
        .route("/health/live", get(live))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::settings;
    use crate::record::TopicPartition;

    #[test]
    fn kafka_decides_on_health_and_never_on_life() {
        let shared = Arc::new(Shared::new(settings()));
        let handle = HealthHandle::of(Arc::clone(&shared));
        let told =
            || (handle.health().status, handle.health().checks["kafka"].detail.clone(), handle.is_live());
        assert_eq!(told(), (HealthStatus::Unhealthy, "the cluster has not answered yet".into(), true));
        shared.lock().view.set_status(HoldsStatus::Known);
        assert_eq!(told(), (HealthStatus::Unhealthy, "no broker is connected".into(), true));
        shared.set_connected(true);
        shared.assign(vec![(Arc::new(TopicPartition::parse("t", 0).unwrap()), None)]);
        assert_eq!(told(), (HealthStatus::Healthy, "connected".into(), true));
        let json = serde_json::to_string(&handle.health()).unwrap();
        let want = r#"{"status":"Healthy","checks":{"kafka":{"status":"Healthy","detail":"connected"}},"partitions":1,"paused":1}"#;
        assert_eq!(json, want);
        shared.set_connected(false);
        assert_eq!(told(), (HealthStatus::Unhealthy, "no broker is connected".into(), true));
        shared.vitals.failed.store(true, Ordering::Relaxed);
        assert_eq!(told(), (HealthStatus::Unhealthy, "the consumer ended by itself".into(), false));
    }

    #[test]
    fn several_consumers_are_healthy_where_all_are() {
        let shared = [(); 2].map(|()| Arc::new(Shared::new(settings())));
        let [orders, payments] = shared.clone();
        let handle = HealthHandle::of_all(move || {
            let named = [("orders", &orders), ("payments", &payments), ("payments", &payments)];
            named.map(|(name, shared)| (name.to_owned(), HealthHandle::of(Arc::clone(shared)))).to_vec()
        });
        for one in &shared {
            one.lock().view.set_status(HoldsStatus::Known);
            one.set_connected(true);
            one.assign(vec![(Arc::new(TopicPartition::parse("t", 0).unwrap()), None)]);
        }
        let health = handle.health();
        assert_eq!((health.status, health.partitions), (HealthStatus::Healthy, 3));
        assert_eq!(health.consumers.keys().collect::<Vec<_>>(), ["orders", "payments", "payments#2"]);
        shared[0].set_connected(false);
        let health = handle.health();
        assert_eq!(health.checks["kafka"].detail, "orders: no broker is connected");
        assert_eq!((health.status, handle.is_live()), (HealthStatus::Unhealthy, true));
        shared[0].vitals.failed.store(true, Ordering::Relaxed);
        assert!(!handle.is_live());
        let none = HealthHandle::of_all(Vec::new).health();
        let want = r#"{"status":"Healthy","checks":{"kafka":{"status":"Healthy","detail":"no consumer runs"}},"partitions":0,"paused":0}"#;
        assert_eq!(serde_json::to_string(&none).unwrap(), want);
    }

    #[test]
    fn a_poll_thread_that_polls_no_more_is_not_live() {
        let settings = crate::config::Settings { poll_interval: Duration::from_millis(50), ..settings() };
        let shared = Arc::new(Shared::new(settings));
        let handle = HealthHandle::of(Arc::clone(&shared));
        assert!(handle.is_live());
        std::thread::sleep(Duration::from_millis(100));
        assert!(!handle.is_live());
        shared.vitals.polls();
        assert!(handle.is_live());
    }

    #[test]
    fn the_poll_interval_is_the_hosts() {
        let mut config = rdkafka::ClientConfig::new();
        assert_eq!(poll_interval(&config), Duration::from_secs(300));
        config.set("max.poll.interval.ms", "6000");
        assert_eq!(poll_interval(&config), Duration::from_secs(6));
    }
}
