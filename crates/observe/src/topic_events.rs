//! What comes in by following topics: telemetry and external commands, holds, acks. One task for each
//! followed topic hands its records to the actor; a full queue makes it wait, and with it the
//! fetching, so nothing is dropped here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use flowdeck_kafka::{Cluster, Isolation, Record, TailEvent, TailFrom, TailRequest};
use flowdeck_model::{Partition, Timestamp, TopicName};
use flowdeck_protocol::wire;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock;
use crate::settings::ClusterSettings;

/// Records that wait for the actor.
const QUEUE: usize = 1_024;
/// Kilobytes of records that wait for the actor: a thousand of the longest would be much.
const QUEUE_KB: usize = 8 * 1_024;
/// The longest value of an admin topic that is taken in; telemetry of 10,000 partitions is shorter.
const VALUE_MAX: usize = 128 * 1024;

/// Evidence is awaited for less.
const ACKS_LATELY: Duration = Duration::from_secs(600);
/// Records of the audit that are read at the start: some ten of each command that is remembered.
const AUDIT_LAST: i64 = 20_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Of `admin_streams`.
    Admin(usize),
    Holds,
    Acks,
    Audit,
}

#[derive(Debug)]
pub struct Incoming {
    pub source: Source,
    /// When it came, by our clock.
    pub at: Timestamp,
    pub event: TopicEvent,
    /// Its part of the space; free again once it is taken in.
    _space: OwnedSemaphorePermit,
}

#[derive(Debug)]
pub enum TopicEvent {
    Record(Record),
    /// It was read to its end.
    CaughtUp,
    /// There is no such topic.
    Missing,
    /// Why the topic cannot be followed at the moment.
    Failing(String),
}

impl TopicEvent {
    /// What it takes of the space: never more than there is.
    fn kilobytes(&self) -> u32 {
        let Self::Record(record) = self else { return 0 };
        let part = |part: &Option<bytes::Bytes>| part.as_ref().map_or(0, bytes::Bytes::len);
        let headers: usize = record.headers.iter().map(|(name, value)| name.len() + part(value)).sum();
        let bytes = part(&record.key) + part(&record.value) + headers;
        u32::try_from((bytes / 1_024).min(QUEUE_KB)).unwrap_or(0)
    }
}

/// One partition that carries commands, telemetry or both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminStream {
    pub topic: TopicName,
    pub partition: Partition,
    /// The first pair whose telemetry comes here.
    pub telemetry_of: Option<usize>,
    pub commands: bool,
    /// It was read to its end, or not there, once.
    pub followed: bool,
}

/// Each partition once, whatever pairs share it.
pub fn admin_streams(settings: &ClusterSettings) -> Vec<AdminStream> {
    let mut streams: BTreeMap<(TopicName, Partition), AdminStream> = BTreeMap::new();
    for (pair, topics) in settings.admin_topics.iter().enumerate() {
        for (place, is_telemetry) in [(&topics.telemetry, true), (&topics.commands, false)] {
            let stream = streams.entry(place.clone()).or_insert_with(|| AdminStream {
                topic: place.0.clone(),
                partition: place.1,
                telemetry_of: None,
                commands: false,
                followed: false,
            });
            if is_telemetry {
                stream.telemetry_of = stream.telemetry_of.or(Some(pair));
            } else {
                stream.commands = true;
            }
        }
    }
    streams.into_values().collect()
}

/// Starts following. `again` is bumped when Flowdeck's own topics were created: they are looked for
/// at once then, and not at the tail's own pace.
pub fn follow(
    cluster: &Cluster,
    settings: &Arc<ClusterSettings>,
    again: &watch::Receiver<u64>,
    shutdown: &CancellationToken,
    tracker: &TaskTracker,
) -> mpsc::Receiver<Incoming> {
    let (facts, receiver) = mpsc::channel(QUEUE);
    let space = Arc::new(Semaphore::new(QUEUE_KB));
    let mut requests: Vec<(Source, TailRequest)> = Vec::new();
    for (at, stream) in admin_streams(settings).into_iter().enumerate() {
        let request =
            request(stream.topic, Some(vec![stream.partition]), TailFrom::End, Isolation::ReadUncommitted);
        requests.push((Source::Admin(at), request));
    }
    let holds = own(settings.holds_topic.clone(), TailFrom::Beginning, Isolation::ReadCommitted);
    // As agents do: what they do not read is not shown as active.
    let holds = TailRequest { partitions: Some(vec![Partition::FIRST]), ..holds };
    // What was answered to a leader that ended before it could tell.
    let lately = Timestamp::from_millis(clock::now().millis() - ACKS_LATELY.as_millis() as i64);
    let acks = own(settings.acks_topic.clone(), TailFrom::Time(lately), Isolation::ReadUncommitted);
    let audit = own(settings.audit_topic.clone(), TailFrom::Last(AUDIT_LAST), Isolation::ReadUncommitted);
    requests.extend([(Source::Holds, holds), (Source::Acks, acks), (Source::Audit, audit)]);
    for (source, request) in requests {
        let (facts, space) = (facts.clone(), Arc::clone(&space));
        let follower = Follower { cluster: cluster.clone(), source, request, facts, space };
        tracker.spawn(follower.run(again.clone(), shutdown.clone()));
    }
    receiver
}

