//! What all services share: settings, troubles, and how they end.

use std::time::Duration;

use flowdeck_agent::environment::KafkaSettings;
use flowdeck_agent::{CancellationToken, ClientConfig, Timings};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::task::TaskTracker;
use tracing::warn;

use super::Troubles;

/// All of a service ends within this time.
const STOP: Duration = Duration::from_secs(5);
/// Short, so that a service ends soon after it is told to.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// Cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    pub settings: KafkaSettings,
    /// As .NET names it: `Development`, `Production`.
    pub environment: String,
    pub troubles: Troubles,
    pub stop: CancellationToken,
    pub tasks: TaskTracker,
}

impl Runtime {
    pub fn new(settings: KafkaSettings) -> Self {
        let (troubles, stop, tasks) = (Troubles::default(), CancellationToken::new(), TaskTracker::new());
        Self { settings, environment: "Development".to_owned(), troubles, stop, tasks }
    }

    pub fn in_environment(self, name: Option<String>) -> Self {
        Self { environment: name.unwrap_or(self.environment), ..self }
    }

    /// Of consumers and producers.
    pub fn client(&self) -> ClientConfig {
        self.settings.client()
    }

    /// Of consumers: what the environment says wins over the design's own values.
    pub fn consumer(&self, own: &[(&str, &str)]) -> ClientConfig {
        let mut config = self.client();
        let usual = [
            ("auto.offset.reset", "earliest"),
            // A demo's records are few.
            ("queued.min.messages", "1000"),
        ];
        for (name, value) in usual.iter().chain(own) {
            if config.get(name).is_none() {
                config.set(*name, *value);
            }
        }
        config
    }

    pub fn timings(&self) -> Timings {
        let usual = Timings::default();
        let commit = self.settings.commit_interval.unwrap_or(usual.commit);
        Timings { commit, shutdown_timeout: SHUTDOWN_TIMEOUT, ..usual }
    }

    /// One call after the other, so far apart, until the service ends.
    pub fn every<F: Future<Output = ()> + Send>(
        &self,
        period: Duration,
        call: impl Fn() -> F + Send + Sync + 'static,
    ) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            let mut ticks = interval(period);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while stop.run_until_cancelled(ticks.tick()).await.is_some() {
                // What waits for Kafka is given up at the end.
                stop.run_until_cancelled(call()).await;
            }
        });
    }

    /// Ends everything in order.
    pub async fn end(&self) {
        self.stop.cancel();
        self.tasks.close();
        if timeout(STOP, self.tasks.wait()).await.is_err() {
            warn!("not everything ended in time; what was not committed is read again");
        }
    }
}
