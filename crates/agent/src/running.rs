//! A started agent: its threads and workers, and how they end.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use flowdeck_model::{GroupId, InstanceName, Partition, TopicName};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use tracing::error;

use crate::config::{self, Settings};
use crate::context::Callbacks;
use crate::control::{self, NoLink};
use crate::dead_letters::DeadLetters;
use crate::error::AgentError;
use crate::handler::Handler;
use crate::health::HealthHandle;
use crate::history::{FailedCall, RunningCall};
use crate::publish::KafkaPublisher;
use crate::retry_topics::RetryTopics;
use crate::shared::Shared;
use crate::{poller, workers};

/// What leaving the group may take on top of the handlers in flight: librdkafka waits 5 s for the coordinator's answer, which
/// comes late where another member of a rebalance is awaited.
pub(crate) const LEAVE: Duration = Duration::from_secs(10);
/// Handlers that an error names.
const CALLS_NAMED: usize = 10;
/// What the last telemetry may take.
const GOODBYE: Duration = Duration::from_secs(2);

/// A running consumer. Dropped without [`Running::stop`] it ends too, but nobody waits for it: what
/// was handled last may be handled again.
#[must_use = "dropping it ends the consumer"]
pub struct Running {
    shared: Arc<Shared>,
    tasks: TaskTracker,
    polling: Option<oneshot::Receiver<Result<(), AgentError>>>,
    controlling: Option<oneshot::Receiver<()>>,
}

/// Monotonic counts since the start of one agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Records whose handler succeeded.
    pub handled: u64,
    /// Calls of the handler that failed, retries included.
    pub failed: u64,
    /// Records given up by [`crate::Then::Skip`].
    pub skipped: u64,
    /// Records of a re-drive that is meant for another group; no handler gets them.
    pub redrives_of_others: u64,
    /// Records that went to the dead letters.
    pub dead_lettered: u64,
    /// Records that went to a retry topic.
    pub retry_topics: u64,
    /// Records that waited for a worker when their partition was taken away; others read them. What only the
    /// Kafka client had fetched is not counted.
    pub dropped_uncommitted: u64,
    /// Telemetry records that Kafka did not take in time.
    pub telemetry_dropped: u64,
    /// Answers to commands that Kafka did not take in time.
    pub answers_dropped: u64,
    /// Records on Flowdeck's topics of a newer version or malformed.
    pub records_not_understood: u64,
}

pub(crate) async fn start<H: Handler>(
    base: ClientConfig,
    settings: Settings,
    handler: H,
) -> Result<Running, AgentError> {
    let records = config::records(&base, &settings)?;
    let group = settings.group.to_string();
    if tokio::runtime::Handle::try_current().is_err() {
        return Err(AgentError::NoRuntime { group });
    }
    let shared = Arc::new(Shared::new(with_publisher(&base, settings)?));
    // Making a client may read certificates.
    let made = tokio::task::spawn_blocking({
        let shared = Arc::clone(&shared);
        move || begin(&base, &records, &shared)
    });
    let ended = |_| Err(client_error(&shared, KafkaError::ClientCreation("the task was ended".into())));
    let (mut running, consumer) = made.await.unwrap_or_else(ended)?;
    let polled = Arc::clone(&shared);
    running.polling = Some(spawn(&group, "flowdeck-poll", move || {
        let result = poller::run(&polled, consumer);
        if let Err(error) = &result {
            error!(group.id = %polled.settings.group, %error, "the consumer ended");
            polled.vitals.failed.store(true, Ordering::Relaxed);
            polled.drain();
        }
        result
    })?);
    workers::start(&shared, handler, &running.tasks);
    watch(&shared);
    running.tasks.close();
    Ok(running)
}

/// Telemetry tells at once when the circuit breaker opens or closes.
fn watch(shared: &Arc<Shared>) {
    let Some(breaker) = &shared.settings.breaker else { return };
    let shared = Arc::downgrade(shared);
    breaker.watch(move || shared.upgrade().inspect(|shared| shared.tell()).is_some());
}

