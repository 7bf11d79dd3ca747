//! Bulk operations: one operation over many groups. Any replica takes a request and writes it to the audit, from where every
//! replica knows it; the elected writer asks for one command after the other, each of which is an operation of its own.

mod book;
mod changed;
mod plan;
mod port;
mod run;
mod undo;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Weak};

use flowdeck_kafka::Leadership;
use flowdeck_model::CommandId;
use flowdeck_observe::ClusterSettings;
use flowdeck_observe::core::Core;
use flowdeck_protocol::wire::BulkRecord;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use book::{Bulk, BulkBook};
pub(crate) use port::BoundBulks;
use run::Run;

use crate::audit::TopicSink;
use crate::cluster::actor::Request;
use crate::kept;

/// So many go on at once; others wait.
const AT_ONCE: usize = 4;

/// The bulk operations of one cluster, in its actor.
pub(crate) struct BulkRunner {
    pub(crate) core: Weak<Core>,
    pub(crate) at: usize,
    pub(crate) settings: Arc<ClusterSettings>,
    pub(crate) sink: Arc<TopicSink>,
    /// `None` in observe mode.
    pub(crate) leadership: Option<Leadership>,
    /// The actor's own way in: a group's command is asked for as an operator would.
    pub(crate) requests: mpsc::Sender<Request>,
    pub(crate) book: watch::Sender<Arc<BulkBook>>,
    pub(crate) running: HashMap<CommandId, Running>,
    /// Carried out here to their ends, whatever the audit still tells.
    pub(crate) over: HashSet<CommandId>,
}

pub(crate) struct Running {
    stopped: watch::Sender<bool>,
    stop: CancellationToken,
    task: JoinHandle<bool>,
}

impl BulkRunner {
    pub(crate) fn heard(&mut self, records: Vec<BulkRecord>) {
        if records.is_empty() {
            return;
        }
        kept::fold(&self.book, records, BulkBook::heard);
        let book = self.book.borrow();
        for (id, running) in &self.running {
            if book.get(*id).is_some_and(|one| one.stopped) {
                running.stopped.send_if_modified(|stopped| !std::mem::replace(stopped, true));
            }
        }
    }

    /// Begins what is requested, and ends what runs where this process does not lead any more. `leads`: with the audit
    /// read to its end.
    pub(crate) async fn ticked(&mut self, leads: bool, shutdown: &CancellationToken, tracker: &TaskTracker) {
        let mut ended = Vec::new();
        for (id, running) in &mut self.running {
            if !leads {
                running.stop.cancel();
            }
            if running.task.is_finished() {
                // A task that panicked is begun again, as after a crash.
                ended.push((*id, (&mut running.task).await.unwrap_or(false)));
            }
        }
        for (id, is_over) in ended {
            self.running.remove(&id);
            if is_over {
                self.over.insert(id);
            }
        }
        let Some(leadership) = self.leadership.clone().filter(|_| leads) else { return };
        let open: Vec<_> = self.book.borrow().open().cloned().collect();
        for bulk in open {
            if self.running.len() >= AT_ONCE {
                return;
            }
            if self.running.contains_key(&bulk.id) || self.over.contains(&bulk.id) {
                continue;
            }
            let (stopped, is_stopped) = watch::channel(bulk.stopped);
            let (id, stop) = (bulk.id, shutdown.child_token());
            let run = Run {
                core: self.core.clone(),
                at: self.at,
                settings: Arc::clone(&self.settings),
                sink: Arc::clone(&self.sink),
                leadership: leadership.clone(),
                requests: self.requests.clone(),
                stopped: is_stopped,
                bulk,
                stop: stop.clone(),
            };
            let task = tracker.spawn(run.run());
            self.running.insert(id, Running { stopped, stop, task });
        }
    }
}
