//! The service: starts each cluster's tasks, hands out ports, answers for itself, ends on shutdown.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use flowdeck_kafka::{Capabilities, Cluster, Leadership};
use flowdeck_model::ports::Bind;
use flowdeck_model::view::Mode;
use flowdeck_model::{Actor, ClusterName, Ports, Verdict};
use flowdeck_observe::core::{ClusterHandle, Core};
use flowdeck_observe::figures::Figures;
use flowdeck_observe::history::Replay;
use flowdeck_observe::ports::{BoundAudit, BoundDeadLetters, BoundFleet, BoundPeek};
use flowdeck_observe::ready::ReadyView;
use flowdeck_observe::verdict_changes::VerdictChange;
use flowdeck_observe::{ClusterSettings, Stats, history};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::audit::{Audit, OldOperations, TopicSink, Writer, write_log_ins, write_looks};
use crate::bulk::{BoundBulks, Bulk, BulkBook};
use crate::canary::BoundCanaries;
use crate::cluster::actor::{ClusterActor, Inputs, Request};
use crate::kept::{Desk, Desks};
use crate::port::BoundControl;
use crate::produce::{BoundProduce, ProduceBook, ProduceDesk, ProduceDesks};
use crate::redrive::{BoundRedrives, Redrive, RedriveBook};
use crate::retention::{BoundRetentions, Raised, RetentionBook};
use crate::samples::MinuteWriter;
use crate::settings::AdminSettings;

/// The admin service; cheap to clone.
#[derive(Clone)]
pub struct Admin {
    core: Arc<Core>,
    requests: Requests,
    tracker: TaskTracker,
    audit: Audit,
    old_operations: Arc<OldOperations>,
    redrives: Desks<Redrive>,
    bulks: Desks<Bulk>,
    produced: ProduceDesks,
    retentions: Desks<Raised>,
}

/// The way to each cluster's actor.
pub(crate) type Requests = Arc<HashMap<ClusterName, mpsc::Sender<Request>>>;

impl Admin {
    /// Returns at once; connects in the background. A broker that is away is normal.
    /// Must be called inside a tokio runtime.
    pub fn start(
        settings: AdminSettings,
        clusters: Vec<ClusterSettings>,
        shutdown: CancellationToken,
    ) -> Self {
        let core = Arc::new(Core::new(settings.observe.clone(), clusters, shutdown));
        let tracker = TaskTracker::new();
        let mut requests = HashMap::new();
        let (mut redrives, mut bulks, mut produced) = (HashMap::new(), HashMap::new(), HashMap::new());
        let mut retentions = HashMap::new();
        let mut audit = Audit::log_alone();
        for (at, handle) in core.clusters.iter().enumerate() {
            let (request, requested) = mpsc::channel(settings.submit_queue.max(1));
            requests.insert(handle.settings.name.clone(), request.clone());
            let Some(cluster) = &handle.cluster else { continue };
            let sink = Arc::new(TopicSink::new(cluster.clone(), handle.settings.audit_topic.clone()));
            if at == 0 && handle.settings.mode == Mode::Control {
                audit = start_log_ins(handle, Arc::clone(&sink), &core.shutdown, &tracker);
            }
            if let Some(looks) = handle.looks.take() {
                tracker.spawn(write_looks(looks, writer(handle, Arc::clone(&sink), &core.shutdown)));
            }
            let (redrive_book, desk) = Desk::new(Arc::clone(&sink));
            redrives.insert(handle.settings.name.clone(), desk);
            let (bulk_book, desk) = Desk::new(Arc::clone(&sink));
            bulks.insert(handle.settings.name.clone(), desk);
            let (produce_book, desk) =
                ProduceDesk::new(cluster.clone(), Arc::clone(&sink), tracker.clone(), core.shutdown.clone());
            produced.insert(handle.settings.name.clone(), desk);
            let (retention_book, desk) = Desk::new(Arc::clone(&sink));
            retentions.insert(handle.settings.name.clone(), desk);
            let audited = Audited { sink, redrive_book, bulk_book, produce_book, retention_book };
            start_cluster(&core, &settings, at, cluster, audited, (request, requested), &tracker);
        }
        let histories = core.clusters.iter().map(|handle| handle.history.clone()).collect();
        tracker.spawn(history::record(core.publisher.subscribe(), histories, core.shutdown.clone()));
        // Comparing all verdicts at each publication is for who wants to know.
        if tracing::enabled!(target: "verdicts", tracing::Level::DEBUG) {
            tracker.spawn(log_verdicts(core.publisher.verdict_changes(), core.shutdown.clone()));
        }
        tracker.close();
        Self {
            core,
            requests: Arc::new(requests),
            tracker,
            audit,
            old_operations: Arc::default(),
            redrives: Arc::new(redrives),
            bulks: Arc::new(bulks),
            produced: Arc::new(produced),
            retentions: Arc::new(retentions),
        }
    }

    /// Waits until every task has ended after shutdown; `false` where some did not in time.
    pub async fn join(&self, deadline: Duration) -> bool {
        tokio::time::timeout(deadline, self.tracker.wait()).await.is_ok()
    }

    /// Where log-ins are recorded.
    pub fn audit(&self) -> Audit {
        self.audit.clone()
    }

    pub fn ready(&self) -> ReadyView {
        self.core.ready()
    }

    pub fn stats(&self) -> Stats {
        self.core.stats()
    }

    /// All of this moment, for `/metrics`.
    pub fn figures(&self) -> Arc<dyn Figures> {
        self.core.figures()
    }

