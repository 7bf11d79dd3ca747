//! The one task of a cluster that changes its state: it takes in samples, records and requests, keeps time, and
//! publishes snapshots. Everything is serialised here, and nothing here waits for Kafka: what is written is written
//! by one task at a time, beside it, and the audit beside that.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use flowdeck_kafka::{Cause, Cluster, Deadline, ElectionEvent, Leadership};
use flowdeck_model::actor::ActorView;
use flowdeck_model::view::PreviewView;
use flowdeck_model::{GroupId, PortError, Submit};
use flowdeck_observe::core::Core;
use flowdeck_observe::group_watch::{self, Answers};
use flowdeck_observe::history::History;
use flowdeck_observe::sampling::pace::Viewers;
use flowdeck_observe::sampling::sample::Sample;
use flowdeck_observe::snapshot::ClusterSnapshot;
use flowdeck_observe::stats::ClusterStats;
use flowdeck_observe::topic_events::{self, Incoming};
use flowdeck_observe::{ClusterSettings, clock};
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::audit_writer::{AuditOutcome, AuditWriter};
use super::candidate::Candidate;
use super::election::ElectionProblem;
use super::intake::RunnerRecords;
use super::state::State;
use crate::audit::TopicSink;
use crate::bulk::{BulkBook, BulkRunner};
use crate::commands::offsets::Lookup;
use crate::commands::write_task::{self, Answer, WriteOutcome, WriteTask};
use crate::kept;
use crate::offsets::alter::{Altered, Altering};
use crate::produce::ProduceBook;
use crate::redrive::{RedriveBook, RedriveRunner};
use crate::retention::{RetentionBook, RetentionRunner};
use crate::settings::AdminSettings;
use crate::writer::Writers;

/// On its way to the actor.
pub(crate) struct Request {
    pub(crate) submit: Submit,
    pub(crate) actor: ActorView,
    pub(crate) wants: Wants,
    /// Nobody waits for the answer after this: it is not begun any more.
    pub(crate) until: Instant,
}

pub(crate) enum Wants {
    /// To be carried out.
    Outcome(Answer),
    /// To know what would be done.
    Preview(oneshot::Sender<Result<(PreviewView, Option<Lookup>), PortError>>),
}

/// Telemetry alone is published so often at most.
const TELEMETRY_PACE: Duration = Duration::from_millis(500);
/// The group of the election is left by then.
const LEAVE: Duration = Duration::from_secs(2);
/// Records taken in before the rest gets its turn.
const RECORDS_AT_ONCE: usize = 256;
const RECORDS_FOR: Duration = Duration::from_millis(50);
/// Groups whose commits are set at once.
const ALTERED_AT_ONCE: usize = 8;

type Running = Pin<Box<dyn Future<Output = (Writers, WriteOutcome)> + Send>>;

pub(crate) struct ClusterActor {
    at: usize,
    core: Weak<Core>,
    settings: Arc<ClusterSettings>,
    stats: Arc<ClusterStats>,
    cluster: Cluster,
    samples: watch::Receiver<Arc<Sample>>,
    requests: mpsc::Receiver<Request>,
    /// Requests that may wait to be carried out.
    pending_max: usize,
    viewers: Viewers,
    /// Bumped when Flowdeck's own topics were created.
    again: watch::Sender<u64>,
    state: State,
    candidate: Candidate,
    /// `None` in observe mode, and while a task has them.
    writers: Option<Writers>,
    running: Option<Running>,
    /// What runs takes over the writer's id: it writes no record.
    leads: bool,
    altering: FuturesUnordered<BoxFuture<'static, Altered>>,
    audit: AuditWriter,
    redrives: RedriveRunner,
    bulks: BulkRunner,
    produce_book: watch::Sender<Arc<ProduceBook>>,
    retentions: RetentionRunner,
    /// Of which the pages say why it is not kept.
    history: History,
    started: Instant,
    published: Instant,
}