/// Dead letters, and records for retry topics, are sent by a producer of the agent's, unless the host brings one.
fn with_publisher(base: &ClientConfig, mut settings: Settings) -> Result<Settings, AgentError> {
    let has_all = settings.dead_letters.as_ref().is_none_or(DeadLetters::has_publisher)
        && settings.retry_topics.as_ref().is_none_or(RetryTopics::has_publisher);
    if has_all {
        return Ok(settings);
    }
    let publisher = KafkaPublisher::safe(base).map_err(|source| AgentError::Client {
        consumer: settings.consumer.to_string(),
        group: settings.group.to_string(),
        source: Box::new(source),
    })?;
    settings.dead_letters = settings.dead_letters.map(|letters| letters.or_by(&publisher));
    settings.retry_topics = settings.retry_topics.map(|retries| retries.or_by(&publisher));
    Ok(settings)
}

/// The clients, and the control that begins. Should nobody wait for it any more, the drop of what it gives ends that.
fn begin(
    base: &ClientConfig,
    records: &ClientConfig,
    shared: &Arc<Shared>,
) -> Result<(Running, Arc<BaseConsumer<Callbacks>>), AgentError> {
    let consumer: BaseConsumer<_> = records
        .create_with_context(Callbacks::new(Arc::clone(shared)))
        .map_err(|source| client_error(shared, source))?;
    let consumer = Arc::new(consumer);
    consumer.context().set_consumer(Arc::downgrade(&consumer));
    let controlling = control::join(base, shared).map_err(|error| match error {
        NoLink::Client(source) => client_error(shared, source),
        NoLink::Thread(source) => AgentError::Thread { group: shared.settings.group.to_string(), source },
    })?;
    let running = Running {
        shared: Arc::clone(shared),
        tasks: TaskTracker::new(),
        polling: None,
        controlling: Some(controlling),
    };
    Ok((running, consumer))
}

fn client_error(shared: &Shared, source: KafkaError) -> AgentError {
    AgentError::Client {
        consumer: shared.settings.consumer.to_string(),
        group: shared.settings.group.to_string(),
        source: Box::new(source),
    }
}

fn spawn<T: Send + 'static>(
    group: &str,
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<oneshot::Receiver<T>, AgentError> {
    let (done, wait) = oneshot::channel();
    let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
        // Nobody may be waiting any more.
        let _ = done.send(work());
    });
    thread.map(|_| wait).map_err(|source| AgentError::Thread { group: group.to_owned(), source })
}

impl Running {
    /// As telemetry names it.
    pub fn instance(&self) -> &InstanceName {
        &self.shared.settings.instance
    }

    /// What happened since the start.
    pub fn counts(&self) -> Counts {
        self.shared.counts.read()
    }

    /// The partitions that it owns now, each with whether handlers may run for it. One that was just
    /// assigned does not run before the holds were read.
    pub fn partitions(&self) -> Vec<(TopicName, Partition, bool)> {
        let seen = self.shared.seen();
        seen.into_iter()
            .map(|lane| {
                let runs = lane.runs();
                (lane.at.topic, lane.at.partition, runs)
            })
            .collect()
    }

    /// For probes: whether Kafka is connected, and whether the consumer works.
    pub fn health(&self) -> HealthHandle {
        HealthHandle::of(Arc::clone(&self.shared))
    }

    /// Resolves once the cluster has answered and the holds were read (or are absent, or not to be had): from then on
    /// records are handled as they come. Also where the consumer ended.
    pub async fn ready(&self) {
        loop {
            let settled = self.shared.settled.notified();
            if self.shared.is_ready() {
                return;
            }
            tokio::select! {
                () = settled => {}
                () = self.ended() => return,
            }
        }
    }

    /// Runs until `signal` resolves, or until the consumer ends by itself, and then ends in order: [`Self::stop`].
    ///
    /// # Errors
    /// As [`Self::stop`].
    pub async fn run_until(self, signal: impl Future<Output = ()>) -> Result<(), AgentError> {
        tokio::select! {
            () = signal => {}
            () = self.ended() => {}
        }
        self.stop().await
    }

