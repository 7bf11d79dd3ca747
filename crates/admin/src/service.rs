//! The service: starts each cluster's tasks, hands out ports, answers for itself, ends on shutdown.

use std::sync::Arc;
use std::time::Duration;

use flowdeck_kafka::{Capabilities, Cluster, Deadline};
use flowdeck_model::ports::Bind;
use flowdeck_model::{Actor, ClusterName, GroupId, Lag, Partition, Ports, Timestamp, TopicName};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock;
use crate::cluster::keeper::{Ask, Inputs, Keeper, LastLook};
use crate::cluster::not_obeyed;
use crate::cluster::pace::Viewers;
use crate::cluster::sample::Sample;
use crate::cluster::sampler::Sampler;
use crate::cluster::snapshot::{ClusterSnapshot, Publisher};
use crate::cluster::watched::{self, Watched};
use crate::ports::{BoundControl, BoundFleet, BoundPeek};
use crate::settings::{AdminSettings, ClusterSettings};
use crate::stats::{ClusterStats, Stats};

/// The admin service; cheap to clone.
#[derive(Clone)]
pub struct Admin {
    core: Arc<Core>,
}

/// What the ports share.
pub(crate) struct Core {
    pub(crate) settings: AdminSettings,
    pub(crate) clusters: Vec<ClusterHandle>,
    pub(crate) publisher: Publisher,
    pub(crate) started_at: Timestamp,
    pub(crate) shutdown: CancellationToken,
    tracker: TaskTracker,
}

pub(crate) struct ClusterHandle {
    pub(crate) settings: Arc<ClusterSettings>,
    /// `None`: its configuration cannot work; the snapshot says why.
    pub(crate) cluster: Option<Cluster>,
    pub(crate) asks: mpsc::Sender<Ask>,
    /// The keeper makes ready what the pause needs that may follow.
    pub(crate) looked: Arc<LastLook>,
    /// Whoever asks for what is known of it: while nobody does, it is refreshed less often.
    pub(crate) viewers: Viewers,
    pub(crate) peeks: Arc<Semaphore>,
    pub(crate) stats: Arc<ClusterStats>,
}

/// Whether there is something to show, and of when.
#[derive(Debug, Clone)]
pub struct ReadyView {
    pub clusters: Vec<ClusterReady>,
    /// Every cluster was read, or tried, at least once: pages can be served.
    pub first_snapshot: bool,
}

#[derive(Debug, Clone)]
pub struct ClusterReady {
    pub name: ClusterName,
    pub as_of: Option<Timestamp>,
    pub error: Option<String>,
}

impl Admin {
    /// Returns at once; connects in the background. A broker that is away is normal.
    /// Must be called inside a tokio runtime.
    pub fn start(
        settings: AdminSettings,
        clusters: Vec<ClusterSettings>,
        shutdown: CancellationToken,
    ) -> Self {
        let now = clock::now();
        let mut first = Vec::new();
        let mut handles = Vec::new();
        let mut asks = Vec::new();
        for settings_of_one in clusters {
            let own = Arc::new(settings_of_one);
            let (cluster, error) = match Cluster::new(own.kafka.clone()) {
                Ok(cluster) => (Some(cluster), None),
                Err(error) => (None, Some(format!("its configuration cannot work: {error}"))),
            };
            first.push(Arc::new(ClusterSnapshot::empty(Arc::clone(&own), now, error)));
            let (ask, asked) = mpsc::channel(settings.submit_queue.max(1));
            asks.push(asked);
            handles.push(ClusterHandle {
                settings: own,
                cluster,
                asks: ask,
                looked: Arc::default(),
                viewers: Viewers::default(),
                peeks: Arc::new(Semaphore::new(settings.peek_at_once.max(1))),
                stats: Arc::default(),
            });
        }
        let publisher = Publisher::new(first);
        let tracker = TaskTracker::new();
        let core =
            Arc::new(Core { settings, clusters: handles, publisher, started_at: now, shutdown, tracker });
        for (at, asked) in asks.into_iter().enumerate() {
            core.start_cluster(at, asked);
        }
        core.tracker.close();
        Self { core }
    }

    /// Waits until every task has ended after shutdown; `false` where some did not in time.
    pub async fn join(&self, deadline: Duration) -> bool {
        tokio::time::timeout(deadline, self.core.tracker.wait()).await.is_ok()
    }