/// What the actor is made of.
pub(crate) struct Inputs {
    pub(crate) at: usize,
    pub(crate) core: Weak<Core>,
    pub(crate) cluster: Cluster,
    pub(crate) settings: Arc<ClusterSettings>,
    pub(crate) stats: Arc<ClusterStats>,
    pub(crate) samples: watch::Receiver<Arc<Sample>>,
    pub(crate) requests: mpsc::Receiver<Request>,
    /// To `requests`.
    pub(crate) own_requests: mpsc::Sender<Request>,
    pub(crate) viewers: Viewers,
    pub(crate) sink: Arc<TopicSink>,
    pub(crate) redrive_book: watch::Sender<Arc<RedriveBook>>,
    pub(crate) bulk_book: watch::Sender<Arc<BulkBook>>,
    pub(crate) produce_book: watch::Sender<Arc<ProduceBook>>,
    pub(crate) retention_book: watch::Sender<Arc<RetentionBook>>,
    pub(crate) history: History,
}

impl ClusterActor {
    pub(crate) fn new(inputs: Inputs, admin: &AdminSettings) -> Self {
        let Inputs {
            at,
            core,
            cluster,
            settings,
            stats,
            samples,
            requests,
            own_requests,
            viewers,
            sink,
            redrive_book,
            bulk_book,
            produce_book,
            retention_book,
            history,
        } = inputs;
        let state = State::new(Arc::clone(&settings), admin, Arc::clone(&stats));
        let candidate = Candidate::new(&cluster, &settings);
        let writers = |leadership| Writers::new(cluster.clone(), settings.writer_id.clone(), leadership);
        let redrives = RedriveRunner::new(
            cluster.clone(),
            Arc::clone(&settings),
            samples.clone(),
            Arc::clone(&sink),
            candidate.leadership(),
            redrive_book,
        );
        let bulks = BulkRunner {
            core: core.clone(),
            at,
            settings: Arc::clone(&settings),
            sink: Arc::clone(&sink),
            leadership: candidate.leadership(),
            requests: own_requests,
            book: bulk_book,
            running: HashMap::new(),
            over: HashSet::new(),
        };
        let retentions = RetentionRunner::new(
            cluster.clone(),
            Arc::clone(&settings),
            Arc::clone(&sink),
            candidate.leadership(),
            retention_book,
        );
        Self {
            redrives,
            bulks,
            retentions,
            produce_book,
            writers: candidate.leadership().map(writers),
            candidate,
            audit: AuditWriter::new(sink, settings.timing),
            history,
            at,
            core,
            settings,
            stats,
            cluster,
            samples,
            requests,
            pending_max: admin.submit_queue.max(1),
            viewers,
            again: watch::Sender::new(0),
            state,
            running: None,
            leads: false,
            altering: FuturesUnordered::new(),
            started: Instant::now(),
            published: Instant::now(),
        }
    }

    /// `None` where it takes no part in the election.
    pub(crate) fn leadership(&self) -> Option<Leadership> {
        self.candidate.leadership()
    }

