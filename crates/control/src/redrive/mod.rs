//! Re-drives: dead letters copied back to where they are consumed, each once. Any replica takes a request and writes it to
//! the audit, from where every replica knows it; the elected writer carries one out after the other.

mod book;
mod copy;
mod done;
mod ledger;
mod letters;
mod port;
mod preview;
mod run;
mod targets;

use std::collections::HashSet;
use std::sync::Arc;

use flowdeck_kafka::{Cluster, Leadership};
use flowdeck_model::CommandId;
use flowdeck_model::redrive::RedriveOrder;
use flowdeck_observe::ClusterSettings;
use flowdeck_observe::sampling::sample::Sample;
use flowdeck_protocol::wire::RedriveRecord;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use book::{Redrive, RedriveBook};
pub(crate) use port::BoundRedrives;
use run::Run;

use crate::audit::TopicSink;
use crate::kept;

/// Fixed for the cluster, so that a newer leader fences the one before. Not the one of the holds: a large transaction must
/// not keep a pause waiting.
fn transactional_id(settings: &ClusterSettings) -> String {
    format!("{}.redrive", settings.writer_id)
}

/// The re-drives of one cluster, in its actor.
pub(crate) struct RedriveRunner {
    cluster: Cluster,
    settings: Arc<ClusterSettings>,
    samples: watch::Receiver<Arc<Sample>>,
    sink: Arc<TopicSink>,
    /// `None` in observe mode.
    leadership: Option<Leadership>,
    book: watch::Sender<Arc<RedriveBook>>,
    running: Option<Running>,
    /// Carried out here to their ends, whatever the audit still tells.
    over: HashSet<CommandId>,
}

struct Running {
    id: CommandId,
    order: watch::Sender<RedriveOrder>,
    stop: CancellationToken,
    task: JoinHandle<bool>,
}

impl RedriveRunner {
    pub(crate) fn new(
        cluster: Cluster,
        settings: Arc<ClusterSettings>,
        samples: watch::Receiver<Arc<Sample>>,
        sink: Arc<TopicSink>,
        leadership: Option<Leadership>,
        book: watch::Sender<Arc<RedriveBook>>,
    ) -> Self {
        Self { cluster, settings, samples, sink, leadership, book, running: None, over: HashSet::new() }
    }

    pub(crate) fn heard(&mut self, records: Vec<RedriveRecord>) {
        if records.is_empty() {
            return;
        }
        kept::fold(&self.book, records, RedriveBook::heard);
        if let Some(running) = &self.running
            && let Some(known) = self.book.borrow().get(running.id)
        {
            running.order.send_if_modified(|order| std::mem::replace(order, known.order) != known.order);
        }
    }

    /// Begins the next one, and ends what runs where this process does not lead any more. `leads`: with the audit read to
    /// its end.
    pub(crate) async fn ticked(&mut self, leads: bool, shutdown: &CancellationToken, tracker: &TaskTracker) {
        if let Some(running) = &mut self.running {
            if !leads {
                running.stop.cancel();
            }
            if !running.task.is_finished() {
                return;
            }
            // A task that panicked is begun again, as after a crash.
            if (&mut running.task).await.unwrap_or(false) {
                self.over.insert(running.id);
            }
            self.running = None;
        }
        let Some(leadership) = self.leadership.clone().filter(|_| leads) else { return };
        let next = self.book.borrow().open().find(|one| !self.over.contains(&one.id)).cloned();
        let Some(redrive) = next else { return };
        let (order, ordered) = watch::channel(redrive.order);
        let (id, stop) = (redrive.id, shutdown.child_token());
        let run = Run {
            cluster: self.cluster.clone(),
            settings: Arc::clone(&self.settings),
            samples: self.samples.clone(),
            sink: Arc::clone(&self.sink),
            leadership,
            order: ordered,
            redrive,
            stop: stop.clone(),
        };
        let task = tracker.spawn(run.run());
        self.running = Some(Running { id, order, stop, task });
    }
}