    pub fn ready(&self) -> ReadyView {
        let snapshot = self.core.publisher.current();
        let clusters: Vec<ClusterReady> = snapshot
            .clusters
            .iter()
            .map(|one| ClusterReady {
                name: one.settings.name.clone(),
                as_of: one.view.as_of,
                error: one.view.error.clone(),
            })
            .collect();
        let first_snapshot = clusters.iter().all(|one| one.as_of.is_some() || one.error.is_some());
        ReadyView { clusters, first_snapshot }
    }

    pub fn stats(&self) -> Stats {
        let snapshot = self.core.publisher.current();
        let numbers = self.core.clusters.iter().zip(&snapshot.clusters).map(|(handle, one)| {
            let groups = one.sample.groups.len() as u64;
            let partitions = one.sample.groups.iter().map(|group| u64::from(group.partition_count())).sum();
            let mut numbers =
                handle.stats.read(handle.settings.name.clone(), groups, partitions, one.holds.count() as u64);
            let unanswered = handle.cluster.as_ref().map_or(0, Cluster::unanswered);
            numbers.pauses_not_obeyed = not_obeyed::numbers(one.not_obeying.values());
            numbers.waiting.push(("requests to brokers", unanswered as u64));
            numbers
        });
        Stats { clusters: numbers.collect() }
    }

    /// Every partition of every group, for `/metrics`: `None` where the lag is not known.
    pub fn lag_rows(
        &self,
        mut visit: impl FnMut(&ClusterName, &GroupId, &TopicName, Partition, Option<u64>),
    ) {
        let snapshot = self.core.publisher.current();
        for one in &snapshot.clusters {
            for (group, judged) in one.groups() {
                for (topic, partition, reading) in group.readings(judged.stale) {
                    let lag = match reading.lag() {
                        Lag::Known(lag) => Some(lag),
                        Lag::Unknown(_) => reading.is_empty_and_untouched().then_some(0),
                    };
                    visit(&one.settings.name, &group.id, topic, partition, lag);
                }
            }
        }
    }

    /// What the cluster offers; `None` where no such cluster is configured or it cannot be reached at all.
    pub async fn capabilities(&self, cluster: &ClusterName, deadline: Duration) -> Option<Capabilities> {
        let handle = self.core.clusters.iter().find(|one| &one.settings.name == cluster)?;
        Some(handle.cluster.as_ref()?.capabilities(Deadline::after(deadline)).await)
    }
}

impl Core {
    /// Somebody looks at these.
    pub(crate) fn viewed(&self, clusters: &[&Arc<ClusterSnapshot>]) {
        for handle in &self.clusters {
            if clusters.iter().any(|one| one.settings.name == handle.settings.name) {
                handle.viewers.look();
            }
        }
    }

    fn start_cluster(self: &Arc<Self>, at: usize, asked: mpsc::Receiver<Ask>) {
        let handle = &self.clusters[at];
        let Some(cluster) = &handle.cluster else { return };
        let (samples, sampled) = watch::channel(Arc::<Sample>::default());
        let (seldom, watched) = watch::channel(Arc::<Watched>::default());
        let sampler = Sampler::new(
            cluster.clone(),
            Arc::clone(&handle.settings),
            Arc::clone(&handle.stats),
            samples,
            handle.viewers.pace(handle.settings.refresh),
            watched,
        );
        let rights =
            watched::run(cluster.clone(), Arc::clone(&handle.settings), seldom, self.shutdown.clone());
        self.tracker.spawn(sampler.run(self.shutdown.clone()));
        self.tracker.spawn(rights);
        let inputs = Inputs {
            at,
            core: Arc::downgrade(self),
            cluster: cluster.clone(),
            settings: Arc::clone(&handle.settings),
            stats: Arc::clone(&handle.stats),
            samples: sampled,
            asks: asked,
            looked: Arc::clone(&handle.looked),
            viewers: handle.viewers.clone(),
        };
        let keeper = Keeper::new(inputs, &self.settings);
        self.tracker.spawn(keeper.run(self.shutdown.clone(), self.tracker.clone()));
    }
}

impl Bind for Admin {
    fn bind(&self, actor: Actor) -> Ports {
        let core = &self.core;
        Ports {
            fleet: Arc::new(BoundFleet::new(Arc::clone(core), actor.clone())),
            control: Arc::new(BoundControl::new(Arc::clone(core), actor.clone())),
            peek: Arc::new(BoundPeek::new(Arc::clone(core), actor.clone())),
            actor,
        }
    }
}