    pub(crate) async fn run(mut self, shutdown: CancellationToken, tracker: TaskTracker) {
        self.state.started(clock::now());
        let again = self.again.subscribe();
        let mut incoming = topic_events::follow(&self.cluster, &self.settings, &again, &shutdown, &tracker);
        let (watched, groups) = watch::channel(Arc::<[GroupId]>::default());
        let mut seen = group_watch::start(&self.cluster, &self.settings, groups, &shutdown, &tracker);
        let mut tick = tokio::time::interval(self.settings.timing.tick);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            self.begin_next();
            self.start_task();
            self.start_altering();
            self.write_audit();
            let takes_requests = self.is_ready() && self.state.pending() < self.pending_max;
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                // Who leads knows what became of each request, or would begin one again that is done.
                event = self.candidate.next(), if self.state.observed.is_audit_settled() => self.election(event),
                (writers, outcome) = running(&mut self.running), if self.running.is_some() => {
                    self.running = None;
                    self.written(writers, outcome);
                }
                Some(done) = self.altering.next(), if !self.altering.is_empty() => {
                    self.state.altered(done, clock::now());
                }
                outcome = self.audit.next() => self.audited(outcome),
                Some(request) = self.requests.recv(), if takes_requests => self.asked(request),
                changed = self.samples.changed() => {
                    if changed.is_err() {
                        break;
                    }
                    self.sampled();
                }
                // Before the records: a flood of them must not keep deadlines and evidence waiting.
                _ = tick.tick() => {
                    self.ticked();
                    let leads = self.state.leads() && self.state.observed.is_audit_known();
                    self.redrives.ticked(leads, &shutdown, &tracker).await;
                    self.bulks.ticked(leads, &shutdown, &tracker).await;
                    let position = self.state.observed.audit_position();
                    let is_paused = |group: &_, topic: &_| self.state.is_paused_on(group, topic);
                    self.retentions.ticked(leads, position, is_paused, &tracker);
                    self.watch_groups(&watched);
                }
                Some(answers) = seen.recv() => self.saw_groups(answers),
                Some(one) = incoming.recv() => self.heard(one, &mut incoming),
            }
            let writes = self.state.jobs.len() + self.state.external.len();
            self.stats.waiting(self.requests.len() + self.state.pending(), incoming.len(), writes);
            self.publish_if_due();
        }
        self.end().await;
    }

    /// A write that is under way ends by its deadline; its outcome is on the cluster, and in the audit if there is
    /// time. Then another replica may lead.
    async fn end(mut self) {
        let deadline = self.settings.timing.write_deadline;
        if let Some(task) = self.running.take()
            && !self.leads
            && let Ok((writers, outcome)) = tokio::time::timeout(deadline, task).await
        {
            self.written(writers, outcome);
        }
        let _ = tokio::time::timeout(self.settings.timing.audit_patience, self.finish_audit()).await;
        self.candidate.leave(Deadline::after(LEAVE)).await;
    }

    /// What is being written, and then what changed meanwhile.
    async fn finish_audit(&mut self) {
        self.audit.finish().await;
        self.audit.write_states(self.state.take_unaudited(clock::now()));
        self.audit.finish().await;
    }

    /// Commands wait until holds, acks and audit are read, but not for ever: they are refused with the reason.
    fn is_ready(&self) -> bool {
        self.state.observed.is_ready() || self.started.elapsed() > self.settings.timing.write_deadline
    }

    fn election(&mut self, event: ElectionEvent) {
        match event {
            ElectionEvent::Elected => self.state.elected(),
            ElectionEvent::Standby => self.state.another_elected(),
            ElectionEvent::Lost(why) => {
                tracing::info!(cluster = %self.settings.name, %why, "this replica is not the writer any more");
                self.state.lost(None);
            }
            // It is being made, or the page says why not.
            ElectionEvent::Failing(error) if error.cause == Cause::UnknownTopic => self.state.lost(None),
            ElectionEvent::Failing(error) => {
                let lasts = matches!(error.cause, Cause::NotPermitted(_));
                self.state.lost(Some(ElectionProblem { words: error.with_cause(), lasts }));
            }
        }
    }

    fn begin_next(&mut self) {
        if self.running.is_none() && self.state.jobs.is_empty() {
            let now = clock::now();
            self.state.lead_again(now);
            self.state.begin_next(now);
        }
    }

    fn start_task(&mut self) {
        if self.running.is_some() || self.state.jobs.is_empty() {
            return;
        }
        let Some(mut writers) = self.writers.take() else {
            // Observe mode: there is nobody who could write.
            self.state.jobs.clear();
            return;
        };
        let Some(task) = self.state.jobs.pop_front() else {
            self.writers = Some(writers);
            return;
        };
        self.leads = matches!(task, WriteTask::Lead);
        if self.leads {
            writers.forget();
        }
        let (sink, settings) = (self.audit.sink(), Arc::clone(&self.settings));
        self.running = Some(Box::pin(write_task::run(writers, sink, settings, task)));
    }

    /// Where another replica may lead, nothing goes on: whoever leads next looks at what is committed.
    fn start_altering(&mut self) {
        if !self.state.leads() {
            self.altering.clear();
            return;
        }
        while self.altering.len() < ALTERED_AT_ONCE {
            let Some(leadership) = self.candidate.leadership() else { return };
            let Some(task) = self.state.alterations.pop_front() else { return };
            let (cluster, timing) = (self.cluster.clone(), self.settings.timing);
            self.altering.push(Altering { cluster, leadership, timing }.run(task).boxed());
        }
    }

    fn written(&mut self, writers: Writers, outcome: WriteOutcome) {
        self.writers = Some(writers);
        if let WriteOutcome::Topics { created: true, .. } = &outcome {
            self.again.send_modify(|round| *round += 1);
        }
        self.state.written(outcome, clock::now());
    }

    /// Requests at once, each beside the others; changes of commands one batch after the other.
    fn write_audit(&mut self) {
        while let Some(request) = self.state.next_audit_request() {
            self.audit.write_request(request);
        }
        if self.audit.takes_states() && self.state.has_unaudited() {
            self.audit.write_states(self.state.take_unaudited(clock::now()));
        }
    }

    fn audited(&mut self, outcome: AuditOutcome) {
        match outcome {
            AuditOutcome::Request { id, result } => self.state.request_audited(id, result, clock::now()),
            AuditOutcome::States { operations, problem } => self.state.states_audited(&operations, problem),
        }
    }

    fn asked(&mut self, request: Request) {
        let now = clock::now();
        let Request { submit, actor, wants, until } = request;
        let answer = match wants {
            Wants::Preview(answer) => {
                let _ = answer.send(self.state.preview(&submit, &actor, now));
                return;
            }
            Wants::Outcome(answer) => answer,
        };
        if until <= Instant::now() || answer.is_closed() {
            let detail = "it waited too long behind other commands and was not begun".to_owned();
            let cluster = self.settings.name.clone();
            let _ = answer.send(Err(PortError::Unavailable { cluster, detail }));
            return;
        }
        self.state.asked(submit, actor, answer, now);
    }

    fn sampled(&mut self) {
        let sample = Arc::clone(&self.samples.borrow_and_update());
        self.state.sampled(sample, clock::now());
    }

    fn heard(&mut self, first: Incoming, incoming: &mut mpsc::Receiver<Incoming>) {
        let began = Instant::now();
        let mut next = Some(first);
        let mut taken = 0;
        while let Some(one) = next.take() {
            self.state.heard(one);
            taken += 1;
            if taken < RECORDS_AT_ONCE && began.elapsed() < RECORDS_FOR {
                next = incoming.try_recv().ok();
            }
        }
        self.state.settle_answered();
        let RunnerRecords { redrives, bulks, produced, retentions } = self.state.take_runner_records();
        self.redrives.heard(redrives);
        self.bulks.heard(bulks);
        kept::fold(&self.produce_book, produced, ProduceBook::heard);
        self.retentions.heard(retentions);
        self.state.restore();
        self.follow_touched();
    }

    fn saw_groups(&mut self, answers: Answers) {
        let now = clock::now();
        for (group, seen) in answers {
            self.state.saw_group(&group, seen, now);
        }
        self.follow_touched();
    }

    fn watch_groups(&self, watched: &watch::Sender<Arc<[GroupId]>>) {
        let groups = self.state.watched_groups(clock::now());
        watched.send_if_modified(|known| {
            let changed = known[..] != groups[..];
            if changed {
                *known = groups.into();
            }
            changed
        });
    }

    /// Not at the next tick: what is not obeyed is told again at once. While something is being written, after it.
    fn follow_touched(&mut self) {
        if self.running.is_none() && self.state.jobs.is_empty() {
            self.state.follow_touched(clock::now());
        }
    }

    fn ticked(&mut self) {
        let now = clock::now();
        // While something is being written its outcome is not known yet: time waits for it, but who asked for something
        // else does not.
        if self.running.is_some() || !self.state.jobs.is_empty() {
            return self.state.answer_overdue(now);
        }
        self.state.ticked(now);
        self.viewers.follow(self.state.followed_groups());
        self.viewers.tell_readers_of_committed(self.state.readers_of_committed());
        if self.state.awaits_evidence() {
            self.viewers.look();
        }
    }

    /// At once for what a person waits for; at a pace for telemetry; and always now and then, so that
    /// ages stay true.
    fn publish_if_due(&mut self) {
        let since = self.published.elapsed();
        let due = self.state.is_dirty()
            || (self.state.observed.is_telemetry_dirty() && since >= TELEMETRY_PACE)
            || since >= self.settings.refresh.max(TELEMETRY_PACE);
        if !due {
            return;
        }
        let Some(core) = self.core.upgrade() else { return };
        let now = clock::now();
        let before = core.publisher.current().clusters.get(self.at).cloned();
        let mut parts = self.state.parts(now);
        parts.before = before;
        parts.warnings.extend(self.history.problems());
        let sample = Arc::clone(&self.state.observed.sample);
        let snapshot = ClusterSnapshot::compose(Arc::clone(&self.settings), sample, parts, now);
        core.publisher.publish(self.at, snapshot);
        self.published = Instant::now();
        self.stats.published();
    }
}

async fn running(task: &mut Option<Running>) -> (Writers, WriteOutcome) {
    match task {
        Some(task) => task.await,
        None => std::future::pending().await,
    }
}
