//! Agents in this process, in a world of the test's own, and what their handlers saw.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flowdeck_agent::{
    Agent, AgentBuilder, ClientConfig, Delivery, Handler, HandlerError, OnError, Record, Running, Then,
    Timings, async_trait,
};
use flowdeck_testkit::{DEADLINE, World, wait_for};

/// Agents of a world.
pub(crate) trait Agents {
    /// Eager and quick: short sessions, short intervals.
    fn agent(&self, instance: &str) -> AgentBuilder;
    fn agent_with(&self, config: ClientConfig, instance: &str) -> AgentBuilder;
}

impl Agents for World {
    fn agent(&self, instance: &str) -> AgentBuilder {
        let mut config = self.kafka.client();
        config
            .set("auto.offset.reset", "earliest")
            .set("session.timeout.ms", "6000")
            .set("heartbeat.interval.ms", "500");
        self.agent_with(config, instance)
    }

    fn agent_with(&self, config: ClientConfig, instance: &str) -> AgentBuilder {
        Agent::builder(config, self.group.as_str())
            .consumer("c")
            .topics([self.topic.as_str()])
            .instance(instance)
            .admin_topic(self.admin.as_str(), 0)
            .flowdeck_topics(self.holds.as_str(), self.acks.as_str())
            .timings(quick())
    }
}

pub(crate) fn quick() -> Timings {
    Timings {
        telemetry: Duration::from_secs(1),
        commit: Duration::from_millis(200),
        metadata_interval: Duration::from_millis(500),
        holds: Duration::from_secs(5),
        expiry: Duration::from_secs(60),
        shutdown_timeout: Duration::from_secs(3),
    }
}

pub(crate) fn skip_at_once() -> OnError {
    OnError { retries: 0, backoff: Duration::ZERO, then: Then::Skip, ..OnError::default() }
}

/// What handlers saw, in the order of their starts.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Vec<(i32, i64)>>>);

impl Seen {
    pub(crate) fn note(&self, record: &Record) {
        self.0.lock().unwrap().push((record.partition().get(), record.offset()));
    }

    pub(crate) fn all(&self) -> Vec<(i32, i64)> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    pub(crate) fn distinct(&self) -> BTreeSet<(i32, i64)> {
        self.all().into_iter().collect()
    }

    pub(crate) async fn wait_for(&self, count: usize) {
        wait_for(&format!("{count} records"), DEADLINE, async || {
            (self.distinct().len() >= count).then_some(())
        })
        .await;
    }
}

/// Notes each start; takes some time.
pub(crate) struct Noting {
    pub(crate) seen: Seen,
    pub(crate) takes: Duration,
}

#[async_trait]
impl Handler for Noting {
    async fn handle(&self, record: Delivery<'_>) -> Result<(), HandlerError> {
        self.seen.note(&record);
        tokio::time::sleep(self.takes).await;
        Ok(())
    }
}

pub(crate) fn noting(takes_ms: u64) -> (Seen, Noting) {
    let seen = Seen::default();
    (seen.clone(), Noting { seen, takes: Duration::from_millis(takes_ms) })
}

/// Notes each start too; takes a long time, until the test lets go.
pub(crate) struct Slow {
    noting: Noting,
    pace: Pace,
}

/// A record's milliseconds.
#[derive(Clone)]
pub(crate) struct Pace(Arc<AtomicU64>);

impl Pace {
    /// The rest takes no time.
    pub(crate) fn let_go(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

#[async_trait]
impl Handler for Slow {
    async fn handle(&self, record: Delivery<'_>) -> Result<(), HandlerError> {
        self.noting.handle(record).await?;
        tokio::time::sleep(Duration::from_millis(self.pace.0.load(Ordering::Relaxed))).await;
        Ok(())
    }
}

/// So slow that most is left when the test comes to its next step, however long the machine needs for that.
pub(crate) fn slow(takes_ms: u64) -> (Seen, Slow, Pace) {
    let (seen, noting) = noting(0);
    let pace = Pace(Arc::new(AtomicU64::new(takes_ms)));
    (seen, Slow { noting, pace: pace.clone() }, pace)
}

/// Waits until the agent owns partitions and none is waiting to be decided: (running, paused).
pub(crate) async fn settled(agent: &Running, running: usize, paused: usize) {
    wait_for(&format!("{running} running and {paused} paused"), DEADLINE, async || {
        let partitions = agent.partitions();
        let runs = partitions.iter().filter(|(_, _, runs)| *runs).count();
        (runs == running && partitions.len() - runs == paused).then_some(())
    })
    .await;
}

/// Long enough for a gate that leaks to show.
pub(crate) async fn a_while() {
    tokio::time::sleep(Duration::from_millis(1_200)).await;
}