    /// The last 50 calls of the handler that failed, the oldest first.
    pub fn failed_calls(&self) -> Vec<FailedCall> {
        self.shared.history.failures()
    }

    /// Calls of the handler that have not ended, the longest first.
    pub fn running_calls(&self) -> Vec<RunningCall> {
        self.shared.history.running()
    }

    /// Why the holds of the cluster are not known, where they are not.
    pub fn holds_unknown(&self) -> Option<String> {
        self.shared.lock().view.unknown()
    }

    /// Resolves when the consumer ended by itself, which only an error that Kafka calls fatal (or a
    /// refused subscription) makes it do. The partitions are given back then; `stop` says why.
    pub async fn ended(&self) {
        self.shared.draining.cancelled().await;
    }

    /// Ends in order: no handler starts any more, those in flight finish (at most
    /// [`crate::Timings::shutdown_timeout`]), what they handled is committed, the partitions are given back,
    /// and a last telemetry says so. What waited is read again by the next owner.
    ///
    /// # Errors
    /// Where the consumer had ended by itself before, or did not end in time, or where a handler did not: the error
    /// names its record.
    pub async fn stop(mut self) -> Result<(), AgentError> {
        let limit = self.shared.settings.timings.shutdown_timeout;
        self.shared.drain();
        // A handler that takes longer is left behind: its record is read again.
        let ended = timeout(limit, self.tasks.wait()).await;
        let left = if ended.is_ok() { vec![] } else { self.running_calls() };
        self.shared.closing.cancel();
        let polled = match self.polling.take() {
            Some(polling) => timeout(LEAVE, polling).await,
            None => return Ok(()),
        };
        self.shared.finishing.cancel();
        if let Some(controlling) = self.controlling.take() {
            let _ = timeout(GOODBYE, controlling).await;
        }
        let slow = || AgentError::SlowStop { group: self.shared.settings.group.to_string() };
        match polled {
            // The poll thread had no error itself.
            Ok(Ok(Ok(()))) if self.shared.vitals.failed.load(Ordering::Relaxed) => {
                Err(AgentError::WorkerPanicked { group: self.shared.settings.group.to_string() })
            }
            Ok(Ok(Ok(()))) if !left.is_empty() => Err(handlers_ran(&self.shared.settings.group, &left)),
            Ok(Ok(result)) => result,
            Ok(Err(_)) | Err(_) => Err(slow()),
        }
    }
}

fn handlers_ran(group: &GroupId, calls: &[RunningCall]) -> AgentError {
    let name = |call: &RunningCall| {
        let RunningCall { topic, partition, offset, since } = call;
        format!("{topic}[{partition}] offset {offset} since {since}")
    };
    let calls: Vec<String> = calls.iter().take(CALLS_NAMED).map(name).collect();
    AgentError::HandlersRan { group: group.to_string(), calls: calls.join(", ") }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shared.abandon();
    }
}

#[cfg(test)]
mod tests {
    use crate::{Agent, AgentError, Delivery, Handler, HandlerError, async_trait};
    use futures::executor::block_on;

    struct Nothing;

    #[async_trait]
    impl Handler for Nothing {
        async fn handle(&self, _: Delivery<'_>) -> Result<(), HandlerError> {
            Ok(())
        }
    }

    #[test]
    fn what_can_never_work_is_an_error_and_no_panic() {
        let agent = |topics: &[&str]| {
            let mut config = crate::ClientConfig::new();
            config.set("bootstrap.servers", "127.0.0.1:1");
            Agent::builder(config, "g").topics(topics.iter().copied()).handler(Nothing).start()
        };
        assert!(matches!(block_on(agent(&["t"])), Err(AgentError::NoRuntime { .. })));
        assert!(matches!(block_on(agent(&[])), Err(AgentError::NoTopics { .. })));
        assert!(matches!(block_on(agent(&["a/b"])), Err(AgentError::Topic { .. })));
    }
}
