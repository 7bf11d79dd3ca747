//! A started app: its consumers, what they say together, and how they end.

use std::fmt;

use flowdeck_model::ConsumerName;
use futures::FutureExt as _;
use futures::future::{join_all, select_all};
use tracing::error;

use super::{AppError, ConsumerId, Starting};
use crate::health::HealthHandle;
use crate::producer::Producer;
use crate::publish::KafkaPublisher;
use crate::running::Running;

/// The running consumers of a service. Dropped without [`RunningApp::stop`] they end too, but nobody waits for it: what
/// was handled last may be handled again.
#[must_use = "dropping it ends the consumers"]
pub struct RunningApp {
    consumers: Vec<(ConsumerId, Running)>,
    producer: Producer,
    publisher: KafkaPublisher,
}

impl fmt::Debug for RunningApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let consumers: Vec<&ConsumerId> = self.consumers.iter().map(|(id, _)| id).collect();
        f.debug_struct("RunningApp").field("consumers", &consumers).finish_non_exhaustive()
    }
}

/// One after the other; where one does not start, those that did are ended in order.
pub(super) async fn start(
    starting: Vec<(ConsumerId, Starting)>,
    producer: Producer,
    publisher: KafkaPublisher,
) -> Result<RunningApp, AppError> {
    let mut app = RunningApp { consumers: vec![], producer, publisher };
    for (id, start) in starting {
        match start.await {
            Ok(running) => app.consumers.push((id, running)),
            Err(error) => {
                if let Err(error) = app.stop().await {
                    error!(%error, "after a consumer of the app had not started");
                }
                return Err(id.not_started(error));
            }
        }
    }
    Ok(app)
}

impl RunningApp {
    /// As [`crate::App::producer`]; they count together.
    pub fn producer(&self) -> Producer {
        self.producer.clone()
    }

    /// As [`crate::App::publisher`].
    #[must_use]
    pub fn publisher(&self) -> KafkaPublisher {
        self.publisher.clone()
    }

    /// The consumer of this name; `None` where there is none.
    pub fn consumer(&self, name: &str) -> Option<&Running> {
        self.consumers().find(|(id, _)| id.as_str() == name).map(|(_, running)| running)
    }

    /// Each with its name, in the order in which they were named.
    pub fn consumers(&self) -> impl Iterator<Item = (&ConsumerName, &Running)> {
        self.consumers.iter().map(|(id, running)| (&id.name, running))
    }

    /// Resolves once all consumers are ready, as [`Running::ready`].
    pub async fn ready(&self) {
        join_all(self.consumers.iter().map(|(_, running)| running.ready())).await;
    }

    /// Resolves when any of the consumers ended by itself, as [`Running::ended`]. The others go on; [`Self::stop`] says
    /// which one it was, and why.
    pub async fn ended(&self) {
        // An app has at least one.
        select_all(self.consumers.iter().map(|(_, running)| running.ended().boxed())).await;
    }

    /// For probes, as [`Running::health`]: healthy and live where all consumers are. The JSON has the same form, with a
    /// part for each consumer: [`crate::health::Health`].
    pub fn health(&self) -> HealthHandle {
        let each = self.consumers().map(|(name, running)| (name.to_string(), running.health()));
        let each: Vec<(String, HealthHandle)> = each.collect();
        HealthHandle::of_all(move || each.clone())
    }

    /// Runs until `signal` resolves, or until a consumer ends by itself, and then ends in order: [`Self::stop`].
    ///
    /// # Errors
    /// As [`Self::stop`].
    pub async fn run_until(self, signal: impl Future<Output = ()>) -> Result<(), AppError> {
        tokio::select! {
            () = signal => {}
            () = self.ended() => {}
        }
        self.stop().await
    }

    /// Ends all consumers in order and at the same time, as [`Running::stop`]: it takes as long as the slowest one.
    ///
    /// # Errors
    /// The first one's of them that had ended by itself, did not end in time, or had a handler that did not; it names the
    /// consumer. The others are ended all the same.
    pub async fn stop(self) -> Result<(), AppError> {
        let stops = self
            .consumers
            .into_iter()
            .map(|(id, running)| async move { running.stop().await.map_err(|error| id.not_stopped(error)) });
        join_all(stops).await.into_iter().collect()
    }
}