fn request(
    topic: TopicName,
    partitions: Option<Vec<Partition>>,
    from: TailFrom,
    isolation: Isolation,
) -> TailRequest {
    TailRequest { topic, partitions, from, isolation, max_value_bytes: VALUE_MAX }
}

/// Agents read these too: up to the same bound.
fn own(topic: TopicName, from: TailFrom, isolation: Isolation) -> TailRequest {
    TailRequest { max_value_bytes: wire::LONGEST, ..request(topic, None, from, isolation) }
}

struct Follower {
    cluster: Cluster,
    source: Source,
    request: TailRequest,
    facts: mpsc::Sender<Incoming>,
    space: Arc<Semaphore>,
}

impl Follower {
    /// Waits for space; `false`: nobody takes it any more.
    async fn hand_over(&self, event: TopicEvent) -> bool {
        let at = clock::now();
        let Ok(space) = Arc::clone(&self.space).acquire_many_owned(event.kilobytes()).await else {
            return false;
        };
        let fact = Incoming { source: self.source, at, event, _space: space };
        self.facts.send(fact).await.is_ok()
    }

    async fn run(self, mut again: watch::Receiver<u64>, shutdown: CancellationToken) {
        let own = !matches!(self.source, Source::Admin(_));
        let mut tail = self.cluster.tail(self.request.clone());
        let mut gone = false;
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                // Only a topic that was not there is looked for anew: another tail would start over.
                changed = again.changed(), if own && gone => {
                    if changed.is_err() {
                        return;
                    }
                    gone = false;
                    tail = self.cluster.tail(TailRequest { from: TailFrom::Beginning, ..self.request.clone() });
                }
                event = tail.next() => {
                    let event = match event {
                        None => return,
                        Some(TailEvent::Record(record)) => TopicEvent::Record(record),
                        Some(TailEvent::Reached(_)) => TopicEvent::CaughtUp,
                        Some(TailEvent::Gone) => TopicEvent::Missing,
                        Some(TailEvent::Error(error)) => TopicEvent::Failing(error.with_cause()),
                    };
                    match event {
                        TopicEvent::Missing => gone = true,
                        TopicEvent::Record(_) | TopicEvent::CaughtUp => gone = false,
                        TopicEvent::Failing(_) => {}
                    }
                    tokio::select! {
                        () = shutdown.cancelled() => return,
                        sent = self.hand_over(event) => if !sent { return },
                    }
                }
            }
        }
    }
}

#[cfg(any(test, feature = "testing"))]
impl Incoming {
    /// One that came now and takes no space.
    pub fn test(source: Source, event: TopicEvent, at: Timestamp) -> Self {
        let space = Arc::new(Semaphore::new(0));
        let space = space.try_acquire_many_owned(0).expect("nothing is asked for");
        Self { source, at, event, _space: space }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::AdminTopics;
    use flowdeck_kafka::ClusterConfig;

    #[test]
    fn one_partition_is_followed_once() {
        let mut settings = ClusterSettings::new("demo".parse().unwrap(), ClusterConfig::new("localhost:1"));
        let place = |name: &str, n| (name.parse().unwrap(), Partition::new(n).unwrap());
        settings.admin_topics = vec![
            AdminTopics { commands: place("a", 0), telemetry: place("a", 0) },
            AdminTopics { commands: place("b", 0), telemetry: place("a", 0) },
            AdminTopics { commands: place("b", 1), telemetry: place("c", 0) },
        ];
        let streams = admin_streams(&settings);
        let shape: Vec<_> = streams
            .iter()
            .map(|one| (one.topic.as_str(), one.partition.get(), one.telemetry_of, one.commands))
            .collect();
        assert_eq!(
            shape,
            [("a", 0, Some(0), true), ("b", 0, None, true), ("b", 1, None, true), ("c", 0, Some(2), false)]
        );
    }
}
