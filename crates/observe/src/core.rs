//! What the ports of all actors share: each cluster, and the newest snapshot.

use std::sync::Arc;

use flowdeck_kafka::{Cluster, Throttle};
use flowdeck_model::Timestamp;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock;
use crate::history::History;
use crate::looks::Looks;
use crate::offers::Offers;
use crate::sampling::details::{Details, Look};
use crate::sampling::pace::Viewers;
use crate::sampling::sample::Sample;
use crate::sampling::sampler::{Beside, Sampler};
use crate::sampling::verify::{self, Proofs};
use crate::sampling::watched::{self, Watched};
use crate::settings::{ClusterSettings, ObserveSettings};
use crate::snapshot::{ClusterSnapshot, Publisher};
use crate::stats::ClusterStats;

pub struct Core {
    pub settings: ObserveSettings,
    pub clusters: Vec<ClusterHandle>,
    pub publisher: Publisher,
    pub started_at: Timestamp,
    pub shutdown: CancellationToken,
}

pub struct ClusterHandle {
    pub settings: Arc<ClusterSettings>,
    /// `None`: its configuration cannot work; the snapshot says why.
    pub cluster: Option<Cluster>,
    /// Whoever asks for what is known of it: while nobody does, it is refreshed less often.
    pub viewers: Viewers,
    pub(crate) peeks: Arc<Semaphore>,
    pub(crate) searches: Arc<Semaphore>,
    pub(crate) search_rate: Arc<Throttle>,
    pub stats: Arc<ClusterStats>,
    /// At its records, on their way to the audit.
    pub looks: Looks,
    pub history: History,
    pub(crate) offers: Offers,
}

impl Core {
    /// Connects in the background. A broker that is away is normal.
    pub fn new(
        settings: ObserveSettings,
        clusters: Vec<ClusterSettings>,
        shutdown: CancellationToken,
    ) -> Self {
        let now = clock::now();
        let mut first = Vec::new();
        let mut handles = Vec::new();
        for settings_of_one in clusters {
            let own = Arc::new(settings_of_one);
            let (cluster, error) = match Cluster::new(own.kafka.clone()) {
                Ok(cluster) => (Some(cluster), None),
                Err(error) => (None, Some(format!("its configuration cannot work: {error}"))),
            };
            first.push(Arc::new(ClusterSnapshot::empty(Arc::clone(&own), now, error)));
            let stats = Arc::<ClusterStats>::default();
            handles.push(ClusterHandle {
                looks: Looks::new(own.mode, Arc::clone(&stats)),
                searches: Arc::new(Semaphore::new(own.search.at_once)),
                search_rate: Arc::new(Throttle::new(own.search.bytes_per_second)),
                settings: own,
                cluster,
                viewers: Viewers::default(),
                peeks: Arc::new(Semaphore::new(settings.peek_at_once.max(1))),
                stats,
                history: History::default(),
                offers: Offers::default(),
            });
        }
        Self { settings, clusters: handles, publisher: Publisher::new(first), started_at: now, shutdown }
    }

    /// Somebody looks at these.
    pub(crate) fn viewed(&self, clusters: &[&Arc<ClusterSnapshot>]) {
        for handle in &self.clusters {
            if clusters.iter().any(|one| one.settings.name == handle.settings.name) {
                handle.viewers.look();
            }
        }
    }
}

impl ClusterHandle {
    /// Starts the tasks that ask the brokers.
    pub fn sample(
        &self,
        cluster: &Cluster,
        shutdown: &CancellationToken,
        tracker: &TaskTracker,
    ) -> watch::Receiver<Arc<Sample>> {
        let (samples, sampled) = watch::channel(Arc::<Sample>::default());
        let (seldom, watched) = watch::channel(Arc::<Watched>::default());
        let (details, detailed) = watch::channel(Arc::<Details>::default());
        let (proofs, proven) = watch::channel(Arc::<Proofs>::default());
        let sampler = Sampler::new(
            cluster.clone(),
            Arc::clone(&self.settings),
            Arc::clone(&self.stats),
            samples,
            self.viewers.pace(self.settings.refresh),
            Beside {
                watched,
                proofs: proven,
                details: detailed,
                viewers: self.viewers.clone(),
                history: self.history.clone(),
            },
        );
        let looks = Look {
            cluster: cluster.clone(),
            settings: Arc::clone(&self.settings),
            samples: sampled.clone(),
            history: self.history.clone(),
            out: details,
        };
        tracker.spawn(looks.run(shutdown.clone()));
        if self.settings.verify_stalls {
            let settings = Arc::clone(&self.settings);
            let reads = verify::run(
                cluster.clone(),
                settings,
                sampled.clone(),
                self.history.clone(),
                proofs,
                shutdown.clone(),
            );
            tracker.spawn(reads);
        }
        let rights = watched::run(cluster.clone(), Arc::clone(&self.settings), seldom, shutdown.clone());
        tracker.spawn(sampler.run(shutdown.clone()));
        tracker.spawn(rights);
        sampled
    }
}
