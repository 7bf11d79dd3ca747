//! The one task of a cluster that changes its state: it takes in samples and commands, and
//! publishes snapshots. Everything is serialised here; what waits for Kafka is done by jobs beside it.

use std::sync::{Arc, Weak};

use flowdeck_model::actor::ActorView;
use flowdeck_model::view::Submitted;
use flowdeck_model::{PortError, Submit};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::sample::Sample;
use super::snapshot::{ClusterSnapshot, Parts};
use crate::clock;
use crate::service::{ClusterHandle, Core};
use crate::settings::{AdminSettings, ClusterSettings};
use crate::stats::ClusterStats;

/// A command on its way to the keeper.
pub(crate) struct Ask {
    pub(crate) submit: Submit,
    pub(crate) actor: ActorView,
    pub(crate) answer: oneshot::Sender<Result<Submitted, PortError>>,
    /// Nobody waits for the answer after this: it is not begun any more.
    pub(crate) until: Instant,
}

pub(crate) struct Keeper {
    at: usize,
    core: Weak<Core>,
    settings: Arc<ClusterSettings>,
    stats: Arc<ClusterStats>,
    samples: watch::Receiver<Arc<Sample>>,
    asks: mpsc::Receiver<Ask>,
}

impl Keeper {
    pub(crate) fn new(
        at: usize,
        core: Weak<Core>,
        handle: &ClusterHandle,
        _settings: &AdminSettings,
        samples: watch::Receiver<Arc<Sample>>,
        asks: mpsc::Receiver<Ask>,
    ) -> Option<Self> {
        let settings = Arc::clone(&handle.settings);
        let stats = Arc::clone(&handle.stats);
        Some(Self { at, core, settings, stats, samples, asks })
    }

    pub(crate) async fn run(mut self, shutdown: CancellationToken, _tracker: TaskTracker) {
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                changed = self.samples.changed() => if changed.is_err() { return },
                Some(ask) = self.asks.recv() => drop(ask.answer),
                () = tokio::time::sleep(self.settings.refresh) => {}
            }
            self.publish();
        }
    }

    fn publish(&mut self) {
        let Some(core) = self.core.upgrade() else { return };
        let sample = Arc::clone(&self.samples.borrow_and_update());
        let snapshot = ClusterSnapshot::compose(Arc::clone(&self.settings), sample, Parts::default(), clock::now());
        core.publisher.publish(self.at, snapshot);
        self.stats.published();
    }
}