    /// What the cluster offers; `None` where no such cluster is configured or it cannot be reached at all.
    pub async fn capabilities(&self, cluster: &ClusterName, deadline: Duration) -> Option<Capabilities> {
        self.core.capabilities(cluster, deadline).await
    }
}

/// What a cluster's actor writes to the audit, and what it folds from it.
struct Audited {
    sink: Arc<TopicSink>,
    redrive_book: watch::Sender<Arc<RedriveBook>>,
    bulk_book: watch::Sender<Arc<BulkBook>>,
    produce_book: watch::Sender<Arc<ProduceBook>>,
    retention_book: watch::Sender<Arc<RetentionBook>>,
}

fn start_cluster(
    core: &Arc<Core>,
    settings: &AdminSettings,
    at: usize,
    cluster: &Cluster,
    Audited { sink, redrive_book, bulk_book, produce_book, retention_book }: Audited,
    (own_requests, requests): (mpsc::Sender<Request>, mpsc::Receiver<Request>),
    tracker: &TaskTracker,
) {
    let handle = &core.clusters[at];
    let inputs = Inputs {
        at,
        core: Arc::downgrade(core),
        cluster: cluster.clone(),
        settings: Arc::clone(&handle.settings),
        stats: Arc::clone(&handle.stats),
        samples: handle.sample(cluster, &core.shutdown, tracker),
        requests,
        own_requests,
        viewers: handle.viewers.clone(),
        sink,
        redrive_book,
        bulk_book,
        produce_book,
        retention_book,
        history: handle.history.clone(),
    };
    let actor = ClusterActor::new(inputs, settings);
    if let Some(leadership) = actor.leadership() {
        keep_history(handle, cluster, leadership, &core.shutdown, tracker);
    }
    tracker.spawn(actor.run(core.shutdown.clone(), tracker.clone()));
}

/// In control mode minutes are read from their topic at the start, and written to it by whoever leads.
fn keep_history(
    handle: &ClusterHandle,
    cluster: &Cluster,
    leadership: Leadership,
    shutdown: &CancellationToken,
    tracker: &TaskTracker,
) {
    let (topic, history) = (handle.settings.samples_topic.clone(), handle.history.clone());
    let (cluster, stats) = (cluster.clone(), Arc::clone(&handle.stats));
    let replay = Replay { cluster: cluster.clone(), topic: topic.clone(), history: history.clone(), stats };
    tracker.spawn(replay.run(shutdown.clone()));
    tracker.spawn(MinuteWriter::new(cluster, topic, leadership, history).run(shutdown.clone()));
}

/// Each change of a verdict is a line of the log.
async fn log_verdicts(mut changes: broadcast::Receiver<VerdictChange>, shutdown: CancellationToken) {
    loop {
        let change = tokio::select! {
            () = shutdown.cancelled() => return,
            change = changes.recv() => change,
        };
        match change {
            Ok(change) => {
                let word = |verdict: Option<Verdict>| verdict.map_or("none", Verdict::label);
                tracing::debug!(
                    target: "verdicts",
                    cluster = %change.cluster,
                    group = change.group.shown(),
                    from = word(change.from),
                    to = word(change.to),
                    why = change.why.unwrap_or_default(),
                    "verdict"
                );
            }
            Err(RecvError::Lagged(missed)) => tracing::debug!(target: "verdicts", missed, "verdicts missed"),
            Err(RecvError::Closed) => return,
        }
    }
}

/// Log-ins go to the audit topic of the first cluster, where that is in control mode.
fn start_log_ins(
    handle: &ClusterHandle,
    sink: Arc<TopicSink>,
    shutdown: &CancellationToken,
    tracker: &TaskTracker,
) -> Audit {
    let (audit, log_ins) = Audit::new(Arc::clone(&handle.stats));
    tracker.spawn(write_log_ins(log_ins, writer(handle, sink, shutdown)));
    audit
}

fn writer(handle: &ClusterHandle, sink: Arc<TopicSink>, shutdown: &CancellationToken) -> Writer {
    Writer { sink, stats: Arc::clone(&handle.stats), shutdown: shutdown.clone() }
}

impl Bind for Admin {
    fn bind(&self, actor: Actor) -> Ports {
        let core = &self.core;
        let control = BoundControl::new(
            Arc::clone(core),
            Arc::clone(&self.requests),
            Arc::clone(&self.old_operations),
            actor.clone(),
        );
        let bulks = Arc::clone(&self.bulks);
        Ports {
            fleet: Arc::new(BoundFleet::new(Arc::clone(core), actor.clone())),
            bulks: Arc::new(BoundBulks::new(Arc::clone(core), bulks, control.clone(), actor.clone())),
            canaries: Arc::new(BoundCanaries::new(Arc::clone(core), control.clone())),
            control: Arc::new(control),
            audit: Arc::new(BoundAudit::new(Arc::clone(core), actor.clone())),
            peek: Arc::new(BoundPeek::new(Arc::clone(core), actor.clone())),
            dead_letters: Arc::new(BoundDeadLetters::new(Arc::clone(core), actor.clone())),
            redrives: Arc::new(BoundRedrives::new(
                Arc::clone(core),
                Arc::clone(&self.redrives),
                actor.clone(),
            )),
            produce: Arc::new(BoundProduce::new(Arc::clone(core), Arc::clone(&self.produced), actor.clone())),
            retentions: Arc::new(BoundRetentions::new(
                Arc::clone(core),
                Arc::clone(&self.retentions),
                actor.clone(),
            )),
            actor,
        }
    }
}
